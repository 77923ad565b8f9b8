"""Nets as converters leave them: the same numbers, with islands of another layout between Transposes.

Each builder takes `turn`, the order of the Transpose before an island, or None for the plain net. The axes inside are
numbered by `at`: "n", "h", "w", "c" -> axis of the island.
"""

from __future__ import annotations

import numpy as np

from gradcam_tf1.tf_runtime import tf

FIRST = (0, 3, 1, 2)


def weights(seed, *shape):
    return (np.random.RandomState(seed).randn(*shape) * 0.4).astype(np.float32)


def conv(x, channels, stride=1, seed=1, size=3):
    return tf.nn.conv2d(x, weights(seed, size, size, x.shape.as_list()[-1], channels), [1, stride, stride, 1], "SAME")


def dense(x, name="logits"):
    return tf.identity(tf.matmul(x, weights(9, x.shape.as_list()[-1], 4)), name=name)


class Island:
    """Goes into an island and back, and knows its axes."""

    def __init__(self, turn):
        self.turn = turn or (0, 1, 2, 3)
        self.plain = turn is None

    def into(self, x):
        return x if self.plain else tf.transpose(x, self.turn)

    def back(self, x):
        return x if self.plain else tf.transpose(x, [self.turn.index(axis) for axis in range(4)])

    def at(self, *letters):
        return [self.turn.index("nhwc".index(letter)) for letter in letters]

    def along_channels(self, values):
        shape = [1] * 4
        shape[self.at("c")[0]] = values.size
        return values.reshape(shape)

    def norm(self, x, seed=5):
        channels = x.shape.as_list()[self.at("c")[0]]
        return x * self.along_channels(np.abs(weights(seed, channels)) + 0.5) + self.along_channels(
            weights(seed + 1, channels)
        )

    def activated(self, x, seed=5):
        """In, batch norm and ReLU, still inside."""
        return tf.nn.relu(self.norm(self.into(x), seed))


def pooled(x, turn):
    """conv - norm - relu - conv - norm - relu - mean - dense, both activations inside."""
    inside = Island(turn)
    a = inside.back(inside.activated(conv(x, 5, 2)))
    return dense(tf.reduce_mean(inside.activated(conv(a, 6, 2, seed=2), 7), inside.at("h", "w")))


def left_before_pooling(x, turn):
    inside = Island(turn)
    a = inside.back(inside.activated(conv(x, 6, 4)))
    return dense(tf.reduce_mean(a, [1, 2]))


def kept_sides(x, turn):
    """The mean keeps its axes, and the Transpose back comes after it."""
    inside = Island(turn)
    mean = tf.reduce_mean(inside.activated(conv(x, 6, 4)), inside.at("h", "w"), keepdims=True)
    return dense(tf.squeeze(inside.back(mean), [1, 2]))


def flattened(x, turn):
    """Flattened inside: the rows of the dense kernel have the island's order."""
    inside = Island(turn)
    a = inside.activated(conv(x, 6, 4))
    kernel = weights(9, 4, 6, 6, 4).reshape(1, 4, 6, 6, 4) if x.shape.as_list()[2] == 24 else None
    kernel = kernel.transpose([*inside.turn, 4])
    return tf.matmul(tf.reshape(a, [-1, 144]), kernel.reshape(144, 4), name="logits")


def residual(x, turn):
    """The sum and its ReLU are inside, the convolutions outside, as in a residual net."""
    inside = Island(turn)
    a = inside.activated(conv(x, 6, 2))
    b = inside.activated(conv(inside.back(a), 6, seed=2), 7)
    s = tf.nn.relu(a + inside.norm(inside.into(conv(inside.back(b), 6, seed=3)), 11))
    return dense(tf.reduce_mean(s, inside.at("h", "w")))


