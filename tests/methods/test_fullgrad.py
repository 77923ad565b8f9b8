"""FullGrad against a float64 twin: input and biases of every kind add up to the score."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from pixel_nets import explain, random_images, small, the_map
from small_nets import SmallNet, conv_same_backward

from gradcam_tf1.gradients.guided import override_map
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import Binding, LayerInfo


def test_fullgrad_equals_the_twin():
    net = SmallNet("flat")
    images = net.images(2)
    maps = small(images, "fullgrad", net, class_ids=(1, 3))
    for place, class_id in enumerate((1, 3)):
        expected = sum(spread_out(part) for part in fullgrad_parts(net, images, class_id)[:3])
        np.testing.assert_allclose(maps[:, place], expected, rtol=1e-3, atol=1e-4)


def fullgrad_parts(net, images, class_id):
    """x * dy/dx and b * dy/dz of the four bias layers, in float64."""
    w = {name: value.astype(np.float64) for name, value in net.weights.items()}
    state = net.forward(images)
    at_features = net.feature_grads(images, class_id) * (state["features"] > 0)
    below = np.broadcast_to(w["w4"][:, class_id], state["hidden"].shape) * (state["hidden"] > 0)
    pooled = conv_same_backward(at_features, w["w2"])
    at_first = np.repeat(np.repeat(pooled, 2, axis=1), 2, axis=2) / 4 * (state["a1"] > 0)
    return [
        images * net.pixel_grads(images, class_id, guided=False),
        at_first * w["b1"],
        at_features * w["b2"],
        below * w["b3"],
        np.full((len(images), 1), w["b4"][class_id]),
    ]


def spread_out(part):
    """psi, summed over the channels: magnitudes to 0..1 within each image, half-pixel bilinear to 8 x 12."""
    sizes = np.abs(part)
    low, high = sizes.min((1, 2, 3), keepdims=True), sizes.max((1, 2, 3), keepdims=True)
    summed = ((sizes - low) / (high - low)).sum(-1)
    return np.stack([cv2.resize(each, (12, 8), interpolation=cv2.INTER_LINEAR) for each in summed])


def test_the_parts_of_fullgrad_add_up_to_the_score_exactly():
    net = SmallNet("flat")
    images = net.images(2)
    for class_id in range(4):
        total = sum(part.reshape(2, -1).sum(1) for part in fullgrad_parts(net, images, class_id))
        np.testing.assert_allclose(total, net.forward(images)["logits"][:, class_id], rtol=1e-9)
    answer = explain(net.graph(), net.binding(), images, [2], ["fullgrad"])
    for n in range(2):
        (note,) = answer.statuses["fullgrad", ""][n][0].notes
        assert note.startswith("completeness: the input and 4 biases add up to ")
        assert note.endswith("0.0% off")


def test_batch_norms_and_every_activation_are_in_the_sum():
    """Implicit biases: beta - mean gamma / deviation of a batch norm, f(x) - f'(x) x of curved activations."""
    random = np.random.RandomState(0)
    graph = tf.Graph()
    with graph.as_default(), override_map(graph):
        x = tf.placeholder(tf.float32, [None, 6, 6, 3], name="input")
        a = (x - np.float32(0.3)) * np.float32(2)
        for activation in (tf.nn.relu6, tf.nn.elu, tf.nn.softplus, tf.tanh, tf.sigmoid, tf.nn.selu, tf.nn.leaky_relu):
            a = tf.nn.conv2d(a, random.randn(3, 3, 3, 3).astype(np.float32), [1, 1, 1, 1], "SAME")
            numbers = [random.uniform(0.5, 1.5, 3).astype(np.float32) for _ in range(4)]
            a = tf.nn.fused_batch_norm(a, *numbers, is_training=False)[0]
            # not right behind the batch norm: TensorFlow 2.21 fuses the two into an op that it does not have
            a = activation(tf.nn.max_pool(a, [1, 1, 1, 1], [1, 1, 1, 1], "SAME"))
        a = tf.clip_by_value(a, -0.5, 4.0) + tf.nn.max_pool(a, [1, 3, 3, 1], [1, 1, 1, 1], "SAME")
        features = tf.identity(a, name="features")
        tf.reduce_mean(features, [1, 2], name="logits")
    layer = LayerInfo("features:0", "Identity", (None, 6, 6, 3))
    binding = Binding("input:0", "logits:0", "features:0", layers=(layer,), image_size=(6, 6), classes=3)
    status = explain(graph, binding, random_images(1, (6, 6)), [1], ["fullgrad"]).statuses["fullgrad", ""][0][0]
    # 1 subtraction, 7 batch norms, 6 activations with a bias, 2 bounds of the clip
    assert "the input and 16 biases add up" in status.notes[0]
    assert status.notes[0].endswith("0.0% off")


