"""Values at the ends of what numbers can be: a value, or a reason; never an overflow, an endless run or a crash."""

from __future__ import annotations

import numpy as np
import pytest

from gradcam_tf1.errors import OptionError
from gradcam_tf1.metrics.deletion_curves import deletion
from gradcam_tf1.metrics.infidelity import infidelity
from gradcam_tf1.metrics.max_sensitivity import max_sensitivity
from gradcam_tf1.metrics.metric_choices import metric
from gradcam_tf1.metrics.subset_correlation import faithfulness_correlation, sensitivity_n

RNG = np.random.RandomState(0)
MAP, IMAGE = RNG.rand(6, 6), RNG.rand(6, 6, 3).astype(np.float32)
BLACK = np.zeros_like(IMAGE)


def mean(images):
    return images.mean(axis=(1, 2, 3))


@pytest.mark.parametrize("unit", [1e307, 1e-307])
@pytest.mark.parametrize("function", [sensitivity_n, faithfulness_correlation, infidelity])
def test_the_unit_of_a_map_does_not_matter_however_large_it_is(function, unit):
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        value = function(MAP * unit, IMAGE, BLACK, mean).value
    assert value == pytest.approx(function(MAP, IMAGE, BLACK, mean).value, rel=1e-6)


def test_a_value_that_is_no_number_has_a_reason():
    found = infidelity(MAP * 1e200, IMAGE, BLACK, mean, scaling=False)
    assert np.isnan(found.value)
    assert found.reason == "the value is too large for a number"
    found = max_sensitivity(MAP * 1e-310, IMAGE, lambda images: images[..., 0] * 1e10)
    assert np.isnan(found.value)
    assert found.reason == "the value is too large for a number"


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_image_that_is_not_finite_has_no_sensitivity(value):
    image = IMAGE.copy()
    image[0, 0, 0] = value
    found = max_sensitivity(MAP, image, lambda images: images[..., 0])
    assert np.isnan(found.value)
    assert "the image has NaN or infinite values" in found.reason


def test_more_steps_than_pixels_are_as_many_as_pixels():
    assert deletion(MAP, IMAGE, BLACK, mean, steps=10**12).value == deletion(MAP, IMAGE, BLACK, mean, steps=36).value


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("max_sensitivity", {"radius": float("inf")}),
        ("infidelity", {"noise": float("inf")}),
        ("road", {"noise": float("nan")}),
        ("sensitivity_n", {"points": 10**12}),
    ],
)
def test_options_are_finite(name, options):
    with pytest.raises(OptionError, match=f"{name}.{next(iter(options))} is a .*number"):
        metric(name, **options)


def test_a_score_is_a_number():
    with pytest.raises(OptionError, match="returns one number an image"):
        deletion(MAP, IMAGE, BLACK, lambda images: ["high"] * len(images))
