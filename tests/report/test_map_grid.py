"""The grid of a map, read as the contract with the browser says, is the map that `Map.placed` puts on the image."""

from __future__ import annotations

import base64
import json

import numpy as np
import pytest

from gradcam_tf1.drawing.overlay import color_table
from gradcam_tf1.images.geometry import Placement, fit
from gradcam_tf1.report.map_grid import MOST_CELLS, MapGrid, focus_of, grid_of, grid_over
from gradcam_tf1.report.written_maps import heat_grid
from gradcam_tf1.types import Cells

RANDOM = np.random.RandomState(3)
SIZES = [(40, 60), (60, 40), (333, 500), (7, 5), (512, 64)]
CELLS = [
    None,
    Cells((15.5, 12.25), (32.0, 28.5)),
    Cells((-3.0, 3.0), (17.0, 17.0)),
    Cells((200.0, 7.0), (-16.0, 30.0)),
]


def by_the_contract(grid, height, width):
    """What a browser does, point by point: value(i, j) = low + (high - low) data / 255, bilinear, clamped."""
    data = np.frombuffer(base64.b64decode(grid["data"]), np.uint8).reshape(grid["rows"], grid["cols"])
    values = grid["low"] + (grid["high"] - grid["low"]) * data / 255.0
    drawn = np.full((height, width), np.nan)
    top, left, bottom, right = grid["seen"]
    for row in range(top, bottom):
        for column in range(left, right):
            i = min(max((row + 0.5 - grid["top"]) / grid["row_step"], 0), grid["rows"] - 1)
            j = min(max((column + 0.5 - grid["left"]) / grid["col_step"], 0), grid["cols"] - 1)
            i0, j0 = int(i), int(j)
            i1, j1 = min(i0 + 1, grid["rows"] - 1), min(j0 + 1, grid["cols"] - 1)
            above = values[i0, j0] * (1 - (j - j0)) + values[i0, j1] * (j - j0)
            below = values[i1, j0] * (1 - (j - j0)) + values[i1, j1] * (j - j0)
            drawn[row, column] = above * (1 - (i - i0)) + below * (i - i0)
    return drawn


def placement_of(size, mode, fitted=(224, 224)):
    return fit(np.zeros((*size, 3), np.uint8), fitted, mode).placement


def largest_difference(values, placement, cells):
    """In steps of the grid: 1 is (high - low) / 255."""
    grid = json.loads(json.dumps(grid_of(values, placement, cells).as_json(), allow_nan=False))
    drawn = by_the_contract(grid, *placement.original)
    top, left, bottom, right = placement.seen
    known = ~np.isnan(drawn)
    assert known[top:bottom, left:right].all()
    assert known.sum() == (bottom - top) * (right - left)
    placed = placement.place(values, cells)
    return np.abs(drawn - placed)[known].max() / ((grid["high"] - grid["low"]) / 255)


