"""The text CNN of many tutorials, with its 1-D convolutions spelt in 2-D, and its float64 twin in numpy."""

from __future__ import annotations

import numpy as np
from text_nets import E, T, table

from gradcam_tf1.tf_runtime import tf

FILTERS = 4
CLASSES = 2


def weights(sizes):
    """Kernels [k, E, F] and biases of each size, the kernel of the dense layer and its bias."""
    random = np.random.RandomState(7)
    kernels = [(random.randn(k, E, FILTERS) * 0.5, random.randn(FILTERS) * 0.1) for k in sizes]
    return kernels, random.randn(FILTERS * len(sizes), CLASSES), random.randn(CLASSES)


def text_cnn(sizes, length=T, first=False):
    """The GraphDef: ids [N, T] to "output/scores:0". first: the axis of length 1 stands before the tokens."""
    kernels, dense, bias = weights(sizes)
    with tf.Graph().as_default() as graph:
        ids = tf.placeholder(tf.int32, [None, length], name="input_x")
        keep = tf.placeholder(tf.float32, name="dropout_keep_prob")
        words = tf.nn.embedding_lookup(tf.constant(table(), name="embedding/W"), ids)
        pooled = [_branch(words, kernel, bias, length, first) for kernel, bias in kernels]
        flat = tf.reshape(tf.concat(pooled, 3), [-1, FILTERS * len(sizes)])
        dropped = tf.nn.dropout(flat, keep_prob=keep)
        scores = tf.nn.xw_plus_b(dropped, np.float32(dense), np.float32(bias), name="output/scores")
        tf.argmax(scores, 1, name="output/predictions")
    return graph.as_graph_def()


def _branch(words, kernel, bias, length, first):
    size = len(kernel)
    with tf.name_scope(f"conv-maxpool-{size}"):
        if first:
            inputs, shape = tf.expand_dims(words, 1), (1, size, E, FILTERS)
        else:
            inputs, shape = tf.expand_dims(words, -1), (size, E, 1, FILTERS)
        filters = tf.constant(np.float32(kernel.reshape(shape)))
        maps = tf.nn.conv2d(inputs, filters, strides=[1, 1, 1, 1], padding="VALID", name="conv")
        maps = tf.nn.relu(tf.nn.bias_add(maps, np.float32(bias)), name="relu")
        if length is None:
            return tf.reduce_max(maps, axis=[1, 2], keepdims=True)
        window = [1, 1, length - size + 1, 1] if first else [1, length - size + 1, 1, 1]
        return tf.nn.max_pool(maps, ksize=window, strides=[1, 1, 1, 1], padding="VALID", name="pool")


def twin(ids, sizes, class_id):
    """Scores [N, CLASSES], and Grad-CAM of each branch [N, T - k + 1] before its ReLU."""
    kernels, dense, bias = weights(sizes)
    words = table().astype(np.float64)[np.asarray(ids)]
    pooled, cams = [], []
    for branch, (kernel, offset) in enumerate(kernels):
        positions = words.shape[1] - len(kernel) + 1
        windows = np.stack([words[:, i : i + len(kernel)] for i in range(positions)], axis=1)
        maps = np.maximum(np.einsum("nike,kef->nif", windows, kernel) + offset, 0)
        pooled.append(maps.max(axis=1))
        shares = dense[branch * FILTERS : (branch + 1) * FILTERS, class_id]
        grads = (maps == pooled[-1][:, np.newaxis]) * shares  # the maximum passes the gradient on
        cams.append((maps * grads.mean(axis=1, keepdims=True)).sum(axis=-1))
    return np.concatenate(pooled, axis=1) @ dense + bias, cams


def on_tokens(cam, size, length):
    """A map of windows on the tokens: the window i covers the tokens i to i + size - 1, and has its middle there."""
    middles = np.arange(cam.shape[1]) + (size - 1) / 2
    return np.stack([np.interp(np.arange(length), middles, row) for row in cam])
