"""Class activation maps of gradients pooled over a neighbourhood: between HiResCAM (no pooling) and Grad-CAM (all).

They explain one detection, or one region of a segmentation, near which the gradient counts. Features and gradients are
float32 [N, h, w, K]; maps are float32 [N, h, w] before the closing ReLU.
"""

from __future__ import annotations

from typing import List

from gradcam_tf1.methods.families import LayerMethod
from gradcam_tf1.methods.options import Option
from gradcam_tf1.tf_runtime import tf

_TRUNCATE = 4.0  # the Gaussian ends at this many standard deviations
_MOST = 10_000  # cells, more than a map has; TensorFlow's numbers of 32 bits wrap around far above


def odam(features: tf.Tensor, grads: tf.Tensor, *, sigma: float) -> tf.Tensor:
    """ReLU(sum_k (G * g_k) A_k), G a Gaussian of `sigma` cells.

    The gradient of one detection's score is local, and the Gaussian makes it smooth. The paper sizes the Gaussian by
    the object; here `sigma` is given, and 0 gives ReLU(HiResCAM).

    References
    ----------
    ODAM, https://arxiv.org/abs/2304.06354
    """
    for axis in _positions(grads) if _reach(sigma) else []:
        grads = _along(grads, axis, _gaussian(tf.shape(grads)[axis], sigma))
    return tf.reduce_sum(grads * features, axis=-1)


def segxrescam(features: tf.Tensor, grads: tf.Tensor, *, window: int, pool: str) -> tf.Tensor:
    """ReLU(sum_k U(P_w(g_k)) A_k): P_w pools the gradient over blocks of `window` cells, U interpolates between blocks.

    A window of 1 gives ReLU(HiResCAM), one as large as the map, with pool="mean", Grad-CAM. Blocks at the lower and
    right edge may have fewer cells; U is linear between the centres of the blocks.

    References
    ----------
    Seg-XRes-CAM, https://github.com/Nouman97/Seg_XRes_CAM
    """
    axes = _positions(grads) if window > 1 else []
    for axis in axes:
        means = _block_means(tf.shape(features)[axis], window)
        grads = _maxima(grads, axis, window) if pool == "max" else _along(grads, axis, means)
    for axis in axes:
        grads = _along(grads, axis, _interpolation(tf.shape(features)[axis], window))
    return tf.reduce_sum(grads * features, axis=-1)


def _positions(tensor: tf.Tensor) -> List[int]:
    return list(range(1, tensor.shape.rank - 1))


def _along(tensor: tf.Tensor, axis: int, matrix: tf.Tensor) -> tf.Tensor:
    """Multiply an axis by a matrix [m, n]: [..., n, ...] -> [..., m, ...]."""
    rank = tensor.shape.rank
    product = tf.tensordot(matrix, tensor, axes=[[1], [axis]])  # the new axis is in front
    order = [*range(1, axis + 1), 0, *range(axis + 1, rank)]
    return tf.transpose(product, order)


def _reach(sigma: float) -> int:
    """Return how many cells a Gaussian reaches to each side: 0 for one that leaves all as it is."""
    return int(_TRUNCATE * sigma + 0.5)


def _gaussian(size: tf.Tensor, sigma: float) -> tf.Tensor:
    """Return the convolution with a Gaussian as a matrix [n, n]; beyond the map the gradient is 0."""
    reach = _reach(sigma)
    steps = tf.cast(tf.range(-reach, reach + 1), tf.float32)
    total = tf.reduce_sum(tf.exp(-tf.square(steps / sigma) / 2))
    cells = tf.cast(tf.range(size), tf.float32)
    apart = tf.abs(cells[:, tf.newaxis] - cells)
    return tf.where_v2(apart <= reach, tf.exp(-tf.square(apart / sigma) / 2) / total, tf.zeros_like(apart))


def _count(size: tf.Tensor, window: int) -> tf.Tensor:
    return (size + window - 1) // window


def _block_means(size: tf.Tensor, window: int) -> tf.Tensor:
    """Return the mean over each block as a matrix [m, n]."""
    own = tf.cast(tf.equal(tf.range(_count(size, window))[:, tf.newaxis], tf.range(size) // window), tf.float32)
    return own / tf.reduce_sum(own, axis=1, keepdims=True)


def _maxima(tensor: tf.Tensor, axis: int, window: int) -> tf.Tensor:
    """Return the highest value in each block of an axis: [..., n, ...] -> [..., m, ...]."""
    shape = tf.shape(tensor)
    count = _count(shape[axis], window)
    missing = count * window - shape[axis]
    pads = [[0, missing if each == axis else 0] for each in range(tensor.shape.rank)]
    padded = tf.pad(tensor, pads, constant_values=tensor.dtype.min)
    sides = tf.concat([shape[:axis], [count, window], shape[axis + 1 :]], axis=0)
    blocks = tf.reduce_max(tf.reshape(padded, sides), axis=axis + 1)
    blocks.set_shape([None if each == axis else side for each, side in enumerate(tensor.shape.as_list())])
    return blocks


def _interpolation(size: tf.Tensor, window: int) -> tf.Tensor:
    """Return the linear interpolation from the centres of m blocks to n cells, clamped outside, as a matrix [n, m]."""
    last = tf.cast(_count(size, window) - 1, tf.float32)
    places = (tf.cast(tf.range(size), tf.float32) + 0.5) / window - 0.5
    places = tf.clip_by_value(places, 0.0, last)
    return tf.nn.relu(1 - tf.abs(places[:, tf.newaxis] - tf.cast(tf.range(_count(size, window)), tf.float32)))


LOCAL_ROWS = (
    LayerMethod(
        "odam",
        "one detection: gradients smoothed where they are",
        "https://arxiv.org/abs/2304.06354",
        odam,
        options=(Option("sigma", 2.0, low=0, high=_MOST),),
    ),
    LayerMethod(
        "segxrescam",
        "a region of a segmentation: gradients pooled over windows",
        "https://github.com/Nouman97/Seg_XRes_CAM",
        segxrescam,
        options=(Option("window", 4, low=1, high=_MOST), Option("pool", "mean", choices=("mean", "max"))),
    ),
)
