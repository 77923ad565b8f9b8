"""Drawn weights: shape, distribution, seed, and what shares a source."""

from __future__ import annotations

import numpy as np
import pytest
from weight_nets import numbers

from gradcam_tf1.sanity.weight_draws import draw_all, drawn, with_drawn
from gradcam_tf1.sanity.weight_layers import Weight, WeightLayer

VALUE = numbers("value", 40, 50) + 2


def test_a_permutation_keeps_the_values():
    fresh = drawn(VALUE, Weight("w:0", "w"), "permute", 0)
    assert fresh.shape == VALUE.shape
    assert fresh.dtype == VALUE.dtype
    assert np.array_equal(np.sort(fresh.ravel()), np.sort(VALUE.ravel()))
    assert (fresh != VALUE).mean() > 0.9


def test_normal_numbers_have_the_mean_and_the_deviation():
    fresh = drawn(VALUE, Weight("w:0", "w"), "normal", 0)
    assert fresh.dtype == VALUE.dtype
    assert fresh.mean() == pytest.approx(VALUE.mean(), abs=4 * float(VALUE.std()) / VALUE.size**0.5)
    assert fresh.std() == pytest.approx(VALUE.std(), rel=0.1)
    assert abs(np.corrcoef(fresh.ravel(), VALUE.ravel())[0, 1]) < 0.1


def test_a_variance_stays_positive():
    variance = np.abs(numbers("variance", 500)) + 1e-3
    fresh = drawn(variance, Weight("v:0", "v", True), "normal", 0)
    assert fresh.min() >= variance.min()
    assert drawn(variance, Weight("v:0", "v"), "normal", 0).min() < 0


@pytest.mark.parametrize("draw", ["normal", "permute"])
def test_seed_and_source_decide(draw):
    first = drawn(VALUE, Weight("a:0", "one"), draw, 1)
    assert np.array_equal(first, drawn(VALUE, Weight("b:0", "one"), draw, 1))
    assert not np.array_equal(first, drawn(VALUE, Weight("a:0", "two"), draw, 1))
    assert not np.array_equal(first, drawn(VALUE, Weight("a:0", "one"), draw, 2))


def test_what_shares_a_source_changes_together():
    top = WeightLayer("top", "Conv2D", (Weight("a:0", "shared"), Weight("top/b:0", "top/b")))
    low = WeightLayer("low", "Conv2D", (Weight("b:0", "shared"), Weight("low/b:0", "low/b")))
    intact = dict.fromkeys(("a:0", "top/b:0", "b:0", "low/b:0"), VALUE)
    fresh = with_drawn(intact, draw_all(intact, [top, low], "normal", 0), [top], [top, low])
    assert {name for name, value in fresh.items() if value is not VALUE} == {"a:0", "top/b:0", "b:0"}
    assert np.array_equal(fresh["a:0"], fresh["b:0"])
    assert all(value is VALUE for value in intact.values())


def test_values_that_are_not_finite_stay():
    broken = np.array([1.0, np.inf], np.float32)
    assert drawn(broken, Weight("w:0", "w"), "normal", 0) is broken
