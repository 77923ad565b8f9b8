"""The box of the largest lit region: by hand, exact."""

from __future__ import annotations

import numpy as np
import pytest

from gradcam_tf1.errors import OptionError
from gradcam_tf1.metrics.map_box import largest_box


def test_the_largest_region_counts_not_the_highest():
    map = np.zeros((10, 12))
    map[1, 1] = 10.0
    map[4:7, 5:9] = 2.0
    assert largest_box(map, 0.15) == (4, 5, 7, 9)
    assert largest_box(map, 0.2) == (1, 1, 2, 2)  # above the share, not at it


def test_pixels_touch_along_their_sides_only():
    map = np.zeros((6, 6))
    map[0:2, 0:2] = map[2, 2] = map[3:5, 3] = 1.0
    assert largest_box(map, 0.15) == (0, 0, 2, 2)
    map[2, 1] = 1.0
    assert largest_box(map, 0.15) == (0, 0, 3, 3)


def test_of_two_as_large_the_one_with_the_higher_value():
    map = np.zeros((4, 8))
    map[0, 0:2] = 1.0
    map[3, 5:7] = 3.0
    assert largest_box(map, 0.15) == (3, 5, 4, 7)
    assert largest_box(map[:, ::-1], 0.15) == (3, 1, 4, 3)


def test_negative_values_and_empty_maps_have_no_region():
    assert largest_box(np.zeros((3, 3))) is None
    assert largest_box(-np.ones((3, 3))) is None
    map = np.array([[-9.0, 1.0, -9.0]])
    assert largest_box(map) == (0, 1, 1, 2)


@pytest.mark.parametrize("share", [-0.1, 1.0, float("nan")])
def test_a_share_lies_between_nothing_and_all(share):
    with pytest.raises(OptionError, match="at least 0 and below 1"):
        largest_box(np.ones((2, 2)), share)
