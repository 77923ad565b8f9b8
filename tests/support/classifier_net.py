"""A small classifier with one of each common layer, for conversions to other runtimes."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradcam_tf1.tf_runtime import tf

SIZE = 17  # odd, so that paddings are uneven
EARLY, LATE = "stem:0", "last:0"


def classifier(batch: Any = None, training: bool = False) -> tf.GraphDef:
    """input [N, 17, 17, 3] -> stem -> pools, depthwise, squeeze-and-excite, skip, joined branches -> last -> logits."""
    random = np.random.RandomState(3)

    def weights(*shape: int) -> np.ndarray:
        return (random.randn(*shape) / np.sqrt(np.prod(shape[:-1]))).astype(np.float32)

    def normed(x: tf.Tensor, is_training: bool = False) -> tf.Tensor:
        scale, offset, mean, variance = (random.rand(int(x.shape[-1])).astype(np.float32) + 0.5 for _ in range(4))
        moments = () if is_training else (mean - 1, variance)
        return tf.nn.fused_batch_norm(x, scale, offset - 1, *moments, is_training=is_training)[0]

    graph = tf.Graph()
    with graph.as_default():
        x = tf.placeholder(tf.float32, [batch, SIZE, SIZE, 3], name="input")
        x = tf.nn.relu(normed(tf.nn.conv2d(x, weights(3, 3, 3, 8), [1, 2, 2, 1], "SAME")), name="stem")
        x = tf.nn.max_pool(x, [1, 3, 3, 1], [1, 2, 2, 1], "SAME")
        deep = tf.nn.relu6(normed(tf.nn.depthwise_conv2d(x, 3 * weights(3, 3, 8, 1), [1, 1, 1, 1], "SAME"), training))
        squeezed = tf.nn.elu(tf.matmul(tf.reduce_mean(deep, [1, 2]), weights(8, 4)))
        excited = tf.sigmoid(tf.matmul(squeezed, weights(4, 8)))
        x = x + deep * tf.reshape(excited, [-1, 1, 1, 8])
        one = tf.nn.conv2d(x, weights(1, 1, 8, 6), [1, 2, 2, 1], "VALID")
        other = tf.nn.leaky_relu(
            tf.nn.conv2d(tf.nn.avg_pool(x, [1, 2, 2, 1], [1, 2, 2, 1], "SAME"), weights(3, 3, 8, 6), [1] * 4, "SAME"),
            0.1,
        )
        x = tf.concat([one * tf.sigmoid(one), tf.tanh(other)], axis=3)
        x = tf.nn.relu(
            tf.nn.bias_add(tf.nn.conv2d(x, weights(3, 3, 12, 10), [1] * 4, "SAME"), weights(10)), name="last"
        )
        hidden = tf.nn.relu(
            tf.matmul(tf.reshape(tf.nn.max_pool(x, [1, 2, 2, 1], [1, 1, 1, 1], "VALID"), [-1, 40]), weights(40, 16))
        )
        logits = tf.nn.bias_add(tf.matmul(hidden, 3 * weights(16, 5)), weights(5), name="logits")
        tf.nn.softmax(logits, name="prob")
    return graph.as_graph_def()


def images(count: int) -> np.ndarray:
    """RGB photographs of noise, uint8 [count, 17, 17, 3]."""
    return np.random.RandomState(count).randint(0, 256, (count, SIZE, SIZE, 3)).astype(np.uint8)
