"""Intervals and decisions: theory, coverage, and the cases in which nothing may be decided."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from gradcam_tf1.errors import OptionError
from gradcam_tf1.metrics.intervals import (
    Interval,
    bootstrap,
    bootstraps,
    decided_pairs,
    enough,
    holm,
    paired_difference,
)


def test_the_interval_is_that_of_theory():
    values = np.random.RandomState(0).normal(5.0, 2.0, 400)
    found = bootstrap(values)
    half = 1.96 * values.std() / np.sqrt(400)
    assert found.mean == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - half, abs=0.1 * half)
    assert found.high == pytest.approx(values.mean() + half, abs=0.1 * half)
    assert bootstrap(values, confidence=0.5).high - found.mean == pytest.approx(half * 0.6745 / 1.96, rel=0.15)


def test_the_numbers_are_the_same_everywhere():
    values = np.random.RandomState(1).rand(50)
    found = bootstrap(values, seed=3)
    assert found == bootstrap(values, seed=3)
    assert found != bootstrap(values, seed=4)
    assert [round(number, 6) for number in (found.mean, found.low, found.high)] == [0.466976, 0.377164, 0.548673]


def test_the_interval_holds_the_mean_as_often_as_it_says():
    rng = np.random.RandomState(7)
    held = [found.low <= 0.6 <= found.high for found in (bootstrap(rng.rand(60) < 0.6, draws=300) for _ in range(200))]
    assert 0.88 <= np.mean(held) <= 0.99


def test_missing_values_are_left_out():
    values = np.array([1.0, np.nan, 3.0])
    assert (bootstrap(values).mean, bootstrap(values).n) == (2.0, 2)
    assert bootstrap(np.array([np.nan, 4.0])) == Interval(4.0, 4.0, 4.0, 1)
    assert np.isnan(bootstrap(np.array([np.nan])).low)
    assert bootstrap(np.array([])).n == 0
    assert paired_difference(np.array([1, np.nan, 5.0]), np.array([0, 2.0, np.nan])).n == 1


def test_a_constant_difference_needs_six_images_to_be_decided():
    assert next(n for n in range(12) if enough(n)) == 6
    for n in range(1, 10):
        assert paired_difference(np.ones(n), np.zeros(n)).decided == (n >= 6)
        assert paired_difference(np.zeros(n), np.ones(n)).decided == (n >= 6)
        assert not paired_difference(np.ones(n), np.ones(n)).decided


def test_pairing_decides_what_two_intervals_cannot():
    rng = np.random.RandomState(0)
    image = rng.rand(40)  # images differ much, the methods a little
    better = image + 0.05 + 0.02 * rng.randn(40)
    first, second = bootstrap(better), bootstrap(image)
    assert first.low < second.high
    assert paired_difference(better, image).decided


def test_holm_by_hand():
    # sorted 0.01, 0.02, 0.03, 0.04: times 4, 3, 2, 1 = 0.04, 0.06, 0.06, 0.04 -> running maximum
    assert holm(np.array([0.03, 0.01, 0.04, 0.02])) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm(np.array([0.9, 0.8])) == pytest.approx([1.0, 1.0])
    assert holm(np.array([])).size == 0


def test_decided_pairs_put_the_better_method_first():
    rng = np.random.RandomState(3)
    base = rng.rand(60)
    found = decided_pairs({"a": base, "b": base + 0.3 + 0.1 * rng.randn(60), "c": base + 0.001 * rng.randn(60)})
    assert (found[0].first, found[0].second, found[0].decided) == ("b", "a", True)
    assert {pair.first for pair in found[::2]} == {"b"}
    assert not found[1].decided
    assert all(pair.difference.mean >= 0 for pair in found)


def test_pairs_with_one_method_are_corrected_for_their_number_alone():
    rng = np.random.RandomState(3)
    values = {name: rng.rand(60) + 0.1 * shift for shift, name in enumerate("abcd")}
    every, with_b = decided_pairs(values), decided_pairs(values, against="b")
    assert [{pair.first, pair.second} for pair in with_b] == [{"a", "b"}, {"b", "c"}, {"b", "d"}]
    assert min(pair.p for pair in with_b) < min(pair.p for pair in every if "b" in (pair.first, pair.second))


def test_nothing_is_decided_among_methods_that_are_alike():
    """Ten methods that only differ by chance make 45 pairs: at 0.05 each, about two would be 'better'."""
    rng = np.random.RandomState(11)
    wrong = [any(pair.decided for pair in _alike(rng)) for _ in range(6)]
    assert sum(wrong) <= 1
    assert sum(pair.difference.decided for pair in _alike(rng)) > 0  # without the correction


def _alike(rng):
    return decided_pairs({str(name): rng.rand(50) for name in range(10)}, draws=100)


def test_few_images_decide_nothing_however_clear_they_are():
    for n in (2, 5):
        (pair,) = decided_pairs({"a": np.ones(n), "b": np.zeros(n)})
        assert (pair.p, pair.decided) == (2.0 ** (1 - n), False)
    assert decided_pairs({"a": np.ones(6), "b": np.zeros(6)})[0].decided
    noisy = {"a": np.array([1.0, 1.001, 0.999]), "b": np.zeros(3)}  # the t test alone would say p = 3e-7
    assert decided_pairs(noisy)[0].p == 0.25


def test_the_p_of_small_samples_is_not_below_the_exact_one():
    """Signs drawn by chance: all 2^n of them, counted."""
    rng = np.random.RandomState(5)
    for _ in range(10):
        values = rng.normal(0.8, 1.0, 7)
        flips = np.array(list(itertools.product((1, -1), repeat=7)))
        exact = np.mean(np.abs(flips @ values) >= abs(values.sum()) - 1e-12)
        found = decided_pairs({"a": values, "b": np.zeros(7)})[0].p
        assert 0.3 * exact < found < 3 * exact


def test_refusals():
    for values in (np.zeros((2, 2)), np.array([np.inf])):
        with pytest.raises(OptionError, match=r"takes finite values \[N\]"):
            bootstrap(values)
    for options in ({"confidence": 1.0}, {"confidence": 0}, {"draws": 0}):
        with pytest.raises(OptionError, match="confidence is above 0 and below 1, and draws at least 1"):
            bootstrap(np.ones(3), **options)
    with pytest.raises(OptionError, match="paired values are of the same images"):
        paired_difference(np.ones(3), np.ones(4))


def test_rows_have_the_intervals_that_each_has_alone():
    rows = np.random.RandomState(5).normal(size=(5, 9))
    rows[1, 2] = rows[3, [0, 2]] = np.nan
    rows[2], rows[4] = 0.5, np.nan
    wanted = [bootstrap(row, 7) for row in rows]
    assert str(bootstraps(rows, 7)) == str(wanted)  # as text, since NaN is not equal to itself
    found = stats.bootstrap(
        (rows[0],), np.mean, n_resamples=2000, method="percentile", random_state=np.random.RandomState(7)
    )
    assert (wanted[0].low, wanted[0].high) == pytest.approx(tuple(found.confidence_interval))
