"""Max-sensitivity of maps that are simple functions of the image."""

from __future__ import annotations

import numpy as np
import pytest
from metric_cases import WEIGHTS, metric_input

from gradcam_tf1 import OptionError
from gradcam_tf1.metrics.max_sensitivity import max_sensitivity
from gradcam_tf1.metrics.metric_table import METRICS

IMAGE = np.random.RandomState(0).uniform(0, 50, (5, 4, 1)).astype(np.float32)
MAP = IMAGE[..., 0].astype(np.float64)


def as_it_is(images):
    return images[..., 0]


def test_a_map_that_does_not_change_has_0():
    assert max_sensitivity(MAP, IMAGE, lambda images: np.repeat(MAP[np.newaxis], len(images), axis=0)).value == 0


def test_the_map_that_is_the_image_changes_by_the_noise():
    """The twin draws the same noise: the largest norm of it."""
    limit = 0.1 * np.ptp(IMAGE)
    random = np.random.RandomState(4)
    norms = [np.linalg.norm(random.uniform(-limit, limit, IMAGE.shape)) for _ in range(6)]
    value = max_sensitivity(MAP, IMAGE, as_it_is, radius=0.1, samples=6, seed=4, relative=False, chunk=4)
    assert value.value == pytest.approx(max(norms), rel=1e-5)
    relative = max_sensitivity(MAP, IMAGE, as_it_is, radius=0.1, samples=6, seed=4)
    assert relative.value == pytest.approx(max(norms) / np.linalg.norm(MAP), rel=1e-5)
    assert value.value <= limit * np.sqrt(MAP.size)


def test_a_relative_change_has_no_unit():
    one = max_sensitivity(MAP, IMAGE, as_it_is).value
    for scale in (1e-250, 1e250):
        value = max_sensitivity(scale * MAP, IMAGE, lambda x, scale=scale: scale * as_it_is(x).astype(np.float64))
        assert value.value == pytest.approx(one)


def test_a_map_that_jumps_by_hand():
    """The other map is 3 away in each of 20 pixels, the map itself is 1 there: sqrt(9 20) / sqrt(20) = 3."""
    value = max_sensitivity(np.ones((5, 4)), IMAGE, lambda images: np.full((len(images), 5, 4), -2.0))
    assert value.value == pytest.approx(3)


def test_one_call_has_no_more_images_than_a_chunk():
    sizes = []
    max_sensitivity(MAP, IMAGE, lambda x: [sizes.append(len(x)), as_it_is(x)][1], samples=5, chunk=2)
    assert sizes == [2, 2, 1]


def test_where_there_is_no_change_to_measure():
    zero = max_sensitivity(0 * MAP, IMAGE, as_it_is)
    assert np.isnan(zero.value)
    assert zero.reason == "the map is zero, so its change has nothing to be compared with"
    assert max_sensitivity(0 * MAP, IMAGE, as_it_is, relative=False).value > 0
    for saliency, explain, reason in (
        (MAP * np.nan, as_it_is, "the map has NaN or infinite values"),
        (MAP, lambda images: np.nan * as_it_is(images), "the map of a perturbed image has NaN or infinite values"),
    ):
        value = max_sensitivity(saliency, IMAGE, explain)
        assert np.isnan(value.value)
        assert value.reason == reason


def test_maps_of_another_size_are_refused():
    with pytest.raises(OptionError, match=r"the maps of perturbed images have shape \[10, 5, 4, 1\]"):
        max_sensitivity(MAP, IMAGE, lambda images: images)


def test_a_map_that_no_method_made_has_no_sensitivity():
    value = METRICS["max_sensitivity"].compute(metric_input(WEIGHTS), radius=0.1, samples=2, relative=True)
    assert np.isnan(value.value)
    assert value.reason == "no method made this map, so there are no maps of changed images"
