"""Score-CAM and its kin against float64 twins and a case worked by hand; what is masked out is the baseline."""

from __future__ import annotations

import numpy as np
import pytest
from perturbation_nets import (
    CLASSES,
    IMAGE,
    LAYER,
    LAYER_METHODS,
    NET,
    SMALL,
    ablation_weights,
    counted,
    enlarged,
    logits,
    maps_of,
    minmax,
    run_on,
    weighted,
)
from small_nets import SmallNet, class_asks, request, run

from gradcam_tf1.engine.map_engine import MapEngine
from gradcam_tf1.errors import OptionError
from gradcam_tf1.gradients.guided import override_map
from gradcam_tf1.tf_runtime import tf

FEATURES = NET.forward(IMAGE)["features"][0]
CHANNEL_MASKS = np.stack([minmax(enlarged(FEATURES[..., k], NET.size)) for k in range(5)])


def score_weights(net, image, masks, fill=0.0, class_ids=CLASSES):
    """Mean of y(masked) - y(fill): masks [K, n, H, W] -> float64 [K, T]."""
    image = image.astype(np.float64)
    shown = masks[..., np.newaxis] * image + (1 - masks[..., np.newaxis]) * fill
    scores = logits(net, shown.reshape(-1, *image.shape), class_ids).reshape(*masks.shape[:2], -1)
    return scores.mean(axis=1) - logits(net, (np.zeros_like(image) + fill)[np.newaxis], class_ids)


@pytest.mark.parametrize("softmax", [False, True])
def test_scorecam_equals_the_float64_twin(softmax):
    weights = score_weights(NET, IMAGE[0], CHANNEL_MASKS[:, np.newaxis])
    if softmax:  # Algorithm 1 of the paper: over the channels
        weights = np.exp(weights) / np.exp(weights).sum(axis=0)
    expected = weighted(FEATURES, weights)
    assert expected.max() > 0.05
    np.testing.assert_allclose(maps_of(NET, IMAGE, "scorecam", softmax=softmax)[0], expected, atol=1e-5)


def test_fasterscorecam_takes_the_channels_that_vary_most():
    best = np.argsort(-FEATURES.reshape(-1, 5).var(axis=0))[:2]
    assert sorted(best) != [0, 1]
    weights = score_weights(NET, IMAGE[0], CHANNEL_MASKS[best][:, np.newaxis])
    expected = weighted(FEATURES[..., best], weights)
    np.testing.assert_allclose(maps_of(NET, IMAGE, "fasterscorecam", channels=2)[0], expected, atol=1e-5)
    whole = maps_of(NET, IMAGE, "scorecam")
    assert np.abs(whole[0] - expected).max() > 1e-3
    np.testing.assert_allclose(maps_of(NET, IMAGE, "fasterscorecam", channels=99), whole, atol=1e-6)


def test_iscam_averages_over_the_way_up():
    steps = np.array([0.25, 0.5, 0.75, 1.0])
    weights = score_weights(NET, IMAGE[0], CHANNEL_MASKS[:, np.newaxis] * steps[:, np.newaxis, np.newaxis])
    np.testing.assert_allclose(maps_of(NET, IMAGE, "iscam", steps=4)[0], weighted(FEATURES, weights), atol=1e-5)
    np.testing.assert_allclose(maps_of(NET, IMAGE, "iscam", steps=1), maps_of(NET, IMAGE, "scorecam"), atol=1e-6)


def test_sscam_averages_over_noise_on_the_features():
    random = np.random.RandomState(7)
    masks = [
        [minmax(enlarged(a + 0.3 * np.ptp(a) * random.standard_normal(a.shape), NET.size)) for _ in range(3)]
        for a in np.moveaxis(FEATURES, -1, 0)
    ]
    expected = weighted(FEATURES, score_weights(NET, IMAGE[0], np.array(masks)))
    np.testing.assert_allclose(maps_of(NET, IMAGE, "sscam", samples=3, level=0.3, seed=7)[0], expected, atol=1e-4)
    plain = maps_of(NET, IMAGE, "scorecam")
    np.testing.assert_allclose(maps_of(NET, IMAGE, "sscam", samples=2, level=0.0), plain, atol=1e-6)
    assert np.abs(plain[0] - expected).max() > 1e-3


def test_scorecam_of_one_channel_worked_by_hand():
    """A = relu(x), y = 3 sum A + 5; x = 0, 1, 4 masks itself to 0, 1/4, 4: w = 3 * 4.25; the baseline has the 5."""
    graph = tf.Graph()
    with graph.as_default(), override_map(graph):
        x = tf.placeholder(tf.float32, [None, 1, 3, 1], name="input")
        sums = tf.reduce_sum(tf.nn.relu(x, name="features"), [1, 2])
        tf.add(tf.matmul(sums, tf.constant([[3.0, -3.0]])), 5.0, name="logits")
    image = np.array([0, 1, 4], np.float32).reshape((1, 1, 3, 1))
    maps = run_on(graph, image, [0, 1], ["scorecam"], channels=1)
    np.testing.assert_allclose(maps["scorecam", LAYER][0, 0], 12.75 * image[0, ..., 0], rtol=1e-6)
    np.testing.assert_array_equal(maps["scorecam", LAYER][0, 1], 0)  # all evidence is against the other class


