"""A small classifier of drawn objects that has never seen the demo net or its scenes, and its drawings.

    python tests/support/kind_judge.py

trains it and writes tests/data/kind_judge.npz. Each drawing has one to three objects of one kind, which may touch, with
a fill, a background, a blur and a noise of their own; the eighth kind is none of the seven.
"""

from __future__ import annotations

import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, Dict, Tuple

import cv2
import numpy as np

from gradcam_tf1.nets.scenes import KINDS
from gradcam_tf1.tf_runtime import tf

FILE = Path(__file__).resolve().parent.parent / "data" / "kind_judge.npz"
JUDGED = (*KINDS, "none")
SIDE = 96
_TINY = 1e-4
_FINE = 4  # the masks are drawn so many times larger
CHANNELS, KERNELS, STRIDES = (16, 32, 48, 64), (5, 5, 3, 3), (2, 2, 2, 1)


def drawings(count: int, seed: int) -> Tuple[np.ndarray, np.ndarray]:
    """Objects of one kind in each image, or none: uint8 [N, SIDE, SIDE, 3], and the kinds [N], 7 for none."""
    random = np.random.RandomState(seed)
    kinds, seeds = random.randint(len(JUDGED), size=count), random.randint(2**31 - 1, size=count)
    if count < 1000:
        return np.stack([_drawing(*each) for each in zip(seeds, kinds)]), kinds
    with ProcessPoolExecutor(2) as pool:
        return np.stack(list(pool.map(_drawing, seeds, kinds, chunksize=100))), kinds


def _drawing(seed: int, number: int) -> np.ndarray:
    random, kind = np.random.RandomState(seed), JUDGED[number]
    image = _paint(random) * np.ones(3)
    for _ in range(random.randint(4)):
        _over(random, image, _stroke(random), random.uniform(0.3, 1))
    if kind != "none" or random.uniform() < 0.7:
        _over(random, image, _masks(random, kind), random.uniform(0.7, 1))
    if random.uniform() < 0.5:
        image = cv2.GaussianBlur(image, (0, 0), random.uniform(0.3, 1.6))
    if random.uniform() < 0.6:
        image = image + _noise(random, random.uniform(2, 35))
    if random.uniform() < 0.5:
        image = image + random.normal(0, random.uniform(1, 16), image.shape)
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def _over(random: np.random.RandomState, image: np.ndarray, mask: np.ndarray, alpha: float) -> None:
    """Paint a mask into an image with paint that differs from what is there."""
    inside = mask[..., np.newaxis] * alpha
    under = (image * inside).sum(axis=(0, 1)) / max(inside.sum(), 1)
    paints = [_paint(random) for _ in range(4)]
    image += inside * (max(paints, key=lambda paint: np.linalg.norm(paint.mean(axis=(0, 1)) - under)) - image)
    if random.uniform() < 0.2:  # with an edge of one colour
        edge = cv2.morphologyEx(mask, cv2.MORPH_GRADIENT, np.ones((3, 3)))[..., np.newaxis]
        image += edge * (random.uniform(0, 255, 3) - image)


def _paint(random: np.random.RandomState) -> np.ndarray:
    """A colour, a ramp of two or a texture: float64 [SIDE, SIDE, 3]."""
    first, second = random.uniform(0, 255, (2, 3)) if random.uniform() < 0.8 else random.uniform(0, 255, (2, 1))
    rows, columns = np.mgrid[0:SIDE, 0:SIDE] / SIDE - 0.5
    angle = random.uniform(0, 2 * np.pi)
    across = np.cos(angle) * rows + np.sin(angle) * columns
    share = [0 * across, across + 0.5, 0.5 + 0.5 * np.sin(across * random.uniform(10, 120))][
        random.choice(3, p=[0.5, 0.35, 0.15])
    ]
    strength = random.uniform(0.2, 1)
    paint = first + strength * np.clip(share, 0, 1)[..., np.newaxis] * (second - first)
    return paint + (_noise(random, random.uniform(2, 30)) if random.uniform() < 0.6 else 0)


def _noise(random: np.random.RandomState, strength: float) -> np.ndarray:
    """Noise of one size: float64 [SIDE, SIDE, 3]."""
    side = random.randint(3, 40)
    small = random.normal(0, strength, (side, side, random.choice([1, 3])))
    return np.broadcast_to(
        cv2.resize(small, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC).reshape(SIDE, SIDE, -1), (SIDE, SIDE, 3)
    )


