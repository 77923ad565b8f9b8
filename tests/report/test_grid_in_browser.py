"""A heat map as numbers, in a real browser: any shape of grid against scipy, pictures against the package's colours."""

from __future__ import annotations

import numpy as np
import pytest
import report_data
from scipy.ndimage import map_coordinates

from gradcam_tf1.drawing.overlay import colorize, normalize

pytestmark = pytest.mark.programs

GRIDS = """
const [source, size, places, colormap] = arguments;
const grid = gradcam.grid(source, size);
const canvas = document.createElement('canvas');
grid.draw(canvas, colormap, 0, 1, { even: true, small: true });
const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
const numbers = places.map(([row, col]) => grid.at(row, col)).map((value) => (Number.isNaN(value) ? null : value));
return [numbers, canvas.width, canvas.height, [...data]];
"""


@pytest.mark.parametrize("shape", [(7, 7), (1, 1), (1, 5), (6, 1), (13, 4)])
@pytest.mark.parametrize("colormap", ["jet", "diverging"])
def test_grids_of_any_shape_have_the_right_numbers_and_colours(functions, shape, colormap):
    random = np.random.RandomState(sum(shape))
    values = random.normal(size=shape)
    source = report_data.grid(values, (90, 64))
    seen = [9.0, 4.0, 80.0, 60.0]
    source.update(top=5.0, row_step=11.0, left=3.5, col_step=9.25, seen=seen)
    levels = np.rint((values - values.min()) / (np.ptp(values) or 1) * 255)
    cells = values.min() + levels * np.ptp(values) / 255

    def exact(rows: np.ndarray, cols: np.ndarray) -> np.ndarray:
        place = [(rows - 5.0) / 11.0, (cols - 3.5) / 9.25]
        return map_coordinates(cells, place, order=1, mode="nearest")

    places = random.uniform([0, 0], [90, 64], (60, 2))
    numbers, width, height, data = functions.js(GRIDS, source, [90, 64], places.tolist(), colormap)
    inside = (places[:, 0] > 9) & (places[:, 0] < 80) & (places[:, 1] > 4) & (places[:, 1] < 60)
    assert [number is not None for number in numbers] == inside.tolist()
    wanted = exact(*places[inside].T)
    assert np.allclose([number for number in numbers if number is not None], wanted, atol=1e-9)

    assert (height, width) == (128, 91)
    rows, cols = (np.arange(height) + 0.5) * 90 / height, (np.arange(width) + 0.5) * 64 / width
    placed = exact(*np.meshgrid(rows, cols, indexing="ij"))
    signed = colormap == "diverging"
    share = normalize(placed, signed=signed, scale=float(max(-cells.min() if signed else 0, cells.max())))
    drawn = np.array(data, np.uint8).reshape(height, width, 4)
    visible = drawn[..., 3] > 0
    assert np.array_equal(visible, ((rows > 9) & (rows < 80))[:, np.newaxis] & ((cols > 4) & (cols < 60)))
    off = np.abs(drawn[..., :3].astype(int) - colorize(share, colormap).astype(int)).max(axis=2)[visible]
    assert off.max() <= 5  # one level apart where a value lies between two
    assert (off == 0).mean() > 0.99
