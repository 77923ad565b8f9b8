"""What is drawn for each map, where, and what is said about it. Maps are made by hand: no net is needed."""

from __future__ import annotations

import os

import numpy as np
import pytest
from made_explanations import EMPTY, GRAY, WHOLE, hot_cell, one_explanation
from PIL import Image

from gradcam_tf1.drawing.overlay import write_png
from gradcam_tf1.drawing.png_files import PHOTOGRAPH, SMOOTH
from gradcam_tf1.drawing.style import Style, peak
from gradcam_tf1.images.geometry import Placement, fit
from gradcam_tf1.labels import Labels
from gradcam_tf1.run.naming import Namer
from gradcam_tf1.run.writing import MapWriter
from gradcam_tf1.types import MapStatus


def written(tmp_path, explanation, style=None, image=GRAY):
    writer = MapWriter(str(tmp_path), Namer(), style or Style())
    return writer.write(image, "sub/a.jpg", explanation, 0)


def pixels(path):
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


def test_overlay_and_heat_map_are_red_where_the_map_is_high(tmp_path):
    (record,) = written(tmp_path, one_explanation({("gradcam", "conv:0"): [hot_cell(0, 3)]}))
    (map,) = record.maps
    assert map.files == {
        "overlay": os.path.join(str(tmp_path), "sub", "a.jpg.c3.gradcam.png"),
        "heatmap": os.path.join(str(tmp_path), "sub", "a.jpg.c3.gradcam.heatmap.png"),
    }
    heat = pixels(map.files["heatmap"])
    assert heat[0, 59].tolist() == [128, 0, 0]  # the red end of jet is high
    assert heat[39, 0].tolist() == [0, 0, 128]
    over = pixels(map.files["overlay"])
    assert over[39, 0].tolist() == [128, 128, 128]  # where the map is zero the photograph keeps its colours
    assert over[0, 59].tolist() == [128, 51, 51]  # 0.4 of gray 128, 0.6 of red
    assert (map.method, map.layer, map.status, map.minimum, map.maximum) == ("gradcam", "conv:0", "ok", 0.0, 4.0)
    assert map.peak == (4, 52)  # the centre of cell (0, 3), which covers rows 0..9 and columns 45..59
    assert heat[map.peak].tolist() == [128, 0, 0]


def test_the_peak_is_sought_only_where_the_net_looked():
    placement = fit(np.zeros((100, 300, 3), np.uint8), (224, 224), "center-crop").placement
    top, left, bottom, right = placement.seen
    for map in (-np.ones((7, 7)), np.zeros((7, 7, 3))):
        row, column = peak(placement.place(map), placement)
        assert top <= row < bottom
        assert left <= column < right
    signed = np.zeros((40, 60, 3), np.float32)
    signed[5, 7] = [-3.0, 0.0, 2.0]
    signed[9, 9] = [4.0, 0.0, 0.0]
    assert peak(signed, WHOLE) == (5, 7)  # magnitudes of the channels are added up


@pytest.mark.parametrize(("cell", "expected"), [((0, 0), (4, 7)), ((3, 3), (35, 52)), ((1, 2), (15, 37))])
def test_the_peak_is_the_centre_of_the_hot_cell_on_every_side(cell, expected):
    assert peak(WHOLE.place(hot_cell(*cell)), WHOLE) == expected


def test_an_empty_map_leaves_the_photograph_as_it_is(tmp_path):
    key, guided = ("gradcam", "conv:0"), ("guided_backprop", "")
    maps = {key: [np.zeros((4, 4))], guided: [np.zeros((8, 8, 3))]}
    (record,) = written(tmp_path, one_explanation(maps, {key: [EMPTY], guided: [EMPTY]}))
    cam, saliency = record.maps
    assert (cam.status, cam.reason, cam.peak) == ("empty", "all evidence here is against this class", None)
    assert np.array_equal(pixels(cam.files["overlay"]), GRAY)
    assert np.unique(pixels(cam.files["heatmap"]).reshape(-1, 3), axis=0).tolist() == [[0, 0, 128]]
    assert np.ptp(pixels(saliency.files["pixels"])) == 0


def test_guided_images_are_drawn_at_the_original_size(tmp_path):
    saliency = np.zeros((8, 8, 3), np.float32)
    saliency[0, 0] = [5.0, 0.0, -5.0]
    (record,) = written(tmp_path, one_explanation({("guided_backprop", ""): [saliency]}))
    (map,) = record.maps
    assert list(map.files) == ["pixels"]
    image = pixels(map.files["pixels"])
    assert image.shape == (40, 60, 3)
    assert image[0, 0].tolist() == [255, 128, 0]
    assert image[39, 59].tolist() == [128, 128, 128]
    assert map.peak == (2, 3)  # the centre of the cell, 5x7.5 pixels


def test_each_kind_of_image_is_packed_in_its_own_way(tmp_path):
    pixel_map = np.random.default_rng(2).normal(size=(30, 30, 3)).astype(np.float32)
    (record,) = written(
        tmp_path, one_explanation({("gradcam", "conv:0"): [hot_cell(0, 3)], ("guided_gradcam", "conv:0"): [pixel_map]})
    )
    files = {kind: path for map in record.maps for kind, path in map.files.items()}
    for kind, strategy in {"overlay": PHOTOGRAPH, "heatmap": SMOOTH, "pixels": PHOTOGRAPH}.items():
        write_png(str(tmp_path / "again.png"), pixels(files[kind]).astype(np.uint8), strategy)
        with open(files[kind], "rb") as file:
            assert file.read() == (tmp_path / "again.png").read_bytes()


