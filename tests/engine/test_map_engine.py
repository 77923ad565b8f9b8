"""The engine: batches, layouts, slots, codes, empty maps, and what TensorFlow cannot run."""

from __future__ import annotations

import re

import numpy as np
import pytest
from small_nets import SmallNet, class_asks, request, run, twin_cams

from gradcam_tf1.engine.map_engine import MAX_SLOTS, MapEngine
from gradcam_tf1.errors import GradientError, RunError
from gradcam_tf1.gradients.guided import override_map
from gradcam_tf1.methods import METHODS, IteratedMethod
from gradcam_tf1.methods.attention import AttentionMethod
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import Binding, LayerInfo


@pytest.mark.parametrize("options", [{}, {"batch_size": 2}, {"batch": 3}], ids=["batch", "chunks", "baked batch"])
def test_a_batch_equals_its_images_one_by_one(options):
    net = SmallNet("flat")
    images = net.images(5)
    methods = ["gradcam", "guided_backprop", "guided_gradcam"]
    together = run(net, images, [1, 0], methods, **options)
    for n in range(5):
        alone = run(net, images[n : n + 1], [1, 0], methods)
        assert together.predicted[n] == alone.predicted[0]
        np.testing.assert_allclose(together.probabilities[n], alone.probabilities[0], atol=1e-6)
        for key, maps in alone.maps.items():
            np.testing.assert_allclose(together.maps[key][n], maps[0], atol=1e-6)


def test_channels_first_gives_the_maps_of_channels_last():
    net = SmallNet("flat")
    images = net.images(2)
    methods = ["gradcam", "hirescam", "guided_backprop"]
    last, first = (run(net, images, [0], methods, channels_first=flag) for flag in (False, True))
    for key, maps in last.maps.items():
        np.testing.assert_allclose(first.maps[key], maps, atol=1e-6)


def test_several_targets_equal_one_call_each_beyond_the_slots_of_one_run():
    net = SmallNet("flat")
    images = net.images(2)
    ids = [n % 4 for n in range(MAX_SLOTS + 3)]
    together = run(net, images, ids, ["gradcam"])
    assert together.maps["gradcam", "features:0"].shape == (2, MAX_SLOTS + 3, 4, 6)
    np.testing.assert_array_equal(together.class_ids, [ids, ids])
    expected = np.maximum(twin_cams(net, images, range(4)), 0)[:, ids]
    np.testing.assert_allclose(together.maps["gradcam", "features:0"], expected, atol=1e-5)


def test_negative_codes_are_places_in_the_ranking():
    net = SmallNet("flat")
    images = net.images(4)
    answer = run(net, images, [-1, -2, -4], ["gradcam"])
    ranking = np.argsort(-net.forward(images)["logits"], axis=1)
    np.testing.assert_array_equal(answer.class_ids, ranking[:, [0, 1, 3]])
    np.testing.assert_array_equal(answer.predicted, ranking[:, 0])


def test_a_one_logit_net_has_two_classes_with_opposite_scores():
    net = SmallNet("gap", classes=1)
    images = net.images(3)
    answer = run(net, images, [0, 1], ["gradcam", "positive", "negative"])
    logit = net.forward(images)["logits"][:, 0]
    np.testing.assert_allclose(answer.scores, np.stack([-logit, logit], 1), atol=1e-5)
    np.testing.assert_array_equal(answer.predicted, (logit > 0).astype(int))
    raw = twin_cams(net, images, [0])[:, 0]
    maps = answer.maps
    np.testing.assert_allclose(maps["gradcam", "features:0"][:, 0], np.maximum(-raw, 0), atol=1e-5)
    np.testing.assert_allclose(maps["gradcam", "features:0"][:, 1], np.maximum(raw, 0), atol=1e-5)
    np.testing.assert_allclose(maps["positive", "features:0"][:, 0], maps["negative", "features:0"][:, 1], atol=1e-6)


