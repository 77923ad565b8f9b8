"""ADCC of a linear score, with maps whose correlation is known."""

from __future__ import annotations

import numpy as np
import pytest
from metric_cases import ONES, WEIGHTS, ZEROS, constant, linear, metric_input

from gradcam_tf1 import OptionError
from gradcam_tf1.metrics.adcc import adcc
from gradcam_tf1.metrics.metric_table import METRICS

SHOWN = np.array([[1.0, 0.0], [0.0, 0.5]])  # .55 of the score is kept; the mean of the mask is 3/8


def always(saliency):
    return lambda images: np.repeat(np.array(saliency)[np.newaxis], len(images), axis=0)


def test_the_harmonic_mean_by_hand():
    """Coherency 1, complexity 3/8, drop .45."""
    expected = 3 / (1 + 1 / 0.625 + 1 / 0.55)
    assert adcc(SHOWN, ONES, ZEROS, linear, always(3 * SHOWN + 1)).value == pytest.approx(expected)


def test_the_coherency_by_hand():
    """The map of the masked image has 1, 0, 1, 0: the correlation with 1, 0, 0, 1/2 is .25 / sqrt(1 * .6875)."""
    coherency = (1 + 0.25 / np.sqrt(0.6875)) / 2
    expected = 3 / (1 / coherency + 1 / 0.625 + 1 / 0.55)
    assert adcc(SHOWN, ONES, ZEROS, linear, always([[1, 0], [1, 0]])).value == pytest.approx(expected)


def test_the_masked_image_is_explained():
    seen = []
    adcc(SHOWN, ONES, ZEROS, linear, lambda x: [seen.append(x), x[..., 0]][1])
    np.testing.assert_array_equal(seen[0][0, ..., 0], SHOWN)


def test_the_worst_of_the_three_makes_0():
    assert adcc(SHOWN, ONES, ZEROS, linear, always(-SHOWN)).value == pytest.approx(0, abs=1e-9)
    assert adcc(SHOWN, ONES, ZEROS, lambda x: x[:, 0, 1, 0], always(SHOWN)).value == 0  # all of the score is lost


@pytest.mark.parametrize(
    ("saliency", "score", "other", "reason"),
    [
        (SHOWN, constant(0.0), SHOWN, "the probability of the class is 0"),
        (SHOWN, constant(7.0), SHOWN, "the score is not a probability"),
        (SHOWN, constant(float("nan")), SHOWN, "the score is NaN or infinite for 2 of 2"),
        (np.ones((2, 2)), linear, SHOWN, "the map is constant"),
        (np.zeros((2, 2)), linear, SHOWN, "the map is constant"),
        (SHOWN, linear, np.zeros((2, 2)), "the map of the masked image is constant"),
        (SHOWN, linear, np.nan * SHOWN, "the map of the masked image has NaN"),
        (np.nan * SHOWN, linear, SHOWN, "the map has NaN"),
    ],
)
def test_where_a_part_is_not_defined_there_is_no_value(saliency, score, other, reason):
    value = adcc(saliency, ONES, ZEROS, score, always(other))
    assert np.isnan(value.value)
    assert value.reason.startswith(reason)


def test_the_row_asks_for_a_method_and_a_probability():
    row = METRICS["adcc"]
    assert "no method made this map" in row.compute(metric_input(SHOWN), **row.filled({})).reason
    logits = metric_input(SHOWN, explain=always(SHOWN), probability=False)
    assert "not a probability" in row.compute(logits, **row.filled({})).reason
    assert row.compute(metric_input(SHOWN, explain=always(SHOWN)), **row.filled({})).value > 0


def test_a_map_of_another_size_is_refused():
    with pytest.raises(OptionError, match=r"the map of the masked image has shape \[1, 2\]"):
        adcc(WEIGHTS, ONES, ZEROS, linear, lambda images: np.ones((1, 2)))
