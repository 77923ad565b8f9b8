"""What a dear method costs is said before it starts; its bar is for those who watch, and goes away."""

from __future__ import annotations

import io
import threading

import pytest
from command_line import run
from image_folders import copy_scenes

from gradcam_tf1.cli.progress import MethodBars
from gradcam_tf1.types import MethodProgress


class Terminal(io.StringIO):
    def isatty(self):
        return True


def cam(done, method="scorecam", layer="conv\x1b:0"):
    return MethodProgress(method, layer, images=2, runs=5, unit="forward passes of the whole net", done=done)


def test_the_cost_is_said_once_and_nothing_else_where_nobody_watches(capsys):
    with MethodBars(quiet=False) as steps:
        for work in (cam(0), cam(0, "rise", ""), cam(4), cam(10), cam(0), cam(10)):
            steps(work)
    said = capsys.readouterr()
    assert said.out.splitlines() == [
        "scorecam at conv\\x1b:0: 5 forward passes of the whole net for each image",
        "rise: 5 forward passes of the whole net for each image",
    ]
    assert said.err == ""


def test_a_terminal_sees_a_bar_for_each_method_in_turn(monkeypatch, capsys):
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    with MethodBars(quiet=False) as steps:
        for work in (cam(0), cam(0, "rise", ""), cam(4), cam(10), cam(10, "rise", "")):
            steps(work)
        assert not steps.bar.done  # both came to their end
        steps(cam(4))
    assert not steps.bar.done  # and what was broken off is closed too
    assert "scorecam:  40%" in terminal.getvalue() or "scorecam:   0%" in terminal.getvalue()
    assert "rise:" in terminal.getvalue()
    assert "10" in terminal.getvalue()


def test_each_device_has_its_own_bar(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    with MethodBars(quiet=False) as steps:
        steps(cam(4))
        other = threading.Thread(target=steps, args=(cam(2),))
        other.start()
        other.join()
        assert sorted(steps.bar.done.values()) == [2, 4]
        steps(cam(10))
        assert list(steps.bar.done.values()) == [2]
    assert not steps.bar.done


def test_quiet_is_quiet(monkeypatch, capsys):
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    with MethodBars(quiet=True) as steps:
        steps(cam(0))
        steps(cam(4))
    assert capsys.readouterr().out == terminal.getvalue() == ""


@pytest.mark.parametrize("quiet", [[], ["--quiet"]], ids=["aloud", "quiet"])
def test_the_command_line_tells_before_it_works(tmp_path, quiet):
    photos = copy_scenes(tmp_path / "photos", "a.png")
    said = run(photos, tmp_path / "out", "--method", "ablationcam", "--method", "gradcam", *quiet)
    costs = [line for line in said.splitlines() if "for each image" in line]
    if quiet:
        assert said == ""
    else:
        (cost,) = costs
        assert cost.startswith("ablationcam at ")
        assert cost.endswith("65 forward passes from the layer on for each image")
        assert said.index(cost) < said.index("image explained")
