"""Masking and ablation against float64 twins, closed forms and runs that are counted."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from small_nets import SmallNet, class_asks, run

from gradcam_tf1.engine import Engine
from gradcam_tf1.errors import OptionError
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.guided import override_map
from gradcam_tf1.images import read_image
from gradcam_tf1.methods.occlusion import random_masks
from gradcam_tf1.nets.demo import DEMO_CLASSES, DEMO_PRESET, demo_model, demo_scenes
from gradcam_tf1.runner import session_config
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import Binding, LayerInfo

LAYER = "features:0"
CLASSES = [1, 0]
MASKED = ["scorecam", "fasterscorecam", "sscam", "iscam"]
LAYER_METHODS = [*MASKED, "ablationcam"]
SMALL = {"rise": {"masks": 12, "cells": 3}, "sscam": {"samples": 3}, "iscam": {"steps": 3}}


def maps_of(net, images, name, class_ids=CLASSES, **options):
    (maps,) = run(net, images, class_ids, [name], options={name: options})["maps"].values()
    return maps


def enlarged(cells, size):
    """Half-pixel bilinear of [h, w] to `size`, position by position, float64."""
    for axis, length in enumerate(size):
        have = cells.shape[axis]
        rows = np.zeros((length, have))
        for place in range(length):
            at = min(max((place + 0.5) * have / length - 0.5, 0), have - 1)
            low = int(at)
            rows[place, low] += 1 - (at - low)
            rows[place, min(low + 1, have - 1)] += at - low
        cells = np.moveaxis(np.tensordot(rows, cells, (1, axis)), 0, axis)
    return cells


def minmax(values):
    spread = values.max() - values.min()
    return (values - values.min()) / spread if spread > 0 else np.zeros_like(values)


def logits(net, images, class_ids=CLASSES):
    return net.forward(images)["logits"][:, class_ids]


def score_weights(net, image, masks, fill=0.0, class_ids=CLASSES):
    """Mean of y(masked) - y(fill): masks [K, n, H, W] -> float64 [K, T]."""
    image = image.astype(np.float64)
    shown = masks[..., np.newaxis] * image + (1 - masks[..., np.newaxis]) * fill
    scores = logits(net, shown.reshape(-1, *image.shape), class_ids).reshape(*masks.shape[:2], -1)
    return scores.mean(axis=1) - logits(net, (np.zeros_like(image) + fill)[np.newaxis], class_ids)


def weighted(features, weights):
    return np.maximum(np.einsum("hwk,kt->thw", features, weights), 0)


@pytest.fixture(scope="module")
def net():
    return SmallNet("flat", seed=2)


@pytest.fixture(scope="module")
def image(net):
    return net.images(1)


@pytest.fixture(scope="module")
def features(net, image):
    return net.forward(image)["features"][0]


@pytest.fixture(scope="module")
def channel_masks(net, features):
    return np.stack([minmax(enlarged(features[..., k], net.size)) for k in range(5)])


# Score-CAM and its kin


@pytest.mark.parametrize("softmax", [False, True])
def test_scorecam_equals_the_float64_twin(net, image, features, channel_masks, softmax):
    weights = score_weights(net, image[0], channel_masks[:, np.newaxis])
    if softmax:  # Algorithm 1 of the paper: over the channels
        weights = np.exp(weights) / np.exp(weights).sum(axis=0)
    expected = weighted(features, weights)
    assert expected.max() > 0.05
    np.testing.assert_allclose(maps_of(net, image, "scorecam", softmax=softmax)[0], expected, atol=1e-5)


def test_fasterscorecam_takes_the_channels_that_vary_most(net, image, features, channel_masks):
    best = np.argsort(-features.reshape(-1, 5).var(axis=0))[:2]
    assert sorted(best) != [0, 1]
    weights = score_weights(net, image[0], channel_masks[best][:, np.newaxis])
    expected = weighted(features[..., best], weights)
    np.testing.assert_allclose(maps_of(net, image, "fasterscorecam", channels=2)[0], expected, atol=1e-5)
    whole = maps_of(net, image, "scorecam")
    assert np.abs(whole[0] - expected).max() > 1e-3
    np.testing.assert_allclose(maps_of(net, image, "fasterscorecam", channels=99), whole, atol=1e-6)


def test_iscam_averages_over_the_way_up(net, image, features, channel_masks):
    steps = np.array([0.25, 0.5, 0.75, 1.0])
    weights = score_weights(net, image[0], channel_masks[:, np.newaxis] * steps[:, np.newaxis, np.newaxis])
    np.testing.assert_allclose(maps_of(net, image, "iscam", steps=4)[0], weighted(features, weights), atol=1e-5)
    np.testing.assert_allclose(maps_of(net, image, "iscam", steps=1), maps_of(net, image, "scorecam"), atol=1e-6)


def test_sscam_averages_over_noise_on_the_features(net, image, features):
    random = np.random.RandomState(7)
    masks = [
        [minmax(enlarged(a + 0.3 * np.ptp(a) * random.standard_normal(a.shape), net.size)) for _ in range(3)]
        for a in np.moveaxis(features, -1, 0)
    ]
    expected = weighted(features, score_weights(net, image[0], np.array(masks)))
    np.testing.assert_allclose(maps_of(net, image, "sscam", samples=3, level=0.3, seed=7)[0], expected, atol=1e-4)
    plain = maps_of(net, image, "scorecam")
    np.testing.assert_allclose(maps_of(net, image, "sscam", samples=2, level=0.0), plain, atol=1e-6)
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


def run_on(graph, images, class_ids, methods, options=None, layers=True, report=None, **binding):
    """The engine's maps on a graph of the test's own; its layer is `features:0`."""
    layer = LayerInfo(LAYER, "Relu", (None, None, None, None), binding.pop("layer_last", True))
    bound = Binding("input:0", "logits:0", LAYER, layers=(layer,), classes=2, **binding)
    with tf.Session(graph=graph) as sess:
        engine = Engine(graph, sess, bound, 4)
        asks = class_asks(class_ids, len(images))
        return engine.run(
            images, asks, methods, (layer,), pixels=images, to_batch=lambda x: x, options=options, report=report
        )["maps"]


def test_dead_and_constant_channels_weigh_nothing_and_cost_nothing(net, image):
    weights = dict(net.weights)
    dead = SmallNet("flat", seed=2)
    dead.weights = {**weights, "w2": weights["w2"].copy(), "b2": weights["b2"].copy()}
    dead.weights["w2"][..., :2] = 0
    dead.weights["b2"][:2] = (-1, 2)  # channel 0 is 0 everywhere, channel 1 is 2 everywhere
    features = dead.forward(image)["features"][0]
    assert (np.ptp(features, axis=(0, 1))[:2] == 0).all()
    masks = np.stack([minmax(enlarged(features[..., k], dead.size)) for k in range(5)])
    expected = weighted(features, score_weights(dead, image[0], masks[:, np.newaxis]))
    calls = []
    with counted(calls):
        maps = run(dead, image, CLASSES, LAYER_METHODS, options=SMALL)["maps"]
    np.testing.assert_allclose(maps["scorecam", LAYER][0], expected, atol=1e-5)
    assert all(np.isfinite(values).all() for values in maps.values())
    weights = ablation_weights(dead, image, CLASSES)
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
        answer = Engine(graph, sess, net.binding(), 4).run(
            image,
            class_asks([0]),
            LAYER_METHODS,
            net.binding().layers,
            pixels=image,
            to_batch=lambda pixels: pixels,
            options=SMALL,
            report=lambda work: told.update({work.method: work}),
        )
    assert [(work.done, work.runs) for work in told.values()] == [(6, 6), (6, 6), (16, 16), (16, 16), (6, 6)]
    for key, maps in answer["maps"].items():
        np.testing.assert_array_equal(maps, 0)
        assert answer["statuses"][key][0][0].state == "empty"
    softened = run(net, net.images(1), [0], ["scorecam"], options={"scorecam": {"softmax": True}})
    np.testing.assert_array_equal(softened["maps"]["scorecam", LAYER], 0)


# baselines


def test_what_is_masked_out_is_the_baseline(net, image, features, channel_masks):
    """`run` hands pictures to the net as they are, so a gray level is a value of the input."""
    mean = np.broadcast_to(image[0].mean((0, 1)), image[0].shape)
    picture = net.images(1, seed=8)[0]
    for baseline, fill in (("black", 0.0), ("mean", mean), (2.5, 2.5), (picture, picture)):
        expected = weighted(features, score_weights(net, image[0], channel_masks[:, np.newaxis], fill))
        maps = maps_of(net, image, "scorecam", baseline=baseline)
        np.testing.assert_allclose(maps[0], expected, atol=1e-5, err_msg=str(baseline))


def test_black_is_prepared_like_a_picture_and_zero_is_not(net, image):
    """With a preprocessing of x - 1, black is -1 and zero is 0."""
    graph = net.graph()
    with tf.Session(graph=graph) as sess:
        engine = Engine(graph, sess, net.binding(), 8)

        def scorecam(**options):
            return engine.run(
                image,
                class_asks([1]),
                ["scorecam"],
                net.binding().layers,
                pixels=image + 1,
                to_batch=lambda pixels: pixels - 1,
                options={"scorecam": options},
            )["maps"]["scorecam", LAYER]

        np.testing.assert_allclose(scorecam(baseline=1), scorecam(baseline="zero"), atol=1e-6)
        np.testing.assert_allclose(scorecam(baseline=0), scorecam(baseline="black"), atol=1e-6)
        assert np.abs(scorecam(baseline="zero") - scorecam(baseline="black")).max() > 1e-3


# Ablation-CAM


def ablation_weights(net, images, class_ids):
    """(y - y_k) / |y| by the twin's head on features with one channel zeroed: float64 [K, T]."""
    features = net.forward(images)["features"]
    whole = head(net, features)[0, class_ids]
    drops = []
    for k in range(features.shape[-1]):
        without = features.copy()
        without[..., k] = 0
        drops.append(whole - head(net, without)[0, class_ids])
    return np.array(drops) / np.abs(whole)


