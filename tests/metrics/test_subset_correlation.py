"""Sensitivity-n and faithfulness correlation: 1 for the contributions to a linear score, -1 for their opposite."""

from __future__ import annotations

import numpy as np
import pytest
from metric_cases import ONES, WEIGHTS, ZEROS, constant, linear

from gradcam_tf1 import OptionError
from gradcam_tf1.metrics.subset_correlation import faithfulness_correlation, pearson, sensitivity_n, spread_sizes

FUNCTIONS = (sensitivity_n, faithfulness_correlation)
RANDOM = np.random.RandomState(3)
COEFFICIENTS, IMAGE, FILL = (RANDOM.standard_normal((6, 7, 3)).astype(np.float32) for _ in range(3))
CONTRIBUTIONS = np.sum(COEFFICIENTS * (IMAGE - FILL), axis=-1)


def weighted(images):
    return np.sum(images.astype(np.float64) * COEFFICIENTS, axis=(1, 2, 3)) + 5


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_contributions_to_a_linear_score_have_correlation_1(function):
    assert function(CONTRIBUTIONS, IMAGE, FILL, weighted).value == pytest.approx(1, abs=1e-6)
    assert function(-7 * CONTRIBUTIONS, IMAGE, FILL, weighted).value == pytest.approx(-1, abs=1e-6)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_other_maps_have_less(function):
    assert function(np.abs(CONTRIBUTIONS), IMAGE, FILL, weighted).value < 0.9
    assert abs(function(RANDOM.rand(6, 7), IMAGE, FILL, weighted, samples=1000).value) < 0.5


def test_each_n_is_on_the_curve():
    value = sensitivity_n(CONTRIBUTIONS, IMAGE, FILL, weighted, sizes=[1, 10, 41], samples=20)
    np.testing.assert_allclose(value.curve, [[1 / 42, 1], [10 / 42, 1], [41 / 42, 1]], atol=1e-6)


def test_the_correlation_by_hand():
    """All sets of one of two pixels: the map says 1 and 3, the score loses 2 and 1, so the correlation is -1."""
    image = np.array([[[2], [1]]], np.float32)
    value = sensitivity_n(np.array([[1, 3]]), image, 0 * image, lambda x: x.sum(axis=(1, 2, 3)), sizes=[1], samples=9)
    assert value.value == pytest.approx(-1)
    assert pearson(np.array([1.0, 2, 3]), np.array([1.0, 3, 2])) == pytest.approx(0.5)
    assert pearson(np.array([1e300, 2e300, 3e300]), np.array([1e-300, 3e-300, 2e-300])) == pytest.approx(0.5)


def test_the_sizes_go_from_one_pixel_to_80_percent():
    assert spread_sizes(1000, 4) == [1, 9, 86, 800]
    assert spread_sizes(4, 6) == [1, 2, 3]
    assert spread_sizes(2, 6) == [1]


def test_sets_of_one_share_have_that_size():
    sizes = []

    def count(images):
        sizes.extend(np.sum((images == FILL).all(axis=-1), axis=(1, 2)))
        return weighted(images)

    faithfulness_correlation(CONTRIBUTIONS, IMAGE, FILL, count, share=0.5, samples=5, chunk=2)
    assert sizes == [21] * 5


def test_a_seed_repeats_its_sets():
    noise = RANDOM.rand(6, 7)
    values = [faithfulness_correlation(noise, IMAGE, FILL, weighted, samples=9, seed=seed).value for seed in (0, 0, 1)]
    assert values[0] == values[1] != values[2]


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize(
    ("saliency", "score", "reason"),
    [
        (np.ones((2, 2)), linear, "the map is constant, so it orders no pixels"),
        (np.full((2, 2), np.nan), linear, "the map has NaN or infinite values"),
        (WEIGHTS, constant(0.3), "the score is the same for all sets of 1 pixels"),
        (WEIGHTS, constant(float("nan")), "the score is NaN or infinite for 100 of 100 images"),
    ],
)
def test_where_nothing_varies_there_is_no_correlation(function, saliency, score, reason):
    value = function(saliency, ONES, ZEROS, score)
    assert np.isnan(value.value)
    assert value.reason == reason


def test_sums_that_differ_by_rounding_only_are_equal():
    """Each set of three misses one pixel: without rounding all sums of this map are .1."""
    saliency = np.array([[0.1, 0.1], [0.1, 0.1 + 1e-16]])
    assert saliency.min() != saliency.max()
    value = sensitivity_n(saliency, ONES, ZEROS, linear, sizes=[3])
    assert np.isnan(value.value)
    assert value.reason == "the sum of the map is the same for all sets of 3 pixels"


def test_a_size_that_is_not_possible_is_refused():
    for size in (0, 4):
        with pytest.raises(OptionError, match=rf"a set has 1 to 3 of the 4 pixels, not {size}"):
            sensitivity_n(WEIGHTS, ONES, ZEROS, linear, sizes=[size])
