"""Infidelity: 0 for the gradient of a linear score, by hand for other maps."""

from __future__ import annotations

import numpy as np
import pytest
from metric_cases import ONES, WEIGHTS, ZEROS, constant, linear

from gradcam_tf1 import OptionError
from gradcam_tf1.metrics.infidelity import infidelity, squared_error

KINDS = ("square", "noise")
PIXEL = np.full((1, 1, 1), 2, np.float32)


def triple(images):
    return 3.0 * images[:, 0, 0, 0]


@pytest.mark.parametrize("scaling", [False, True])
@pytest.mark.parametrize("perturb", KINDS)
def test_the_gradient_of_a_linear_score_has_0(perturb, scaling):
    image = np.random.RandomState(0).rand(2, 2, 1).astype(np.float32)
    value = infidelity(WEIGHTS, image, ZEROS, linear, perturb=perturb, scaling=scaling)
    assert value.value == pytest.approx(0, abs=1e-12)


def test_one_pixel_by_hand():
    """I = 2 takes 6 from the score 3 x: a map of 1 says 2, so the error is 16; scaled, it says 6."""
    value = infidelity(np.ones((1, 1)), PIXEL, 0 * PIXEL, triple, scaling=False)
    assert value.value == pytest.approx(16)
    assert infidelity(np.ones((1, 1)), PIXEL, 0 * PIXEL, triple).value == pytest.approx(0)
    # with a baseline of 1, I = 1 takes 3
    assert infidelity(np.ones((1, 1)), PIXEL, PIXEL / 2, triple, scaling=False).value == pytest.approx(4)


def test_the_best_scale_by_hand():
    """A map that says 1 and 2 where the score loses 3 and 1: b = (3 + 2) / (1 + 4) = 1, the error (4 + 1) / 2."""
    assert squared_error(np.array([1.0, 2]), np.array([3.0, 1]), scaling=True) == pytest.approx(2.5)
    assert squared_error(np.array([10.0, 20]), np.array([3.0, 1]), scaling=True) == pytest.approx(2.5)
    assert squared_error(np.array([10.0, 20]), np.array([3.0, 1]), scaling=False) == pytest.approx((49 + 361) / 2)
    assert squared_error(np.array([1e-300, 2e-300]), np.array([3.0, 1]), scaling=True) == pytest.approx(2.5)


def test_a_map_of_zeros_says_that_nothing_matters():
    for scaling in (False, True):
        assert infidelity(np.zeros((1, 1)), PIXEL, 0 * PIXEL, triple, scaling=scaling).value == pytest.approx(36)


def test_a_map_counts_for_each_channel():
    image = np.ones((1, 1, 3), np.float32)
    value = infidelity(np.array([[2]]), image, 0 * image, lambda x: 2 * x.sum(axis=(1, 2, 3)), scaling=False)
    assert value.value == pytest.approx(0)


def test_squares_have_sides_up_to_half_of_the_image():
    sides = set()

    def look(images):
        for hidden in (images == 0).any(axis=-1):
            rows, columns = hidden.any(axis=1).sum(), hidden.any(axis=0).sum()
            assert rows == columns
            assert hidden.sum() == rows * columns
            sides.add(int(rows))
        return constant(1.0)(images)

    image = np.ones((6, 9, 2), np.float32)
    infidelity(np.ones((6, 9)), image, 0 * image, look, samples=60, chunk=7)
    assert sides == {0, 1, 2, 3}  # 0: the image itself


def test_the_noise_has_the_scale_of_the_image():
    image = np.random.RandomState(0).uniform(-10, 30, (20, 20, 1)).astype(np.float32)
    seen = []
    infidelity(image[..., 0], image, image, lambda x: [seen.extend(x - image), constant(0)(x)][1], perturb="noise")
    assert np.std(seen[1:]) == pytest.approx(0.2 * np.ptp(image), rel=0.05)


@pytest.mark.parametrize("perturb", KINDS)
def test_what_is_not_finite_has_no_value(perturb):
    value = infidelity(np.full((2, 2), np.nan), ONES, ZEROS, linear, perturb=perturb)
    assert np.isnan(value.value)
    assert value.reason == "the map has NaN or infinite values"
    value = infidelity(WEIGHTS, ONES, ZEROS, constant(float("nan")), perturb=perturb, samples=9)
    assert np.isnan(value.value)
    assert value.reason == "the score is NaN or infinite for 10 of 10 images"


def test_another_perturbation_is_refused():
    with pytest.raises(OptionError, match="perturb is one of square, noise, not 'blur'"):
        infidelity(WEIGHTS, ONES, ZEROS, linear, perturb="blur")
