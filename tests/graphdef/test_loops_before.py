"""Loops before the convolutions, such as tf.map_fn of resizing: maps behind them are correct."""

from __future__ import annotations

import loop_nets
import numpy as np
import pytest
from loop_nets import weight

from gradcam_tf1.errors import BindingError
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.tf_runtime import tf

SIZE = (10, 14)


def images(count=2):
    return np.rint(np.random.RandomState(0).uniform(0, 255, (count, *SIZE, 3))).astype(np.float32)


def convolution(x, outputs, stride=1):
    return tf.nn.relu(tf.nn.conv2d(x, weight(3, 3, int(x.shape[-1] or 3), outputs) / 3, [1, stride, stride, 1], "SAME"))


def head(x):
    features = tf.identity(convolution(convolution(x, 6, 2), 5), name="features")
    pooled = tf.reduce_mean(features * tf.range(1.0, 6.0), [1, 2])
    tf.nn.softmax(tf.matmul(pooled, weight(5, 3), name="logits"), name="prob")


def resized(back_prop=True):
    """A usual input function; authors who do not train through it set back_prop=False."""
    x = tf.placeholder(tf.float32, [None, None, None, 3], name="input")
    y = tf.map_fn(lambda one: tf.image.resize_images(one, (8, 8)), x, back_prop=back_prop)
    head(y / 255.0 - 0.5)


def resized_without_gradient():
    resized(back_prop=False)


def detector_export():
    """A net as the Object Detection API exports it: uint8, cast, a loop with two results."""
    x = tf.placeholder(tf.uint8, [None, None, None, 3], name="input")

    def one(image):
        small = tf.image.resize_images(image, (8, 8))
        return [small, tf.shape(small)]

    small, _ = tf.map_fn(one, tf.to_float(x), dtype=[tf.float32, tf.int32])
    head(2.0 / 255 * small - 1.0)


def standardised():
    x = tf.placeholder(tf.float32, [None, *SIZE, 3], name="input")
    head(tf.map_fn(tf.image.per_image_standardization, x))


def between():
    """A net with a convolution before the loop, too."""
    x = tf.placeholder(tf.float32, [None, *SIZE, 3], name="input")
    head(tf.map_fn(lambda one: tf.image.resize_images(one, (8, 8)), convolution(x / 255.0, 3)))


BEFORE = (resized, resized_without_gradient, detector_export, standardised, between)


def graph_of(build, functional=False):
    graph = tf.Graph()
    with graph.as_default(), loop_nets.loops_of_ops(not functional):
        build()
    return graph


def frozen(graph):
    with graph.as_default():
        return tf.graph_util.extract_sub_graph(graph.as_graph_def(), ["prob"])


def in_the_building_graph(build, dtype):
    """Return features and gradients of class 1 by the features, and by the input if it holds floats."""
    build = resized if build is resized_without_gradient else build  # its author switched the gradient off
    graph = graph_of(build)
    with graph.as_default(), loop_nets.loops_of_ops(), tf.Session(graph=graph) as sess:
        ends = [graph.get_tensor_by_name(f"{name}:0") for name in ("features", "input")]
        ends = ends if dtype == "float32" else ends[:1]
        grads = tf.gradients(graph.get_tensor_by_name("logits:0")[:, 1], ends)
        return sess.run([ends[0], *grads], {"input:0": images().astype(dtype)})


@pytest.mark.parametrize(
    ("build", "functional"),
    [*((build, False) for build in BEFORE), (resized_without_gradient, True), (detector_export, True)],
)
def test_maps_behind_a_loop(build, functional):
    with GradCamGraph(frozen(graph_of(build, functional)), preset="raw") as net:
        assert (net.binding.input, net.binding.logits) == ("input:0", "logits:0")
        assert net.binding.layers[-1].name.startswith("Relu")
        assert not [warning for warning in net.binding.warnings if "gradient" in warning]
        features, grads, *pixels = in_the_building_graph(build, net.binding.dtype)
        if functional and build is resized_without_gradient:  # TensorFlow 2 writes a StopGradient behind the loop
            pixels = []
        found = net.explain(images(), targets=[1], methods=["hirescam", *["gradient" for _ in pixels]])
    raw = (features.astype(np.float64) * grads).sum(-1)
    np.testing.assert_allclose(found["hirescam"][:, 0], raw, rtol=1e-3, atol=1e-5 * np.abs(raw).max())
    for wanted in pixels:
        np.testing.assert_allclose(found["gradient"][:, 0], wanted, rtol=1e-3, atol=1e-5 * np.abs(wanted).max())


def test_images_that_a_loop_decodes_are_fed_behind_it():
    def build():
        x = tf.placeholder(tf.string, [None], name="input")
        decode = lambda data: tf.image.resize_images(tf.to_float(tf.image.decode_jpeg(data, channels=3)), (8, 8))  # noqa: E731
        head(tf.map_fn(decode, x, dtype=tf.float32) / 255.0 - 0.5)

    with GradCamGraph(frozen(graph_of(build)), preset="raw") as net:
        assert net.binding.input.endswith("TensorArrayGatherV3:0")
        assert net.binding.image_size == (8, 8)
        assert net.explain(images()[:, :8, :8], targets=[1])["gradcam"].shape == (2, 1, 4, 4)


def inside():
    x = tf.placeholder(tf.float32, [None, *SIZE, 3], name="input")
    pooled = tf.map_fn(lambda one: tf.reduce_mean(convolution(convolution(one[tf.newaxis], 6, 2), 5)[0], [0, 1]), x)
    tf.nn.softmax(tf.matmul(pooled, weight(5, 3), name="logits"), name="prob")


def test_convolutions_in_a_loop_are_refused_with_the_way_out():
    with pytest.raises(BindingError, match="outside a loop; the last convolution.* by reshaping them to one batch"):
        GradCamGraph(frozen(graph_of(inside)), preset="raw").binding  # noqa: B018 - bound at first use


def test_convolutions_in_a_functional_loop_are_refused_too():
    with pytest.raises(BindingError, match="inside the function of 'map/while'.* a loop"):
        GradCamGraph(frozen(graph_of(inside, functional=True)), preset="raw").binding  # noqa: B018


def test_scores_in_a_loop_are_refused():
    model = loop_nets.build(loop_nets.recurrent).frozen
    with pytest.raises(BindingError, match="'while/Tanh:0' lies inside a loop.* name a tensor before or after"):
        GradCamGraph(model, input="input", logits="while/Tanh", preset="raw").binding  # noqa: B018


def test_a_layer_in_a_loop_is_refused():
    model = frozen(graph_of(between))
    name = next(node.name for node in model.node if node.op == "ResizeBilinear")
    with GradCamGraph(model, preset="raw", layer=name) as net, pytest.raises(BindingError, match="inside a loop"):
        net.binding  # noqa: B018
