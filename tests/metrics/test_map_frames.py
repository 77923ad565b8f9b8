"""Maps in the frames in which they are measured: by hand."""

from __future__ import annotations

import numpy as np

from gradcam_tf1.images.geometry import fit
from gradcam_tf1.metrics.map_frames import joined, on_input, on_original
from gradcam_tf1.types import Cells


def test_channels_become_the_sum_of_their_absolute_values():
    pixels = np.array([[[1.0, -2.0, 0.5], [0.0, 0.0, -4.0]]])
    np.testing.assert_array_equal(joined(pixels), [[3.5, 4.0]])


def test_a_layer_map_keeps_its_signs():
    np.testing.assert_array_equal(joined(np.array([[-1.0, 2.0]])), [[-1.0, 2.0]])


def test_two_cells_over_four_pixels():
    """Half-pixel centres: the cells' centres lie at 1 and 3, the pixels' at 0.5, 1.5, 2.5, 3.5."""
    np.testing.assert_allclose(on_input(np.array([[0.0, 4.0]]), None, (1, 4)), [[0.0, 1.0, 3.0, 4.0]])


def test_cells_that_lie_elsewhere_move_the_map():
    """Centres at 0.5 and 2.5: the first pixel is the first cell, the third the second."""
    cells = Cells(offset=(0.5, 0.5), stride=(1.0, 2.0))
    np.testing.assert_allclose(on_input(np.array([[0.0, 4.0]]), cells, (1, 4)), [[0.0, 2.0, 4.0, 4.0]])


def test_what_the_net_did_not_see_is_zero_on_the_original():
    image = np.zeros((8, 16, 3), np.uint8)
    placement = fit(image, (7, 7), "center-crop").placement
    top, left, bottom, right = placement.seen
    placed = on_original(np.ones((7, 7)), None, placement)
    assert placed.shape == (8, 16)
    assert placed[top:bottom, left:right].min() == 1
    assert placed.sum() == (bottom - top) * (right - left)
