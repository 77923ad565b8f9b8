"""Ablation-CAM against a float64 twin and closed forms; a fed layer leaves the trunk and the way round it alone."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from perturbation_nets import CLASSES, IMAGE, LAYER, NET, ablation_weights, head, logits, maps_of, run_on, weighted
from small_nets import SmallNet, class_asks, request, run

from gradcam_tf1.engine.map_engine import MapEngine
from gradcam_tf1.engine.session_runner import session_config
from gradcam_tf1.gradients.guided import override_map
from gradcam_tf1.tf_runtime import tf


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
    assert answer.scores[0, 0] == 0
    # w = (mean, -mean): what each channel gives is undone by the other, and the map is zero, not NaN
    np.testing.assert_array_equal(answer.maps["ablationcam", LAYER], 0)
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
    """By TensorFlow's own trace: the ops that make the features are not computed again."""
    graph, binding = NET.graph(), NET.binding()
    with tf.Session(graph=graph) as sess:
        engine = MapEngine(graph, sess, binding, 8)
        traced = tracing(engine)
        engine.run(request(IMAGE, class_asks([0]), ["ablationcam"], binding.layers, pixels=IMAGE, to_batch=lambda x: x))
    ran = [names for names in traced if any("MatMul" in name for name in names)]
    assert len(ran) == 3  # the one pass, the features as they are, the five channels
    assert [any("Conv2D" in name for name in names) for names in ran] == [True, False, False]


def tracing(engine):
    """Names of the ops that each `session.run` of the engine executes, from TensorFlow's own trace."""
    traced, sess = [], engine._runner._live

    def traced_run(fetches, feed):
        metadata, full = tf.RunMetadata(), tf.RunOptions(trace_level=tf.RunOptions.FULL_TRACE)
        found = sess.run(fetches, feed, options=full, run_metadata=metadata)
        stats = metadata.step_stats.dev_stats
        traced.append([node.node_name for device in stats for node in device.node_stats])
        return found

    engine._runner._live = SimpleNamespace(run=traced_run, run_again=traced_run, graph=sess.graph)
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
def test_a_fed_layer_between_two_transposes_is_not_optimised_away(given):
    """TensorFlow 2 does so by default: y of features of zero would be the image's y."""
    config = None if given is None else tf.ConfigProto(**given)
    images = NET.images(1).transpose(0, 3, 1, 2)
    with tf.Session(graph=NET.graph(channels_first=True), config=session_config(config)) as sess:
        features = sess.run(LAYER, {"input:0": images})
        scores = sess.run("logits:0", {"input:0": images, LAYER: np.zeros_like(features)})
    np.testing.assert_allclose(scores, head(NET, np.zeros((1, 4, 6, 5))), atol=1e-6)
    assert config is None or config == tf.ConfigProto(**given)


def test_a_users_own_choice_of_optimizers_stands():
    config = tf.ConfigProto()
    options = config.graph_options.rewrite_options
    options.arithmetic_optimization = options.ON
    assert session_config(config) == config


def test_half_precision_nets_are_ablated_too():
    half = run(NET, IMAGE, CLASSES, ["ablationcam"], dtype=np.float16).maps["ablationcam", LAYER]
    np.testing.assert_allclose(half, maps_of(NET, IMAGE, "ablationcam"), atol=2e-2)
