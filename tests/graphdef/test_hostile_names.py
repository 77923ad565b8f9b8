"""Labels, paths and names of unknown origin stay text: on the terminal, in file names, manifests and figures."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import sys

import numpy as np
import pytest
from command_line import command, harmless_line
from hypothesis import given, settings
from hypothesis import strategies as st

from gradcam_tf1.cli.progress import Progress, Tally
from gradcam_tf1.cli.terminal import shown
from gradcam_tf1.drawing.contact_sheet import Tile, contact_sheet
from gradcam_tf1.nets.demo import DEMO_CLASSES, demo_model, demo_scenes
from gradcam_tf1.run.naming import Namer
from gradcam_tf1.run.results import Result, Results

NASTY = [
    "\x1b[2J\x1b]0;owned\x07red",
    "\u202egnp.exe",
    "line\nforged: line",
    "../../../etc/passwd",
    "C:\\con\\..\\x",
    "nul\0byte",
    "x" * 10000,
    "<script>alert(1)</script>",
    "$\\frac{",
    "a\u0301" * 500 + "\ud800",
    "-rf *",
    "\x9b31mC1",
]


@pytest.fixture(scope="module")
def photo_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for scene, name in zip(demo_scenes(), ("\x1b[2J\u202eevil\n.png", "a\\..\\..\\up.png")):
        shutil.copy(scene.path, str(folder / name))
    return folder


def label_file(tmp_path, nasty):
    """Labels as JSON, which can hold every character; the first classes have the hostile names."""
    path = tmp_path / "labels.json"
    path.write_text(json.dumps([*nasty, *DEMO_CLASSES[len(nasty) :]]))
    return path


@pytest.mark.parametrize(
    ("nasty", "naming"), [(NASTY[:6], "source"), (NASTY[6:], "indexed")], ids=["source", "indexed"]
)
def test_labels_through_the_command_line(nasty, naming, photo_folder, tmp_path):
    out = tmp_path / "deep" / "out"
    labels = label_file(tmp_path, nasty)
    classes = [part for number in range(len(nasty)) for part in ("--class", str(number))]
    look = ["--method", "gradcam", "--naming", naming, "--figure", "top3-worst", "--preset", "inception"]
    lines = command("run", demo_model(), photo_folder, "--out", out, "--labels", labels, *look, *classes).split("\n")
    assert all(map(harmless_line, lines))
    assert not [line for line in lines if line.startswith("forged")]
    assert {path.name for path in tmp_path.iterdir()} == {"labels.json", "deep"}
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["out"]
    written = [os.path.join(folder, name)[len(str(out)) :] for folder, _, names in os.walk(str(out)) for name in names]
    assert len([name for name in written if name.endswith(".png")]) == 2 * (2 * len(nasty) + 1 + (naming == "indexed"))
    for name in written:
        assert harmless_line(name)
        assert not set(name) & set('<>"|?*:\\')
    raw = (out / "manifest.jsonl").read_text(encoding="utf-8")
    assert harmless_line(raw.replace("\n", ""))
    told = [target["label"] for line in raw.split("\n") if line for target in json.loads(line).get("targets", ())]
    assert len(told) == 2 * len(nasty)


def test_names_in_errors(tmp_path):
    """Names that are unknown, ambiguous or do not fit: the message shows them escaped."""
    asked = ["--out", tmp_path / "o", "--preset", "inception", "--labels", label_file(tmp_path, NASTY[:6])]
    (tmp_path / "few.json").write_text(json.dumps(NASTY))
    for command_line in (
        ["run", demo_model(), tmp_path, *asked, "--class", "\x1b[31mnone"],
        ["run", demo_model(), tmp_path, *asked[:-1], tmp_path / "few.json"],
        ["inspect", demo_model(), "--layer", "\x1b[31m\u202enone"],
        ["inspect", tmp_path / "\x1b[2J\nforged"],
    ):
        assert all(map(harmless_line, command(*command_line, code=2).split("\n")))


def test_a_model_with_a_hostile_path(tmp_path):
    path = tmp_path / "\x1b]0;owned\x07\u202e.pb"
    shutil.copy(demo_model(), str(path))
    text = command("inspect", path)
    assert "\\x1b]0;owned\\x07\\u202e.pb" in text
    assert all(map(harmless_line, text.split("\n")))
    path.write_bytes(b"\x1b[2J no model")
    assert all(map(harmless_line, command("inspect", path, code=2).split("\n")))


@settings(max_examples=100, deadline=None)
@given(st.text(st.characters(), max_size=200))
def test_nothing_shown_moves_the_cursor(text):
    assert harmless_line(shown(text))
    assert harmless_line(shown(text, multiline=True).replace("\n", ""))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(st.characters(), max_size=60), min_size=1, max_size=4), st.sampled_from(["source", "indexed"]))
def test_file_names_stay_inside_and_apart(labels, naming):
    namer = Namer(naming)
    stem = namer.stem("/".join(labels), 0)
    tokens = namer.targets(range(len(labels)), labels)
    assert len(set(tokens)) == len(tokens)
    for name in [*stem.split("/"), *tokens]:
        assert name not in ("", ".", "..")
        assert harmless_line(name)
        assert not set(name) & set('<>:"/\\|?*\0')
        assert len(name.encode()) < 200


def test_a_name_begins_no_line_of_its_own(tmp_path):
    path = tmp_path / "a\nforged: line.pb"
    shutil.copy(demo_model(), str(path))
    told = command("inspect", path)
    assert "a\\nforged: line.pb: frozen graph" in told
    told = command("inspect", path, "--json")
    assert harmless_line(told.replace("\n", ""))
    assert json.loads(told)["model"] == str(path)


def test_reasons_begin_no_line_of_their_own(capsys):
    tally = Tally(lambda *_: None)
    tally(Result(error="'a.png' is broken: \x1b[2J\nforged: line"), 1)
    tally.report(Results([]), (), quiet=True)
    assert capsys.readouterr().err == "failed: 'a.png' is broken: \\x1b[2J\\nforged: line\n"


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_names_beside_the_progress_bar(monkeypatch):
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    with Progress(quiet=False) as progress:
        for name in ("\x1b[2J\x1b]0;owned\x07.png", "a\rforged: line\n.png", "\u202egnp.exe.png"):
            progress(Result(0, relative=name), 3)
    drawn = stream.getvalue()
    assert "3/3" in drawn
    assert "gnp.exe.png" in drawn
    assert not set(drawn) & {"\x07", "\u202e"}
    assert "\x1b[2J" not in drawn
    assert "\rforged" not in drawn


@pytest.mark.parametrize("text", [*NASTY, "", "\ud800", "\udc80x", "%s", "\u732b"])
def test_any_text_can_be_drawn(text):
    """OpenCV ends the program on a lone surrogate; characters that its font lacks become question marks."""
    tiles = [[Tile(np.zeros((20, 20, 3), np.uint8), title)] for title in (text, re.sub("[^ -~]", "?", text))]
    sheets = [contact_sheet([row], "") for row in tiles]
    np.testing.assert_array_equal(sheets[0], sheets[1])