def joined(x, turn):
    inside = Island(turn)
    a = conv(x, 5, 2)
    parts = [inside.into(tf.nn.relu(conv(a, k, seed=k))) for k in (4, 3)]
    m = tf.nn.relu(inside.norm(tf.concat(parts, inside.at("c")[0])))
    return dense(tf.reduce_mean(m, inside.at("h", "w")))


def padded(x, turn):
    inside = Island(turn)
    edges = np.zeros([4, 2], np.int32)
    edges[inside.at("h", "w")] = [[0, 1], [2, 1]]
    a = inside.back(tf.pad(inside.activated(conv(x, 5, 2)), edges))
    a = tf.nn.conv2d(a, weights(3, 3, 3, 5, 6), [1, 2, 2, 1], "VALID")
    return dense(tf.reduce_mean(inside.activated(a, 7), inside.at("h", "w")))


def gated(x, turn):
    """Squeeze and excitation inside."""
    inside = Island(turn)
    a = inside.activated(conv(x, 6, 4))
    gate = tf.sigmoid(tf.matmul(tf.reduce_mean(a, inside.at("h", "w")), weights(4, 6, 6)))
    shape = [-1, 1, 1, 1]
    shape[inside.at("c")[0]] = 6
    return dense(tf.reduce_mean(a * tf.reshape(gate, shape), inside.at("h", "w")))


def leaky(x, turn):
    inside = Island(turn)
    a = inside.into(conv(x, 6, 4))
    return dense(tf.reduce_mean(tf.maximum(a, 0.1 * a), inside.at("h", "w")))


def separable(x, turn):
    """Transposes there and back between the halves of a separable convolution."""
    inside = Island(turn)
    a = tf.nn.relu(conv(x, 6, 2))
    a = tf.nn.depthwise_conv2d(a, weights(3, 3, 3, 6, 1), [1, 2, 2, 1], "SAME")
    a = conv(inside.back(inside.into(a)), 6, seed=4, size=1)
    return dense(tf.reduce_mean(inside.activated(a), inside.at("h", "w")))


def shuffled(x, turn):
    """The channels of an NCHW island are shuffled through five axes, as in ShuffleNet."""
    inside = Island(turn)
    a = inside.activated(conv(x, 6, 2))
    high, wide = a.shape.as_list()[inside.at("h")[0]], a.shape.as_list()[inside.at("w")[0]]
    split, order, whole = (
        ([-1, high, wide, 2, 3], [0, 1, 2, 4, 3], [-1, high, wide, 6])
        if inside.plain
        else ([-1, 2, 3, high, wide], [0, 2, 1, 3, 4], [-1, 6, high, wide])
    )
    a = inside.back(tf.reshape(tf.transpose(tf.reshape(a, split), order), whole))
    return dense(tf.reduce_mean(inside.activated(conv(a, 6, 2, seed=3), 7), inside.at("h", "w")))


def tokens(x, turn):
    """A map becomes tokens from inside an NCHW island: [N, C, h w] and then [N, h w, C]."""
    inside = Island(turn)
    a = conv(x, 6, 4)
    count = a.shape.as_list()[1] * a.shape.as_list()[2]
    t = tf.reshape(a, [-1, count, 6])
    if not inside.plain:
        t = tf.transpose(tf.reshape(inside.into(a), [-1, 6, count]), [0, 2, 1])
    t = tf.nn.relu(t + weights(4, 1, count, 6))
    return dense(tf.reduce_mean(t + tf.reshape(tf.matmul(tf.reshape(t, [-1, 6]), weights(5, 6, 6)), [-1, count, 6]), 1))


def island_net(build, turn=None, size=(16, 24), channels_first=False):
    """The frozen graph of a net."""
    with tf.Graph().as_default() as graph:
        images = tf.placeholder(tf.float32, [None, 3, *size] if channels_first else [None, *size, 3], "images")
        x = tf.transpose(images, [0, 2, 3, 1]) if channels_first else images
        tf.nn.softmax(build(x, turn), name="probabilities")
    return graph.as_graph_def()