def head(net, features):
    w = {name: value.astype(np.float64) for name, value in net.weights.items()}
    if net.head == "gap":
        return features.mean((1, 2)) @ w["w4"] + w["b4"]
    return np.maximum(features.reshape(len(features), -1) @ w["w3"] + w["b3"], 0) @ w["w4"] + w["b4"]


@pytest.mark.parametrize("kind", ["gap", "flat"])
def test_ablationcam_equals_the_float64_twin(kind):
    net = SmallNet(kind, seed=2)
    image = net.images(1)
    classes = [0, 1, 2, 3]
    assert len(set(np.sign(logits(net, image, classes)[0]))) == 2  # scores of both signs
    expected = weighted(net.forward(image)["features"][0], ablation_weights(net, image, classes))
    np.testing.assert_allclose(maps_of(net, image, "ablationcam", classes)[0], expected, atol=1e-5)


def test_ablationcam_is_the_share_of_each_channel_where_the_head_is_a_mean_without_bias():
    """y = sum_k W_kc mean(A_k), so w_k = W_kc mean(A_k) / y and sum_k w_k = 1 for y > 0."""
    net = SmallNet("gap", seed=2)
    net.weights["b4"][:] = 0
    net.weights["w4"][:, 2] = np.abs(net.weights["w4"][:, 2])
    image = net.images(1)
    features = net.forward(image)["features"][0]
    shares = net.weights["w4"][:, 2].astype(np.float64) * features.mean((0, 1))
    shares /= shares.sum()
    np.testing.assert_allclose(maps_of(net, image, "ablationcam", [2])[0, 0], features @ shares, atol=1e-6)


