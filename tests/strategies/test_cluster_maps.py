"""Clusters and places of maps that were made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from gradcam_tf1.strategies.cluster_maps import cluster_maps
from gradcam_tf1.strategies.map_places import SIDE, place_of, pooled

ROWS, COLUMNS = (np.indices((SIDE, SIDE)) + 0.5) / SIDE


def blobs(positions, width=0.01):
    maps = np.stack([np.exp(-((ROWS - r) ** 2 + (COLUMNS - c) ** 2) / width) for r, c in positions])
    return maps / maps.sum(axis=(1, 2), keepdims=True)


def clusters(maps, *more):
    return cluster_maps(maps.reshape(len(maps), -1), *more)


@pytest.mark.parametrize("others", [30, 90])
def test_groups_that_do_not_touch_are_the_clusters(others):
    rng = np.random.RandomState(1)
    one = rng.normal(0.25, 0.02, (others, 2))
    two = rng.normal(0.75, 0.02, (20, 2))
    order = rng.permutation(others + 20)
    labels = clusters(blobs(np.concatenate([one, two])[order]), 2)
    assert np.array_equal(labels, (order >= others).astype(int))  # the largest is cluster 0


def test_the_number_of_clusters_is_found():
    rng = np.random.RandomState(0)
    centres = np.array([[0.2, 0.2], [0.2, 0.8], [0.8, 0.5]])
    maps = blobs(np.concatenate([rng.normal(centre, 0.003, (12, 2)) for centre in centres]), width=0.003)
    assert np.array_equal(np.bincount(clusters(maps)), [12, 12, 12])


def test_few_maps_and_equal_maps():
    assert clusters(blobs([(0.5, 0.5)] * 2)).tolist() == [0, 0]
    assert clusters(blobs([(0.5, 0.5)] * 5), 1).tolist() == [0] * 5


@pytest.mark.parametrize("count", [4, 12, 40, 100])
@pytest.mark.parametrize("noise", [0, 1e-9])
def test_equal_maps_are_one_cluster(count, noise):
    maps = blobs([(0.1, 0.9)] * count) + noise * np.random.RandomState(0).uniform(size=(count, SIDE, SIDE))
    assert clusters(maps).tolist() == [0] * count


@pytest.mark.parametrize("equal", [30, 60])
def test_a_group_of_equal_maps_is_not_torn(equal):
    """A watermark that alone makes the answer gives the same map on each image."""
    others = np.random.RandomState(3).uniform(0.3, 0.7, (40, 2))
    maps = blobs([(0.03, 0.97)] * equal + [*map(tuple, others)], width=0.003)
    labels = clusters(maps)
    assert len(set(labels[:equal].tolist())) == 1
    assert labels[0] not in labels[equal:]


def test_the_same_seed_gives_the_same_clusters():
    maps = blobs(np.random.RandomState(2).uniform(0.1, 0.9, (60, 2)))
    assert np.array_equal(clusters(maps), clusters(maps))


@pytest.mark.parametrize(
    ("positions", "name", "suspect"),
    [
        ([(0.1, 0.9)] * 6, "top right corner", "of the map lies in one corner"),
        ([(0.5, 0.97)] * 6, "right", "88% of the map lies on the border"),
        ([(0.5, 0.5)] * 6, "centre", ""),
        ([(0.3, 0.75)] * 6, "top right", "all maps are highest at one spot, within 0% of the image's side"),
        ([(0.1, 0.9)] * 4, "top right corner", ""),  # too few to tell
        ([(0.2, 0.3), (0.8, 0.7), (0.3, 0.7), (0.7, 0.2), (0.5, 0.5)], "many places", ""),
        ([(0.01, x) for x in np.linspace(0.1, 0.9, 9)], "many places", "of the map lies on the border"),
    ],
)
def test_places(positions, name, suspect):
    place = place_of(blobs(positions))
    assert place.name == name
    assert suspect in place.suspect
    assert bool(place.suspect) == bool(suspect)


def test_the_spread_is_that_of_the_peaks():
    place = place_of(blobs([(0.28125, 0.5), (0.71875, 0.5)]))  # centres of cells
    assert place.row == pytest.approx(0.5)
    assert place.spread == pytest.approx(0.21875, abs=0.002)


def test_an_even_map_has_the_shares_of_its_areas():
    place = place_of(np.full((3, SIDE, SIDE), 1 / SIDE**2))
    assert place.border == pytest.approx(1 - 0.75**2)
    assert place.corner == pytest.approx(1 / 16)


def test_pooling_counts_the_positive_part():
    values = np.full((48, 48), -1.0)
    values[:3, 3:6] = 2
    values[45:, 45:] = 6
    expected = np.zeros((SIDE, SIDE))
    expected[0, 1], expected[15, 15] = 0.25, 0.75
    np.testing.assert_allclose(pooled(values), expected)
    assert pooled(-np.ones((48, 48))) is None
