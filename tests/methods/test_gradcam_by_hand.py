"""Grad-CAM, guided backprop and Guided Grad-CAM of a net so small that every number can be derived by hand.

The net takes an image x of 5 x 5 pixels with one channel and has one layer of two feature maps:

    A_1 = relu(x)                         what is bright
    A_2 = relu(2 - x)                     what is dark, up to 2

and two classes, whose scores are weighted sums over all positions:

    y_bright =  1 * sum(A_1) - 1 * sum(A_2)
    y_dark   = -1 * sum(A_1) + 2 * sum(A_2)
"""

from __future__ import annotations

import numpy as np
from small_nets import class_asks, request

from gradcam_tf1.engine.map_engine import MapEngine
from gradcam_tf1.gradients.guided import override_map
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import Binding, LayerInfo

BRIGHT, DARK = 0, 1

IMAGE = [
    [2, 2, 2, 2, 2],
    [2, 5, 2, 2, 2],
    [2, 2, 2, 2, 2],
    [2, 2, 2, 0, 2],
    [2, 2, 2, 2, 2],
]

# relu(x)
A_1 = IMAGE

# relu(2 - x): only the pixel that is 0 is darker than 2
A_2 = [
    [0, 0, 0, 0, 0],
    [0, 0, 0, 0, 0],
    [0, 0, 0, 0, 0],
    [0, 0, 0, 2, 0],
    [0, 0, 0, 0, 0],
]

# sum(A_1) = 23 * 2 + 5 + 0 = 51 and sum(A_2) = 2
SCORES = [51 - 2, -51 + 2 * 2]

# Grad-CAM is relu(w_1 A_1 + w_2 A_2), where w_k is the mean over the positions of dy/dA_k. The scores are sums, so
# dy/dA_k is the class's weight at every position, and so is its mean:
#   bright: w = (1, -1), so relu(A_1 - A_2).   2 - 0 = 2, 5 - 0 = 5, and 0 - 2 = -2, which the relu closes.
#   dark:   w = (-1, 2), so relu(2 A_2 - A_1). 0 - 2 = -2 and 0 - 5 = -5, closed; 2 * 2 - 0 = 4.
GRADCAM_BRIGHT = [
    [2, 2, 2, 2, 2],
    [2, 5, 2, 2, 2],
    [2, 2, 2, 2, 2],
    [2, 2, 2, 0, 2],
    [2, 2, 2, 2, 2],
]
GRADCAM_DARK = [
    [0, 0, 0, 0, 0],
    [0, 0, 0, 0, 0],
    [0, 0, 0, 0, 0],
    [0, 0, 0, 4, 0],
    [0, 0, 0, 0, 0],
]

# Guided backprop is dy/dx, where a ReLU passes a gradient back only if its output and the gradient are above zero.
#   bright: A_1 receives 1, and passes it where x > 0; A_2 receives -1, which its ReLU stops everywhere.
#   dark:   A_1 receives -1, stopped everywhere; A_2 receives 2, and passes it where 2 - x > 0, at one pixel. From
#           there on it meets d(2 - x)/dx = -1: a darker pixel raises the score.
GUIDED_BRIGHT = [
    [1, 1, 1, 1, 1],
    [1, 1, 1, 1, 1],
    [1, 1, 1, 1, 1],
    [1, 1, 1, 0, 1],
    [1, 1, 1, 1, 1],
]
GUIDED_DARK = [
    [0, 0, 0, 0, 0],
    [0, 0, 0, 0, 0],
    [0, 0, 0, 0, 0],
    [0, 0, 0, -2, 0],
    [0, 0, 0, 0, 0],
]

# Guided Grad-CAM is the product of both, pixel by pixel. The layer is as large as the image, so nothing is enlarged.
GUIDED_GRADCAM_BRIGHT = [
    [2, 2, 2, 2, 2],
    [2, 5, 2, 2, 2],
    [2, 2, 2, 2, 2],
    [2, 2, 2, 0, 2],
    [2, 2, 2, 2, 2],
]
GUIDED_GRADCAM_DARK = [
    [0, 0, 0, 0, 0],
    [0, 0, 0, 0, 0],
    [0, 0, 0, 0, 0],
    [0, 0, 0, -8, 0],
    [0, 0, 0, 0, 0],
]


def explained(methods):
    """The engine's answer for both classes."""
    graph = tf.Graph()
    with graph.as_default(), override_map(graph):
        x = tf.placeholder(tf.float32, [None, 5, 5, 1], name="input")
        features = tf.nn.relu(tf.concat([x, 2 - x], axis=3), name="features")
        sums = tf.reduce_sum(features, axis=[1, 2])
        tf.matmul(sums, tf.constant([[1.0, -1.0], [-1.0, 2.0]]), name="logits")
    layer = LayerInfo("features:0", "Relu", (None, 5, 5, 2))
    binding = Binding("input:0", "logits:0", "features:0", layers=(layer,), channels=1, classes=2)
    batch = np.array(IMAGE, np.float32).reshape((1, 5, 5, 1))
    with tf.Session(graph=graph) as sess:
        return MapEngine(graph, sess, binding, 8).run(request(batch, class_asks([BRIGHT, DARK]), methods, (layer,)))


def test_the_scores():
    np.testing.assert_array_equal(explained("gradcam").scores, [SCORES])


def test_gradcam():
    maps = explained("gradcam").maps["gradcam", "features:0"]
    np.testing.assert_array_equal(maps, [[GRADCAM_BRIGHT, GRADCAM_DARK]])


def test_guided_backprop():
    maps = explained("guided_backprop").maps["guided_backprop", ""]
    np.testing.assert_array_equal(maps[..., 0], [[GUIDED_BRIGHT, GUIDED_DARK]])


def test_guided_gradcam():
    maps = explained("guided_gradcam").maps["guided_gradcam", "features:0"]
    np.testing.assert_array_equal(maps[..., 0], [[GUIDED_GRADCAM_BRIGHT, GUIDED_GRADCAM_DARK]])
    # and it is the product of the two tables above
    np.testing.assert_array_equal(np.multiply(GRADCAM_BRIGHT, GUIDED_BRIGHT), GUIDED_GRADCAM_BRIGHT)
    np.testing.assert_array_equal(np.multiply(GRADCAM_DARK, GUIDED_DARK), GUIDED_GRADCAM_DARK)


def test_the_features():
    np.testing.assert_array_equal(np.maximum(IMAGE, 0), A_1)
    np.testing.assert_array_equal(np.maximum(2 - np.array(IMAGE), 0), A_2)
