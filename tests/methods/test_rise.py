"""RISE against a float64 twin, and the covariance that it is on a linear net."""

from __future__ import annotations

import numpy as np
import pytest
from perturbation_nets import IMAGE, NET, enlarged, linear_net, logits, maps_of, run_on

from gradcam_tf1.errors import OptionError
from gradcam_tf1.methods.occlusion import random_masks


def rise_masks(size, count, cells, p, seed):
    """The masks of arXiv 1806.07421, float64: cells shown by chance, enlarged by one cell more, cut out at random."""
    random = np.random.RandomState(seed)
    sides = [int(np.ceil(length / cells)) for length in size]
    masks = []
    for _ in range(count):
        grid = (random.random_sample((cells, cells)) < p).astype(np.float64)
        large = enlarged(grid, [(cells + 1) * side for side in sides])
        top, left = random.randint(sides[0]), random.randint(sides[1])
        masks.append(large[top : top + size[0], left : left + size[1]])
    return np.array(masks)


def test_rise_equals_the_float64_twin():
    masks = rise_masks(NET.size, 20, 3, 0.4, 11)
    assert masks.shape[1:] == NET.size
    scores = logits(NET, masks[..., np.newaxis] * IMAGE[0].astype(np.float64))
    expected = np.tensordot(scores - scores.mean(axis=0), masks, (0, 0)) / (0.4 * 20)
    maps = maps_of(NET, IMAGE, "rise", masks=20, cells=3, p=0.4, seed=11)
    assert np.abs(expected).max() > 0.01
    np.testing.assert_allclose(maps[0], expected, atol=1e-5)


def test_rise_of_a_linear_net_is_the_covariance_of_its_masks_and_finds_the_pixel():
    """y = w . (x M) + b: the map at m is sum_n w_n x_n cov(M_n, M_m) / p, whatever b is."""
    graph, image, kernel = linear_net()
    masks = rise_masks((7, 9), 30, 4, 0.5, 3).reshape(30, -1)
    covariance = np.cov(masks.T, bias=True)
    worth = (image[0] * kernel).sum(-1).reshape(-1)
    options = {"rise": {"masks": 30, "cells": 4, "seed": 3}}
    maps = run_on(graph, image, [0, 1], ["rise"], options, channels=2)["rise", ""]
    expected = (covariance @ worth / 0.5).reshape((7, 9))
    np.testing.assert_allclose(maps[0], [expected, -expected], atol=1e-4)


def test_masks_of_rise_are_as_likely_as_p_says():
    masks = np.array(list(random_masks((20, 30), 3000, 5, 0.3, 0)))
    assert (masks.dtype, masks.shape) == (np.float32, (3000, 20, 30))
    assert 0 <= masks.min() < masks.max() <= 1
    # 3000 draws of at most p (1 - p) variance each: five standard errors
    assert np.abs(masks.mean(axis=0) - 0.3).max() < 5 * np.sqrt(0.21 / 3000)
    assert np.abs(np.diff(masks, axis=2)).max() <= 1 / 6 + 1e-6  # a step of the enlarged cells, never an edge


def test_rise_in_expectation_is_the_worth_of_a_lone_pixel_spread_round_it():
    """Only pixel (2, 6) counts: the map is w x cov(M_26, M) / p with the true covariance, highest near it."""
    graph, image, kernel = linear_net()
    lone = np.zeros_like(image)
    lone[0, 2, 6] = image[0, 2, 6]
    masks = np.array(list(random_masks((7, 9), 6000, 3, 0.5, 99))).reshape(6000, -1).astype(np.float64)
    truth = np.cov(masks.T, bias=True)[2 * 9 + 6].reshape((7, 9)) * (lone[0] * kernel).sum() / 0.5
    maps = run_on(graph, lone, [0], ["rise"], {"rise": {"masks": 1500, "cells": 3}}, channels=2)["rise", ""][0, 0]
    assert np.abs(maps - truth).max() < 0.1 * np.abs(truth).max()
    top, left = np.unravel_index(np.abs(maps).argmax(), maps.shape)
    assert max(abs(top - 2), abs(left - 6)) <= 1


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"masks": 1}, "rise.masks is a whole number at least 2 and at most 1000000, not 1"),
        ({"cells": 0}, "rise.cells is a whole number at least 1 and at most 10000, not 0"),
        ({"cells": 10**12}, "rise.cells is a whole number at least 1 and at most 10000, not 1000000000000"),
        ({"p": 0}, "rise.p is a number above 0 and below 1, not 0"),
        ({"p": 1.0}, "rise.p is a number above 0 and below 1, not 1.0"),
    ],
)
def test_rise_needs_masks_cells_and_a_chance(wrong, message):
    with pytest.raises(OptionError, match=message):
        maps_of(NET, IMAGE, "rise", **wrong)