def test_the_graph_does_not_grow_from_call_to_call_and_stays_finalized():
    net = SmallNet("gap", size=(4, 4))
    graph = net.graph()
    images = net.images(1)
    binding = net.binding()
    with tf.Session(graph=graph) as sess:
        engine = MapEngine(graph, sess, binding, 8)
        kinds = (IteratedMethod, AttentionMethod)  # the net is no transformer
        methods = [name for name, method in METHODS.items() if not isinstance(method, kinds)]
        more = {"to_batch": lambda pixels: pixels / 255}
        counts = set()
        for step in range(9):
            engine.run(request(images, class_asks([step % 4]), methods, binding.layers, **more))
            counts.add(len(graph.get_operations()))
        assert len(counts) == 1
        assert graph.finalized


def test_half_precision_nets_give_float32_maps():
    net = SmallNet("gap")
    images = net.images(1)
    maps = run(net, images, [1], ["gradcam"], dtype=np.float16).maps["gradcam", "features:0"]
    assert maps.dtype == np.float32
    np.testing.assert_allclose(maps, np.maximum(twin_cams(net, images, [1]), 0), atol=2e-3)


def test_an_all_negative_map_is_zero_and_says_so():
    net = SmallNet("gap")
    net.weights["w4"][:] = -np.abs(net.weights["w4"])
    answer = run(net, net.images(1), [0], ["gradcam", "hirescam"])
    status = answer.statuses["gradcam", "features:0"][0][0]
    assert (status.state, answer.maps["gradcam", "features:0"].max()) == ("empty", 0)
    assert "against this class" in status.reason
    assert status.minimum < 0
    assert answer.statuses["hirescam", "features:0"][0][0].state == "ok"


@pytest.mark.parametrize(("value", "reason"), [(0, "zero everywhere"), (np.inf, "weights 'MatMul/b' are NaN")])
def test_zero_gradients_and_overflow_are_told_apart(value, reason):
    net = SmallNet("gap")
    net.weights["w4"][:, 0] = value
    answer = run(net, net.images(1), [0], ["gradcam"])
    status = answer.statuses["gradcam", "features:0"][0][0]
    assert status.state == "empty"
    assert reason in status.reason
    np.testing.assert_array_equal(answer.maps["gradcam", "features:0"], 0)


@pytest.mark.parametrize(
    ("method", "reason"), [("eigencam", "do not vary over the positions"), ("ablationcam", "made a difference")]
)
def test_what_an_empty_map_means_depends_on_the_method(method, reason):
    net = SmallNet("gap")
    net.weights["w2"][:] = 0  # features that are the same everywhere
    net.weights["w4"][:] = 0  # and that no score depends on
    images = net.images(1)
    status = run(net, images, [0], [method]).statuses[method, "features:0"][0][0]
    assert status.state == "empty"
    assert reason in status.reason


def test_what_tensorflow_cannot_run_is_one_error_that_names_the_op():
    graph = tf.Graph()
    with graph.as_default(), override_map(graph):
        x = tf.placeholder(tf.float32, [None, None, None, 3], name="input")
        tf.reshape(tf.nn.relu(x, name="features"), [1, 48], name="logits")
    layer = LayerInfo("features:0", "Relu", (None, None, None, 3))
    binding = Binding("input:0", "logits:0", "features:0", layers=(layer,))
    with tf.Session(graph=graph) as sess:
        engine = MapEngine(graph, sess, binding, 8)
        with pytest.raises(RunError, match=r"the net failed at 'logits' \(Reshape\): Input to reshape"):
            engine.run(request(np.zeros((1, 5, 5, 3), np.float32), class_asks([0]), ["gradcam"], (layer,)))
        with pytest.raises(RunError, match="does not take what it was fed: Cannot feed value of shape"):
            engine.run(request(np.zeros((1, 5, 5, 4), np.float32), class_asks([0]), ["gradcam"], (layer,)))