def test_channels_first_gives_the_fullgrad_of_channels_last():
    net = SmallNet("flat")
    images = net.images(1)
    last = small(images, "fullgrad", net)
    first = the_map(net.graph(channels_first=True), net.binding(channels_first=True), images, "fullgrad")
    np.testing.assert_allclose(first, last, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("taken", [False, True])
def test_biases_in_conditions_count_where_their_branch_is_taken(taken):
    """y = sum of (x + 0.5) + 1 or of (2 x - 3) + 4 - 5 + 1, the inner condition in the outer one's second branch."""
    graph = tf.Graph()
    with graph.as_default(), override_map(graph):
        x = tf.placeholder(tf.float32, [None, 4, 4, 3], name="input")
        outer, inner = (tf.placeholder(tf.bool, [], name=name) for name in ("outer", "inner"))
        first, second = tf.raw_ops.Switch(data=x, pred=outer)
        # as tf.cond does: what the inner condition reads comes through the outer one
        inner_pred = tf.raw_ops.Switch(data=inner, pred=outer)[1]
        inner_first, inner_second = tf.raw_ops.Switch(data=second * 2.0 - 3.0, pred=inner_pred)
        inner_both = tf.raw_ops.Merge(inputs=[inner_first + 4.0, inner_second * 7.0 - 1.0])[0]
        both = tf.raw_ops.Merge(inputs=[first + 0.5, inner_both - 5.0])[0]
        features = tf.identity(tf.reshape(both, [-1, 4, 4, 3]) + 1.0, name="features")
        tf.reduce_sum(features, [1, 2], name="logits")
    layer = LayerInfo("features:0", "Identity", (None, 4, 4, 3))
    fields = {"layers": (layer,), "image_size": (4, 4), "classes": 3, "feeds": {"outer:0": taken, "inner:0": False}}
    binding = Binding("input:0", "logits:0", "features:0", **fields)
    images = random_images(2, (4, 4))
    answer = explain(graph, binding, images, [1], ["fullgrad"])
    count, rise = (4, 2 * images[..., 1] - 3) if taken else (2, images[..., 1] + 1.5)
    for n, score in enumerate(rise.sum((1, 2))):
        note = answer.statuses["fullgrad", ""][n][0].notes[0]
        assert f"input and {count} biases add up to {score:.4g}, the score is {score:.4g}, 0.0% off" in note


def test_biases_of_channels_first_ops_are_summed_over_their_channels():
    """y = sum of relu(x + b) over class channels: the parts are x and b where that is above zero."""
    graph = tf.Graph()
    bias = np.array([0.5, -0.25, 0.0], np.float32)
    with graph.as_default(), override_map(graph):
        x = tf.placeholder(tf.float32, [None, 3, 4, 6], name="input")
        features = tf.nn.relu(tf.nn.bias_add(x, bias, data_format="NCHW"), name="features")
        tf.reduce_sum(features * features / 2, [2, 3], name="logits")
    layer = LayerInfo("features:0", "Relu", (None, 3, 4, 6), False)
    fields = {"layers": (layer,), "image_size": (4, 6), "classes": 3, "input_channels_last": False}
    binding = Binding("input:0", "logits:0", "features:0", **fields)
    images = random_images(1, (4, 6))
    # class 0: its gradient is relu(x_0 + 0.5), on channel 0 alone, so that each part is one channel of magnitudes
    grad = np.maximum(images[0, ..., 0] + 0.5, 0)
    parts = [np.abs(grad * images[0, ..., 0]), grad * 0.5]
    expected = sum(part / part.max() for part in parts)
    np.testing.assert_allclose(the_map(graph, binding, images, "fullgrad", (0,))[0, 0], expected, rtol=1e-4, atol=1e-5)
