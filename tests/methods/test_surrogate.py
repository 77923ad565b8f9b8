"""LIME: a linear net gives its own slopes, any other net those of a float64 twin."""

from __future__ import annotations

import numpy as np
import pytest
from part_nets import TanhNet
from perturbation_nets import linear_net, run_on
from small_nets import SmallNet, run

from gradcam_tf1.errors import OptionError
from gradcam_tf1.methods.surrogate import near_samples, weighted_ridge

LABELS = np.random.RandomState(3).randint(0, 12, (7, 9))


def twin(shown, scores, width, ridge):
    """The regression of arXiv 1602.04938 with an intercept that is not pulled, by a solver of its own: [P, T]."""
    count, players = shown.shape
    distances = 1 - shown.sum(axis=1) / np.sqrt(players * shown.sum(axis=1))  # cosine distance to all ones
    roots = np.sqrt(np.exp(-(distances**2) / width**2))[:, None]
    design = np.concatenate([shown, np.ones((count, 1))], axis=1) * roots
    pull = np.eye(players, players + 1) * np.sqrt(ridge)
    return np.linalg.lstsq(
        np.concatenate([design, pull]),
        np.concatenate([scores * roots, np.zeros((players, scores.shape[1]))]),
        rcond=None,
    )[0][:players]


def test_a_linear_net_gives_each_part_its_slope():
    graph, image, kernel = linear_net()
    options = {"lime": {"segments": LABELS, "samples": 60, "ridge": 0, "baseline": "zero"}}
    maps = run_on(graph, image, [0, 1], ["lime"], options, channels=2)["lime", ""]
    expected = np.bincount(LABELS.ravel(), (image[0] * kernel).sum(-1).ravel())[LABELS]
    np.testing.assert_allclose(maps[0], [expected, -expected], atol=1e-4)


@pytest.mark.parametrize(("width", "ridge"), [(0.25, 1.0), (0.25, 0), (0.6, 7.5)])
def test_lime_is_the_regression_of_the_paper(width, ridge):
    net = TanhNet()
    maps = net.map_of("lime", samples=90, width=width, ridge=ridge, seed=6)
    shown = near_samples(8, 90, 6).astype(np.float64)
    expected = twin(shown, net.scores(shown), width, ridge).T
    np.testing.assert_allclose(maps, expected, atol=1e-5)
    other = twin(shown, net.scores(shown), width, ridge + 1).T
    assert np.abs(maps - other).max() > 1e-3


def test_the_samples_are_the_image_and_any_number_of_its_parts():
    shown = near_samples(10, 20001, 0)
    assert shown[0].all()
    numbers = np.bincount(shown[1:].sum(axis=1), minlength=11)
    assert numbers[0] == 0
    assert np.abs(numbers[1:] / 20000 - 0.1).max() < 5 * np.sqrt(0.09 / 20000)
    assert np.abs(shown.mean(axis=0) - 0.55).max() < 5 * np.sqrt(0.25 / 20000)


def test_the_note_says_how_well_the_line_fits():
    net = SmallNet("flat", seed=2)
    options = {"lime": {"segments": np.arange(96).reshape(net.size) // 12, "samples": 50, "baseline": "zero"}}
    status = run(net, net.images(1), [0, 1], ["lime"], options=options).statuses["lime", ""][0]
    shown = near_samples(8, 50, 0)
    images = net.images(1) * shown[:, np.arange(96).reshape(net.size) // 12][..., np.newaxis]
    scores = net.forward(images)["logits"][:, [0, 1]]
    slopes = twin(shown.astype(np.float64), scores, 0.25, 1.0)
    weights = np.exp(-(((1 - np.sqrt(shown.mean(axis=1))) / 0.25) ** 2))
    for target in range(2):
        left = scores[:, target] - shown @ slopes[:, target]
        share = 1 - np.cov(left, aweights=weights) / np.cov(scores[:, target], aweights=weights)
        assert status[target].notes == (
            f"the linear model of 8 parts explains {share:.1%} of the variance of the samples",
        )


def test_the_fit_of_a_line_explains_all_and_of_a_constant_all_too():
    shown = near_samples(5, 40, 1)
    scores = np.stack([3 + shown @ np.arange(5.0), np.full(40, 2.0)], axis=1)
    slopes, fits = weighted_ridge(shown, np.full(40, 0.5), scores, 0)
    np.testing.assert_allclose(slopes, np.stack([np.arange(5.0), np.zeros(5)], axis=1), atol=1e-12)
    np.testing.assert_allclose(fits, 1)


def test_samples_that_do_not_tell_the_parts_apart_are_an_error():
    message = "8 samples do not tell 8 parts apart: give more samples, fewer parts by count, a larger width, or a ridge"
    with pytest.raises(OptionError, match=message):
        TanhNet().map_of("lime", samples=8, ridge=0)
    assert TanhNet().map_of("lime", samples=8).any()  # the ridge decides


def test_a_width_that_leaves_the_image_alone_is_an_error():
    with pytest.raises(OptionError, match="only the image itself has any weight, no sample with a part hidden"):
        TanhNet().map_of("lime", samples=50, width=1e-6)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"samples": 1}, "lime.samples is a whole number at least 2 and at most 1000000, not 1"),
        ({"width": 0}, "lime.width is a number above 0, not 0"),
        ({"ridge": -1}, "lime.ridge is a number at least 0, not -1"),
    ],
)
def test_options_out_of_bounds_are_an_error(wrong, message):
    with pytest.raises(OptionError, match=message):
        TanhNet().map_of("lime", **wrong)
