"""What a class is said to look like: the mean of its maps over the unit square, and images that stand for it."""

from __future__ import annotations

import numpy as np
import pytest

from gradcam_tf1.report import class_summary
from gradcam_tf1.report.class_summary import UNIT, ClassSummaries
from gradcam_tf1.report.image_columns import ImageColumns, doubt_of
from gradcam_tf1.report.image_record import failed_record
from gradcam_tf1.report.map_grid import MapGrid, grid_over


def record(place, class_id, values, size=(40, 80), seen=None, probability=None, about=""):
    box = (0, 0, *size)
    map = {
        **{
            "method": "gradcam",
            "layer": "a:0",
            "status": "ok",
            "reason": "",
            "notes": [],
            "focus": 0.5,
            "pixels": None,
        },
        "grid": None if values is None else grid_over(np.asarray(values, np.float32), box, seen or box).as_json(),
    }
    target = {"class_id": class_id, "label": f"c{class_id}", "about": about, "probability": probability, "score": 1.0}
    return {
        **failed_record(f"{place:06d}", f"{place}.png", None, size),
        **{"status": "ok", "top": [target], "targets": [{**target, "maps": [map]}], "thumb": "x"},
    }


def summary(records, wrong=None):
    columns, classes = ImageColumns(), ClassSummaries()
    for place, item in enumerate(records):
        columns.add(item, item["top"][0]["class_id"], wrong and wrong[place])
        classes.add(item)
    return {entry["class_id"]: entry for entry in classes.as_json(columns, wrong is not None)}


def mean_map(entry):
    grid = MapGrid.from_json(entry["maps"][0]["grid"])
    assert grid.seen == (0, 0, UNIT, UNIT)
    points = (np.arange(4) + 0.5) * UNIT / 4
    return grid.at(points, points)


LEFT, TOP = [[2.0, 0.0]], [[8.0], [0.0]]


def test_maps_of_any_size_and_scale_count_alike():
    entry = summary([record(0, 3, LEFT, (40, 80)), record(1, 3, TOP, (90, 30))])[3]
    found = mean_map(entry)
    assert found[0, 0] == pytest.approx(1, abs=0.01), "high in both"
    assert found[3, 3] == pytest.approx(0, abs=0.01)
    assert found[0, 3] == pytest.approx(0.5, abs=0.01)
    assert found[3, 0] == pytest.approx(0.5, abs=0.01)


def test_negative_values_and_empty_maps_do_not_count():
    maps = [record(0, 3, LEFT), record(1, 3, None), record(2, 3, [[-1.0, -2.0]])]
    assert mean_map(summary(maps)[3])[0] == pytest.approx(mean_map(summary(maps[:1])[3])[0])


def test_what_a_net_did_not_see_is_not_zero():
    half = record(0, 3, [[1.0]], seen=(0, 0, 40, 40))
    whole = record(1, 3, [[1.0, 0.0]])
    assert mean_map(summary([half, whole])[3])[0] == pytest.approx([1, 1, 0.25, 0], abs=0.26)
    assert mean_map(summary([half])[3])[0] == pytest.approx([1, 1, 0, 0], abs=0.01)


def test_counts_probabilities_and_order():
    shares = [0.5, 0.25, 1.0, None]
    records = [record(i, 7 if i < 3 else 2, LEFT, probability=share) for i, share in enumerate(shares)]
    entries = summary(records, wrong=[True, False, None, True])
    assert list(entries) == [7, 2]
    assert [entries[7][name] for name in ("label", "count", "wrong")] == ["c7", 3, 1]
    assert entries[7]["probability"] == pytest.approx(1.75 / 3)
    assert (entries[2]["probability"], entries[2]["wrong"]) == (None, 1)


def test_examples_are_the_best_the_typical_and_the_worst():
    records = [record(i, 7, LEFT, probability=(i + 1) / 20) for i in range(20)]
    examples = [int(ident) for ident in summary(records)[7]["examples"]]
    assert examples == [19, 18, 17, 10, 9, 8, 2, 1, 0]
    assert len(summary(records[:2])[7]["examples"]) == 2
    surely_wrong = [int(ident) for ident in summary(records, wrong=[False] * 18 + [True] * 2)[7]["examples"]]
    assert surely_wrong == [17, 16, 15, 8, 7, 6, 0, 18, 19]


def test_a_class_that_is_never_the_best_has_its_maps():
    item = record(0, 7, LEFT)
    item["targets"].append({**item["targets"][0], "class_id": 2, "label": "c2"})
    entry = summary([item])[2]
    assert (entry["count"], entry["examples"], len(entry["maps"])) == (0, ["000000"], 1)


def test_targets_that_are_no_plain_class_do_not_count():
    assert summary([record(0, 7, LEFT, about="not 3")])[7]["maps"] == []


def test_memory_is_bounded(monkeypatch):
    monkeypatch.setattr(class_summary, "_MOST_MAPS", 2)
    classes = ClassSummaries()
    for class_id in range(2):
        classes.add(record(class_id, class_id, LEFT))
    assert not classes.left_out
    classes.add(record(0, 0, LEFT))
    assert not classes.left_out
    classes.add(record(2, 2, LEFT))
    assert classes.left_out


def test_doubts():
    item = record(0, 7, None)
    assert doubt_of(item) is None
    item["targets"][0]["maps"][0].update(status="empty", reason="no gradient")
    assert doubt_of(item) == "the map of gradcam is empty: no gradient"
    assert doubt_of({**item, "missing": "the original is gone"}) == "the original is gone"
