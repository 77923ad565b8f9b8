"""Colours, the range of pixels and presets: known values, and gradients against finite differences."""

from __future__ import annotations

import numpy as np
import pytest

from gradcam_tf1 import PRESETS, OptionError, Preprocessing
from gradcam_tf1.features.pixel_colours import COLOURS, NetValues, PixelColours


def numbers(*shape, seed=0):
    return np.random.RandomState(seed).normal(size=shape)


def check_gradient(function, x, found, towards):
    for place in range(x.size):
        moved = [x.copy(), x.copy()]
        moved[0].flat[place] += 1e-5
        moved[1].flat[place] -= 1e-5
        slope = ((function(moved[0]) - function(moved[1])) * towards).sum() / 2e-5
        assert found.flat[place] == pytest.approx(slope, rel=1e-5, abs=1e-6)


def test_the_colours_are_uncorrelated_and_the_first_is_brightness():
    product = COLOURS.T @ COLOURS
    np.testing.assert_allclose(product - np.diag(np.diag(product)), 0, atol=1e-3)
    lengths = np.sqrt(np.diag(product))
    np.testing.assert_allclose(lengths, [1, np.sqrt(0.0188 / 0.2175), np.sqrt(0.0045 / 0.2175)], rtol=1e-3)
    assert (COLOURS[:, 0] > 0.5).all()
    assert COLOURS[0, 1] * COLOURS[2, 1] < 0, "the second is red against blue"


@pytest.mark.parametrize("channels", [1, 3, 5])
def test_zero_is_the_middle_and_pixels_stay_in_their_range(channels):
    colours = PixelColours(channels, -20, 60)
    np.testing.assert_allclose(colours.pixels(np.zeros((1, 2, 2, channels))), 20)
    found = colours.pixels(numbers(1, 8, 8, channels) * 30)
    assert found.min() >= -20
    assert found.max() <= 60


@pytest.mark.parametrize("channels", [1, 3, 5])
def test_the_gradient_of_the_colours(channels):
    colours, x, towards = PixelColours(channels), numbers(1, 2, 3, channels), numbers(1, 2, 3, channels, seed=1)
    check_gradient(colours.pixels, x, colours.grads(colours.pixels(x), towards), towards)


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_the_values_of_a_preset_are_its_own_and_so_is_the_gradient(name):
    preset = PRESETS[name]
    channels = 1 if preset.gray else 3
    values = NetValues(preset, channels, 3)
    pixels = np.random.RandomState(2).uniform(0, 255, (1, 2, 3, channels))
    made = preset(np.broadcast_to(pixels, (1, 2, 3, 3)))
    found = values.values(pixels)
    np.testing.assert_allclose(found, made, rtol=1e-5, atol=1e-4)
    towards = numbers(*found.shape, seed=1)
    check_gradient(values.values, pixels, values.grads(towards), towards)
    assert values.shown(pixels).shape == (1, 2, 3, 3)


def test_a_preset_of_bands():
    preset = Preprocessing("five bands", 0.1, (1.0, 2.0, 3.0, 4.0, 5.0), (1.0, 2.0, 4.0, 1.0, 1.0))
    found = NetValues(preset, 5, 5).values(np.full((1, 1, 1, 5), 100.0))
    np.testing.assert_allclose(found[0, 0, 0], [9, 4, 1.75, 6, 5], rtol=1e-6)


class Squared(Preprocessing):
    """A preset that does more than it says."""

    def __call__(self, images):
        return super().__call__(images) ** 2


def test_a_preset_that_is_not_linear_is_refused():
    with pytest.raises(OptionError, match=r"\(own\) is not \(x \* scale - mean\) / std, so that its gradient is not"):
        NetValues(Squared("own", 1 / 255), 3, 3)
