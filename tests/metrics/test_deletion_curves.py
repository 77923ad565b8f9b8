"""Deletion and insertion of a linear score, whose areas are sums of the weights."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from metric_cases import ONES, WEIGHTS, ZEROS, constant, linear

from gradcam_tf1.metrics.deletion_curves import deletion, insertion
from gradcam_tf1.metrics.measured_maps import pixel_order


def test_deletion_by_hand():
    """The score is 1, and .6, .3, .1, 0 after the pixels with .4, .3, .2, .1: the trapezoids add up to .375."""
    value = deletion(WEIGHTS, ONES, ZEROS, linear, steps=4)
    np.testing.assert_allclose(value.curve, [[0, 1], [0.25, 0.6], [0.5, 0.3], [0.75, 0.1], [1, 0]], atol=1e-7)
    assert value.value == pytest.approx((0.8 + 0.45 + 0.2 + 0.05) / 4)
    assert value.reason == ""


def test_insertion_mirrors_deletion_for_a_linear_score():
    value = insertion(WEIGHTS, ONES, ZEROS, linear, steps=4)
    np.testing.assert_allclose(value.curve[:, 1], [0, 0.4, 0.7, 0.9, 1], atol=1e-7)
    assert value.value == pytest.approx(1 - 0.375)


def test_the_wrong_order_is_worse():
    assert deletion(-WEIGHTS, ONES, ZEROS, linear, steps=4).value == pytest.approx(0.625)
    assert insertion(-WEIGHTS, ONES, ZEROS, linear, steps=4).value == pytest.approx(0.375)


def test_the_area_of_few_steps_is_that_of_their_trapezoids():
    assert deletion(WEIGHTS, ONES, ZEROS, linear, steps=1).value == pytest.approx(0.5)
    assert deletion(WEIGHTS, ONES, ZEROS, linear, steps=2).value == pytest.approx((1.3 + 0.3) / 4)


def test_no_more_steps_are_made_than_pixels():
    value = deletion(WEIGHTS, ONES, ZEROS, linear, steps=50)
    assert len(value.curve) == 5
    assert value.value == pytest.approx(0.375)


def test_uneven_steps_are_weighed_by_their_width():
    """3 steps of 4 pixels: 0, 1, 3 and 4 are hidden."""
    value = deletion(WEIGHTS, ONES, ZEROS, linear, steps=3)
    np.testing.assert_allclose(value.curve, [[0, 1], [0.25, 0.6], [0.75, 0.1], [1, 0]], atol=1e-7)
    assert value.value == pytest.approx(0.25 * 0.8 + 0.5 * 0.35 + 0.25 * 0.05)


def test_only_the_order_of_the_map_matters():
    same = deletion(np.exp(9 * WEIGHTS) - 40, ONES, ZEROS, linear, steps=4)
    assert same.value == deletion(WEIGHTS, ONES, ZEROS, linear, steps=4).value


def test_the_curve_ends_at_the_baseline():
    for image in (ONES, ONES.astype(np.uint8)):
        value = deletion(WEIGHTS, image, ZEROS + 0.25, linear, steps=4)
        assert value.curve[-1, 1] == pytest.approx(0.25)


def test_equal_values_are_ordered_by_the_seed_and_not_by_the_rows():
    tied = np.zeros((10, 10))
    tied[4, 2] = 1
    first = pixel_order(tied, 0)
    assert first[0] == 42
    np.testing.assert_array_equal(first, pixel_order(tied, 0))
    assert (first != pixel_order(tied, 1)).any()
    assert sorted(first) == list(range(100))
    upper = [np.mean(pixel_order(tied, seed)[:50] < 50) for seed in range(20)]
    assert 0.4 < np.mean(upper) < 0.6  # in the order of the rows it is 1


def test_a_score_gets_no_more_images_than_a_chunk():
    sizes = []

    def counted(images):
        sizes.append(len(images))
        assert images.dtype == np.float32
        return linear(images)

    value = deletion(WEIGHTS, ONES, ZEROS, counted, steps=4, chunk=2)
    assert sizes == [2, 2, 1]
    assert value.value == pytest.approx(0.375)


@pytest.mark.parametrize("function", [deletion, insertion])
def test_memory_does_not_grow_with_the_steps(function):
    image = np.random.RandomState(0).rand(64, 64, 3).astype(np.float32)
    peaks = []
    for steps in (8, 400):
        tracemalloc.start()
        function(image[..., 0], image, 0 * image, lambda images: images.mean(axis=(1, 2, 3)), steps=steps, chunk=4)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]


@pytest.mark.parametrize("function", [deletion, insertion])
@pytest.mark.parametrize(
    ("saliency", "reason"),
    [
        (np.ones((2, 2)), "the map is constant, so it orders no pixels"),
        (np.array([[0, 1], [2, np.nan]]), "the map has NaN or infinite values"),
        (np.array([[0, 1], [2, np.inf]]), "the map has NaN or infinite values"),
    ],
)
def test_a_map_without_an_order_has_no_curve(function, saliency, reason):
    value = function(saliency, ONES, ZEROS, linear)
    assert np.isnan(value.value)
    assert value.curve is None
    assert value.reason == reason


def test_nan_scores_have_no_area():
    value = deletion(WEIGHTS, ONES, ZEROS, constant(float("nan")), steps=4)
    assert np.isnan(value.value)
    assert value.reason == "the score is NaN or infinite for 5 of 5 images"


def test_signals_have_curves_too():
    value = deletion(np.array([3, 1, 2]), np.ones((3, 1)), np.zeros((3, 1)), lambda x: x[..., 0] @ [3, 1, 2], steps=3)
    np.testing.assert_allclose(value.curve[:, 1], [6, 3, 1, 0])