def test_ablationcam_of_a_score_of_zero_is_not_divided():
    net = SmallNet("gap", seed=2)
    net.weights["w4"][:, 0] = 0
    net.weights["w4"][:2, 0] = (1, -1)
    net.weights["b4"][0] = 0
    net.weights["w2"][..., 1] = net.weights["w2"][..., 0]
    net.weights["b2"][1] = net.weights["b2"][0]  # channels 0 and 1 are equal: y_0 = 0 exactly, not nearly
    image = net.images(1)
    features = net.forward(image)["features"][0]
    mean = features[..., 0].mean()
    answer = run(net, image, [0], ["ablationcam"])
    assert answer["scores"][0, 0] == 0
    # w = (mean, -mean): what each channel gives is undone by the other, and the map is zero, not NaN
    np.testing.assert_array_equal(answer["maps"]["ablationcam", LAYER], 0)
    net.weights["w2"][..., 1] *= 2
    net.weights["b2"][1] *= 2
    net.weights["w4"][1, 0] = -0.5  # channel 1 is twice channel 0 now, and the score still 0: w = (mean, -mean)
    maps = maps_of(net, image, "ablationcam", [0])
    raw = mean * (features[..., 0] - 2 * features[..., 0])
    np.testing.assert_allclose(maps[0, 0], np.maximum(raw, 0), atol=1e-6)


