"""A net whose features are known: 1 x 1 convolutions of the pixels, ReLU, global average pooling, a dense layer."""

from __future__ import annotations

from typing import Any, Dict, List, Tuple

import cv2
import numpy as np

from gradcam_tf1.gradients.guided import override_map
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.tf_runtime import tf

SIDE = 8  # cells along each side of the layer; a cell is 4 x 4 pixels
# features = pixels / 255 @ FACTORS: red, green and blue are the concepts, and these rows their vectors
FACTORS = np.array([[1, 0.5, 0, 0, 0.2], [0, 0, 2, 0.4, 0], [0, 0.3, 0, 1, 1]], np.float32)
HEAD = np.array([[3, 0, 0, 1], [0, 0, 0, 1], [0, 2, 0, 1], [0, 0, 0, 1], [0, 0, 0, 1]], np.float32)
BIAS = np.array([0.5, -1, 4, 0], np.float32)
CLASSES = ["reddish", "greenish", "constant", "all"]


def concept_net(head: np.ndarray = HEAD, bias: Any = BIAS, shift: float = 0.0, size: Any = 4 * SIDE) -> GradCamGraph:
    """The net; shift is taken off the features, which have no ReLU then."""
    graph = tf.Graph()
    with graph.as_default(), override_map(graph):
        x = tf.placeholder(tf.float32, [None, size, size, 3], name="input")
        a = tf.nn.avg_pool2d(x, 4, 4, "VALID")
        a = tf.nn.conv2d(a, FACTORS[np.newaxis, np.newaxis], [1, 1, 1, 1], "SAME")
        a = tf.subtract(a, shift, name="features") if shift else tf.nn.relu(a, name="features")
        logits = tf.add(tf.matmul(tf.reduce_mean(a, [1, 2]), head), bias, name="logits")
        tf.nn.softmax(logits, name="probabilities")
    session = tf.Session(graph=graph)
    return GradCamGraph(session, layer="features:0", logits="logits:0", preset="zero-one", labels=CLASSES)


def mosaics(folder: Any, count: int, seed: int = 0, weights: Tuple[float, ...] = (1, 1, 1)) -> np.ndarray:
    """Write images of sparse random cells of red, green and blue; return the cells: float64 [N, 8, 8, 3], 0..1."""
    random = np.random.RandomState(seed)
    cells = random.randint(0, 256, (count, SIDE, SIDE, 3)) * (random.uniform(size=(count, SIDE, SIDE, 3)) < 0.5)
    cells = np.rint(cells * np.array(weights)).astype(np.uint8)
    folder.mkdir(parents=True, exist_ok=True)
    for number, values in enumerate(cells):
        pixels = np.repeat(np.repeat(values, 4, axis=0), 4, axis=1)
        cv2.imwrite(str(folder / f"m{number:03d}.png"), pixels[..., ::-1])
    return cells / 255.0


def matched(vectors: np.ndarray) -> Tuple[List[int], Dict[int, float]]:
    """For each planted factor the concept that is most like it, and the cosine."""
    planted = FACTORS / np.linalg.norm(FACTORS, axis=1, keepdims=True)
    cosines = planted @ vectors.T
    best = cosines.argmax(axis=1)
    return best.tolist(), {n: float(cosines[n, c]) for n, c in enumerate(best)}
