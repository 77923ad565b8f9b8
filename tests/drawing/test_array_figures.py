"""Figures of signals and volumes: red where the map is high. The maps are made by hand."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from gradcam_tf1.drawing.array_figures import LEFT, RIGHT, signal_figure, volume_figure
from gradcam_tf1.drawing.explanation import Explanation
from gradcam_tf1.drawing.figure_grid import BAR, GAP, LINE, MARGIN, NUMBERS, SIDE
from gradcam_tf1.images.array_placement import ArrayPlacement
from gradcam_tf1.types import MapStatus

OK, EMPTY = MapStatus("ok", "", 0, 1), MapStatus("empty", "no gradient", 0, 0)


def explained(method, map, sides, state=OK):
    key = (method, "" if method == "gradient" else "layer:0")
    ids, scores = np.array([[3], [4]]), np.array([[1.5], [2.5]], np.float32)
    maps = {key: np.stack([np.zeros_like(map), map])[:, np.newaxis].astype(np.float32)}
    placements = [ArrayPlacement(sides)] * 2
    return Explanation(ids, scores, None, ids[:, 0], maps, {key: [[OK], [state]]}, placements, ("layer:0",))


def places(path, test):
    """(rows, columns) of the pixels of a signal's figure that pass, as shares of it; the colour bar is left out."""
    pixels = read(path)
    rows, columns = np.nonzero(test(*np.moveaxis(pixels, -1, 0)))
    inside = columns < RIGHT * pixels.shape[1]
    return rows[inside] / pixels.shape[0], columns[inside] / pixels.shape[1]


def panels(path, columns, rows=1):
    """The panels of a volume's figure, row by row, by the measures of the grid."""
    title, found = LINE + GAP, []
    for row in range(rows):
        top = MARGIN + row * (SIDE + title) + title
        lefts = [MARGIN + column * (SIDE + GAP + BAR + NUMBERS) for column in range(columns)]
        found += [read(path)[top : top + SIDE, left : left + SIDE] for left in lefts]
    return found


def read(path):
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


def red(r, g, b):
    return (r > 110) & (g < 60) & (b < 60)


def blue(r, g, b):
    return (b > 110) & (r < 60) & (g < 60)


def test_a_signal_is_red_where_its_map_is_high(tmp_path):
    """10 cells over 60 samples, cell 7 is hot: samples 42 to 47; of both channels, in the same columns."""
    arrays = np.zeros((2, 60, 2), np.float32)
    path = str(tmp_path / "signal.png")
    signal_figure(explained("gradcam", np.eye(10)[7], (60,)), arrays, 1, "gradcam", path)
    rows, columns = places(path, red)
    samples = (columns - LEFT) / (RIGHT - LEFT) * 60 - 0.5
    assert abs(np.median(samples) - 44.5) < 0.7
    assert samples.min() > 41
    assert samples.max() < 48
    assert rows.max() - rows.min() > 0.3  # two lines
    assert len(places(path, blue)[0]) > len(rows)


def test_each_channel_of_a_pixel_map_has_its_own_colours_and_sign(tmp_path):
    map = np.zeros((60, 2))
    map[10:20, 0], map[40:50, 1] = 1, -1
    path = str(tmp_path / "signal.png")
    signal_figure(explained("gradient", map, (60,)), np.zeros((2, 60, 2)), 1, "gradient", path)
    (for_rows, for_columns), (against_rows, against_columns) = places(path, red), places(path, blue)
    assert for_rows.max() < 0.5 < against_rows.min()
    assert for_columns.max() < against_columns.min()
    assert not len(places(path, lambda r, g, b: (g > 150) & (r < 100))[0])  # zero is white, not jet's green


def test_an_empty_map_has_no_colours(tmp_path):
    path = str(tmp_path / "signal.png")
    signal_figure(explained("gradcam", np.zeros(10), (60,), EMPTY), np.zeros((2, 60)), 1, "gradcam", path)
    assert not len(places(path, red)[0])
    assert not len(places(path, blue)[0])
    with pytest.raises(KeyError, match="no maps of 'hirescam'"):
        signal_figure(explained("gradcam", np.zeros(10), (60,)), np.zeros((2, 60)), 1, "hirescam", path)


def test_slices_of_a_volume(tmp_path):
    """8 slices of 12 x 12, two rows of four; slice 5, the second of the lower row, is hot below on the left."""
    map = np.zeros((8, 12, 12))
    map[5, 8:, :4] = 2
    arrays = np.random.RandomState(0).rand(2, 8, 12, 12, 1)
    path = str(tmp_path / "volume.png")
    numbers = volume_figure(explained("gradcam", map, (8, 12, 12)), arrays, 1, "gradcam", path, alpha=1.0)
    assert numbers == str(tmp_path / "volume.npy")
    np.testing.assert_array_equal(np.load(numbers), map.astype(np.float32))
    hot = [red(*np.moveaxis(panel, -1, 0)) for panel in panels(path, 4, 2)]
    assert [place for place, panel in enumerate(hot) if panel.any()] == [5]
    rows, columns = np.nonzero(hot[5])
    np.testing.assert_allclose([rows.mean() / SIDE, columns.mean() / SIDE], [10 / 12, 2 / 12], atol=0.02)


def test_a_few_slices_and_pixel_maps_of_a_volume(tmp_path):
    map = np.zeros((20, 6, 6, 2))
    map[0, 2, 2] = (3, -1)
    path = str(tmp_path / "volume.png")
    numbers = volume_figure(
        explained("gradient", map, (20, 6, 6)), np.zeros((2, 20, 6, 6, 2)), 1, "gradient", path, slices=3, alpha=1.0
    )
    assert np.load(numbers).shape == (20, 6, 6, 2)
    assert [red(*np.moveaxis(panel, -1, 0)).any() for panel in panels(path, 3)] == [True, False, False]
    empty = explained("gradcam", np.zeros((20, 6, 6)), (20, 6, 6), EMPTY)
    volume_figure(empty, np.zeros((2, 20, 6, 6)), 1, "gradcam", path, slices=3)
    assert all((np.ptp(panel, axis=-1) == 0).all() for panel in panels(path, 3))