@pytest.mark.parametrize("mode", ["stretch", "center-crop", "letterbox"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("cells", CELLS)
def test_a_layer_map_is_exact_but_for_its_255_levels(mode, size, cells):
    values = RANDOM.normal(size=(7, 6)).astype(np.float32)
    assert largest_difference(values, placement_of(size, mode), cells) <= 0.501


@pytest.mark.parametrize("shape", [(1, 9), (9, 1), (14, 14), (96, 80)])
def test_maps_of_any_size_are_exact(shape):
    values = (RANDOM.uniform(size=shape) * 1e-6).astype(np.float32)
    assert largest_difference(values + values.max(), placement_of((60, 90), "stretch"), None) <= 0.51


def test_a_constant_map_keeps_its_value():
    grid = grid_of(np.full((3, 3), 2.5, np.float32), placement_of((30, 20), "stretch"))
    assert (grid.low, grid.high, grid.levels.max()) == (2.5, 2.5, 0)
    assert (grid.at(np.arange(30.0), np.arange(20.0)) == 2.5).all()


def smooth(height, width):
    rows, columns = np.mgrid[0:height, 0:width]
    return (np.sin(rows / height * 5) + np.cos(columns / width * 4)).astype(np.float32)


@pytest.mark.parametrize("mode", ["stretch", "center-crop", "letterbox"])
@pytest.mark.parametrize("size", [(80, 120), (120, 50)])
@pytest.mark.parametrize("cells", [None, Cells((1.0, 1.0), (1.9, -1.9)), Cells((0.5, 0.5), (1.0, 1.0))])
def test_a_very_large_layer_is_averaged_in_place(mode, size, cells):
    values = smooth(224, 224) if cells is None or cells.stride[0] == 1 else smooth(112, 112)
    placement = placement_of(size, mode)
    grid = grid_of(values, placement, cells)
    assert max(grid.levels.shape) == MOST_CELLS
    assert largest_difference(values, placement, cells) < 3


@pytest.mark.parametrize("mode", ["stretch", "letterbox"])
def test_a_pixel_map_is_the_sum_of_its_magnitudes(mode):
    values = np.stack([smooth(224, 224), -smooth(224, 224), 0 * smooth(224, 224)], axis=-1)
    placement = placement_of((90, 120), mode)
    grid = grid_of(values, placement)
    assert max(grid.levels.shape) == MOST_CELLS
    rows, columns = np.arange(90) + 0.5, np.arange(120) + 0.5
    placed = np.abs(placement.place(values)).sum(axis=2)
    assert np.abs(grid.at(rows, columns) - placed).max() < 0.08 * placed.max()
    assert np.abs(grid.at(rows, columns) - placed).mean() < 0.005 * placed.max()


def test_bars_of_a_letterbox_do_not_leak_into_an_averaged_map():
    placement = placement_of((50, 224), "letterbox")
    top, _, bottom, _ = placement.inside
    values = np.full((224, 224, 3), 9.0, np.float32)
    values[top:bottom] = 1.0
    grid = grid_of(values, placement)
    assert (grid.low, grid.high) == pytest.approx((3.0, 3.0))


def test_a_grid_comes_back_from_json():
    grid = grid_of(RANDOM.normal(size=(5, 4)), placement_of((30, 41), "center-crop"), CELLS[1])
    back = MapGrid.from_json(json.loads(json.dumps(grid.as_json())))
    assert np.array_equal(back.levels, grid.levels)
    assert (back.low, back.high, back.start, back.step, back.seen) == (
        *(grid.low, grid.high, grid.start, grid.step, grid.seen),
    )


def test_focus_is_the_smallest_share_with_half_of_the_map():
    box = (0, 0, 40, 60)
    halves = np.zeros((48, 48), np.float32)
    halves[:24, :24] = 1.0  # half of it on an eighth of the image
    assert focus_of(grid_over(halves, box, box), (40, 60)) == pytest.approx(1 / 8)
    assert focus_of(grid_over(np.ones((3, 3)), box, box), (40, 60)) == pytest.approx(1 / 2)
    assert focus_of(grid_over(-np.ones((3, 3)), box, box), (40, 60)) is None
    part = (0, 0, 40, 30)  # what the net saw is half of the image
    assert focus_of(grid_over(halves, part, part), (40, 60)) == pytest.approx(1 / 16)


def test_negative_values_do_not_count_for_the_focus():
    box = (0, 0, 48, 48)
    values = np.full((48, 48), -5.0, np.float32)
    values[0, :8] = 1.0
    grid = grid_over(values, box, box)
    assert focus_of(grid, (48, 48)) == pytest.approx(4 / 48**2)


def test_placement_of_the_grid_by_hand():
    placement = Placement((100, 200), (10, 10), (0, 50, 100, 150), (0, 0, 10, 10))
    grid = grid_of(np.arange(4.0).reshape(2, 2), placement)
    assert (grid.start, grid.step, grid.seen) == ((25.0, 75.0), (50.0, 50.0), (0, 50, 100, 150))


@pytest.mark.parametrize("low", [-2.0, -1.0, -0.3, -1e-3])
def test_zero_of_a_signed_map_stays_zero(low):
    """Most of a sparse map is zero: half a level at each of these points would outweigh what is not."""
    values = np.zeros((96, 96), np.float32)
    values[2:8, 86:92], values[50:60, 20:30] = 1, low
    grid = grid_over(values, (0, 0, 96, 96), (0, 0, 96, 96))
    assert not grid.values[values == 0].any()
    assert focus_of(grid, (96, 96)) == pytest.approx(18 / 96**2, rel=0.2)
    colors = color_table("diverging")[:, 0][np.rint(np.clip(values, -1, 1) * 127.5 + 127.5).astype(int)]
    drawn = heat_grid(colors, "diverging", 1.0, (0, 0, 96, 96), signed=True)
    assert not drawn.values[values == 0].any()
