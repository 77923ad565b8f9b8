"""Complexity and sparseness of maps whose entropy and Gini index are known."""

from __future__ import annotations

import numpy as np
import pytest

from gradcam_tf1.metrics.compactness import complexity, sparseness

ONE_PIXEL = np.eye(1, 12).reshape(3, 4)


def test_the_entropy_by_hand():
    assert complexity(np.array([[2, 1], [1, 0]])).value == pytest.approx(1.5 * np.log(2))  # shares 1/2, 1/4, 1/4


def test_the_gini_index_by_hand():
    """Shares 0, 1/4, 1/4, 1/2 with heights 4.5 - k = 3.5, 2.5, 1.5, .5: 1 - 2 (5/8 + 3/8 + 1/4) / 4 = 3/8."""
    assert sparseness(np.array([[2, 1], [1, 0]])).value == pytest.approx(3 / 8)


def test_the_bounds():
    assert complexity(ONE_PIXEL).value == 0
    assert sparseness(ONE_PIXEL).value == pytest.approx(1 - 1 / 12)
    assert complexity(np.full((3, 4), 7)).value == pytest.approx(np.log(12))
    assert sparseness(np.full((3, 4), 7)).value == 0
    assert complexity(np.array([[5]])).value == 0
    assert sparseness(np.array([[5]])).value == 0


@pytest.mark.parametrize("function", [complexity, sparseness])
def test_sign_and_scale_do_not_matter(function):
    signed = np.array([[2.0, -1], [1, 0]])
    for scale in (-1, 1e-300, 8e307):
        assert function(scale * signed).value == pytest.approx(function(np.abs(signed)).value)


@pytest.mark.parametrize("function", [complexity, sparseness])
def test_a_map_of_zeros_has_no_shares(function):
    for saliency, reason in (
        (np.zeros((2, 2)), "the map is zero, so no pixel has a share of it"),
        (np.array([[1, np.nan]]), "the map has NaN or infinite values"),
    ):
        value = function(saliency)
        assert np.isnan(value.value)
        assert value.reason == reason
