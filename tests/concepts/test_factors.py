"""Factors that are planted, coefficients against brute force, Sobol indices that are known."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from gradcam_tf1.concepts.nonnegative_factors import RowSample, coefficients, factorise, not_negative
from gradcam_tf1.concepts.sobol_indices import mask_design, total_indices
from gradcam_tf1.errors import OptionError


def planted(rows=400, seed=0):
    random = np.random.RandomState(seed)
    vectors = random.rand(3, 20) * (random.rand(3, 20) < 0.4)
    amounts = random.rand(rows, 3) * (random.rand(rows, 3) < 0.5)
    return amounts, vectors


def test_planted_factors_are_found_with_their_shares_and_strengths():
    amounts, vectors = planted()
    found = factorise(amounts @ vectors, 3)
    lengths = np.linalg.norm(vectors, axis=1)
    cosines = (vectors / lengths[:, np.newaxis]) @ found.vectors.T
    order = cosines.argmax(axis=1)
    assert sorted(order) == [0, 1, 2]
    assert cosines[range(3), order].min() > 0.999
    parts = amounts.sum(axis=0) * vectors.sum(axis=1)
    np.testing.assert_allclose(found.share[order], parts / parts.sum(), atol=0.01)
    own = amounts * lengths
    np.testing.assert_allclose(found.strength[order], (own**2).sum(axis=0) / own.sum(axis=0), rtol=0.02)
    assert found.explained > 0.9999
    assert (np.diff(found.share) <= 0).all()


def test_coefficients_are_the_best_of_all_supports():
    """The least squares of each set of concepts that has no negative coefficient; the best of these is the answer."""
    random = np.random.RandomState(3)
    vectors, rows = random.rand(3, 7), random.rand(2, 5, 7)
    found = coefficients(rows, vectors)
    for row, own in zip(rows.reshape(-1, 7), found.reshape(-1, 3)):
        best, answer = np.square(row).sum(), np.zeros(3)
        for count in (1, 2, 3):
            for support in map(list, itertools.combinations(range(3), count)):
                solved = np.linalg.lstsq(vectors[support].T, row, rcond=None)[0]
                left = np.square(row - solved @ vectors[support]).sum()
                if (solved >= 0).all() and left < best:
                    best, answer = left, np.zeros(3)
                    answer[support] = solved
        np.testing.assert_allclose(own, answer, atol=1e-9)


def test_coefficients_of_equal_concepts_still_make_up_the_row():
    vectors = np.array([[1.0, 2.0], [1.0, 2.0]])
    found = coefficients(np.array([[2.0, 4.0]]), vectors)
    np.testing.assert_allclose(found @ vectors, [[2, 4]])


def test_a_sample_is_bounded_and_uniform():
    counts = np.zeros(200)
    for seed in range(300):
        sample = RowSample(20, seed)
        for start in range(0, 200, 7):
            sample.add(np.arange(start, min(start + 7, 200))[:, np.newaxis])
        rows = sample.rows()[:, 0]
        assert len(set(rows)) == 20
        assert sample.seen == 200
        counts[rows] += 1
    # 300 draws with chance 0.1: the mean is 30, the deviation 5.2
    assert abs(counts[:100].mean() - 30) < 2
    assert counts.min() > 8
    assert counts.max() < 55


def test_fewer_rows_than_the_sample_are_all_there():
    sample = RowSample(50, 0)
    sample.add(np.eye(3))
    np.testing.assert_array_equal(sample.rows(), np.eye(3))


def test_features_that_cannot_be_factorised_are_refused():
    with pytest.raises(OptionError, match="9 concepts of 5 sampled features with 3 channels: give at most 3 concepts"):
        factorise(np.ones((5, 3)), 9)
    with pytest.raises(OptionError, match="features of the layer are zero for all images"):
        factorise(np.zeros((5, 3)), 2)
    with pytest.raises(OptionError, match=r"'a:0' has negative features \(-2\), which"):
        not_negative(np.array([1.0, -2.0]), "a:0", False)
    np.testing.assert_array_equal(not_negative(np.array([1.0, -2.0]), "a:0", True), [1, 0])


def ishigami(points):
    x = 2 * np.pi * points - np.pi
    return np.sin(x[..., 0]) + 7 * np.sin(x[..., 1]) ** 2 + 0.1 * x[..., 2] ** 4 * np.sin(x[..., 0])


def test_total_indices_of_known_functions():
    first, mixed = mask_design(3, 4096, seed=1)
    found = total_indices(ishigami(first), ishigami(mixed))
    np.testing.assert_allclose(found, [0.5576, 0.4424, 0.2437], atol=0.01)  # Ishigami's function, in closed form
    weights = np.array([3.0, -2.0, 0.0])
    expected = weights**2 / (weights**2).sum()
    np.testing.assert_allclose(total_indices(first @ weights, mixed @ weights), expected, atol=0.01)


def test_a_constant_score_has_no_indices():
    np.testing.assert_array_equal(total_indices(np.full(8, 7.0), np.full((2, 8), 7.0)), [0, 0])
