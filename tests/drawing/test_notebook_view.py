"""What a notebook shows of an explanation: small images and what they are, whatever the labels say."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from html_tables import ShownTable
from made_explanations import EMPTY, GRAY, hot_cell, one_explanation, status_of

from gradcam_tf1 import Contrast, Labels, Style, read_image
from gradcam_tf1.drawing.notebook_view import ROWS, SIDE, TEXT, ViewRow, table
from gradcam_tf1.images.array_placement import ArrayPlacement
from gradcam_tf1.images.fitted_clips import ClipPlacement
from gradcam_tf1.images.geometry import Placement
from gradcam_tf1.images.small_copies import shrunk
from gradcam_tf1.nets.demo import demo_scenes

HEADER = ["", "image", "class", "score", "probability", "status", "method", "layer"]
KEY = ("gradcam", "conv:0")
HOSTILE = "<script>alert(1)</script>\n\" onerror='x' {{ 7 * 7 }}</td></table>"


def shown(explanation) -> ShownTable:
    return ShownTable(explanation._repr_html_())


def test_each_map_has_a_row_with_its_overlay(net):
    explanation = net.explain(demo_scenes()[8].path, ["ring", Contrast("star", "ring")], ["gradcam", "gradient"])
    page = shown(explanation)
    assert page.rows[0] == HEADER
    first = explanation.map("gradcam")
    assert page.rows[1] == [
        *("", "0", "1 ring", f"{first.score:.4g}", f"{first.probability:.1%}", "ok", "gradcam", "conv5/Relu:0")
    ]
    assert [row[2] for row in page.rows[1:]] == ["1 ring", "1 ring", "0 star not ring", "0 star not ring"]
    assert page.rows[2][6:] == ["gradient", ""]
    assert [max(image.shape[:2]) for image in page.images] == [SIDE] * 4
    distances = [[distance(map.overlay(), image) for image in page.images] for map in explanation]
    assert np.argmin(distances, axis=1).tolist() == [0, 1, 2, 3]
    assert np.diag(distances).max() < 10  # JPEG, and areas that do not divide evenly


def distance(whole, small) -> float:
    """Mean difference between an image and a smaller one of it."""
    height, width = small.shape[:2]
    rows, columns = np.arange(height) * len(whole) // height, np.arange(width) * whole.shape[1] // width
    sums = np.add.reduceat(np.add.reduceat(whole.astype(float), rows, 0), columns, 1)
    counts = np.diff(np.append(rows, len(whole)))[:, np.newaxis] * np.diff(np.append(columns, whole.shape[1]))
    return float(np.abs(sums / counts[..., np.newaxis] - small).mean())


def test_one_map_is_larger(net):
    page = ShownTable(net.explain(demo_scenes()[0].path).map("gradcam")._repr_html_())
    assert len(page.rows) == 2
    assert max(page.images[0].shape) == 320


def test_texts_of_strangers_stay_texts():
    labels = Labels([HOSTILE] * 4)
    explanation = dataclasses.replace(one_explanation({KEY: [hot_cell(1, 1)]}, labels=labels), abouts=(HOSTILE,))
    explanation = dataclasses.replace(explanation, images=(GRAY,))
    page = shown(explanation)
    assert page.tags == {"div", "table", "thead", "tbody", "tr", "th", "td", "img"}
    assert page.attributes == {"class", "style", "src", "alt"}
    assert page.rows[1][2].startswith("3 <script>alert(1)</script> \" onerror='x' {{ 7 * 7 }}</td></table>")
    assert len(page.rows) == 2


def test_long_texts_and_many_maps_are_cut():
    maps = {("gradcam", f"{'scope/' * 50}{number}:0"): [hot_cell(1, 1)] for number in range(40)}
    explanation = dataclasses.replace(one_explanation(maps), images=(np.zeros((40, 60, 3), np.uint8),))
    page = shown(explanation)
    assert len(page.rows) == 1 + ROWS
    assert len(page.rows[1][7]) == TEXT
    assert "... and 28 more maps: iterate, or see to_dataframe()" in page.outside
    assert len(explanation._repr_html_()) < 60_000


def test_noise_stays_small_too():
    image = np.random.RandomState(0).randint(0, 256, (2000, 3000, 3)).astype(np.uint8)
    assert len(table("noise", ["a"], [ViewRow(image, "noise", ["b"])] * ROWS)) < 200_000


def test_an_empty_map_says_why_and_is_not_coloured():
    explanation = one_explanation({KEY: [np.zeros((4, 4))]}, {KEY: [EMPTY]})
    page = shown(dataclasses.replace(explanation, images=(GRAY,)))
    assert page.rows[1][5] == "empty: all evidence here is against this class"
    assert np.abs(page.images[0].astype(int) - 128).max() <= 2
    page = shown(explanation)  # an image that came fitted: there is nothing to draw on
    assert len(np.unique(page.images[0])) == 1


def test_a_map_that_cannot_be_drawn_has_a_row_that_says_so():
    explanation = one_explanation({KEY: [np.full((4, 4), np.nan)]}, {KEY: [status_of(np.ones(1))]})
    page = shown(explanation)
    assert page.images == []
    assert page.rows[1][0].startswith("the map holds NaN or infinity")


def test_a_target_without_a_class_and_a_net_without_probabilities():
    explanation = dataclasses.replace(one_explanation({KEY: [hot_cell(0, 0)]}, class_ids=(-1,)), abouts=("my number",))
    assert shown(explanation).rows[1][2:5] == ["my number", "0", ""]


# what is drawn without an image


RED, BLUE = [128, 0, 0], [0, 0, 128]  # the ends of jet


def test_a_fitted_image_is_drawn_as_heat():
    drawn = one_explanation({KEY: [hot_cell(1, 2)]}).map("gradcam").preview()
    assert drawn.shape == (40, 60, 3)
    hottest = np.unravel_index(np.argmin(np.abs(drawn.astype(int) - RED).sum(axis=2)), (40, 60))
    assert np.abs(np.subtract(hottest, (15, 37.5))).max() <= 1  # the centre of cell 1, 2
    assert drawn[35, 5].tolist() == BLUE


def test_a_signal_is_a_strip_and_its_channels_are_strips_of_their_own():
    steps = np.zeros((1, 9), np.float32)
    steps[0, 4] = 1
    explanation = one_explanation({("gradcam", "a"): steps}, placement=ArrayPlacement((9,)))
    drawn = explanation.map("gradcam").preview()
    assert drawn.shape[0] == 32
    assert drawn[0, drawn.shape[1] // 2].tolist() == RED
    assert drawn[0, 0].tolist() == BLUE
    signed = np.stack([steps[0], -steps[0]], axis=-1)[np.newaxis]
    drawn = one_explanation({("gradient", ""): signed}, placement=ArrayPlacement((9,))).map("gradient").preview()
    assert drawn.shape[0] == 64
    middle = drawn[:, drawn.shape[1] // 2]
    assert (middle[0].tolist(), middle[40].tolist()) == ([220, 0, 0], [0, 30, 220])


def test_a_long_signal_stays_short():
    explanation = one_explanation({("gradcam", "a"): np.ones((1, 100_000))}, placement=ArrayPlacement((100_000,)))
    assert explanation.map("gradcam").preview().shape == (32, 640, 3)


def test_four_slices_of_a_volume_stand_side_by_side():
    volume = np.zeros((1, 7, 5, 6), np.float32)
    volume[0, 6] = 1  # the last slice is hot
    explanation = one_explanation({("gradcam", "a"): volume}, placement=ArrayPlacement((7, 5, 6)))
    drawn = explanation.map("gradcam").preview()
    assert drawn.shape == (5, 4 * 6 + 3 * 2, 3)
    assert drawn[2, -3].tolist() == RED
    assert drawn[2, :20].tolist() == [BLUE] * 20


def test_a_clip_shows_frames_at_their_size():
    frames = np.zeros((1, 2, 4, 4), np.float32)
    frames[0, 1] = 1
    place = ClipPlacement(Placement((10, 12), (8, 8), (0, 0, 10, 12), (0, 0, 8, 8)), 2)
    drawn = one_explanation({("gradcam", "a"): frames}, placement=place).map("gradcam").preview()
    assert drawn.shape == (10, 12 + 2 + 12, 3)
    assert drawn[5, 20].tolist() == RED
    assert drawn[5, 5].tolist() == BLUE


def test_pixel_maps_of_many_bands_are_drawn_as_their_sum():
    maps = np.zeros((1, 8, 8, 6), np.float32)
    maps[..., 0], maps[..., 1] = 1, -1
    maps[0, 4, 4, 0] = 3
    drawn = one_explanation({("gradient", ""): maps}).map("gradient").preview()
    assert drawn[0, 0].tolist() == [128] * 3
    assert drawn[22, 33].tolist() == [255] * 3


def test_the_style_counts():
    map = one_explanation({KEY: [hot_cell(1, 2)]}).map("gradcam")
    assert map.preview(Style(colormap="diverging"))[35, 5].min() >= 249  # white
    assert map.preview()[15, 37].tolist()[1:] == [0, 0]  # red
    assert map.preview(full=8.0)[15, 37, 1] > 200  # half of it: green
    assert map.scale() == 4


def test_colours_are_left_to_the_notebook(net):
    html = net.explain(demo_scenes()[0].path)._repr_html_()
    assert "color:" not in html
    assert "background" not in html


def test_a_large_image_is_drawn_small_and_in_the_same_places(net):
    scene = demo_scenes()[0]
    large = np.repeat(np.repeat(read_image(scene.path), 5, axis=0), 5, axis=1)
    map = net.explain(large, "star").map("gradcam")
    small = map.shrunk(384)
    assert small.preview().shape == (288, 384, 3)
    assert np.shares_memory(small.values, map.values)
    whole = map.overlay()
    assert distance(whole, small.overlay()) < 3
    assert map.shrunk(2000) is map
    assert shown(net.explain(large, "star")).images[0].shape == (72, 96, 3)


@pytest.mark.parametrize("side", [1, 7, 64])
def test_a_part_that_the_net_saw_stays_in_its_place(side):
    seen = Placement((300, 501), (8, 8), (30, 101, 270, 401), (0, 0, 8, 8))
    small = shrunk(seen, side)
    assert max(small.original) == side
    top, left, bottom, right = small.seen
    assert 0 <= top < bottom <= small.original[0]
    assert 0 <= left < right <= small.original[1]
    if side == 64:
        assert np.abs(np.subtract(small.seen, np.multiply(seen.seen, 64 / 501))).max() < 1


def test_a_large_image_that_came_fitted_is_drawn_small_too():
    place = Placement((4000, 6000), (8, 8), (0, 0, 4000, 6000), (0, 0, 8, 8))
    drawn = one_explanation({KEY: [hot_cell(1, 2)]}, placement=place).map("gradcam").shrunk(60).preview()
    assert drawn.shape == (40, 60, 3)
    assert drawn[15, 37].tolist()[1:] == [0, 0]