def test_positive_and_negative_share_one_scale_unless_told_otherwise(tmp_path):
    maps = {("positive", "c:0"): [hot_cell(0, 0, value=4.0)], ("negative", "c:0"): [hot_cell(0, 0, value=1.0)]}
    (record,) = written(tmp_path, one_explanation(maps))
    positive, negative = (pixels(map.files["heatmap"])[0, 0] for map in record.maps)
    assert positive.tolist() == [128, 0, 0]
    assert negative[2] > negative[0]  # a quarter of the scale is on the blue side
    (record,) = written(tmp_path, one_explanation(maps), Style(share_scale=False))
    assert [pixels(map.files["heatmap"])[0, 0].tolist() for map in record.maps] == [[128, 0, 0]] * 2
    assert [map.method for map in record.maps] == ["positive", "negative"]


def test_maps_of_other_methods_keep_their_own_scale(tmp_path):
    maps = {("gradcam", "c:0"): [hot_cell(0, 0, value=4.0)], ("counterfactual", "c:0"): [hot_cell(0, 0, value=1.0)]}
    (record,) = written(tmp_path, one_explanation(maps))
    assert [pixels(map.files["heatmap"])[0, 0].tolist() for map in record.maps] == [[128, 0, 0]] * 2


def test_signed_maps_show_their_negative_side_in_the_diverging_colours(tmp_path):
    map = hot_cell(0, 0, value=1.0)
    map[3, 3] = -1.0
    explanation = one_explanation({("hirescam", "c:0"): [map]})
    (record,) = written(tmp_path, explanation, Style(colormap="diverging"))
    heat = pixels(record.maps[0].files["heatmap"])
    assert heat[0, 0, 0] > heat[0, 0, 2]
    assert heat[39, 59, 2] > heat[39, 59, 0]
    (record,) = written(tmp_path, explanation, Style())
    assert pixels(record.maps[0].files["heatmap"])[39, 59].tolist() == [0, 0, 128]


def test_outside_of_what_the_net_saw_the_photograph_is_untouched(tmp_path):
    placement = Placement((40, 60), (8, 8), (0, 10, 40, 50), (0, 0, 8, 8))
    (record,) = written(tmp_path, one_explanation({("gradcam", "c:0"): [hot_cell(1, 1)]}, placement=placement))
    over = pixels(record.maps[0].files["overlay"])
    assert np.array_equal(over[:, :10], GRAY[:, :10])
    assert np.array_equal(over[:, 50:], GRAY[:, 50:])
    assert not np.array_equal(over[:, 10:50], GRAY[:, 10:50])


def test_raw_numbers_are_enough_to_place_the_map_again(tmp_path):
    explanation = one_explanation({("gradcam", "c:0"): [hot_cell(1, 2)], ("guided_backprop", ""): [np.ones((8, 8, 3))]})
    (record,) = written(tmp_path, explanation, Style(raw=True, heatmaps=False))
    assert [list(map.files) for map in record.maps] == [["overlay", "raw"], ["pixels", "raw"]]
    with np.load(record.maps[0].files["raw"]) as raw:
        boxes = {name: tuple(raw[name].tolist()) for name in ("original", "fitted", "seen", "inside")}
        np.testing.assert_array_equal(raw["map"], hot_cell(1, 2))
        np.testing.assert_array_equal(Placement(**boxes).place(raw["map"]), explanation.map("gradcam", 0).placed())


def test_box_and_notes_are_said_and_the_numbers_load_without_pickle(tmp_path):
    key = ("gradcam", "c:0")
    status = MapStatus("ok", "", 0.0, 4.0, ("the rule changed 3 Relu",))
    explanation = one_explanation({key: [hot_cell(1, 2)]}, {key: [status]})
    (record,) = written(tmp_path, explanation, Style(box=0.5, raw=True))
    (map,) = record.maps
    placed = explanation.map("gradcam", 0).placed()
    rows, columns = np.nonzero(placed > 0.5 * placed.max())
    assert map.box == (rows.min(), columns.min(), rows.max() + 1, columns.max() + 1)
    assert map.notes == ("the rule changed 3 Relu",)
    with np.load(map.files["raw"], allow_pickle=False) as raw:
        assert {name: raw[name].dtype.kind for name in raw.files} == {
            "map": "f", "original": "i", "fitted": "i", "seen": "i", "inside": "i"
        }  # fmt: skip


def test_every_class_and_layer_has_its_own_files(tmp_path):
    maps = {("gradcam", layer): [hot_cell(0, 0), hot_cell(3, 3), hot_cell(0, 0)] for layer in ("a:0", "b:0")}
    labels = Labels(["cat", "dog", "cow", "hen, chicken"])
    records = written(tmp_path, one_explanation(maps, class_ids=(3, 0, 3), labels=labels))
    assert [(record.class_id, record.label, record.score) for record in records] == [(3, "hen", 0.0), (0, "cat", 1.0)]
    names = [os.path.basename(path) for record in records for map in record.maps for path in map.files.values()]
    assert len(set(names)) == len(names) == len(os.listdir(tmp_path / "sub")) == 8
    assert names[0] == "a.jpg.c3-hen.gradcam.l1-a-0.png"
    for record, corner in zip(records, [(4, 7), (35, 52)]):
        assert {map.peak for map in record.maps} == {corner}
