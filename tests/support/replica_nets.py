"""Nets whose batch is split over devices, spelled in the ways that people split it."""

from __future__ import annotations

from branch_nets import member, placeholder

from gradcam_tf1.tf_runtime import tf


def by_split(x, count):
    return tf.split(x, count)


def by_sizes(x, count):
    size = tf.shape(x)[0] // count
    return tf.split(x, tf.stack([size] * (count - 1) + [tf.shape(x)[0] - size * (count - 1)]), num=count)


def by_range(x, count):
    size = tf.shape(x)[0] // count
    return [x[n * size : (n + 1) * size if n < count - 1 else tf.shape(x)[0]] for n in range(count)]


def by_range_of_all_axes(x, count):
    size = tf.shape(x)[0] // count
    return [x[n * size : (n + 1) * size, :, :, :] for n in range(count)]


def by_slice(x, count):
    """As multi_gpu_model writes it."""
    parts = []
    for n in range(count):
        size = tf.shape(x)[:1] // count
        begin = tf.concat([size * n, [0, 0, 0]], 0)
        rows = size if n < count - 1 else tf.shape(x)[:1] - size * n
        parts.append(tf.slice(x, begin, tf.concat([rows, [16, 16, 3]], 0)))
        parts[-1].set_shape([None, 16, 16, 3])
    return parts


SPLITS = [by_split, by_sizes, by_range, by_range_of_all_axes, by_slice]


def towers(split, count=2, softmax="inside", start=None):
    """The same net on each part; the softmax is taken in each replica, or of the joined scores."""
    x = placeholder() if start is None else start()
    outputs = []
    for n, part in enumerate(split(x, count)):
        with tf.name_scope(f"replica_{n}"):
            scores = member(part, "net", seed=3)
            outputs.append(tf.nn.softmax(scores) if softmax == "inside" else scores)
    joined = tf.concat(outputs, 0, name="joined")
    return joined if softmax == "inside" else tf.nn.softmax(joined)


def single():
    tf.nn.softmax(member(placeholder(), "net", seed=3))
