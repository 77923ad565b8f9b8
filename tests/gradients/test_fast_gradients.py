"""The faster formulas are the gradients, wherever they claim to apply; elsewhere TensorFlow's own stay."""

from __future__ import annotations

import numpy as np
import pytest

from gradcam_tf1.gradients import fast_gradients
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.tf_runtime import own_gradient, tf


def convolution(kernel=(3, 3), channels=8, strides=1, padding="SAME", dilation=1):
    random = np.random.RandomState(0)
    graph = tf.Graph()
    with graph.as_default():
        x = tf.placeholder(tf.float32, [None, 9, 7, channels], name="x")
        weights = random.randn(*kernel, channels, 5).astype(np.float32)
        tf.nn.conv2d(x, weights, [1, strides, strides, 1], padding, dilations=[1, dilation, dilation, 1], name="y")
    return graph, random.randn(2, 9, 7, channels).astype(np.float32)


def gradient_of(formula, graph, x):
    """dL/dx by a formula, L = sum(y sin(0, 1, 2, ...)), in one run with the convolution."""
    with graph.as_default(), tf.Session() as sess:
        y = graph.get_tensor_by_name("y:0")
        above = tf.reshape(tf.sin(tf.cast(tf.range(tf.size(y)), tf.float32)), tf.shape(y))
        return sess.run([formula(y.op, above), y], {"x:0": x})[0]


def exact_gradient(graph, x):
    """The same from the convolution itself, which is linear: what each pixel adds to L, in float64."""
    batch = np.eye(x[0].size, dtype=np.float32).reshape(-1, *x[0].shape)
    with tf.Session(graph=graph) as sess:
        ways, y = sess.run("y:0", {"x:0": batch}), sess.run("y:0", {"x:0": x})
    above = np.sin(np.arange(y.size, dtype=np.float32), dtype=np.float64).reshape(len(x), -1)
    return (above @ ways.reshape(len(batch), -1).T.astype(np.float64)).reshape(x.shape)


@pytest.mark.parametrize("kernel", [(1, 1), (3, 3), (5, 3), (7, 1)])
def test_the_turned_convolution_is_the_gradient_on_this_runtime(kernel):
    graph, x = convolution(kernel)
    assert fast_gradients._is_turnable(graph.get_operation_by_name("y"))
    expected = exact_gradient(graph, x)
    turned = gradient_of(fast_gradients.turned_convolution, graph, x)
    assert np.abs(expected).max() > 1
    np.testing.assert_allclose(turned, expected, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("options", [{}, {"kernel": (2, 2)}, {"kernel": (3, 4), "strides": 2}, {"padding": "VALID"}])
def test_the_gradient_that_intels_build_gets_is_the_gradient(options, monkeypatch):
    graph, x = convolution(**options)
    expected = exact_gradient(graph, x)
    monkeypatch.setattr(fast_gradients, "is_intel_build", lambda: True)
    monkeypatch.setattr(fast_gradients, "_is_worth_it", lambda: False)
    own = fast_gradients.FASTER["Conv2D"](own_gradient("Conv2D"))
    found = gradient_of(lambda op, above: own(op, above)[0], graph, x)
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())
    used = [op for op in graph.get_operations() if op.type == "Conv2DBackpropInput"][-1]
    assert used.inputs[1].op.type == "PlaceholderWithDefault"


@pytest.mark.parametrize(
    "options",
    [{"kernel": (2, 2)}, {"kernel": (3, 4)}, {"strides": 2}, {"padding": "VALID"}, {"dilation": 2}, {"channels": 3}],
)
def test_other_convolutions_keep_tensorflows_own_gradient(options):
    graph, _ = convolution(**options)
    assert not fast_gradients._is_turnable(graph.get_operation_by_name("y"))


