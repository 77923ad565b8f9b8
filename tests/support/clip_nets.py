"""A net of clips with a float64 numpy twin: each frame's convolution, pooled, squared, and summed over the frames."""

from __future__ import annotations

from typing import Any, Dict

import numpy as np
from small_nets import conv_same

from gradcam_tf1.tf_runtime import tf

FRAMES, SIDES, CHANNELS, CLASSES = 4, (6, 8), 5, 3

_random = np.random.RandomState(7)
KERNEL = (_random.randn(3, 3, 3, CHANNELS) * 0.4).astype(np.float32)
HEAD = _random.randn(CHANNELS, CLASSES).astype(np.float32)
WHEN = np.array([1.0, -2.0, 0.5, 3.0], np.float32)  # what each frame counts


def clips(count: int = 2) -> np.ndarray:
    return np.random.RandomState(3).uniform(0, 1, (count, FRAMES, *SIDES, 3)).astype(np.float32)


def clip_graph(order: str = "clips", frames: Any = FRAMES) -> tf.Graph:
    """order: how the frames lie in the batch of the convolution. frames: None leaves their number open."""
    graph = tf.Graph()
    with graph.as_default():
        x = tf.placeholder(tf.float32, [None, frames, *SIDES, 3], name="clip")
        count = tf.shape(x)[1]
        turned = x if order == "clips" else tf.transpose(x, [1, 0, 2, 3, 4])
        batch = tf.reshape(turned, [-1, *SIDES, 3])
        features = tf.nn.relu(tf.nn.conv2d(batch, KERNEL, [1, 1, 1, 1], "SAME") + 0.1, name="features")
        pooled = tf.reduce_mean(features, [1, 2])
        if order == "clips":
            pooled = tf.reshape(pooled, tf.stack([-1, count, CHANNELS]))
        else:
            pooled = tf.transpose(tf.reshape(pooled, tf.stack([count, -1, CHANNELS])), [1, 0, 2])
        weighed = tf.reduce_sum(tf.square(pooled) * WHEN[:, np.newaxis], axis=1)
        tf.nn.softmax(tf.matmul(weighed, HEAD, name="logits"), name="prob")
    return graph


def twin(x: np.ndarray, class_id: int) -> Dict[str, np.ndarray]:
    """features and grads of the class, [N, T, h, w, K] float64, and the scores [N]."""
    flat = x.reshape((-1, *x.shape[2:])).astype(np.float64)
    features = np.maximum(conv_same(flat, KERNEL.astype(np.float64)) + 0.1, 0).reshape((*x.shape[:4], CHANNELS))
    pooled = features.mean((2, 3))
    positions = SIDES[0] * SIDES[1]
    slope = 2 * WHEN[:, np.newaxis] * pooled * HEAD[:, class_id].astype(np.float64) / positions
    grads = np.broadcast_to(slope[:, :, np.newaxis, np.newaxis], features.shape)
    scores = (np.square(pooled) * WHEN[:, np.newaxis]).sum(1) @ HEAD[:, class_id].astype(np.float64)
    return {"features": features, "grads": grads, "scores": scores}
