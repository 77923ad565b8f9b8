"""Maps on the photograph: a net that copies a bright square shows it where it is, however the picture was fitted."""

from __future__ import annotations

import numpy as np
import pytest
from cell_nets import conv, ones

from gradcam_tf1 import GradCamGraph
from gradcam_tf1.geometry import centres, resample, stretched, upsample
from gradcam_tf1.methods.noise import Noise
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import Cells, LoadedModel


def pooled(x, padding):
    return tf.nn.avg_pool(conv(x, 3, 1), [1, 3, 3, 1], [1, 2, 2, 1], padding)


def padded(x):
    return conv(tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]]), 3, 2, "VALID")


def decoder(x):
    return tf.nn.conv2d_transpose(x, ones(4, 4, 1, 1), [1, *(2 * tf.shape(x)[1:3])], [1, 2, 2, 1])


# each with a stride of 8, and kernels of ones: a map is the blurred picture of what is bright
BODIES = {
    "same": lambda x: conv(conv(conv(x))),
    "valid": lambda x: conv(conv(conv(x, 3, 2, "VALID"), 3, 2, "VALID"), 5, 2, "VALID"),
    "padded": lambda x: padded(padded(padded(x))),
    "pools": lambda x: pooled(pooled(pooled(x, "SAME"), "VALID"), "SAME"),
    "dilated": lambda x: tf.nn.atrous_conv2d(conv(conv(conv(x))), ones(3, 3, 1, 1), 2, "SAME"),
}
FITS = {  # the fit, the size of the input, the size of the picture, where its square of 30 x 30 begins
    "stretch": ("stretch", (101, 93), (150, 120), (70, 40)),
    "stretch, multiples": ("stretch", (96, 80), (130, 110), (60, 45)),
    "stretch, any size": ("stretch", (None, None), (131, 110), (60, 45)),
    "short side": ("short-side", (None, None), (517, 203), (300, 90)),
    "center-crop": ("center-crop", (103, 96), (150, 190), (70, 90)),
    "letterbox": ("letterbox", (120, 121), (170, 110), (80, 50)),
}


def net_of(body, size, **more):
    """Bright (above 200) or not, then the body; class 0 likes it, class 1 does not."""
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, *size, 3], name="x")
        bright = tf.reduce_mean(tf.nn.relu(x - 200.0), axis=3, keepdims=True)
        features = tf.nn.relu(body(bright) * 0.01, name="features")
        tf.matmul(tf.reduce_mean(features, [1, 2]), np.array([[1.0, -1.0]], np.float32), name="logits")
        definition = graph.as_graph_def()
    model = LoadedModel(definition, "square", "live graph", ("x:0",), ("logits:0",))
    return GradCamGraph(model, preset="raw", layer="features:0", **more)


def photo(size, corner, side=30):
    image = np.zeros((*size, 3), np.uint8)
    image[corner[0] : corner[0] + side, corner[1] : corner[1] + side] = 255
    return image


def centroid(map):
    """In pixels, half-pixel: [row, column]."""
    rows, columns = (np.arange(side) + 0.5 for side in map.shape)
    return np.array([map.sum(1) @ rows, map.sum(0) @ columns]) / map.sum()


@pytest.mark.parametrize("kind", BODIES)
@pytest.mark.parametrize("fit", FITS)
def test_the_map_lies_where_the_square_is(kind, fit):
    mode, size, original, corner = FITS[fit]
    with net_of(BODIES[kind], size, fit=mode) as net:
        found = net.explain([photo(original, corner)], 0)
    off = centroid(found.placed("gradcam", 0)) - (np.array(corner) + 15)
    assert np.abs(off).max() < 1