def test_ablationcam_keeps_its_sense_below_zero():
    """A score of -y (what lowers an output) is another question than y, and its map another one."""
    net = SmallNet("gap", classes=1, seed=2)
    image = net.images(1)
    maps = maps_of(net, image, "ablationcam", [0, 1])
    features = net.forward(image)["features"][0]
    drops = net.weights["w4"][:, 0].astype(np.float64) * features.mean((0, 1))
    raw = features @ drops / abs(net.forward(image)["logits"][0, 0])
    np.testing.assert_allclose(maps[0], np.maximum([-raw, raw], 0), atol=1e-5)
    assert maps[0].max(axis=(1, 2)).min() > 0


def test_ablation_runs_the_trunk_once():
    """A counter in the trunk: the op that makes the features is not computed again."""
    net = SmallNet("flat", seed=2)
    graph = net.graph()
    image = net.images(1)
    with graph.as_default():
        assert graph.get_tensor_by_name(LAYER).op.type == "Identity"
    with tf.Session(graph=graph) as sess:
        engine = Engine(graph, sess, net.binding(), 8)
        traced = tracing(engine)
        engine.run(image, class_asks([0]), ["ablationcam"], net.binding().layers, pixels=image, to_batch=lambda x: x)
    ran = [names for names in traced if any("MatMul" in name for name in names)]
    assert len(ran) == 3  # the one pass, the features as they are, the five channels
    assert [any("Conv2D" in name for name in names) for names in ran] == [True, False, False]


def tracing(engine):
    """Names of the ops that each `session.run` of the engine executes, from TensorFlow's own trace."""
    traced, sess = [], engine._runner._sess

    def traced_run(fetches, feed):
        metadata = tf.RunMetadata()
        found = sess.run(fetches, feed, tf.RunOptions(trace_level=tf.RunOptions.FULL_TRACE), metadata)
        stats = metadata.step_stats.dev_stats
        traced.append([node.node_name for device in stats for node in device.node_stats])
        return found

    engine._runner._sess = SimpleNamespace(run=traced_run, graph=sess.graph)
    return traced


def test_feeding_a_layer_leaves_the_way_round_it_alone():
    """y_0 = sum A + 5 sum x (a skip round the layer): zeroing A takes away sum A only."""
    graph = tf.Graph()
    with graph.as_default(), override_map(graph):
        x = tf.placeholder(tf.float32, [None, 2, 3, 2], name="input")
        a = tf.nn.relu(x * [1.0, 3.0], name="features")
        left = tf.reduce_sum(a, [1, 2, 3]) + 5 * tf.reduce_sum(x, [1, 2, 3])
        tf.stack([left, -left], axis=1, name="logits")
    image = np.random.RandomState(0).rand(1, 2, 3, 2).astype(np.float32)
    maps = run_on(graph, image, [0], ["ablationcam"], channels=2)
    features = image[0].astype(np.float64) * (1, 3)
    score = features.sum() + 5 * image.sum(dtype=np.float64)
    raw = features @ (features.sum((0, 1)) / score)
    np.testing.assert_allclose(maps["ablationcam", LAYER][0, 0], raw, rtol=1e-5)


@pytest.mark.parametrize("given", [None, {"intra_op_parallelism_threads": 1}], ids=["ours", "the user's"])
def test_a_fed_layer_between_two_transposes_is_not_optimised_away(net, given):
    """TensorFlow 2 does so by default: y of features of zero would be the picture's y."""
    config = None if given is None else tf.ConfigProto(**given)
    images = net.images(1).transpose(0, 3, 1, 2)
    with tf.Session(graph=net.graph(channels_first=True), config=session_config(config)) as sess:
        features = sess.run(LAYER, {"input:0": images})
        scores = sess.run("logits:0", {"input:0": images, LAYER: np.zeros_like(features)})
    np.testing.assert_allclose(scores, head(net, np.zeros((1, 4, 6, 5))), atol=1e-6)
    assert config is None or config == tf.ConfigProto(**given)


def test_a_users_own_choice_of_optimizers_stands():
    config = tf.ConfigProto()
    options = config.graph_options.rewrite_options
    options.arithmetic_optimization = options.ON
    assert session_config(config) == config


