"""Pictures of spectra against the sum of cosines that they are, and the gradient against finite differences."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import fft

from gradcam_tf1.errors import OptionError
from gradcam_tf1.features.spectrum_pictures import SpectrumPictures

SIDES = [(4, 6), (5, 7), (6, 5), (3, 4), (2, 2)]


def numbers(*shape, seed=0):
    return np.random.RandomState(seed).normal(size=shape)


@pytest.mark.parametrize("sides", SIDES)
@pytest.mark.parametrize("decay", [0, 1, 1.5])
def test_a_picture_is_a_sum_of_cosines(sides, decay):
    """x(r, c) = sum_f s(f) (a cos - b sin)(2 pi (u r + v c)) / sqrt(H W), both halves of the plane."""
    height, width = sides
    spectra = SpectrumPictures(sides, 2, decay)
    given = numbers(1, *spectra.shape)
    rows, columns = np.mgrid[0:height, 0:width]
    expected = np.zeros((height, width, 2))
    for i in range(height):
        for j in range(width // 2 + 1):
            u, v = (i if 2 * i < height else i - height) / height, j / width
            scale = 0.25 / max(np.hypot(u, v), 1 / max(sides)) ** decay / np.sqrt(height * width)
            halves = 1 if j == 0 or 2 * j == width else 2
            angle = 2 * np.pi * (u * rows + v * columns)
            for k in range(2):
                a, b = given[0, k, i, j]
                expected[..., k] += halves * scale * (a * np.cos(angle) - b * np.sin(angle))
    np.testing.assert_allclose(spectra.pictures(given)[0], expected, atol=1e-12)


@pytest.mark.parametrize("sides", SIDES)
def test_the_gradient_is_that_of_finite_differences(sides):
    spectra = SpectrumPictures(sides, 3)
    z, towards = numbers(2, *spectra.shape), numbers(2, *sides, 3, seed=1)
    found = spectra.grads(towards)
    for place in range(0, z.size, 7):
        moved = z.copy()
        moved.flat[place] += 1e-3
        slope = ((spectra.pictures(moved) - spectra.pictures(z)) * towards).sum() / 1e-3
        assert found.flat[place] == pytest.approx(slope, abs=1e-8)


def test_the_first_picture_is_nearly_gray_and_follows_its_seed():
    spectra = SpectrumPictures((32, 48), 3)
    first = spectra.start(3)
    np.testing.assert_array_equal(first, spectra.start(3))
    assert (first != spectra.start(4)).any()
    assert first.dtype == np.float32
    assert 0 < np.abs(spectra.pictures(first[np.newaxis])).max() < 0.6


def test_low_frequencies_are_strong_as_in_photographs():
    """Amplitudes of random spectra fall as 1 / f."""
    spectra = SpectrumPictures((64, 64), 1)
    found = np.abs(np.fft.rfft2(spectra.pictures(numbers(40, *spectra.shape))[..., 0])).mean(axis=0)
    assert found[0, 4] / found[0, 16] == pytest.approx(4, rel=0.25)


def test_a_picture_of_a_line_is_refused():
    with pytest.raises(OptionError, match="a picture of 1x5 has no frequencies; its sides are at least 2 pixels"):
        SpectrumPictures((1, 5), 3)


@pytest.mark.parametrize("sides", SIDES)
def test_the_pull_is_the_gradient_of_the_power(sides):
    """Without decay the power of a picture is that of its coefficients, by Parseval, wherever these are a picture's."""
    spectra = SpectrumPictures(sides, 2, 0)
    found = fft.rfft2(numbers(1, 2, *sides), norm="ortho")
    z = np.stack([found.real, found.imag], axis=-1)
    np.testing.assert_allclose(spectra.pulls(z), spectra.grads(spectra.pictures(z)) / 0.25**2, atol=1e-12)
