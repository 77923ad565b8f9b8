"""Detectors whose answers can be worked by hand: a grid of 4 x 4 cells, each with one anchor.

The features are the 2 x 2 means of an 8 x 8 image in 0..1. Red is the evidence for class 0, green for class 1, and blue
moves the box to the right. A cell without colour is far below any detection.
"""

from __future__ import annotations

import numpy as np
from binding_graphs import conv

from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.tf_runtime import tf

SIDE = 4
CELLS = SIDE * SIDE
GAIN, BIAS = 8.0, -4.0
SHIFT = 0.5  # of the box, in anchor widths, where blue is 1
CENTRES = (np.arange(SIDE) + 0.5) / SIDE
ANCHORS = np.array([[x, y, 1 / SIDE, 1 / SIDE] for y in CENTRES for x in CENTRES], np.float32)


def scene(red=(), green=(), blue=()):
    """uint8 [8, 8, 3]; each colour is a list of cells (row, column)."""
    image = np.zeros((2 * SIDE, 2 * SIDE, 3), np.uint8)
    for channel, cells in enumerate((red, green, blue)):
        for row, column in cells:
            image[2 * row : 2 * row + 2, 2 * column : 2 * column + 2, channel] = 255
    return image


def trunk():
    """Images "input" to the map "features" [N, 4, 4, 3]."""
    x = tf.placeholder(tf.float32, [None, 2 * SIDE, 2 * SIDE, 3], name="input")
    kernel = np.zeros((2, 2, 3, 3), np.float32)
    kernel[:, :, [0, 1, 2], [0, 1, 2]] = 0.25
    return tf.nn.relu(tf.nn.conv2d(x, tf.constant(kernel), strides=[1, 2, 2, 1], padding="VALID"), name="features")


def on_channels(features, columns, bias=0.0, name=None):
    """A 1 x 1 convolution of the features: columns [3, k] -> [N, 16, k]."""
    kernel = np.asarray(columns, np.float32)[np.newaxis, np.newaxis]
    maps = tf.nn.conv2d(features, tf.constant(kernel), strides=[1, 1, 1, 1], padding="VALID") + bias
    return tf.reshape(maps, [-1, CELLS, kernel.shape[-1]], name=name)


def class_scores(features):
    return on_channels(features, [[GAIN, 0], [0, GAIN], [0, 0]], BIAS, "class_scores")


def offsets(features):
    """dx, dy, dw, dh of SSD, for variances of 0.1 and 0.2."""
    return on_channels(features, [[0] * 4, [0] * 4, [SHIFT / 0.1, 0, 0, 0]], name="offsets")


def corners(features, scale=1.0):
    """x, y of the centre and width and height, in the graph."""
    moved = on_channels(features, [[0] * 4, [0] * 4, [SHIFT / SIDE, 0, 0, 0]])
    return (moved + tf.constant(ANCHORS)) * scale


def sided(centred, order):
    x, y, width, height = tf.unstack(centred, 4, axis=-1)
    sides = {"top": y - height / 2, "left": x - width / 2, "bottom": y + height / 2, "right": x + width / 2}
    return tf.stack([sides[name] for name in order], axis=-1)


YXYX = ("top", "left", "bottom", "right")
XYXY = ("left", "top", "right", "bottom")


def ssd(activation="sigmoid"):
    """Class scores and offsets; the anchors are not in the graph."""
    features = trunk()
    scores = class_scores(features)
    if activation == "sigmoid":
        tf.nn.sigmoid(scores, name="class_probabilities")
    offsets(features)


def decoded(form="yxyx", scale=1.0):
    """The boxes are decoded in the graph."""
    features = trunk()
    tf.nn.sigmoid(class_scores(features), name="class_probabilities")
    boxes = corners(features, scale)
    tf.identity(boxes if form == "cxcywh" else sided(boxes, YXYX if form == "yxyx" else XYXY), name="boxes")


def with_background():
    """Class 2 means no object, and a softmax decides."""
    features = trunk()
    scores = on_channels(features, [[GAIN, 0, 0], [0, GAIN, 0], [0, 0, 0]], [0, 0, -BIAS], name="class_scores")
    tf.nn.softmax(scores, name="class_probabilities")
    tf.identity(sided(corners(features), YXYX), name="boxes")


def yolo():
    """Rows of centre, size, objectness, classes: [N, 16, 7]; objectness is high where there is red or green."""
    features = trunk()
    raw = on_channels(features, [[GAIN, GAIN, 0], [GAIN, 0, GAIN], [0, 0, 0]], BIAS, "raw")
    objectness, classes = tf.split(raw, [1, 2], axis=-1)
    tf.concat([corners(features), tf.sigmoid(objectness), tf.sigmoid(classes)], -1, name="detections")


def suppressed(shift=1, background=False):
    """In the manner of the Object Detection API: suppression in a loop over the images; class ids count from 1."""
    features = trunk()
    if background:
        scores = on_channels(features, [[0, GAIN, 0], [0, 0, GAIN], [0, 0, 0]], BIAS, "class_scores")
    else:
        scores = class_scores(features)
    shares = tf.nn.sigmoid(scores, name="class_probabilities")
    boxes = sided(corners(features), YXYX)
    tf.identity(boxes, name="decoded")

    def of_image(parts):
        own, sure = parts
        best = tf.reduce_max(sure, axis=1)
        kept = tf.image.non_max_suppression(own, best, 5, iou_threshold=0.5, score_threshold=0.2)
        missing = 5 - tf.shape(kept)[0]
        rows = [tf.gather(part, kept) for part in (own, best, tf.cast(tf.argmax(sure, axis=1) + shift, tf.float32))]
        return tuple(tf.pad(row, [[0, missing]] + [[0, 0]] * (row.shape.rank - 1)) for row in rows)

    found = tf.map_fn(of_image, (boxes, shares[..., 1:] if background else shares), dtype=(tf.float32,) * 3)
    for name, tensor in zip(("boxes", "scores", "classes"), found):
        tf.identity(tensor, name=f"detection_{name}")


def random_boxes(kind="sigmoid"):
    """Boxes and classes from random weights, for twins of what is computed of them."""
    features = trunk()
    boxes = conv(features, 4, 1, 3, name="places")
    centred = tf.reshape(0.2 * tf.tanh(boxes), [-1, CELLS, 4]) + tf.constant(ANCHORS + np.float32([0, 0, 0.2, 0.1]))
    scores = tf.reshape(4 * conv(features, 3, 1, 3, name="classes"), [-1, CELLS, 3], name="class_scores")
    (tf.nn.softmax if kind == "softmax" else tf.nn.sigmoid)(scores, name="class_probabilities")
    tf.identity(sided(centred, YXYX), name="boxes")


def opened(build, *arguments, **options):
    """The net that `build` makes in a graph of its own."""
    with tf.Graph().as_default() as graph:
        build(*arguments)
    settings = {"preset": "zero-one", "layer": "features", "labels": None, **options}
    return GradCamGraph(graph.as_graph_def(), **settings)
