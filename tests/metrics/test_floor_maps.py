"""The maps that know nothing of the net."""

from __future__ import annotations

import numpy as np
import pytest

from gradcam_tf1.errors import OptionError
from gradcam_tf1.images.geometry import fit
from gradcam_tf1.metrics.floor_maps import FLOORS, floor_map, floor_on_original
from gradcam_tf1.metrics.localisation import pointing_game
from gradcam_tf1.metrics.map_frames import on_original

IMAGE = np.random.RandomState(2).uniform(-1, 1, (30, 40, 3)).astype(np.float32)


def test_random_is_a_fair_draw_that_the_seed_repeats():
    assert np.array_equal(floor_map("random", IMAGE, 5), floor_map("random", IMAGE, 5))
    assert not np.array_equal(floor_map("random", IMAGE, 5), floor_map("random", IMAGE, 6))
    inside = np.zeros((30, 40), bool)
    inside[:15, :24] = True  # 0.3 of the image
    hits = np.mean([pointing_game(floor_map("random", IMAGE, seed), inside, 0) for seed in range(600)])
    assert abs(hits - 0.3) < 3 * np.sqrt(0.3 * 0.7 / 600)


@pytest.mark.parametrize("mode", ["stretch", "center-crop"])
def test_random_is_a_fair_draw_on_the_original_image_too(mode):
    """Enlarged numbers are not: at the border they are averaged with fewer neighbours."""
    fitted = fit(np.zeros((75, 100, 3), np.uint8), (30, 40), mode)
    top, left, bottom, right = fitted.placement.seen
    inside = np.zeros((75, 100), bool)
    inside[top + 8 : bottom - 8, left + 8 : right - 8] = True
    share = inside.sum() / ((bottom - top) * (right - left))
    placed = [floor_on_original("random", fitted.pixels, fitted.placement, seed) for seed in range(600)]
    assert abs(np.mean([pointing_game(map, inside, 0) for map in placed]) - share) < 3 * np.sqrt(share / 4 / 600)
    assert not placed[0][:top].any()
    assert placed[0].shape == (75, 100)


@pytest.mark.parametrize("name", ["edges", "centre"])
def test_other_floors_are_placed_as_maps_are(name):
    fitted = fit(np.random.RandomState(0).randint(0, 255, (75, 100, 3)).astype(np.uint8), (30, 40), "stretch")
    expected = on_original(floor_map(name, fitted.pixels), None, fitted.placement)
    assert np.array_equal(floor_on_original(name, fitted.pixels, fitted.placement), expected)


def test_edges_are_where_colours_change():
    image = np.zeros((9, 12, 2), np.float32)
    image[:, 6:, 0] = 3.0
    image[:, 6:, 1] = 4.0
    found = floor_map("edges", image)
    assert np.array_equal(np.flatnonzero(found.any(axis=0)), [5, 6])  # the border of the image is no edge
    assert found[4, 5] == pytest.approx(4 * 5.0)  # Sobel's weights add up to 4; 5 = root of 3^2 + 4^2


def test_centre_has_its_highest_value_in_the_middle_and_is_symmetric():
    found = floor_map("centre", IMAGE[:, :39])
    assert np.allclose(found, found[::-1, ::-1])
    assert np.unravel_index(found[:15].argmax(), (15, 39)) == (14, 19)
    assert found[14, 19] == pytest.approx(np.exp(-0.5 * (0.5 / 30 / 0.25) ** 2))


@pytest.mark.parametrize("name", FLOORS)
def test_floors_are_of_the_image_size_and_not_negative(name):
    found = floor_map(name, IMAGE, 1)
    assert found.shape == (30, 40)
    assert found.dtype == np.float64
    assert found.min() >= 0


def test_refusals():
    with pytest.raises(OptionError, match="no floor 'corner'; possible: random, edges, centre"):
        floor_map("corner", IMAGE)
    with pytest.raises(OptionError, match=r"an image \[H, W, C\], this one is \[30, 40\]"):
        floor_map("edges", IMAGE[..., 0])
