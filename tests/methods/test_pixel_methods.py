"""Gradients by the pixels under each rule: float64 twins and identities."""

from __future__ import annotations

import numpy as np
import pytest
from pixel_nets import explain, random_images
from small_nets import SmallNet, conv_same_backward, relu_backward, run

from gradcam_tf1.errors import GradientError
from gradcam_tf1.gradients.guided import override_map
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import Binding


def test_the_gradient_equals_the_twin():
    net = SmallNet("flat")
    images = net.images(2)
    expected = np.stack([net.pixel_grads(images, c, guided=False) for c in (0, 3)], axis=1)
    maps = run(net, images, [0, 3], ["gradient", "gradient_x_input"]).maps
    np.testing.assert_allclose(maps["gradient", ""], expected, atol=1e-5)
    np.testing.assert_allclose(maps["gradient_x_input", ""], expected * images[:, np.newaxis], atol=1e-5)
    assert np.abs(expected).max() > 0.05


def test_gradient_times_input_adds_up_to_the_score_of_a_net_without_biases():
    net = SmallNet("flat")
    for name in ("b1", "b2", "b3", "b4"):
        net.weights[name][:] = 0
    images = net.images(2)
    maps = run(net, images, [1, 2], ["gradient_x_input"]).maps["gradient_x_input", ""]
    np.testing.assert_allclose(maps.sum((2, 3, 4)), net.forward(images)["logits"][:, 1:3], rtol=1e-4)


def deconvnet_twin(net, images, class_id):
    """As `SmallNet.pixel_grads`, each ReLU handing down [R > 0] R whatever it put out."""
    w = {name: value.astype(np.float64) for name, value in net.weights.items()}
    state = net.forward(images)
    passed = {name: np.ones_like(value) for name, value in state.items()}
    grad = relu_backward(np.broadcast_to(w["w4"][:, class_id], state["hidden"].shape), passed["hidden"], True)
    grad = relu_backward((grad @ w["w3"].T).reshape(state["features"].shape), passed["features"], True)
    grad = np.repeat(np.repeat(conv_same_backward(grad, w["w2"]), 2, axis=1), 2, axis=2) / 4
    return conv_same_backward(relu_backward(grad, passed["a1"], True), w["w1"])


def test_deconvnet_equals_the_twin():
    net = SmallNet("flat")
    images = net.images(2)
    answer = run(net, images, [1, 2], ["deconvnet", "guided_backprop"])
    expected = np.stack([deconvnet_twin(net, images, c) for c in (1, 2)], axis=1)
    np.testing.assert_allclose(answer.maps["deconvnet", ""], expected, atol=1e-5)
    assert np.abs(expected - answer.maps["guided_backprop", ""]).max() > 0.01


def test_what_a_rule_reached_is_said_of_each_map():
    answer = run(SmallNet("flat"), SmallNet("flat").images(2), [1, 2], ["gradient", "deconvnet", "guided_gradcam"])
    assert {status.notes for row in answer.statuses["gradient", ""] for status in row} == {()}
    for key, rule in ((("deconvnet", ""), "deconvnet"), (("guided_gradcam", "features:0"), "guided")):
        notes = [status.notes for row in answer.statuses[key] for status in row]
        assert notes == [(f"the {rule} rule changed 3 Relu",)] * 4


def test_a_net_of_swishes_has_a_gradient_but_no_guided_one():
    graph = tf.Graph()
    with graph.as_default(), override_map(graph):
        x = tf.placeholder(tf.float32, [None, 4, 4, 3], name="input")
        features = tf.multiply(x, tf.sigmoid(x), name="features")
        tf.matmul(tf.reduce_mean(features, [1, 2]), np.eye(3, dtype=np.float32), name="logits")
    binding = Binding("input:0", "logits:0", "features:0", layers=(), classes=3, image_size=(4, 4))
    images = random_images(1, (4, 4))
    for method in ("guided_backprop", "deconvnet"):
        with pytest.raises(GradientError, match=r"found there: 1 Sigmoid\. Swish, SiLU and GELU have no such rule"):
            explain(graph, binding, images, [1], [method])
    sigmoid = 1 / (1 + np.exp(-images[0].astype(np.float64)))
    expected = (sigmoid + images[0] * sigmoid * (1 - sigmoid)) * [0, 1, 0] / 16
    maps = explain(graph, binding, images, [1], ["gradient"]).maps["gradient", ""]
    np.testing.assert_allclose(maps[0, 0], expected, atol=1e-6)


@pytest.mark.parametrize("batch", [1, 3])
def test_a_baked_batch_size_changes_nothing(batch):
    net = SmallNet("flat")
    images = net.images(2)
    methods = ["gradient", "deconvnet", "smoothgrad"]
    free = explain(net.graph(), net.binding(), images, [1], methods).maps
    baked = explain(net.graph(batch=batch), net.binding(batch=batch), images, [1], methods).maps
    for key, maps in free.items():
        np.testing.assert_allclose(baked[key], maps, atol=1e-6)


def test_no_gradient_is_an_error_that_names_the_op():
    graph = tf.Graph()
    with graph.as_default(), override_map(graph):
        x = tf.placeholder(tf.float32, [None, 4, 4, 3], name="input")
        tf.reduce_mean(tf.round(x, name="steps"), [1, 2], name="logits")
    binding = Binding("input:0", "logits:0", "steps:0", layers=(), classes=3, image_size=(4, 4))
    for method in ("gradient", "smoothgrad", "integrated_gradients", "blur_ig", "guided_ig", "fullgrad"):
        with pytest.raises(GradientError, match=r"stops at 'steps' \(R"):
            explain(graph, binding, random_images(1, (4, 4)), [0], [method])