def test_nets_that_take_bytes_are_masked_where_their_floats_begin():
    """The picture is uint8, A = relu(x / 51): Score-CAM masks the floats, which rounding to bytes would spoil."""
    graph = tf.Graph()
    with graph.as_default(), override_map(graph):
        x = tf.placeholder(tf.uint8, [None, 1, 3, 1], name="input")
        a = tf.nn.relu(tf.cast(x, tf.float32) / 51, name="features")
        sums = tf.reduce_sum(tf.square(a), [1, 2])
        tf.matmul(sums, tf.constant([[1.0, -1.0]]), name="logits")
    image = np.array([0, 51, 102], np.uint8).reshape((1, 1, 3, 1))
    options = {"occlusion": {"window": 1, "stride": 1, "baseline": "zero"}}
    maps = run_on(graph, image, [0], ["scorecam", "ablationcam", "occlusion"], options, channels=1, dtype="uint8")
    # masks 0, 1/2, 1: 0.5^2 + 2^2; without the only channel nothing is left; each pixel is worth its square
    np.testing.assert_allclose(maps["scorecam", LAYER][0, 0], [[0, 4.25, 8.5]], rtol=1e-6)
    np.testing.assert_allclose(maps["ablationcam", LAYER][0, 0], [[0, 1, 2]], rtol=1e-6)
    np.testing.assert_allclose(maps["occlusion", ""][0, 0], [[0, 1, 4]], rtol=1e-6)


# occlusion


def linear_net(size=(7, 9), channels=2, bias=3.0):
    """y_0 = sum x * W + bias, y_1 = -y_0; its layer is of no interest."""
    kernel = np.random.RandomState(5).randn(*size, channels).astype(np.float32)
    graph = tf.Graph()
    with graph.as_default(), override_map(graph):
        x = tf.placeholder(tf.float32, [None, *size, channels], name="input")
        a = tf.nn.relu(x, name="features") - tf.nn.relu(-x)
        y = tf.reduce_sum(a * kernel, [1, 2, 3]) + bias
        tf.stack([y, -y], axis=1, name="logits")
    image = np.random.RandomState(6).randn(1, *size, channels).astype(np.float32)
    return graph, image, kernel.astype(np.float64)


def test_occlusion_of_a_linear_net_is_the_sum_of_its_weights_in_the_window():
    graph, image, kernel = linear_net()
    options = {"occlusion": {"window": 3, "stride": 2, "baseline": 0.5}}
    maps = run_on(graph, image, [0, 1], ["occlusion"], options, channels=2)["occlusion", ""]
    worth = ((image[0] - 0.5) * kernel).sum(-1)
    sums, count = np.zeros((7, 9)), np.zeros((7, 9))
    for top in (0, 2, 4):  # 7 and 9 pixels: the last windows end at the edge
        for left in (0, 2, 4, 6):
            window = (slice(top, top + 3), slice(left, left + 3))
            sums[window] += worth[window].sum()
            count[window] += 1
    assert (count.min(), count.max()) == (1, 4)
    np.testing.assert_allclose(maps[0], [sums / count, -sums / count], atol=1e-4)


def test_occlusion_reaches_the_edge_and_has_a_window_of_its_own_choice():
    graph, image, kernel = linear_net(size=(14, 23))
    given = {"window": 2, "stride": 1, "baseline": "mean"}
    same = run_on(graph, image, [0], ["occlusion"], {"occlusion": given}, channels=2)["occlusion", ""]
    maps = run_on(graph, image, [0], ["occlusion"], channels=2)["occlusion", ""]
    np.testing.assert_array_equal(maps, same)
    worth = ((image[0] - image[0].mean((0, 1))) * kernel).sum(-1)
    assert maps[0, 0, 13, 22] == pytest.approx(worth[12:, 21:].sum(), abs=1e-4)
    with_gap = {"occlusion": {"window": 5, "stride": 4, "baseline": "zero"}}  # 23 = 5 + 4 * 4 + 2
    last = run_on(graph, image, [0], ["occlusion"], with_gap, channels=2)["occlusion", ""]
    worth = (image[0] * kernel).sum(-1)
    assert last[0, 0, 13, 22] == pytest.approx(worth[9:, 18:].sum(), abs=1e-4)


