"""The benchmark: how it measures and prints, and that its rows run; nothing here depends on how fast anything is."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"


@pytest.fixture
def module(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module


def test_alternatives_are_timed_in_turn(module):
    order = []
    alternatives = {name: lambda name=name: order.append(name) for name in "ab"}
    assert set(module("timing").interleaved_medians(alternatives, rounds=2)) == {"a", "b"}
    assert order == ["a", "b"] * 3


def test_ratios_say_whether_they_are_met(module, capsys):
    timing = module("timing")
    ratios = [timing.Ratio("a", "b", 1.25), timing.Ratio("a", "b", 1.15), timing.Ratio("a", "b", 0.1, times=8)]
    timing.print_ratios(ratios, {"a": 0.6, "b": 0.5})
    assert capsys.readouterr().out.splitlines()[-3:] == [
        "| a / b | 1.200 | <= 1.25 | met |",
        "| a / b | 1.200 | <= 1.15 | MISSED |",
        "| a / 8 x b | 0.150 | <= 0.1 | MISSED |",
    ]


def test_rows_of_the_demo_net_run(module, capsys, monkeypatch):
    bench = module("bench")
    monkeypatch.setattr(bench, "ROUNDS", 1)
    bench.main("demo_batch", "demo_saliency")
    printed = capsys.readouterr().out
    assert "| forward only |" in printed
    assert "| 1.00 |" in printed
    assert "| gradcam, 8 pictures / 8 x saliency |" in printed


def test_unknown_rows_are_refused(module):
    with pytest.raises(SystemExit, match="no row 'nothing'; possible: demo_batch, vgg19_single"):
        module("bench").main("nothing")


def test_the_other_library_computes_the_same_maps(module):
    rows = module("rows")
    with rows.demo_net() as net:
        fitted = [net.fit_image(picture) for picture in rows.scenes(2)]
        ours = net.explain(fitted, targets=[0, 3])["gradcam"]
        theirs = module("saliency_library").SaliencyGradCam(net)
        batch = net.preprocess(np.stack([item.pixels for item in fitted]).astype(np.float32))
        expected = np.stack([[theirs.mask(picture, class_id) for class_id in (0, 3)] for picture in batch])
    np.testing.assert_allclose(ours, expected, atol=1e-5 * ours.max())
