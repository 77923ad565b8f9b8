"""An empty map is no proof that nothing speaks for a class: by hand, a head that weighs positions differently."""

from __future__ import annotations

import numpy as np

from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.tf_runtime import tf


def test_gradients_that_cancel_make_gradcam_empty_and_the_reason_says_whose_count_it_is(graph):
    """A = (5, 1), y = A_0 - 3 A_1 = 2: the mean of the gradient is -1, so that Grad-CAM is below zero everywhere."""
    x = tf.placeholder(tf.float32, [None, 1, 2, 3], name="input")
    kernel = np.float32([1, 0, 0]).reshape(1, 1, 3, 1)
    a = tf.nn.relu(tf.nn.conv2d(x, kernel, [1, 1, 1, 1], "SAME"), name="features")
    tf.matmul(tf.reshape(a, [-1, 2]), np.float32([[1, 0], [-3, 0]]), name="logits")
    image = np.float32([5, 1]).reshape(1, 2, 1).repeat(3, axis=2)
    with GradCamGraph(graph.as_graph_def(), preset="raw", layer="features", logits="logits") as net:
        found = net.explain(image, 0, ["gradcam", "hirescam"])
    assert found.scores[0, 0] == 2
    np.testing.assert_allclose(found["hirescam"][0, 0], [[5, -3]])
    status = found.map("gradcam")
    assert status.status == "empty"
    assert "against this class, as this method counts it: no value above zero" in status.reason