@pytest.mark.parametrize("wrong", [{"window": 0}, {"window": 9}, {"window": 3, "stride": 4}, {"stride": 0}])
def test_windows_that_leave_pixels_out_are_an_error(net, image, wrong):
    with pytest.raises(OptionError, match=r"window=\d+, stride=\d+: the window is 1 to 8 pixels wide on this input"):
        maps_of(net, image, "occlusion", **wrong)


# RISE


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


def test_rise_equals_the_float64_twin(net, image):
    masks = rise_masks(net.size, 20, 3, 0.4, 11)
    assert masks.shape[1:] == net.size
    scores = logits(net, masks[..., np.newaxis] * image[0].astype(np.float64))
    expected = np.tensordot(scores - scores.mean(axis=0), masks, (0, 0)) / (0.4 * 20)
    maps = maps_of(net, image, "rise", masks=20, cells=3, p=0.4, seed=11)
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


@pytest.mark.parametrize("wrong", [{"masks": 1}, {"cells": 0}, {"p": 0}, {"p": 1.0}])
def test_rise_needs_masks_cells_and_a_chance(net, image, wrong):
    with pytest.raises(
        OptionError, match=r"masks=\d+, cells=\d+, p=.*: at least 2 masks, 1 cell, and p between 0 and 1"
    ):
        maps_of(net, image, "rise", **wrong)


@pytest.mark.parametrize(
    ("name", "wrong", "match"),
    [
        ("fasterscorecam", {"channels": 0}, "channels=0: at least one"),
        ("iscam", {"steps": 0}, "steps=0: at least one"),
        ("sscam", {"samples": 0}, "samples=0, level=0.15: at least one sample"),
        ("sscam", {"level": -1}, "samples=10, level=-1: at least one sample, no level below 0"),
    ],
)
def test_options_without_sense_are_errors(net, image, name, wrong, match):
    with pytest.raises(OptionError, match=match):
        maps_of(net, image, name, **wrong)


# all of them

ALL = [*LAYER_METHODS, "occlusion", "rise"]


@pytest.mark.parametrize("graph", [{}, {"batch": 1}, {"batch": 3}, {"channels_first": True}], ids=str)
def test_a_batch_equals_its_images_one_by_one_whatever_the_graph_insists_on(net, graph):
    images = net.images(3)
    together = run(net, images, CLASSES, ALL, batch_size=2, options=SMALL, **graph)["maps"]
    assert {key[0] for key in together} == set(ALL)
    for n in range(3):
        alone = run(net, images[n : n + 1], CLASSES, ALL, options=SMALL)["maps"]
        for key, maps in alone.items():
            np.testing.assert_allclose(together[key][n], maps[0], atol=2e-6, err_msg=str(key))


def test_half_precision_nets_are_ablated_too(net, image):
    half = run(net, image, CLASSES, ["ablationcam"], dtype=np.float16)["maps"]["ablationcam", LAYER]
    np.testing.assert_allclose(half, maps_of(net, image, "ablationcam"), atol=2e-2)


@pytest.mark.parametrize("name", ["sscam", "rise"])
def test_chance_follows_the_seed(net, image, name):
    first, again, other = (maps_of(net, image, name, **SMALL[name], seed=seed) for seed in (4, 4, 5))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-3


class counted:
    """Within the block: how many pictures each run of an iterated method had."""

    def __init__(self, calls):
        self._calls = calls

    def __enter__(self):
        from gradcam_tf1.probe import Probe

        self._probe, self._was = Probe, Probe._run

        def counting(probe, fetches, inputs, feed):
            self._calls.append(len(inputs))
            return self._was(probe, fetches, inputs, feed)

        Probe._run = counting

    def __exit__(self, *exc_info):
        self._probe._run = self._was


COSTS = {
    "scorecam": (6, {}),
    "fasterscorecam": (4, {"channels": 3}),
    "sscam": (16, {"samples": 3}),
    "iscam": (11, {"steps": 2}),
    "ablationcam": (6, {}),
    "occlusion": (7, {"window": 4, "stride": 4}),
    "rise": (9, {"masks": 9}),
}