def _stroke(random: np.random.RandomState) -> np.ndarray:
    """A line or an arc: float64 [SIDE, SIDE] in 0..1."""
    canvas = np.zeros((SIDE, SIDE), np.uint8)
    ends = [tuple(int(side) for side in random.randint(SIDE, size=2)) for _ in range(2)]
    if random.uniform() < 0.6:
        cv2.line(canvas, ends[0], ends[1], 255, int(random.randint(1, 4)), cv2.LINE_AA)
    else:
        axes, start = tuple(int(side) for side in random.randint(4, 30, size=2)), random.uniform(0, 360)
        cv2.ellipse(canvas, ends[0], axes, 0, start, start + random.uniform(20, 110), 255, int(random.randint(1, 4)))
    return canvas / 255.0


def _masks(random: np.random.RandomState, kind: str) -> np.ndarray:
    """One to three objects of a kind, as one surface: float64 [SIDE, SIDE] in 0..1."""
    return np.maximum.reduce([_mask(random, kind) for _ in range(random.choice([1, 2, 3], p=[0.6, 0.25, 0.15]))])


def _mask(random: np.random.RandomState, kind: str) -> np.ndarray:
    """A turned and slightly sheared object, float64 [SIDE, SIDE] in 0..1."""
    radius = random.uniform(0.08, 0.38) * SIDE
    centre = random.uniform(min(radius + 1, SIDE / 2 - 1), max(SIDE - radius - 1, SIDE / 2 + 1), 2)
    angle = random.uniform(0, 2 * np.pi)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    turn = turn @ (np.eye(2) + random.uniform(-0.15, 0.15, (2, 2)))
    canvas = np.zeros((SIDE * _FINE, SIDE * _FINE), np.uint8)
    for points, value in _outlines(random, kind):
        placed = ((points @ turn) * radius + centre) * _FINE
        cv2.fillPoly(canvas, [np.rint(placed).astype(np.int32)], value)
    rounded = random.uniform(0, 0.12) * radius * _FINE
    if random.uniform() < 0.4 and rounded > 1:
        canvas = np.where(cv2.GaussianBlur(canvas, (0, 0), rounded) > 127, 255, 0).astype(np.uint8)
    return np.asarray(cv2.resize(canvas, (SIDE, SIDE), interpolation=cv2.INTER_AREA) / 255.0)


def _outlines(random: np.random.RandomState, kind: str) -> Any:
    """The outline of a kind in the unit circle, and what is cut out of it."""
    if kind == "star":
        return [(_circle(10, np.where(np.arange(10) % 2, random.uniform(0.34, 0.5), 1)), 255)]
    if kind in ("triangle", "square"):
        return [(_circle({"triangle": 3, "square": 4}[kind]), 255)]
    if kind == "cross":
        arm = random.uniform(0.24, 0.38)
        return [
            (np.array([[-1, -arm], [-1, arm], [1, arm], [1, -arm]]), 255),
            (np.array([[-arm, -1], [arm, -1], [arm, 1], [-arm, 1]]), 255),
        ]
    if kind == "heart":
        t = np.linspace(0, 2 * np.pi, 60, endpoint=False)
        y = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
        return [(np.stack([16 * np.sin(t) ** 3, -y - 2], axis=1) / 17, 255)]
    if kind == "ring":
        return [(_circle(60), 255), (_circle(60, random.uniform(0.45, 0.72)), 0)]
    if kind == "crescent":
        return [
            (_circle(60), 255),
            (_circle(60, random.uniform(0.74, 0.9)) + np.array([random.uniform(0.36, 0.56), 0]), 0),
        ]
    return _others(random)


def _others(random: np.random.RandomState) -> Any:
    """An ellipse, a polygon or a blob, none of the kinds."""
    which = random.randint(4)
    if which == 0:
        return [(_circle(60) * [1, random.uniform(0.3, 1)], 255)]
    if which == 1:
        return [(_circle(random.randint(5, 8)) * [1, random.uniform(0.5, 1)], 255)]
    if which == 2:
        return [(_circle(4)[:, ::-1] @ np.array([[1, 1], [-1, 1]]) / 1.42 * [1, random.uniform(0.15, 0.5)], 255)]
    waves = sum(
        random.normal(0, 0.12) * np.sin(n * 2 * np.pi * np.arange(60) / 60 + random.uniform(0, 6.3))
        for n in (1, 2, 3, 4, 6, 7)
    )
    return [(_circle(60, np.clip(0.7 + waves, 0.1, 1)), 255)]


def _circle(points: int, radius: Any = 1.0) -> np.ndarray:
    angle = 2 * np.pi * np.arange(points) / points
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)


