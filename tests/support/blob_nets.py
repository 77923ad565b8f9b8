"""A net whose answers can be worked out by hand: it counts how much red, green and blue there is.

features = relu(colour - 0.5) in cells of 4 x 4 pixels, logits = 100 * their means. Images are gray (0.5) with blobs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, Optional, Sequence, Tuple

import numpy as np
from PIL import Image

from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.tf_runtime import tf

CLASSES = ("red", "green", "blue")
SIDE = 32
Blob = Tuple[int, int, int, int]  # colour, top, left, side


def blob_net(
    weights: Optional[np.ndarray] = None,
    seen: Optional[np.ndarray] = None,
    side: int = SIDE,
    bias: Sequence[float] = (0.0, 0.0, 0.0),
    channels_first: bool = False,
    broken_above: Optional[float] = None,
) -> Any:
    """The net as a GraphDef.

    weights: [3, C] of the dense layer. seen: [H, W], pixels are multiplied by it around gray. broken_above: logits are
    NaN where the mean of red is larger.
    """
    weights = 100 * np.eye(3) if weights is None else weights
    with tf.Graph().as_default() as graph:
        shape = (3, side, side) if channels_first else (side, side, 3)
        x = tf.placeholder(tf.float32, [None, *shape], name="input")
        x = tf.transpose(x, [0, 2, 3, 1]) if channels_first else x
        if seen is not None:
            x = (x - 0.5) * seen[:, :, np.newaxis].astype(np.float32) + 0.5
        kernel = np.zeros((side // 8, side // 8, 3, 3), np.float32)
        for k in range(3):
            kernel[:, :, k, k] = 1 / kernel[:, :, 0, 0].size
        step = side // 8
        features = tf.nn.conv2d(x, kernel, [1, step, step, 1], "VALID", name="conv")
        features = tf.nn.relu(features - 0.5, name="features")
        if channels_first:
            features = tf.transpose(tf.transpose(features, [0, 3, 1, 2], name="features_first"), [0, 2, 3, 1])
        pooled = tf.reduce_mean(features, [1, 2])
        logits = tf.matmul(pooled, np.asarray(weights, np.float32)) + np.asarray(bias, np.float32)
        if broken_above is not None:
            logits = logits + tf.where(pooled[:, :1] > broken_above, np.nan * pooled[:, :1], 0 * pooled[:, :1])
        tf.nn.softmax(tf.identity(logits, name="logits"), name="prob")
    return graph.as_graph_def()


def open_blob_net(labels: Optional[Sequence[str]] = CLASSES, layer: str = "features:0", **options: Any) -> GradCamGraph:
    """The net, open; its pixels are 0..1."""
    return GradCamGraph(blob_net(**options), preset="zero-one", labels=labels, logits="logits:0", layer=layer)


def write_blobs(folder: Path, images: Dict[str, Sequence[Blob]]) -> Path:
    """Write gray images with blobs of full colour, PNG."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, blobs in images.items():
        pixels = np.full((SIDE, SIDE, 3), 127, np.uint8)
        for color, top, left, side in blobs:
            pixels[top : top + side, left : left + side, color] = 255
        Image.fromarray(pixels).save(str(folder / name))
    return folder
