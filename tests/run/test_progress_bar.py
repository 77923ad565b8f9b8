"""One bar for runs and methods: it counts, closes when it is full, and shows no letters that act on a terminal."""

from __future__ import annotations

import os

import pytest

from gradcam_tf1 import ExplainOptions, MethodProgress, ProgressBar, Result, RunOptions, method
from gradcam_tf1.nets.demo import demo_scenes

SCENES = os.path.dirname(demo_scenes()[0].path)


@pytest.fixture
def bars(monkeypatch):
    """The bars that are made, in order."""
    import tqdm.auto

    made = []

    class Recorded(tqdm.auto.tqdm):
        def __init__(self, *given, **options):
            super().__init__(*given, **options)
            self.was_closed = False
            made.append(self)

        def close(self):
            super().close()
            self.was_closed = True

    monkeypatch.setattr(tqdm.auto, "tqdm", Recorded)
    return made


def test_a_run_and_the_next_one_have_a_bar_each(net, tmp_path, bars, capsys):
    bar = ProgressBar()
    for out in ("a", "b"):
        run = RunOptions(progress=bar, n_images=3)
        net.visualize_imgs(SCENES, str(tmp_path / out), methods="gradcam", run=run)
    assert [(each.n, each.total, each.was_closed) for each in bars] == [(3, 3, True)] * 2
    assert "scene_" in capsys.readouterr().err


def test_a_method_of_many_runs_has_a_bar(net, bars, capsys):
    options = ExplainOptions(progress=ProgressBar())
    net.explain(demo_scenes()[0].path, methods=method("rise", masks=20), options=options)
    assert [(each.n, each.total, each.was_closed) for each in bars] == [(20, 20, True)]
    assert "rise" in capsys.readouterr().err


def test_what_was_broken_off_is_closed(bars):
    with ProgressBar() as bar:
        bar(Result(0, relative="a.png"), 5)
        bar(Result(0, relative="b.png"), 5)
        bar(MethodProgress("rise", "", 1, 10, "passes", 4))
        assert bar.done == dict.fromkeys(bar.done, 4)
    assert [(each.n, each.was_closed) for each in bars] == [(2, True), (4, True)]
    assert bar.done == {}


def test_an_unknown_number_of_images_is_counted(bars):
    with ProgressBar() as bar:
        for _ in range(3):
            bar(Result(0, relative="a.png"), None)
    assert [(each.n, each.total) for each in bars] == [(3, None)]


def test_names_are_printed_safely(bars, capsys):
    with ProgressBar() as bar:
        bar(Result(0, relative="\x1b[2J\rforged\n.png"), 2)
    printed = capsys.readouterr().err
    assert "\\x1b[2J\\rforged\\n.png" in printed
    assert "\x1b[2J" not in printed
