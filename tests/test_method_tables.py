"""The comparison of methods: its tables by hand, its items, and the tables that stand in the documentation."""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path

import numpy as np
import pytest

from gradcam_tf1 import METHODS
from gradcam_tf1.metrics.floor_maps import FLOORS
from gradcam_tf1.nets.scene_levels import LEVELS

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "methods.md").read_text(encoding="utf-8")


@pytest.fixture
def module(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module


def metrics(hits, energy=0.5):
    hits = np.array(hits, float)
    return {
        "pointing": hits,
        **{name: np.where(np.isnan(hits), np.nan, energy) for name in ("energy", "insertion", "deletion")},
    }


def test_a_table_has_the_best_first_and_says_what_is_worse(module):
    values = {
        "gradcam": metrics([1.0] * 20, 0.25),
        "eigencam": metrics([1.0] * 19 + [0.0]),
        "occlusion": metrics([1.0] * 3 + [np.nan] * 17),
        "random": metrics([0.0] * 16 + [1.0] * 4),
    }
    rows = module("method_tables").main_table(
        values, {"gradcam": 0.0123, "random": float("nan")}, {"gradcam": 0.061}, 0
    )
    assert rows[2] == "| `gradcam` | 1.00 (1.00 to 1.00) | best | 0.25 | 0.25 | 0.25 | 0.06 | 0.012 | 20 |"
    assert re.match(r"\| `eigencam` \| 0.95 \(0.85 to 1.00\) \|  \|", rows[3])  # one image of 20 decides nothing
    assert re.match(r"\| \*random\* \| 0.20 \(0.05 to 0.40\) \| worse \|", rows[4])
    assert rows[5] == "| `occlusion` | 1.00 (1.00 to 1.00) |  | 0.50 | 0.50 | 0.50 |  |  | 3 |"  # few images come last
    assert set(module("method_tables").named_methods(rows)) == set(METHODS)
    assert rows[6].endswith("| 0 |")


def test_methods_of_few_images_are_compared_on_these(module):
    values = {"gradcam": metrics([0.0, 1.0, 1.0, 1.0]), "rise": metrics([1.0, 1.0, np.nan, np.nan])}
    found = module("method_tables").on_fewer_images(values)
    assert found.endswith("`gradcam` hits 0.50 on the first 2.")
    assert module("method_tables").on_fewer_images({"gradcam": values["gradcam"]}) == ""


def test_a_table_by_level(module):
    values = {"gradcam": metrics([1, 0, 1, 1, 0, 0, 1, 1])}
    levels = {level: np.arange(8) % 7 == number for number, level in enumerate(LEVELS)}
    rows = module("method_tables").level_table(values, levels)
    assert rows[0] == f"| measured | {' | '.join(LEVELS)} |"
    assert rows[2] == "| images | 2 | 1 | 1 | 1 | 1 | 1 | 1 |"
    assert rows[3] == "| `gradcam` | 1.00 | 0.00 | 1.00 | 1.00 | 0.00 | 0.00 | 1.00 |"


def test_a_part_of_a_page_is_replaced_and_nothing_else(module, tmp_path):
    page = tmp_path / "page.md"
    marks = "<!-- a: written by `make benchmark-methods` -->\nold\n<!-- end of a -->"
    page.write_text(f"before\n{marks}\nafter\n")
    module("method_tables").write_part("a", ["new", r"\1"], page)
    assert page.read_text() == "before\n" + marks.replace("old", "\nnew\n\\1\n") + "\nafter\n"
    with pytest.raises(SystemExit, match="has no single part"):
        module("method_tables").write_part("b", [], page)


def test_drawn_weights_leave_of_edges_more_than_of_a_class(module):
    material = module("method_items").scenes(1, 3)
    plan = module("method_measures").Plan(1, 1, {})
    kept = dict(module("method_sanity").kept_shares(["gradcam", "guided_backprop"], material, plan))
    assert kept["gradcam"] < 0.3 < 0.5 < kept["guided_backprop"] <= 1  # as in docs/sanity.md


def test_the_items_are_objects_that_the_net_detects(module):
    material = module("method_items").scenes(1, 3)
    assert material.asked == len(LEVELS)
    assert len(LEVELS) - 2 <= len(material.items) <= len(LEVELS)
    for item in material.items:
        ((top, left, bottom, right),) = item.boxes
        assert item.region.sum() == (bottom - top) * (right - left)
        assert item.region[top:bottom, left:right].all()


def test_methods_are_measured_once_and_kept(module, tmp_path, monkeypatch, capsys):
    measures, program = module("method_measures"), module("methods")
    monkeypatch.setattr(measures, "METHODS", {name: METHODS[name] for name in ("gradcam", "eigencam", "ablationcam")})
    monkeypatch.setattr(program, "BUILD", tmp_path / "build")
    sizes = ["--scenes", "1", "--slow", "2", "--slowest", "1", "--photos", "0"]
    program.main(sizes)
    kept = json.loads((tmp_path / "build" / "methods-scenes.json").read_text())["results"]
    assert set(kept) == {"gradcam", "eigencam", "ablationcam", *FLOORS}
    assert kept["gradcam"]["seconds"] > 0
    values = {
        name: {metric: np.array(row, float) for metric, row in each["values"].items()} for name, each in kept.items()
    }
    count = len(values["gradcam"]["pointing"])
    assert [int((~np.isnan(values[name]["pointing"])).sum()) for name in ("gradcam", "ablationcam")] == [count, 2]
    assert int((~np.isnan(values["gradcam"]["insertion"])).sum()) == 2
    assert values["gradcam"]["pointing"].mean() > 0.5
    assert "Seed 0, TensorFlow" in capsys.readouterr().out
    monkeypatch.setattr(measures, "_measured", None)  # a second call measures nothing
    program.main(sizes)
    assert "| `gradcam` |" in capsys.readouterr().out


@pytest.mark.parametrize("part", ["scenes", "photographs", "scenes by level"])
def test_the_tables_of_the_page_name_every_method_and_floor_once(module, part):
    found = re.findall(rf"<!-- {part}: written by .*? -->\n(.*?)<!-- end of {part} -->", PAGE, re.DOTALL)
    assert len(found) == 1
    named = module("method_tables").named_methods(found[0].split("\n"))
    assert named == dict.fromkeys(METHODS, 1)
    assert all(found[0].count(f"| *{floor}* |") == 1 for floor in FLOORS)


def test_the_page_says_what_is_difficult_in_each_level():
    for level, (what, _) in LEVELS.items():
        assert f"\n| {level} | {what} |\n" in PAGE
