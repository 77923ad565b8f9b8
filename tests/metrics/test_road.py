"""ROAD: imputation against solutions by hand, and scores that follow from them."""

from __future__ import annotations

import numpy as np
import pytest
from metric_cases import ONES, WEIGHTS, constant, linear

from gradcam_tf1 import OptionError
from gradcam_tf1.metrics.road import imputed, road, road_lerf, road_morf


def corner(images):
    return images[:, 0, 0, 0].astype(np.float64)


IMAGE = np.array([[9, 2], [4, 6]], np.float32)[..., np.newaxis]
# the corner from its neighbours: (2 / 6 + 4 / 6 + 6 / 12) / (1 / 6 + 1 / 6 + 1 / 12)
CORNER = 3.6


def removed(*pixels, shape=(2, 2)):
    mask = np.zeros(shape, bool)
    mask[tuple(np.transpose(pixels))] = True
    return mask


def test_one_pixel_is_the_weighted_mean_of_its_neighbours():
    filled = imputed(IMAGE, removed((0, 0)))
    np.testing.assert_allclose(filled[..., 0], [[CORNER, 2], [4, 6]])


def test_a_pixel_inside_has_eight_neighbours():
    image = np.arange(9, dtype=np.float32).reshape(3, 3, 1) ** 2
    by_hand = (1 + 9 + 25 + 49) / 6 + (0 + 4 + 36 + 64) / 12
    assert imputed(image, removed((1, 1), shape=(3, 3)))[1, 1, 0] == pytest.approx(by_hand)


def test_removed_neighbours_depend_on_each_other():
    """a = (b / 6 + 4 / 6 + 6 / 12) / w and b = (a / 6 + 6 / 6 + 4 / 12) / w, w = 5 / 12: a = 34 / 7, b = 36 / 7."""
    filled = imputed(IMAGE, removed((0, 0), (0, 1)))
    np.testing.assert_allclose(filled[0, :, 0], [34 / 7, 36 / 7])


def test_a_constant_image_stays_constant_and_a_ramp_stays_a_ramp():
    np.testing.assert_allclose(imputed(np.full((5, 5, 2), 3.0), removed((0, 0), (2, 2), (2, 3), shape=(5, 5))), 3)
    ramp = np.add.outer(np.arange(7.0), 2 * np.arange(7.0))[..., np.newaxis]
    inside = np.zeros((7, 7), bool)
    inside[1:6, 1:6] = True
    np.testing.assert_allclose(imputed(ramp, inside), ramp, atol=1e-12)


def test_channels_are_imputed_alone():
    two = np.concatenate([IMAGE, 10 * IMAGE], axis=-1)
    np.testing.assert_allclose(imputed(two, removed((0, 0)))[0, 0], [CORNER, 10 * CORNER])


def test_morf_and_lerf_by_hand():
    """One of four pixels: the corner, whose map value is the largest, or the pixel beside it, the smallest."""
    most = road_morf(WEIGHTS, IMAGE, corner, shares=[0.25], noise=0)
    least = road_lerf(WEIGHTS, IMAGE, corner, shares=[0.25], noise=0)
    assert most.value == pytest.approx(CORNER)
    assert least.value == 9
    np.testing.assert_allclose(most.curve, [[0.25, CORNER]])
    both = road(WEIGHTS, IMAGE, corner, shares=[0.25], noise=0)
    assert both.value == pytest.approx((9 - CORNER) / 2)
    np.testing.assert_allclose(both.curve, [[0.25, (9 - CORNER) / 2]])


def test_the_value_is_the_mean_over_the_shares():
    value = road_morf(WEIGHTS, IMAGE, corner, shares=[0.25, 0.5, 0.75], noise=0)
    assert value.value == pytest.approx(value.curve[:, 1].mean())
    np.testing.assert_allclose(value.curve[:, 0], [0.25, 0.5, 0.75])


def test_at_least_one_pixel_goes_and_at_least_one_stays():
    few, all_but_one = road_morf(WEIGHTS, IMAGE, corner, shares=[0.01, 0.99], noise=0).curve[:, 1]
    assert few == pytest.approx(CORNER)
    assert all_but_one == pytest.approx(2)  # the pixel with the smallest value stays, and fills the image


def test_the_share_is_exact_where_values_are_equal():
    image = np.random.RandomState(0).rand(10, 10, 1).astype(np.float32)
    tied = np.zeros((10, 10))
    tied[:2] = 1

    def changed(images):
        return np.sum(images != image, axis=(1, 2, 3))

    for function in (road_morf, road_lerf):
        assert list(function(tied, image, changed, shares=[0.1, 0.5, 0.85]).curve[:, 1]) == [10, 50, 85]


def test_noise_has_the_scale_of_the_image_and_is_that_of_the_seed():
    image = 50 * np.random.RandomState(0).rand(40, 40, 1).astype(np.float32)
    saliency = np.random.RandomState(1).rand(40, 40)

    def filled(noise, seed=0):
        seen = []
        road_morf(saliency, image, lambda x: [seen.append(x[0]), [0.0]][1], shares=[0.5], noise=noise, seed=seed)
        return seen[0][saliency > np.median(saliency)]

    added = filled(0.1) - filled(0)
    assert added.std() == pytest.approx(0.1 * np.ptp(image), rel=0.1)
    np.testing.assert_array_equal(filled(0.1), filled(0.1))
    assert (filled(0.1, seed=1) != filled(0.1)).all()


@pytest.mark.parametrize("function", [road, road_morf, road_lerf])
def test_a_map_without_an_order_has_no_value(function):
    for saliency, reason in ((np.ones((2, 2)), "constant"), (np.full((2, 2), np.nan), "NaN")):
        value = function(saliency, ONES, linear)
        assert np.isnan(value.value)
        assert reason in value.reason
    value = function(WEIGHTS, IMAGE, constant(float("inf")), shares=[0.5])
    assert np.isnan(value.value)
    assert value.reason == "the score is NaN or infinite for 1 of 1 images"


@pytest.mark.parametrize(
    ("saliency", "shares"), [(WEIGHTS, [0]), (WEIGHTS, [0.5, 1]), (WEIGHTS, []), (WEIGHTS[0], [0.5])]
)
def test_what_cannot_be_removed_is_refused(saliency, shares):
    image = np.ones((*saliency.shape, 1))
    with pytest.raises(OptionError, match=r"shares above 0 and below 1 .* for signals and volumes take deletion"):
        road(saliency, image, corner, shares=shares)
