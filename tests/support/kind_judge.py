"""A small classifier of the kinds of drawn objects that knows nothing of the demo net.

    PYTHONPATH=tests/support python tests/support/kind_judge.py

trains it on from what is stored, or anew where nothing is. Other layers and other scenes than those of the demo net:
crowds of one kind, half of them grown over with noise. It never sees an optimised picture.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, Tuple

import cv2
import numpy as np

from gradcam_tf1.nets.scenes import KINDS, background, clutter, draw_object
from gradcam_tf1.tf_runtime import tf

FILE = Path(__file__).resolve().parent.parent / "data" / "kind_judge.npz"
SIDE = 64
CHANNELS, KERNELS, STRIDES = (12, 24, 32, 32), (5, 5, 5, 3), (2, 2, 2, 1)


def crowds(count: int, seed: int) -> Tuple[np.ndarray, np.ndarray]:
    """Some objects of one kind in each image: uint8 [N, 64, 64, 3], and the kinds [N]."""
    random = np.random.RandomState(seed)
    images, kinds = [], random.randint(len(KINDS), size=count)
    for kind in kinds:
        image = background(random, SIDE, SIDE)
        clutter(random, image)
        for _ in range(random.randint(2, 7)):
            radius = random.uniform(7, 18)
            y, x = random.uniform(radius + 3, SIDE - radius - 3, 2)
            draw_object(random, image, KINDS[kind], y, x, radius)
        if random.uniform() < 0.5:
            image = _grown_over(random, image)
        images.append(np.clip(np.rint(image), 0, 255).astype(np.uint8))
    return np.stack(images), kinds


def _grown_over(random: np.random.RandomState, image: np.ndarray) -> np.ndarray:
    """With coloured noise of some sizes."""
    for side in (6, 12, 24, 48):
        noise = random.normal(0, random.uniform(3, 12), (side, side, 3))
        image = image + cv2.resize(noise, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    return image


def judged(images: np.ndarray, weights: Dict[str, np.ndarray]) -> np.ndarray:
    """Scores of the kinds for images of any size: uint8 [N, H, W, 3] -> [N, 7]."""
    with tf.Graph().as_default(), tf.Session() as sess:
        fed = tf.placeholder(tf.uint8, [None, None, None, 3])
        found = _net(fed, weights)
        return np.concatenate([sess.run(found, {fed: images[n : n + 64]}) for n in range(0, len(images), 64)])


def _net(images: tf.Tensor, weights: Dict[str, Any]) -> tf.Tensor:
    a = tf.cast(images, tf.float32) / 127.5 - 1
    a -= tf.reduce_mean(a, axis=[1, 2], keepdims=True)
    for n, stride in enumerate(STRIDES):
        a = tf.nn.relu(tf.nn.conv2d(a, weights[f"w{n}"], [1, stride, stride, 1], "SAME") + weights[f"b{n}"])
    return tf.matmul(tf.reduce_mean(a, [1, 2]), weights["w"]) + weights["b"]


def load_judge() -> Dict[str, np.ndarray]:
    """Its weights."""
    with np.load(str(FILE)) as stored:
        return {name: stored[name].astype(np.float32) for name in stored.files}


def train(steps: int = 500, seed: int = 78) -> Dict[str, np.ndarray]:
    """Its weights after so many further steps."""
    images, kinds = crowds(5000, seed)
    random = np.random.RandomState(seed)
    with tf.Graph().as_default(), tf.Session() as sess:
        variables = _variables(random)
        fed, truth = tf.placeholder(tf.uint8, [None, SIDE, SIDE, 3]), tf.placeholder(tf.int32, [None])
        scores = _net(fed, variables)
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=truth, logits=scores))
        loss += 1e-4 * tf.add_n([tf.nn.l2_loss(each) for name, each in variables.items() if name[0] == "w"])
        rate = tf.placeholder(tf.float32, [])
        update = tf.train.AdamOptimizer(rate).minimize(loss)
        sess.run(tf.global_variables_initializer())
        for name, value in load_judge().items() if FILE.exists() else ():
            variables[name].load(value, sess)
        for step in range(steps):
            rows = random.randint(len(images), size=48)
            turned = np.rot90(images[rows], random.randint(4), (1, 2))[:, :: random.choice([-1, 1])]
            given = {fed: turned, truth: kinds[rows], rate: 3e-3 * (1 - step / steps) + 1e-5}
            found = sess.run([loss, update], given)[0]
            if step % 100 == 0:
                print(step, found)  # noqa: T201
        return dict(sess.run(variables))


def _variables(random: np.random.RandomState) -> Dict[str, Any]:
    variables, inputs = {}, 3
    for n, (outputs, kernel) in enumerate(zip(CHANNELS, KERNELS)):
        start = random.normal(0, np.sqrt(2 / (kernel**2 * inputs)), (kernel, kernel, inputs, outputs))
        variables[f"w{n}"] = tf.Variable(start.astype(np.float32))
        variables[f"b{n}"] = tf.Variable(np.zeros(outputs, np.float32))
        inputs = outputs
    variables["w"] = tf.Variable(random.normal(0, np.sqrt(1 / inputs), (inputs, len(KINDS))).astype(np.float32))
    variables["b"] = tf.Variable(np.zeros(len(KINDS), np.float32))
    return variables


if __name__ == "__main__":
    trained = train()
    np.savez_compressed(str(FILE), **{name: value.astype(np.float16) for name, value in trained.items()})
    test, truths = crowds(700, 5)
    print("right:", (judged(test, load_judge()).argmax(axis=1) == truths).mean())  # noqa: T201
