"""Average drop, increase and gain on a linear score of four pixels: y = .4 a + .1 b + .2 c + .3 d."""

from __future__ import annotations

import numpy as np
import pytest
from metric_cases import ONES, WEIGHTS, ZEROS, constant, linear, metric_input

from gradcam_tf1 import OptionError
from gradcam_tf1.metrics.confidence import average_drop, gain, increase
from gradcam_tf1.metrics.metric_table import METRICS

KEEPS_TWO = np.array([[1.0, 0.0], [0.0, 0.5]])  # keeps .4 + .3 / 2 = .55 of 1
NAMES = ("average_drop", "increase", "gain")


def against(images):
    """A probability that falls from .8 to .2 with the pixel at the top right: the others make no difference."""
    return 0.8 - 0.6 * images[:, 0, 1, 0]


def test_the_drop_by_hand():
    assert average_drop(KEEPS_TWO, ONES, ZEROS, linear).value == pytest.approx(0.45, abs=1e-7)
    assert average_drop(np.ones((2, 2)), ONES, ZEROS, linear).value == 0  # all is shown
    assert average_drop(np.zeros((2, 2)), ONES, ZEROS, linear).value == 1  # nothing is


def test_the_drop_is_a_share_of_the_probability():
    assert average_drop(KEEPS_TWO, ONES, ZEROS, lambda images: linear(images) / 2).value == pytest.approx(0.45)


def test_the_increase_and_the_gain_by_hand():
    """y = .2; without the top right pixel it is .8: .6 of the missing .8 are won."""
    assert gain(KEEPS_TWO, ONES, ZEROS, against).value == pytest.approx(0.75, abs=1e-7)
    assert increase(KEEPS_TWO, ONES, ZEROS, against).value == 1
    assert average_drop(KEEPS_TWO, ONES, ZEROS, against).value == 0


def test_an_equal_score_is_no_increase():
    assert increase(KEEPS_TWO, ONES, ZEROS, constant(0.5)).value == 0
    assert gain(KEEPS_TWO, ONES, ZEROS, constant(0.5)).value == 0


def test_the_scale_of_the_map_does_not_matter():
    for scale in (1e-300, 7, 1e300):
        assert average_drop(scale * KEEPS_TWO, ONES, ZEROS, linear).value == pytest.approx(0.45, abs=1e-7)


def test_the_baseline_replaces_what_is_hidden():
    """With .5 in place of the hidden parts half of the loss is left."""
    assert average_drop(KEEPS_TWO, ONES, ZEROS + 0.5, linear).value == pytest.approx(0.225, abs=1e-7)


def test_negative_values_are_hidden_by_max_and_shown_in_part_by_minmax():
    signed = np.array([[1.0, -1.0], [-1.0, 0.0]])
    assert average_drop(signed, ONES, ZEROS, linear).value == pytest.approx(0.6, abs=1e-7)
    # minmax: 1, 0, 0, 1/2 are shown
    assert average_drop(signed, ONES, ZEROS, linear, scaling="minmax").value == pytest.approx(0.45, abs=1e-7)


def test_minmax_does_not_overflow():
    huge = (2 * KEEPS_TWO - 1) * 1.5e308
    assert average_drop(huge, ONES, ZEROS, linear, scaling="minmax").value == pytest.approx(0.45)


def test_a_constant_map_has_no_minmax():
    value = average_drop(np.ones((2, 2)), ONES, ZEROS, linear, scaling="minmax")
    assert np.isnan(value.value)
    assert "constant" in value.reason


def test_a_probability_of_0_can_lose_nothing_and_one_of_1_win_nothing():
    drop = average_drop(KEEPS_TWO, ONES, ZEROS, constant(0.0))
    assert np.isnan(drop.value)
    assert drop.reason == "the probability of the class is 0 for the whole image, so no share of it can be lost"
    won = gain(KEEPS_TWO, ONES, ZEROS, constant(1.0))
    assert np.isnan(won.value)
    assert won.reason == "the probability of the class is 1 for the whole image, so nothing can be won"


@pytest.mark.parametrize("function", [average_drop, gain])
def test_a_logit_is_no_probability(function):
    value = function(KEEPS_TWO, ONES, ZEROS, lambda images: 5 * linear(images))
    assert np.isnan(value.value)
    assert value.reason == "the score is not a probability (0..1)"


def test_rounding_above_1_is_no_logit():
    assert average_drop(KEEPS_TWO, ONES, ZEROS, constant(1 + 1e-7)).value == 0


def test_the_rows_ask_for_a_probability_where_it_matters():
    """Logits of 0.2 and 0.8 look like probabilities: the row knows better."""
    given = metric_input(KEEPS_TWO, against, probability=False)
    values = {name: METRICS[name].compute(given, **METRICS[name].filled({})) for name in NAMES}
    assert values["increase"].value == 1
    assert "not a probability" in values["average_drop"].reason
    assert "not a probability" in values["gain"].reason


def test_a_net_that_answers_nan_has_no_drop():
    value = average_drop(KEEPS_TWO, ONES, ZEROS, constant(float("nan")))
    assert np.isnan(value.value)
    assert value.reason == "the score is NaN or infinite for 2 of 2 images"


def test_maps_and_scores_of_another_shape_are_refused():
    with pytest.raises(OptionError, match=r"the map has size \[2, 3\] and the image \[2, 2\]; measure a map"):
        average_drop(np.ones((2, 3)), ONES, ZEROS, linear)
    with pytest.raises(OptionError, match=r"one number an image: \[2\], not \[2, 1\]"):
        average_drop(WEIGHTS, ONES, ZEROS, lambda images: linear(images)[:, np.newaxis])
    with pytest.raises(OptionError, match="a map has real numbers, at least one; this one is complex128"):
        average_drop(WEIGHTS * 1j, ONES, ZEROS, linear)
