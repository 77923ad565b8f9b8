"""Ctrl-C where no command listens, and a second one: exit code 130, and no word on files that is not true."""

from __future__ import annotations

import os
import signal
import time

import pytest
from command_line import SCENES, command

from gradcam_tf1.cli import concepts_command, features_command
from gradcam_tf1.nets.demo import demo_model

PRESET = ("--preset", "inception")
WRITES = {
    "concepts": ("gradcam_tf1.concepts.find_concepts.write_concepts", ()),
    "features": ("gradcam_tf1.features.find_features.write_features", ("--class", 0, "--steps", 1)),
}


@pytest.fixture
def usual_signals():
    """Ctrl-C raises KeyboardInterrupt, also where the tests themselves run in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def interrupt(times):
    for _ in range(times):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.01)


@pytest.mark.parametrize("module", [concepts_command, features_command])
def test_ctrl_c_while_the_model_opens(module, tmp_path, monkeypatch, usual_signals):
    """The exit code 1 says that images failed."""
    monkeypatch.setattr(module, "open_net", lambda **_: interrupt(1))
    name = module.__name__.rsplit(".", 1)[-1].replace("_command", "")
    words = [tmp_path] if name == "concepts" else ["--class", 0]
    assert command(name, demo_model(), *words, "--out", tmp_path / "out", code=130).splitlines() == ["stopped"]


@pytest.mark.parametrize("name", WRITES)
def test_a_second_ctrl_c_while_files_are_written(name, tmp_path, monkeypatch, usual_signals):
    writer, words = WRITES[name]
    monkeypatch.setattr(writer, lambda *_: interrupt(2))
    images = [SCENES[0].path] if name == "concepts" else []
    text = command(name, demo_model(), *images, *words, *PRESET, "-q", "--out", tmp_path / "out", code=130)
    assert "again to stop at once" in text
    assert text.splitlines()[-1] == "stopped"
    assert "nothing was written" not in text


@pytest.mark.parametrize("name", WRITES)
def test_the_first_ctrl_c_writes_nothing(name, tmp_path, monkeypatch, usual_signals):
    def interrupted(self, *_):
        interrupt(1)

    monkeypatch.setattr("gradcam_tf1.cli.progress.Progress.show", interrupted)
    images = [SCENES[0].path] if name == "concepts" else []
    text = command(name, demo_model(), *images, *WRITES[name][1], *PRESET, "-q", "--out", tmp_path / "out", code=130)
    assert text.splitlines()[-1] == "stopped; nothing was written"
    assert not (tmp_path / "out").exists()