def test_dead_and_constant_channels_weigh_nothing_and_cost_nothing():
    weights = dict(NET.weights)
    dead = SmallNet("flat", seed=2)
    dead.weights = {**weights, "w2": weights["w2"].copy(), "b2": weights["b2"].copy()}
    dead.weights["w2"][..., :2] = 0
    dead.weights["b2"][:2] = (-1, 2)  # channel 0 is 0 everywhere, channel 1 is 2 everywhere
    features = dead.forward(IMAGE)["features"][0]
    assert (np.ptp(features, axis=(0, 1))[:2] == 0).all()
    masks = np.stack([minmax(enlarged(features[..., k], dead.size)) for k in range(5)])
    expected = weighted(features, score_weights(dead, IMAGE[0], masks[:, np.newaxis]))
    calls = []
    with counted(calls):
        maps = run(dead, IMAGE, CLASSES, LAYER_METHODS, options=SMALL).maps
    np.testing.assert_allclose(maps["scorecam", LAYER][0], expected, atol=1e-5)
    assert all(np.isfinite(values).all() for values in maps.values())
    weights = ablation_weights(dead, IMAGE, CLASSES)
    assert weights[0] == pytest.approx(0)
    np.testing.assert_allclose(maps["ablationcam", LAYER][0], weighted(features, weights), atol=1e-5)
    # 3 channels make masks and 4 are ablated; one run more for the baseline, and for the features as they are
    assert sum(calls) == (3 + 1) + (3 + 1) + (9 + 1) + (9 + 1) + (4 + 1)


def test_features_without_any_life_give_an_empty_map_and_the_progress_still_ends():
    net = SmallNet("flat", seed=2)
    net.weights["w2"][:] = 0
    net.weights["b2"][:] = -1
    graph, image, told = net.graph(), net.images(1), {}
    with tf.Session(graph=graph) as sess:
        answer = MapEngine(graph, sess, net.binding(), 4).run(
            request(
                image,
                class_asks([0]),
                LAYER_METHODS,
                net.binding().layers,
                pixels=image,
                to_batch=lambda pixels: pixels,
                options=SMALL,
                report=lambda work: told.update({work.method: work}),
            )
        )
    assert [(work.done, work.runs) for work in told.values()] == [(6, 6), (6, 6), (16, 16), (16, 16), (6, 6)]
    for key, maps in answer.maps.items():
        np.testing.assert_array_equal(maps, 0)
        assert answer.statuses[key][0][0].state == "empty"
    softened = run(net, net.images(1), [0], ["scorecam"], options={"scorecam": {"softmax": True}})
    np.testing.assert_array_equal(softened.maps["scorecam", LAYER], 0)


# baselines


def test_what_is_masked_out_is_the_baseline():
    """`run` hands images to the net as they are, so a gray level is a value of the input."""
    mean = np.broadcast_to(IMAGE[0].mean((0, 1)), IMAGE[0].shape)
    image = NET.images(1, seed=8)[0]
    for baseline, fill in (("black", 0.0), ("mean", mean), (2.5, 2.5), (image, image)):
        expected = weighted(FEATURES, score_weights(NET, IMAGE[0], CHANNEL_MASKS[:, np.newaxis], fill))
        maps = maps_of(NET, IMAGE, "scorecam", baseline=baseline)
        np.testing.assert_allclose(maps[0], expected, atol=1e-5, err_msg=str(baseline))


def test_black_is_prepared_like_an_image_and_zero_is_not():
    """With a preprocessing of x - 1, black is -1 and zero is 0."""
    graph = NET.graph()
    with tf.Session(graph=graph) as sess:
        engine = MapEngine(graph, sess, NET.binding(), 8)

        def scorecam(**options):
            return engine.run(
                request(
                    IMAGE,
                    class_asks([1]),
                    ["scorecam"],
                    NET.binding().layers,
                    pixels=IMAGE + 1,
                    to_batch=lambda pixels: pixels - 1,
                    options={"scorecam": options},
                )
            ).maps["scorecam", LAYER]

        np.testing.assert_allclose(scorecam(baseline=1), scorecam(baseline="zero"), atol=1e-6)
        np.testing.assert_allclose(scorecam(baseline=0), scorecam(baseline="black"), atol=1e-6)
        assert np.abs(scorecam(baseline="zero") - scorecam(baseline="black")).max() > 1e-3


@pytest.mark.parametrize(
    ("name", "wrong", "match"),
    [
        ("fasterscorecam", {"channels": 0}, "fasterscorecam.channels is a whole number at least 1, not 0"),
        ("iscam", {"steps": 0}, "iscam.steps is a whole number at least 1 and at most 1000000, not 0"),
        ("sscam", {"samples": 0}, "sscam.samples is a whole number at least 1 and at most 1000000, not 0"),
        ("sscam", {"level": -1}, "sscam.level is a number at least 0 and at most 1000000, not -1"),
    ],
)
def test_options_without_sense_are_errors(name, wrong, match):
    with pytest.raises(OptionError, match=match):
        maps_of(NET, IMAGE, name, **wrong)