def judged(images: np.ndarray, weights: Dict[str, np.ndarray]) -> np.ndarray:
    """Probabilities of the kinds and of none, for images of any size: uint8 [N, H, W, 3] -> [N, 8]."""
    factor = SIDE / min(images.shape[1:3])
    small = np.stack([cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA) for image in images])
    with tf.Graph().as_default(), tf.Session() as sess:
        fed = tf.placeholder(tf.uint8, [None, None, None, 3])
        found = tf.nn.softmax(_net(fed, weights)[0])
        return np.concatenate([sess.run(found, {fed: small[n : n + 64]}) for n in range(0, len(small), 64)])


def _net(images: tf.Tensor, weights: Dict[str, Any], known: bool = True) -> Tuple[tf.Tensor, Any]:
    """Return the scores, and mean and variance of each layer before its ReLU; without `known` these become 0 and 1."""
    a, moments = tf.cast(images, tf.float32), []
    a -= tf.reduce_mean(a, axis=[1, 2], keepdims=True)
    a *= tf.rsqrt(tf.reduce_mean(tf.square(a), axis=[1, 2, 3], keepdims=True) + 1)
    for n, stride in enumerate(STRIDES):
        a = tf.nn.conv2d(a, weights[f"w{n}"], [1, stride, stride, 1], "SAME")
        moments.append(tf.nn.moments(a, [0, 1, 2]))
        if not known:
            a = (a - moments[-1][0]) * tf.rsqrt(moments[-1][1] + _TINY)
        a = tf.nn.relu(a + weights[f"b{n}"])
    a = tf.concat([tf.reduce_mean(a, [1, 2]), tf.reduce_max(a, [1, 2])], 1)
    return tf.matmul(a, weights["w"]) + weights["b"], moments


def load_judge() -> Dict[str, np.ndarray]:
    """Its weights."""
    with np.load(str(FILE)) as stored:
        return {name: stored[name].astype(np.float32) for name in stored.files}


def train(steps: int, seed: int = 78) -> Dict[str, np.ndarray]:
    """Its weights after so many steps with the statistics of batches, which are then part of them."""
    images, kinds = drawings(24000, seed)
    random = np.random.RandomState(seed)
    with tf.Graph().as_default(), tf.Session() as sess:
        variables = _variables(random)
        fed, truth = tf.placeholder(tf.uint8, [None, SIDE, SIDE, 3]), tf.placeholder(tf.int32, [None])
        scores, moments = _net(fed, variables, known=False)
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=truth, logits=scores))
        rate = tf.placeholder(tf.float32, [])
        update = tf.train.AdamOptimizer(rate).minimize(loss)
        sess.run(tf.global_variables_initializer())
        for step in range(steps):
            rows = random.randint(len(images), size=64)
            turned = np.rot90(images[rows], random.randint(4), (1, 2))[:, :: random.choice([-1, 1])]
            given = {fed: turned, truth: kinds[rows], rate: 4e-3 * (1 - step / steps) + 1e-5}
            found = sess.run([loss, update], given)[0]
            if step % 100 == 0:
                print(step, found, flush=True)  # noqa: T201
        weights = dict(sess.run(variables))
        for n, (mean, variance) in enumerate(sess.run(moments, {fed: images[:1000]})):
            weights[f"w{n}"] = weights[f"w{n}"] / np.sqrt(variance + _TINY)
            weights[f"b{n}"] = weights[f"b{n}"] - mean / np.sqrt(variance + _TINY)
        return weights


def _variables(random: np.random.RandomState) -> Dict[str, Any]:
    variables, inputs = {}, 3
    for n, (outputs, kernel) in enumerate(zip(CHANNELS, KERNELS)):
        start = random.normal(0, np.sqrt(2 / (kernel**2 * inputs)), (kernel, kernel, inputs, outputs))
        variables[f"w{n}"] = tf.Variable(start.astype(np.float32))
        variables[f"b{n}"] = tf.Variable(np.zeros(outputs, np.float32))
        inputs = outputs
    start = random.normal(0, 0.1 / np.sqrt(2 * inputs), (2 * inputs, len(JUDGED)))
    variables["w"] = tf.Variable(start.astype(np.float32))
    variables["b"] = tf.Variable(np.zeros(len(JUDGED), np.float32))
    return variables


if __name__ == "__main__":
    trained = train(int(sys.argv[1]) if len(sys.argv) > 1 else 6000)
    np.savez_compressed(str(FILE), **{name: value.astype(np.float16) for name, value in trained.items()})
    test, truths = drawings(1600, 5)
    right = judged(test, load_judge()).argmax(axis=1) == truths
    print("right:", right.mean(), {name: right[truths == n].mean() for n, name in enumerate(JUDGED)})  # noqa: T201
