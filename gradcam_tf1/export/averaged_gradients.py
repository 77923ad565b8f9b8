"""Gradients averaged over a path or over noisy copies, in ops: a loop runs the net on one point of each image.

The loop holds a second copy of the net's ops, not of its weights, see `second_copy.py`. Its points, weights and noise
are those that `explain` takes, and it adds up in float64, as that does.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Tuple

import numpy as np

from gradcam_tf1.engine.explain import NetExplainer
from gradcam_tf1.errors import ExportError
from gradcam_tf1.export.numpy_noise_ops import standard_normals
from gradcam_tf1.methods.path import path_points
from gradcam_tf1.tf_runtime import tf

Gradient = Callable[["tf.Tensor"], "tf.Tensor"]

_LEVELS = {"black": 0.0, "white": 255.0}


class Averaging(NamedTuple):
    """What an average is made of.

    Attributes
    ----------
    explainer : NetExplainer
        The bound net.
    images : tf.Tensor
        float32 [N, H, W, C], the images as the net's first float tensor has them.
    sides : tuple of int
        The sides of the net's input.
    gradient : callable
        Such inputs -> dy/dx at each, for the class of its image: float32 [N, H, W, C].
    options : dict
        All options of the method.
    """

    explainer: NetExplainer
    images: tf.Tensor
    sides: Tuple[int, ...]
    gradient: Gradient
    options: Dict[str, Any]


def _integrated(work: Averaging) -> tf.Tensor:
    """As `methods.path.integrated_gradients`."""
    steps = work.options["steps"]
    points, weights = (tf.constant(each) for each in path_points(work.options["rule"], steps))
    start = _start(work)
    distance = tf.cast(work.images, tf.float64) - start

    def step(number: tf.Tensor, total: tf.Tensor) -> List[tf.Tensor]:
        inputs = tf.cast(start + tf.gather(points, number) * distance, tf.float32)
        return [total + tf.gather(weights, number) * tf.cast(work.gradient(inputs), tf.float64)]

    (total,) = _repeated(steps, step, [tf.zeros_like(distance)])
    return tf.cast(distance * total, tf.float32)


def _start(work: Averaging) -> np.ndarray:
    """Return the baseline as the net takes it: float64 [1, ..., C]. Raises ExportError if it is no single colour."""
    baseline = work.options["baseline"]
    if isinstance(baseline, str) and baseline == "zero":
        return np.zeros(1)
    level = _LEVELS.get(baseline) if isinstance(baseline, str) else baseline
    if level is not None and np.ndim(level) == 0:
        pixels = np.full(work.explainer.pixels_shape(work.sides), level, np.float32)
        value = work.explainer.engine.float_images(work.explainer.to_batch(pixels), {})
        axes = tuple(range(value.ndim - 1))
        colour: np.ndarray = value.max(axis=axes, keepdims=True).astype(np.float64)
        if (value == colour).all():
            return colour
    given = repr(baseline) if isinstance(baseline, str) else "what was given"
    raise ExportError(
        f"an exported model takes a baseline of one colour, and {given} is another for each pixel or image; give "
        "'black', 'white', 'zero' or a gray level"
    )


def _smoothed(kind: str) -> Callable[[Averaging], tf.Tensor]:
    """As `methods.noise.smooth_gradient`, with the noise of numpy's generator."""

    def smoothed(work: Averaging) -> tf.Tensor:
        samples, images = work.options["samples"], work.images
        shape = images.shape.as_list()[1:]
        axes = list(range(1, len(shape) + 1))
        extent = tf.reduce_max(images, axes, keepdims=True) - tf.reduce_min(images, axes, keepdims=True)
        spread = tf.cast(np.float32(work.options["level"]) * extent, tf.float64)
        noise = tf.reshape(standard_normals(work.options["seed"], samples * int(np.prod(shape))), [samples, *shape])

        def step(number: tf.Tensor, mean: tf.Tensor, squares: tf.Tensor) -> List[tf.Tensor]:
            inputs = tf.cast(images, tf.float64) + spread * tf.gather(noise, number)
            grads = tf.cast(work.gradient(tf.cast(inputs, tf.float32)), tf.float64)
            off = grads - mean  # Welford's update, as in `methods.noise.Spread`
            mean += off / tf.cast(number + 1, tf.float64)
            return [mean, squares + off * (grads - mean)]

        mean, squares = _repeated(samples, step, [tf.zeros_like(images, tf.float64)] * 2)
        variance = squares / samples
        found = {"smoothgrad": mean, "squaregrad": variance + mean**2, "vargrad": variance}[kind]
        return tf.cast(found, tf.float32)

    return smoothed


def _repeated(count: int, step: Callable[..., List[tf.Tensor]], start: List[tf.Tensor]) -> List[tf.Tensor]:
    """Return what `step(number, *values)` makes of its values, `count` times. Their shapes stay."""

    def kept(number: tf.Tensor, *values: tf.Tensor) -> List[tf.Tensor]:
        found = step(number, *values)
        return [number + 1, *(tf.ensure_shape(new, old.shape) for new, old in zip(found, values))]

    found: List[tf.Tensor] = tf.while_loop(
        lambda number, *_values: number < count, kept, [tf.constant(0), *start], parallel_iterations=1
    )
    return found[1:]


@contextmanager
def loops_of_ops() -> Iterator[None]:
    """While this is open, a loop is made of ops (Enter, Exit, ...), which a graph of either TensorFlow can hold.

    TensorFlow 2 would make a function of its body; in 2.21 a batch norm in one is lost ("Missing 0-th output").
    """
    functions = tf.control_flow_v2_enabled()
    tf.disable_control_flow_v2()
    try:
        yield
    finally:
        if functions:
            tf.enable_control_flow_v2()


AVERAGED: Dict[str, Callable[[Averaging], tf.Tensor]] = {
    "integrated_gradients": _integrated,
    "smoothgrad": _smoothed("smoothgrad"),
    "squaregrad": _smoothed("squaregrad"),
    "vargrad": _smoothed("vargrad"),
}
