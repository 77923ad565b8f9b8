"""Checks that must hold, and nets for which they do not; the shift of the input with known answers."""

from __future__ import annotations

import numpy as np
import pytest
from weight_nets import CLASSES, IMAGES, SIZE, conv, dense, made, normed, numbers, opened, plain, weight

from gradcam_tf1.sanity.compared_maps import ComparedMap, MapQuestion, difference, of_engine
from gradcam_tf1.sanity.net_checks import CHECKS, CheckedNet
from gradcam_tf1.sanity.weight_layers import find_weight_layers
from gradcam_tf1.tf_runtime import tf


def checked(net, methods, images=IMAGES):
    explainer = net.explainers[0]
    first = MapQuestion(explainer.prepare(images), methods)
    question = first.fixed(first.ask(explainer).class_ids)
    found = find_weight_layers(net.graph, net.binding)
    weights = explainer.engine.constants(found.names)
    intact = question.ask(of_engine(explainer, weights))
    return CheckedNet(explainer, question, intact, question.ask(explainer), weights, found.layers, 1e-3)


def states(build, check, methods=("gradient", "gradcam"), images=IMAGES, **options):
    with opened(made(build), **options) as net:
        found = CHECKS[check](checked(net, list(methods), images))
    return {result.method: result for result in found}


@pytest.mark.parametrize("check", ["repeat", "session", "batch"])
def test_a_common_net_holds(check):
    found = states(plain, check)
    assert {result.state for result in found.values()} == {"holds"}
    assert all(result.difference < 1e-5 for result in found.values())


def random_net(x):
    y = conv(x / 255.0, "one", 4)
    return dense(conv(y * tf.random_uniform(tf.shape(y)), "two", 5))


def test_a_net_with_random_numbers_does_not_repeat():
    for check in ("repeat", "session"):
        found = states(random_net, check)
        assert {result.state for result in found.values()} == {"fails"}
        assert all(result.difference > 0.01 for result in found.values())


def batch_statistics(x):
    y = conv(x / 255.0, "one", 4)
    mean, variance = tf.nn.moments(y, [0, 1, 2], keep_dims=True)
    return dense(conv((y - mean) / tf.sqrt(variance + 1e-3), "two", 5))


def test_a_net_that_mixes_the_images_of_a_batch_fails_alone():
    found = states(batch_statistics, "batch")
    assert {result.state for result in found.values()} == {"fails"}


def test_what_cannot_be_compared_in_a_batch():
    found = states(plain, "batch", images=IMAGES[:1])["gradient"]
    assert (found.state, found.about) == ("not checked", "there is one image; give two or more")
    assert np.isnan(found.difference)


def test_fresh_sessions_get_the_weights_of_variables(monkeypatch):
    monkeypatch.setattr("gradcam_tf1.engine.large_weights.MIN_BYTES", 64)
    found = states(plain, "session")
    assert all(result.state == "holds" and result.difference < 1e-5 for result in found.values())


# input shift

KERNEL = numbers("kernel", SIZE[0] * SIZE[1] * 3, CLASSES)


def linear(x):
    """A convolution of one pixel with a bias, and a dense layer: logits = sum of W (M x + b)."""
    y = tf.nn.conv2d(x, weight("mix", 1, 1, 3, 3), [1, 1, 1, 1], "VALID", name="first")
    y = tf.nn.bias_add(y, weight("first/b", 3))
    return tf.matmul(tf.reshape(y, [-1, KERNEL.shape[0]]), tf.constant(KERNEL, name="kernel"))


def test_a_linear_net_by_hand():
    """dy/dx = W M whatever x is; x dy/dx grows by the shift."""
    found = states(linear, "shift", ["gradient", "gradient_x_input"])
    assert found["gradient"].state == "unchanged"
    assert found["gradient"].difference < 1e-6
    shift = (IMAGES.max() - IMAGES.min()) / 2
    scores = IMAGES @ numbers("mix", 1, 1, 3, 3)[0, 0] + numbers("first/b", 3)
    classes = (scores.reshape(len(IMAGES), -1) @ KERNEL).argmax(axis=1)
    shares = []
    for image, class_id in zip(IMAGES.astype(np.float64), classes):
        gradient = KERNEL[:, class_id].reshape(*SIZE, 3) @ numbers("mix", 1, 1, 3, 3)[0, 0].T
        shares.append(np.linalg.norm((gradient * shift).sum(2)) / np.linalg.norm((gradient * image).sum(2)))
    assert found["gradient_x_input"].state == "changes"
    assert found["gradient_x_input"].difference == pytest.approx(max(shares), rel=1e-4)


def valid_with_bias(x):
    return dense(conv(conv(x / 255.0, "one", 4, padding="VALID"), "two", 5))


def valid_with_norm(x):
    y = tf.nn.conv2d(x / 255.0, weight("k", 3, 3, 3, 4), [1, 1, 1, 1], "VALID", name="one")
    return dense(conv(tf.nn.relu(normed(y, "norm")), "two", 5))


def valid_and_folded(x):
    y = tf.nn.conv2d(x / 255.0, weight("k", 3, 3, 3, 4), [1, 1, 1, 1], "VALID", name="one")
    return dense(conv(tf.nn.relu(y * weight("scale", 4) + weight("offset", 4)), "two", 5))


@pytest.mark.parametrize("build", [valid_with_bias, valid_with_norm, valid_and_folded])
def test_bias_mean_and_offset_take_the_shift_out(build):
    found = states(build, "shift", ["gradient", "gradient_x_input", "gradcam"])
    assert found["gradcam"].state == "unchanged"
    assert found["gradient"].difference < 0.05  # ReLUs near zero may switch
    assert found["gradient_x_input"].state == "changes"


def without_bias(x):
    y = tf.nn.conv2d(x / 255.0, weight("k", 3, 3, 3, 4), [1, 1, 1, 1], "VALID", name="one")
    return dense(conv(tf.nn.relu(y), "two", 5))


@pytest.mark.parametrize(
    ("build", "reason"),
    [
        (plain, "the first layer 'one' pads the image with zeros, which do not shift with it: .* see the border"),
        (without_bias, "the first layer 'one' has no bias of its own that could take the constant out"),
    ],
)
def test_shifts_that_are_not_judged(build, reason):
    import re

    found = states(build, "shift", ["gradient"])["gradient"]
    assert found.state == "not checked"
    assert re.search(reason, found.about)


def test_difference_by_hand():
    first = np.array([[[3.0, 4.0]], [[0.0, 0.0]]], np.float32)
    second = np.array([[[3.0, 3.0]], [[0.0, 0.0]]], np.float32)
    alive = np.array([False, False])
    pair = ComparedMap(first, first, alive), ComparedMap(second, second, alive)
    assert difference(*pair) == pytest.approx(0.2)
    assert difference(pair[0], pair[0]) == 0
    assert difference(
        ComparedMap(first[1:], first[1:], alive[1:]), ComparedMap(second[:1], second[:1], alive[1:])
    ) == float("inf")
