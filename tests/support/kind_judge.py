"""A small classifier of the kinds of drawn objects that knows nothing of the demo net.

    PYTHONPATH=tests/support python tests/support/kind_judge.py

trains it anew. Other layers, other sizes and other scenes than the demo net; it never sees an optimised picture.
"""

from __future__ import annotations

from pathlib import Path
from typing import Dict, Tuple

import cv2
import numpy as np

from gradcam_tf1.nets.scenes import KINDS, draw_scene
from gradcam_tf1.tf_runtime import tf

FILE = Path(__file__).resolve().parent.parent / "data" / "kind_judge.npz"
SIDE = 64  # of what it looks at
CHANNELS = (12, 24, 32)
KERNELS = (5, 5, 5)


def objects(count: int, seed: int) -> Tuple[np.ndarray, np.ndarray]:
    """Cut-outs of drawn objects, float32 [N, 64, 64, 3], -1..1, and their kinds [N]."""
    random = np.random.RandomState(seed)
    images, kinds = [], []
    while len(images) < count:
        kind = random.randint(len(KINDS))
        scene, boxes = draw_scene(random, 160, 160, [KINDS[kind]])
        if not boxes:
            continue
        top, left, bottom, right = boxes[KINDS[kind]]
        half = max(bottom - top, right - left) * random.uniform(0.55, 0.9)
        centre = ((top + bottom) / 2 + random.uniform(-4, 4), (left + right) / 2 + random.uniform(-4, 4))
        images.append(cut_out(scene, centre, half))
        kinds.append(kind)
    return np.stack(images), np.array(kinds)


def cut_out(image: np.ndarray, centre: Tuple[float, float], half: float) -> np.ndarray:
    """The square around a place, mirrored beyond the edges."""
    scale = 2 * half / SIDE
    matrix = np.array([[scale, 0, centre[1] - half], [0, scale, centre[0] - half]], np.float64)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    found = cv2.warpAffine(image, matrix, (SIDE, SIDE), flags=flags, borderMode=cv2.BORDER_REFLECT)
    return found.astype(np.float32) / 127.5 - 1


def logits(images: np.ndarray, weights: Dict[str, np.ndarray]) -> np.ndarray:
    """Scores of the kinds, [N, 7]."""
    with tf.Graph().as_default(), tf.Session() as sess:
        fed = tf.placeholder(tf.float32, [None, SIDE, SIDE, 3])
        found = _net(fed, weights)
        return np.concatenate([sess.run(found, {fed: images[n : n + 64]}) for n in range(0, len(images), 64)])


def _net(images: tf.Tensor, weights: Dict[str, tf.Tensor]) -> tf.Tensor:
    a = images - tf.reduce_mean(images, axis=[1, 2], keepdims=True)
    for n in range(len(CHANNELS)):
        a = tf.nn.relu(tf.nn.conv2d(a, weights[f"w{n}"], [1, 2, 2, 1], "SAME") + weights[f"b{n}"])
    a = tf.reshape(a, [-1, (SIDE // 2 ** len(CHANNELS)) ** 2 * CHANNELS[-1]])
    return tf.matmul(a, weights["w"]) + weights["b"]


def load_judge() -> Dict[str, np.ndarray]:
    """Its weights."""
    with np.load(str(FILE)) as stored:
        return {name: stored[name].astype(np.float32) for name in stored.files}


def judged(picture: np.ndarray, weights: Dict[str, np.ndarray]) -> np.ndarray:
    """Mean probability of each kind over the windows of a picture in which the judge is surest, [7]."""
    windows = []
    height, width = picture.shape[:2]
    for half in (14, 18, 24):
        for y in range(half // 2, height, 4):
            windows += [cut_out(picture, (y, x), half) for x in range(half // 2, width, 4)]
    found = logits(np.stack(windows), weights)
    shares = np.exp(found - found.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    return shares.mean(axis=0)


def train(steps: int = 900, seed: int = 77) -> Dict[str, np.ndarray]:
    """Its weights after so many steps."""
    images, kinds = objects(4000, seed)
    random = np.random.RandomState(seed)
    with tf.Graph().as_default(), tf.Session() as sess:
        variables, inputs = {}, 3
        for n, (outputs, kernel) in enumerate(zip(CHANNELS, KERNELS)):
            shape = (kernel, kernel, inputs, outputs)
            start = random.normal(0, np.sqrt(2 / (kernel**2 * inputs)), shape)
            variables[f"w{n}"], variables[f"b{n}"] = (
                tf.Variable(start.astype("f4")),
                tf.Variable(np.zeros(outputs, "f4")),
            )
            inputs = outputs
        flat = (SIDE // 2 ** len(CHANNELS)) ** 2 * inputs
        variables["w"] = tf.Variable(random.normal(0, np.sqrt(1 / flat), (flat, len(KINDS))).astype("f4"))
        variables["b"] = tf.Variable(np.zeros(len(KINDS), "f4"))
        fed, truth = tf.placeholder(tf.float32, [None, SIDE, SIDE, 3]), tf.placeholder(tf.int32, [None])
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=truth, logits=_net(fed, variables)))
        loss += 3e-4 * tf.add_n([tf.nn.l2_loss(each) for name, each in variables.items() if name[0] == "w"])
        update = tf.train.AdamOptimizer(1e-3).minimize(loss)
        sess.run(tf.global_variables_initializer())
        for step in range(steps):
            rows = random.randint(len(images), size=64)
            turned = np.rot90(images[rows], random.randint(4), (1, 2))
            turned = turned[:, :: random.choice([-1, 1])]
            found = sess.run([loss, update], {fed: turned, truth: kinds[rows]})[0]
            if step % 100 == 0:
                print(step, found)
        return sess.run(variables)


if __name__ == "__main__":
    trained = train()
    np.savez_compressed(str(FILE), **{name: value.astype(np.float16) for name, value in trained.items()})
    test, truth = objects(700, 5)
    print("right:", (logits(test, load_judge()).argmax(axis=1) == truth).mean())
