"""Similarity of maps: hand-worked cases, identities, and what each measure ignores."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from gradcam_tf1.errors import OptionError
from gradcam_tf1.metrics.similarity import hog_similarity, rank_unit_vector, region_iou, spearman, ssim

MEASURES = (spearman, ssim, hog_similarity, region_iou)


@pytest.fixture(scope="module")
def maps():
    rng = np.random.RandomState(4)
    first = rng.randn(64, 80)
    return first, first + rng.randn(64, 80)


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("absolute", [False, True])
def test_a_map_is_like_itself_at_any_scale_and_less_like_another(measure, absolute, maps):
    first, second = maps
    assert measure(first, first * 7e-9, absolute=absolute) == pytest.approx(1.0, abs=1e-12)
    found = measure(first, second, absolute=absolute)
    assert 0.1 < found < 0.9
    assert measure(second, first, absolute=absolute) == pytest.approx(found)


@pytest.mark.parametrize("measure", MEASURES)
def test_the_sign_counts_unless_magnitudes_are_compared(measure, maps):
    first = maps[0]
    assert measure(first, -first, absolute=True) == pytest.approx(1.0)
    signed = {spearman: -1.0, region_iou: 0.0, hog_similarity: 1.0}  # the directions of gradients have no sign
    if measure is ssim:
        assert ssim(first, -first) < -0.8
    else:
        assert measure(first, -first) == pytest.approx(signed[measure])


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("value", [0.0, 3.0, -1.0])
def test_a_constant_map_is_like_nothing(measure, value, maps):
    assert np.isnan(measure(maps[0], np.full_like(maps[0], value)))
    assert np.isnan(measure(np.full_like(maps[0], value), np.full_like(maps[0], value)))


def test_spearman_by_hand():
    a = np.array([[1.0, 2.0, 3.0, 4.0, 5.0]])
    b = np.array([[5.0, 6.0, 7.0, 8.0, 7.0]])  # ranks 1, 2, 3.5, 5, 3.5
    # centred products of the ranks: 4 + 1 + 0 + 2 + 1 = 8; norms 10 and 9.5
    assert spearman(a, b) == pytest.approx(8 / np.sqrt(95))
    assert spearman(a, b**3) == pytest.approx(8 / np.sqrt(95))  # the order alone counts
    assert spearman(-a, b, absolute=True) == pytest.approx(8 / np.sqrt(95))


def test_ranks_are_those_of_scipy():
    """Also in float32, with ties at zero as a ReLU makes them."""
    map = np.maximum(np.random.RandomState(3).normal(size=(9, 13)), 0).astype(np.float32)
    ranks = stats.rankdata(map) - stats.rankdata(map).mean()
    np.testing.assert_allclose(rank_unit_vector(map), ranks / np.linalg.norm(ranks), rtol=0, atol=1e-15)


def test_ssim_by_the_formula_on_one_window():
    """11 x 11 pixels have one full window: the Gaussian one in the middle."""
    rng = np.random.RandomState(1)
    a, b = rng.uniform(size=(2, 11, 11))
    a[0, 0] = b[3, 3] = 1.0  # the largest magnitude, so that nothing is scaled
    offset = np.arange(-5, 6)
    weight = np.exp(-(offset[:, None] ** 2 + offset**2) / (2 * 1.5**2))
    weight /= weight.sum()
    (ma, mb), c1, c2 = ((weight * a).sum(), (weight * b).sum()), 0.01**2, 0.03**2
    va, vb, cov = (weight * a * a).sum() - ma**2, (weight * b * b).sum() - mb**2, (weight * a * b).sum() - ma * mb
    expected = (2 * ma * mb + c1) * (2 * cov + c2) / ((ma**2 + mb**2 + c1) * (va + vb + c2))
    assert ssim(a, b, absolute=True) == pytest.approx(expected, rel=1e-9)


def test_hog_compares_edges_by_direction_and_place():
    rows, columns = np.zeros((64, 64)), np.zeros((64, 64))
    rows[::8] = columns[:, ::8] = 1.0
    assert hog_similarity(rows, rows + 0.3) > 0.99  # an even shade has no edges
    assert hog_similarity(rows, columns) < 0.1


def test_region_iou_by_hand():
    a, b = np.zeros((10, 10)), np.zeros((10, 10))
    a[0:4, 0:5] = 1.0
    b[2:6, 0:5] = 5.0
    assert region_iou(a, b) == pytest.approx(10 / 30)
    a[9, 9] = 6.0  # 1 is above 15 % of 6 and not above 20 %
    assert region_iou(a, b) == pytest.approx(10 / 31)
    assert region_iou(a, b, share=0.2) == 0.0
    assert region_iou(np.array([[2.0, 1.0]]), np.array([[1.0, 2.0]]), share=0.5) == 0.0  # above the share, not at it
    assert np.isnan(region_iou(a - 9, b))
    assert region_iou(-b, b, absolute=True) == 1.0


def test_small_maps():
    rng = np.random.RandomState(0)
    small = rng.randn(7, 7)
    assert hog_similarity(small, small) == pytest.approx(1.0)
    with pytest.raises(OptionError, match="11 x 11 pixels or more, these are 7 x 7; place them on the image"):
        ssim(small, small)
    with pytest.raises(OptionError, match="6 x 6 pixels or more, these are 5 x 7"):
        hog_similarity(small[:5], small[:5])


@pytest.mark.parametrize("measure", MEASURES)
def test_what_cannot_be_compared_is_refused(measure):
    a = np.arange(144.0).reshape(12, 12)
    for other in (a[:-1], a[np.newaxis], np.where(a == 3, np.nan, a), np.where(a == 3, np.inf, a)):
        with pytest.raises(OptionError, match=r"finite values in \[H, W\] and one size"):
            measure(a, other)


def test_the_share_is_checked():
    with pytest.raises(OptionError, match="at least 0 and below 1, not 1.5"):
        region_iou(np.eye(3), np.eye(3), share=1.5)
