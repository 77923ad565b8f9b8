"""`report` and `run --report`: what they write, what they print, and what they refuse."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import command, run
from image_folders import copy_scenes
from report_files import index_of


@pytest.fixture
def photos(tmp_path):
    return copy_scenes(tmp_path / "photos", "star/a.png", "ring/b.png")


@pytest.fixture
def out(tmp_path, photos, labels):
    run(photos, tmp_path / "out", "--labels", labels, "--method", "gradcam")
    return tmp_path / "out"


def test_two_commands_to_a_report(out):
    text = command("report", out)
    page = out / "report" / "index.html"
    assert text.splitlines() == [f"report: {page}", f"open it in a browser: {page.as_uri()}"]
    assert page.is_file()
    assert index_of(out)["title"] == "Report of out"
    assert command("report", out, "--quiet", "--title", "Owls") == ""
    assert index_of(out)["title"] == "Owls"


def test_one_command_to_a_report(photos, tmp_path, labels):
    out = tmp_path / "out"
    text = run(photos, out, "--labels", labels, "--method", "gradcam", "--report")
    assert f"report: {out / 'report' / 'index.html'}\n" in text
    assert index_of(out)["complete"] is True
    assert run(photos, out, "--labels", labels, "--method", "gradcam", "--report", "--quiet") == ""


@pytest.mark.parametrize("path", [None, "page.html"])
def test_one_file(out, tmp_path, path):
    given = [] if path is None else [tmp_path / path]
    page = out / "report.html" if path is None else tmp_path / path
    assert f"report: {page}\n" in command("report", out, "--single-file", *given)
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_truth(out, tmp_path):
    command("report", out, "--truth", "folders")
    assert index_of(out)["images"]["truth"] == ["ring", "star"]
    table = tmp_path / "truth.csv"
    table.write_text("a.png,ring\nb.png,stars\n")
    text = command("report", out, "--truth", table, code=2)
    told = "no class is named 'stars'; similar names: star; or give a class id from 0 to 6"
    assert text == f"Error: {str(table)!r}, line 2: {told}\n"


def test_what_is_refused_ends_with_2(out, tmp_path):
    assert "is not the output folder of a run" in command("report", tmp_path, code=2)
    assert f"there is no folder '{tmp_path / 'none'}'" in command("report", tmp_path / "none", code=2)
    assert "No such file" in command("report", out, "--truth", tmp_path / "none.csv", code=2)
    (tmp_path / "mine.html").write_text("mine")
    assert "is not a report" in command("report", out, "--single-file", tmp_path / "mine.html", code=2)
    assert (tmp_path / "mine.html").read_text() == "mine"
    Path(out, "manifest.jsonl").write_text('{"source": "x"}\n')
    assert "manifest.jsonl, line 1: not a line that a run wrote" in command("report", out, code=2)