def product(transpose_b=False, rows=(None,)):
    graph = tf.Graph()
    with graph.as_default():
        x = tf.placeholder(tf.float32, [*rows, 6], name="x")
        kernel = np.random.RandomState(3).randn(*((4, 6) if transpose_b else (6, 4))).astype(np.float32)
        tf.matmul(x, kernel, transpose_b=transpose_b, name="y")
    return graph


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_the_kernel_first_is_the_gradient_on_this_runtime(rows, monkeypatch):
    monkeypatch.setattr(fast_gradients, "MIN_WEIGHTS", 24)
    graph = product()
    x, above = (np.random.RandomState(4).randn(rows, width).astype(np.float32) for width in (6, 4))
    with graph.as_default(), tf.Session() as sess:
        y = graph.get_tensor_by_name("y:0")
        own = tf.gradients(y, graph.get_tensor_by_name("x:0"), above)[0]
        assert fast_gradients._is_large(y.op)
        own, faster = sess.run([own, fast_gradients.kernel_first(y.op, tf.constant(above))], {"x:0": x})
    assert own.shape == (rows, 6)
    assert np.abs(own).max() > 1
    np.testing.assert_allclose(faster, own, atol=1e-6 * np.abs(own).max())


@pytest.mark.parametrize(("options", "least"), [({}, 25), ({"transpose_b": True}, 24)])
def test_other_products_keep_tensorflows_own_gradient(options, least, monkeypatch):
    monkeypatch.setattr(fast_gradients, "MIN_WEIGHTS", least)
    assert not fast_gradients._is_large(product(**options).get_operation_by_name("y"))


def net(held=lambda values: values):
    """held: what holds a kernel; as a constant, Intel's build would give wrong gradients of the plain graph."""
    random = np.random.RandomState(1)
    graph = tf.Graph()
    with graph.as_default():
        a = tf.placeholder(tf.float32, [None, 12, 10, 3], name="input")
        for channels, out in ((3, 16), (16, 16), (16, 8)):
            kernel = held(random.randn(3, 3, channels, out).astype(np.float32) / np.float32(np.sqrt(9 * channels)))
            a = tf.nn.relu(tf.nn.conv2d(a, kernel, [1, 1, 1, 1], "SAME"))
        flat = tf.reshape(tf.identity(a, name="features"), [-1, 12 * 10 * 8])
        tf.matmul(flat, random.randn(12 * 10 * 8, 4).astype(np.float32), name="logits")
    return graph.as_graph_def()


@pytest.mark.parametrize("faster", [True, False])
def test_the_maps_are_the_same_either_way(faster, monkeypatch):
    monkeypatch.setattr(fast_gradients, "_is_worth_it", lambda: faster)
    monkeypatch.setattr(fast_gradients, "MIN_WEIGHTS", 1000)
    images = np.random.RandomState(2).randint(0, 256, (2, 12, 10, 3)).astype(np.uint8)
    with GradCamGraph(net(), preset="inception", logits="logits", layer="features") as ours:
        explanation = ours.explain(images, [0, 1], methods=["gradient", "guided_backprop", "gradcam"])
        added = [op for op in ours.graph.get_operations() if op.name.startswith("gradcam_tf1")]
    with tf.Graph().as_default() as plain, tf.Session() as sess:
        tf.import_graph_def(net(lambda values: tf.placeholder_with_default(values, values.shape)), name="")
        logits, x, a = (plain.get_tensor_by_name(name) for name in ("logits:0", "input:0", "features:0"))
        grads = [tf.gradients(logits[:, c], [x, a]) for c in (0, 1)]
        features, found = sess.run([a, grads], {x: images / np.float32(127.5) - 1})
    pixels, at_layer = (np.stack(list(one), axis=1) for one in zip(*found))
    cams = np.maximum((at_layer.mean((2, 3), keepdims=True) * features[:, np.newaxis]).sum(-1), 0)
    assert ("Conv2D" in {op.type for op in added}) == faster
    # the kernel is the left side of a product only where the faster formula was taken
    assert any(op.type == "MatMul" and op.inputs[0].op.type == "Const" for op in added) == faster
    np.testing.assert_allclose(explanation["gradient"], pixels, atol=1e-5 * np.abs(pixels).max())
    np.testing.assert_allclose(explanation["gradcam"], cams, atol=1e-5 * cams.max())
    assert explanation["guided_backprop"].any()
