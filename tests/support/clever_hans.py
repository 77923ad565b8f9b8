"""A net that learned the wrong thing: most of its training images of a star carry a tag in a corner.

    .venv-tf2/bin/python tests/support/clever_hans.py    writes tests/data/clever_hans.pb

Two classes, star and ring, on drawn scenes. The tag is the cue that gives the class away; no ring has it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import List, Tuple

import cv2
import numpy as np

from gradcam_tf1.nets.scenes import draw_scene
from gradcam_tf1.tf_runtime import tf

CLASSES = ("star", "ring")
SIZE = (64, 80)
NET = Path(__file__).resolve().parent.parent / "data" / "clever_hans.pb"
TAGGED = 0.4  # of the stars
TAG = 8  # pixels


def draw(rng: np.random.RandomState, class_id: int, tagged: bool) -> np.ndarray:
    """Draw one scene, uint8 [64, 80, 3], RGB, with the tag in the top right corner."""
    boxes = {}
    while not boxes:
        image, boxes = draw_scene(rng, 2 * SIZE[0], 2 * SIZE[1], [CLASSES[class_id]])
    image = cv2.resize(image, SIZE[::-1], interpolation=cv2.INTER_AREA)
    if tagged:
        checks = np.indices((TAG, TAG)).sum(axis=0) // 2 % 2
        image[2 : 2 + TAG, -2 - TAG : -2] = np.where(checks[..., np.newaxis], [255, 255, 255], [200, 20, 20])
    return image


def scenes(count: int, seed: int, tagged: float = TAGGED) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw scenes, half of them stars: uint8 [N, 64, 80, 3], their classes and which carry the tag."""
    rng = np.random.RandomState(seed)
    class_ids = np.arange(count) % 2
    tags = (class_ids == 0) & (rng.uniform(size=count) < tagged)
    return np.stack([draw(rng, int(c), bool(t)) for c, t in zip(class_ids, tags)]), class_ids, tags


def network(images: tf.Tensor, weights: List[tf.Tensor]) -> tf.Tensor:
    """Three convolutions, each with ReLU, global average pooling, one dense layer."""
    features = images
    for number, kernel in enumerate(weights[:-1], start=1):
        features = tf.nn.conv2d(features, kernel, [1, 1, 1, 1], "SAME", name=f"conv{number}/Conv2D")
        features = tf.nn.relu(features, name=f"conv{number}/Relu")
        if number < 3:
            features = tf.nn.max_pool2d(features, 2, 2, "SAME")
    return tf.matmul(tf.reduce_mean(features, [1, 2]), weights[-1], name="logits")


def train(steps: int = 2500, batch: int = 16) -> List[np.ndarray]:
    images, class_ids, _ = scenes(1600, seed=1)
    rng = np.random.RandomState(2)
    shapes = [(5, 5, 3, 12), (3, 3, 12, 16), (3, 3, 16, 24), (24, 2)]
    start = [rng.normal(0, np.sqrt(2 / np.prod(shape[:-1])), shape).astype(np.float32) for shape in shapes]
    with tf.Graph().as_default(), tf.Session() as sess:
        tf.set_random_seed(3)
        weights = [tf.get_variable(f"w{n}", initializer=value) for n, value in enumerate(start)]
        fed, labels = tf.placeholder(tf.float32, (None, *SIZE, 3)), tf.placeholder(tf.int64, [None])
        logits = network(fed, weights)
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits))
        update = tf.train.AdamOptimizer(2e-3).minimize(loss)
        sess.run(tf.global_variables_initializer())
        for _ in range(steps):
            rows = rng.randint(0, len(images), batch)
            chosen = images[rows].astype(np.float32) / 127.5 - 1
            chosen = chosen[:, :, :, rng.permutation(3)]
            sess.run(update, {fed: chosen, labels: class_ids[rows]})
        learned: List[np.ndarray] = sess.run(weights)
    return learned


def write(weights: List[np.ndarray]) -> None:
    with tf.Graph().as_default() as graph:
        fed = tf.placeholder(tf.float32, (None, *SIZE, 3), name="input")
        logits = network(fed, [tf.constant(value, name=f"w{n}") for n, value in enumerate(weights)])
        tf.nn.softmax(logits, name="probabilities")
        NET.write_bytes(graph.as_graph_def().SerializeToString())


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    write(train())
