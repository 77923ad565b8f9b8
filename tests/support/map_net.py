"""A net that gives class scores at several positions, with its float64 twin."""

from __future__ import annotations

import numpy as np

from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.tf_runtime import tf


class MapNet:
    """features = relu(x K) [N, 8, 12, 4]; scores = 2x2 mean of them, times W: [N, 4, 6, C] or [N, 24, C]."""

    def __init__(self, anchors=False):
        random = np.random.RandomState(5)
        self.kernel = random.randn(3, 4).astype(np.float32)
        self.weights = random.randn(4, 3).astype(np.float32)
        self.images = random.randn(2, 8, 12, 3).astype(np.float32)
        self.features = np.maximum(self.images @ self.kernel, 0).astype(np.float64)
        self.maps = self.features.reshape(2, 4, 2, 6, 2, 4).mean((2, 4)) @ self.weights
        self.graph = tf.Graph()
        with self.graph.as_default():
            x = tf.placeholder(tf.float32, [None, 8, 12, 3], name="input")
            a = tf.nn.relu(tf.nn.conv2d(x, self.kernel[None, None], [1, 1, 1, 1], "SAME"), name="features")
            pooled = tf.nn.avg_pool(a, [1, 2, 2, 1], [1, 2, 2, 1], "VALID")
            maps = tf.nn.conv2d(pooled, self.weights[None, None], [1, 1, 1, 1], "SAME", name="scores")
            if anchors:
                tf.reshape(maps, [-1, 24, 3], name="anchors")
        self.logits = "anchors" if anchors else "scores"

    def explain(self, targets):
        options = {"preset": "raw", "logits": self.logits, "layer": "features"}
        with GradCamGraph(self.graph.as_graph_def(), **options) as net:
            return net.explain(self.images, targets, methods="hirescam")

    def hires(self, weights, class_id):
        """The twin of y = sum_ij weights[n, i, j] * scores[n, i, j, class]."""
        fine = np.repeat(np.repeat(weights, 2, axis=1), 2, axis=2) / 4
        return fine * (self.features @ self.weights[:, class_id])