def crops(graph):
    """A net without a batch axis that finds three parts in its image: features [3, 2, 4, 3], logits [3, 2]."""
    with graph.as_default(), override_map(graph):
        x = tf.placeholder(tf.float32, [6, 4, 3], name="input")
        whole = tf.nn.relu(x[tf.newaxis], name="whole")
        parts = tf.identity(tf.reshape(whole, [3, 2, 4, 3]), name="parts")
        tf.matmul(tf.reduce_mean(parts, [1, 2]), np.eye(3, 2, dtype=np.float32), name="logits")
    layers = [LayerInfo(name, "Identity", (None, None, None, 3)) for name in ("whole:0", "parts:0")]
    return Binding("input:0", "logits:0", "whole:0", layers=tuple(layers), classes=2, has_batch_axis=False)


def test_a_net_that_cuts_its_image_is_explained_by_the_best_part_and_only_before_the_cut():
    graph = tf.Graph()
    binding = crops(graph)
    image = np.random.RandomState(0).rand(1, 6, 4, 3).astype(np.float32)
    with tf.Session(graph=graph) as sess:
        engine = MapEngine(graph, sess, binding, 8)
        answer = engine.run(request(image, class_asks([1]), ["hirescam"], binding.layers[:1]))
        parts = image.reshape(3, 2, 4, 3)[..., 1]
        best = parts.mean((1, 2)).argmax()
        expected = np.zeros((3, 2, 4))
        expected[best] = parts[best] / 8
        np.testing.assert_allclose(answer.maps["hirescam", "whole:0"][0, 0], expected.reshape(6, 4), atol=1e-6)
        np.testing.assert_allclose(answer.scores, [[parts[best].mean()]], atol=1e-6)
        with pytest.raises(RunError, match=r"^what is made of 'parts:0' came out as \[3, 2, 4\] for 1 imag"):
            engine.run(request(image, class_asks([1]), ["hirescam"], binding.layers[1:]))


def test_channels_first_on_the_cpu_is_explained_or_works():
    graph = tf.Graph()
    with graph.as_default(), override_map(graph):
        x = tf.placeholder(tf.float32, [None, 3, 4, 4], name="input")
        features = tf.nn.relu(
            tf.nn.max_pool(x, [1, 1, 2, 2], [1, 1, 2, 2], "SAME", data_format="NCHW"), name="features"
        )
        tf.matmul(tf.reduce_mean(features, [2, 3]), np.eye(3, dtype=np.float32), name="logits")
    layer = LayerInfo("features:0", "Relu", (None, 3, 2, 2), False)
    binding = Binding("input:0", "logits:0", "features:0", layers=(layer,), classes=3, input_channels_last=False)
    images = np.random.RandomState(0).rand(1, 4, 4, 3).astype(np.float32)
    with tf.Session(graph=graph) as sess:
        engine = MapEngine(graph, sess, binding, 8)
        try:  # oneDNN pools channels first on some CPUs; without it TensorFlow does so on a GPU only
            answer = engine.run(request(images, class_asks([1]), ["gradcam"], (layer,)))
        except RunError as error:
            if not re.search(r"NHWC.*NCHW.*on a GPU only", str(error)):
                raise
            return
    cells = images.reshape(2, 2, 2, 2, 3).max((1, 3))
    np.testing.assert_allclose(answer.maps["gradcam", "features:0"][0, 0], cells[..., 1] / 4, atol=1e-6)


def test_guided_backprop_without_a_relu_is_an_error():
    graph = tf.Graph()
    with graph.as_default(), override_map(graph):
        x = tf.placeholder(tf.float32, [None, 4, 4, 3], name="input")
        features = tf.tanh(x, name="features")
        tf.matmul(tf.reduce_mean(features, [1, 2]), tf.ones([3, 2]), name="logits")
    binding = Binding("input:0", "logits:0", "features:0", classes=2)
    with tf.Session(graph=graph) as sess, pytest.raises(
        GradientError, match="no activation between .* the guided rule could change.* found there: 1 Tanh"
    ):
        MapEngine(graph, sess, binding, 8).build(["guided_backprop"], ())