@pytest.mark.parametrize("class_ids", [[0], [0, 1, 2, 3]], ids=str)
@pytest.mark.parametrize("name", ALL)
def test_the_cost_is_told_first_and_is_what_is_run_for_one_target_as_for_many(net, name, class_ids):
    runs, options = COSTS[name]
    images = net.images(2)
    told, calls = [], []
    graph = net.graph()
    with tf.Session(graph=graph) as sess, counted(calls):
        Engine(graph, sess, net.binding(), 4).run(
            images,
            class_asks(class_ids, 2),
            [name],
            net.binding().layers,
            pixels=images,
            to_batch=lambda pixels: pixels,
            options={name: options},
            report=lambda work: told.append((work, len(calls))),
        )
    first, calls_before = told[0]
    assert (first.method, first.pictures, first.runs, first.done, calls_before) == (name, 2, runs, 0, 0)
    assert first.layer == (LAYER if name in LAYER_METHODS else "")
    assert first.unit.startswith("forward passes from the layer" if name == "ablationcam" else "forward passes of")
    assert sum(calls) == 2 * runs
    done = [work.done for work, _ in told]
    assert done == sorted(done)
    assert done[-1] == 2 * runs
    assert max(np.diff(done)) <= 4  # the batch size: progress comes with every chunk
    assert max(calls) == min(4, runs - 1)  # and no chunk is smaller than it need be


def test_the_hot_spot_lies_on_the_shape_that_was_asked_for():
    """The demo net on its scenes of two shapes: each class's peak in that class's box."""
    scenes = [scene for scene in demo_scenes() if len(scene.boxes) == 2][:2]
    methods = ["scorecam", "iscam", "ablationcam", "occlusion", "rise"]
    options = {"rise": {"masks": 400}, "iscam": {"steps": 2}}
    with GradCamGraph(demo_model(), preset=DEMO_PRESET, labels=DEMO_CLASSES) as net:
        for scene in scenes:
            explanation = net.explain(read_image(scene.path), list(scene.boxes), methods, options=options)
            for t, (top, left, bottom, right) in enumerate(scene.boxes.values()):
                for method in methods:
                    map = explanation.placed(method, 0, t)
                    row, column = np.unravel_index(map.argmax(), map.shape)
                    assert top <= row < bottom, (scene.path, method, t)
                    assert left <= column < right, (scene.path, method, t)


def test_the_graph_does_not_grow_with_the_calls(net, image):
    graph = net.graph()
    binding = net.binding()
    sizes = []
    with tf.Session(graph=graph) as sess:
        engine = Engine(graph, sess, binding, 8)
        for class_ids in ([0, 1], [2, 3], [1, 0]):
            engine.run(
                image,
                class_asks(class_ids),
                ALL,
                binding.layers,
                pixels=image,
                to_batch=lambda pixels: pixels,
                options=SMALL,
            )
            sizes.append(len(graph.get_operations()))
    assert sizes[0] == sizes[1] == sizes[2]
    assert graph.finalized


MEMORY = """
import resource, sys
import numpy as np
sys.path.insert(0, {tests!r})
from small_nets import class_asks
from gradcam_tf1.engine import Engine
from gradcam_tf1.guided import override_map
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import Binding, LayerInfo

graph = tf.Graph()
with graph.as_default(), override_map(graph):
    x = tf.placeholder(tf.float32, [None, 224, 224, 3], name="input")
    kernel = np.random.RandomState(0).randn(16, 16, 3, 512).astype(np.float32)
    a = tf.nn.relu(tf.nn.conv2d(x, kernel, [1, 16, 16, 1], "SAME"), name="features")
    tf.matmul(tf.reduce_mean(a, [1, 2]), tf.ones([512, 2]), name="logits")
layer = LayerInfo("features:0", "Relu", (None, 14, 14, 512))
binding = Binding("input:0", "logits:0", "features:0", layers=(layer,), classes=2)
image = np.random.RandomState(1).rand(1, 224, 224, 3).astype(np.float32)

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

with tf.Session(graph=graph) as sess:
    engine = Engine(graph, sess, binding, 8)
    def run(**options):
        name, = options
        engine.run(image, class_asks([0]), [name], (layer,), pixels=image, to_batch=lambda x: x, options=options)
    run(fasterscorecam=dict(channels=32))
    run(rise=dict(masks=32))
    before = peak()
    run(scorecam=dict())
    run(rise=dict(masks=400))
    run(ablationcam=dict())
    print(peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is counted in KiB on Linux")
def test_memory_does_not_grow_with_the_number_of_masks():
    """512 masked pictures would be 308 MB; a chunk of 8, with its copies, was there before the peak was taken."""
    script = MEMORY.format(tests=str(__file__.rsplit("/", 1)[0]))
    done = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, check=True)
    assert float(done.stdout.splitlines()[-1]) < 60
