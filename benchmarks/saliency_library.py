"""PAIR's `saliency` (https://github.com/PAIR-code/saliency) on the graph and session of a net of ours."""

from __future__ import annotations

import numpy as np
from saliency import tf1

from gradcam_tf1 import GradCamGraph
from gradcam_tf1.tf_runtime import tf, unfinalized


class SaliencyGradCam:
    """Its Grad-CAM of the bound layer, one image and one class at a time."""

    def __init__(self, net: GradCamGraph) -> None:
        layer = net.binding.layer
        with unfinalized(net.graph) as graph:
            x, logits, features = map(graph.get_tensor_by_name, (net.binding.input, net.binding.logits, layer))
            self._class_id = tf.placeholder(tf.int32, [])
            self._theirs = tf1.GradCam(graph, net.sess, logits[:, self._class_id], x, features)
        self._feeds = net.binding.feeds

    def mask(self, image: np.ndarray, class_id: int) -> np.ndarray:
        """The map of one prepared image [H, W, C], at the layer's size: float32 [h, w]."""
        feed = {**self._feeds, self._class_id: class_id}
        return self._theirs.GetMask(image, feed, should_resize=False, three_dims=False)
