"""Colours of levels: strip by strip as all at once, against numpy's own look-up."""

from __future__ import annotations

import numpy as np
import pytest

from gradcam_tf1.drawing import color_lookup
from gradcam_tf1.drawing.color_lookup import look_up, look_up_gray


@pytest.mark.parametrize("shape", [(1, 1), (7, 5), (1, 50), (40, 3)])
def test_strips_are_looked_up_as_numpy_does(monkeypatch, shape):
    monkeypatch.setattr(color_lookup, "_STRIP", 20)  # several strips, the last one shorter; a row longer than a strip
    random = np.random.default_rng(0)
    levels = random.integers(0, 256, shape).astype(np.uint8)
    table = random.integers(0, 256, (256, 1, 3)).astype(np.uint8)
    np.testing.assert_array_equal(look_up(levels, table), table[:, 0][levels])
    grays = np.repeat(table[..., :1], 3, axis=2)
    np.testing.assert_array_equal(look_up_gray(levels, grays), grays[:, 0][levels])


def test_levels_of_a_part_of_an_image_are_looked_up():
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)[2:9, 3:11]
    table = np.arange(768, dtype=np.uint16).astype(np.uint8).reshape(256, 1, 3)
    np.testing.assert_array_equal(look_up(levels, table), table[:, 0][levels])
