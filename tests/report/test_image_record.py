"""The record of an image says what its maps, its scores and its manifest line say."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from made_explanations import EMPTY, WHOLE, hot_cell, one_explanation

from gradcam_tf1 import ClassScore, GradCamGraph, MapRecord, TargetRecord, Top
from gradcam_tf1.images.array_placement import ArrayPlacement
from gradcam_tf1.images.fitted_clips import ClipPlacement
from gradcam_tf1.nets.demo import DEMO_CLASSES, DEMO_PRESET, demo_model, demo_scenes
from gradcam_tf1.report.image_record import distinct_targets, image_record
from gradcam_tf1.report.map_grid import MapGrid
from gradcam_tf1.types import MapStatus

METHODS = ("gradcam", "guided_gradcam", "layercam")


@pytest.fixture(scope="module")
def scene():
    return demo_scenes()[8].path


@pytest.fixture(scope="module")
def nets():
    made = {}

    def net(fit):
        if fit not in made:
            made[fit] = GradCamGraph(demo_model(), preset=DEMO_PRESET, labels=DEMO_CLASSES, fit=fit)
        return made[fit]

    yield net
    for opened in made.values():
        opened.close()


def strictly(value):
    return json.loads(json.dumps(value, allow_nan=False))


@pytest.mark.parametrize("fit", ["stretch", "center-crop", "letterbox"])
def test_grids_are_the_placed_maps_of_a_real_net(nets, fit):
    image = np.random.RandomState(1).randint(0, 255, (90, 200, 3)).astype(np.uint8)
    found = nets(fit).explain(image, targets=["ring", "cross"], methods=METHODS, layers=[-1, -2])
    record = strictly(image_record(found, ident="000000", name="noise"))
    pairs = [
        (m, found.map(m["method"], 0, t, m["layer"]))
        for t, target in enumerate(record["targets"])
        for m in target["maps"]
    ]
    assert len(pairs) == 2 * len(found.maps)
    for row, map in pairs:
        assert (row["status"], row["minimum"], row["maximum"]) == (map.status, map.details.minimum, map.details.maximum)
        if map.method == "guided_gradcam" or row["grid"] is None:
            continue
        grid = MapGrid.from_json(row["grid"])
        top, left, bottom, right = grid.seen
        drawn = grid.at(np.arange(top, bottom) + 0.5, np.arange(left, right) + 0.5)
        placed = map.placed()[top:bottom, left:right]
        assert np.abs(drawn - placed).max() <= 0.502 * (grid.high - grid.low) / 255
        assert placed[row["peak"][0] - top, row["peak"][1] - left] == placed.max()


def test_top_is_that_of_the_logits(nets, scene):
    net = nets("stretch")
    found = net.explain(scene, targets=Top(5))
    record = strictly(image_record(found, ident="000008", name="scene"))
    assert [row["class_id"] for row in record["top"]] == [target["class_id"] for target in record["targets"]]
    for row, target in zip(record["top"], record["targets"]):
        assert (row["label"], row["score"], row["probability"]) == (
            *(target["label"], target["score"], target["probability"]),
        )
    assert (record["id"], record["name"], record["size"]) == ("000008", "scene", list(found.images[0].shape[:2]))


def test_an_empty_map_has_no_grid():
    found = one_explanation({("gradcam", "a:0"): [hot_cell(1, 1) * 0]}, {("gradcam", "a:0"): [EMPTY]})
    (row,) = image_record(found, ident="0", name="x")["targets"][0]["maps"]
    assert (row["grid"], row["focus"], row["peak"], row["status"]) == (None, None, None, "empty")
    assert row["reason"] == EMPTY.reason


def test_numbers_that_are_not_finite_are_null():
    status = MapStatus("ok", "", float("nan"), float("inf"))
    found = one_explanation({("gradcam", "a:0"): [hot_cell(1, 1)]}, {("gradcam", "a:0"): [status]})
    found = replace(found, top=((ClassScore(3, "a", float("inf"), float("nan")),),), scores=np.array([[np.nan]]))
    record = strictly(image_record(found, ident="0", name="x"))
    assert record["top"] == [{"class_id": 3, "label": "a", "score": None, "probability": None}]
    assert record["targets"][0]["score"] is None
    assert [record["targets"][0]["maps"][0][name] for name in ("minimum", "maximum")] == [None, None]


def test_negative_values_make_a_signed_map():
    signed = one_explanation({("hirescam", "a:0"): [hot_cell(1, 1, value=-2.0)], ("gradcam", "a:0"): [hot_cell(1, 1)]})
    rows = image_record(signed, ident="0", name="x")["targets"][0]["maps"]
    assert [row["signed"] for row in rows] == [True, False]


def test_what_a_run_wrote_is_taken_over():
    found = one_explanation({("gradcam", "a:0"): [hot_cell(1, 1)] * 2}, class_ids=(3, 3))
    assert distinct_targets(found, 0) == [0]
    maps = (MapRecord("gradcam", "a:0", "ok", "", 0.0, 4.0, (7, 8), {}, (1, 2, 3, 4), ("a note",)),)
    record = image_record(found, ident="0", name="x", targets=[TargetRecord(3, None, 0.0, None, maps)])
    (row,) = record["targets"][0]["maps"]
    assert (row["peak"], row["box"], row["notes"]) == ([7, 8], [1, 2, 3, 4], ["a note"])


def test_one_frame_of_a_clip_is_shown():
    frames = np.stack([hot_cell(0, 0), hot_cell(3, 3, value=2.0)])
    found = one_explanation({("gradcam", "a:0"): [frames]}, placement=ClipPlacement(WHOLE, 2))
    (row,) = image_record(found, ident="0", name="x", frame=1)["targets"][0]["maps"]
    assert np.array_equal(MapGrid.from_json(row["grid"]).values, frames[1])


def test_a_signal_has_no_grid():
    found = one_explanation({("gradcam", "a:0"): [np.arange(5.0)]}, placement=ArrayPlacement((20,)))
    record = image_record(found, ident="0", name="x")
    assert (record["size"], record["targets"][0]["maps"][0]["grid"]) == (None, None)
