"""Read the boxes of a detector, whatever their form: tensor -> top, left, bottom, right as shares of the input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Dict, Tuple

import numpy as np

from gradcam_tf1.errors import TargetError
from gradcam_tf1.scoring.axis_order import classes_last, images
from gradcam_tf1.scoring.class_scores import detector_scores, objectness_scores, score_maps
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import Binding

OFFSETS = ("ssd", "ssd-yx")  # forms that need anchors
FORMS = ("yxyx", "xyxy", "cxcywh", *OFFSETS)
ACTIVATIONS = ("sigmoid", "softmax")


@dataclass(frozen=True)
class BoxReader:
    """A `targets.Boxes` with nothing left open; equal records make the same ops.

    Attributes
    ----------
    tensor : str
        Name of the tensor.
    form : str or callable
        One of FORMS, or a function.
    pixels : bool
        Whether the boxes are in pixels of the input.
    anchors : bytes
        float32 [anchors, 4]: centre x, centre y, width, height; empty for forms without.
    variances : tuple of float
        Factors of the offsets.
    activation : str
        One of ACTIVATIONS, or "" if the graph has the confidences.
    background : int
        Id of the class that means no object; -1 for none.
    """

    tensor: str
    form: Any
    pixels: bool = False
    anchors: bytes = b""
    variances: Tuple[float, ...] = (0.1, 0.1, 0.2, 0.2)
    activation: str = ""
    background: int = -1


def read_boxes(reader: BoxReader, binding: Binding) -> tf.Tensor:
    """Return the boxes of all anchors: float32 [N, anchors, 4], top, left, bottom, right, as shares of the input.

    Parameters
    ----------
    reader : BoxReader
        Where the boxes are and what they mean.
    binding : Binding
        The key tensors of the net.

    Raises
    ------
    TargetError
        If a function returns something else.
    """
    columns = _columns(reader.tensor, binding)
    anchors = np.frombuffer(reader.anchors, np.float32).reshape(-1, 4)
    expected = tf.constant(len(anchors)) if len(anchors) else tf.shape(confidences(reader, binding))[1]
    same = tf.debugging.Assert(
        tf.equal(tf.shape(columns)[1], expected), ["boxes:", tf.shape(columns)[1], "anchors:", expected]
    )
    with tf.control_dependencies([same]):
        columns = tf.identity(columns)
    if callable(reader.form):
        boxes = reader.form(columns)
        if not isinstance(boxes, tf.Tensor) or not boxes.dtype.is_floating or boxes.shape.rank != 3:
            raise TargetError(f"the function that reads boxes returned {boxes!r}; it returns a tensor [N, anchors, 4]")
        boxes = tf.cast(boxes, tf.float32)
    elif reader.form in OFFSETS:
        boxes = _from_offsets(columns, anchors, reader)
    else:
        boxes = _CORNERS[reader.form](columns)
    if not reader.pixels:
        return boxes
    height, width = _input_sides(binding)
    return boxes / tf.cast(tf.stack([height, width, height, width]), tf.float32)


def confidences(reader: BoxReader, binding: Binding) -> tf.Tensor:
    """Return the confidence of each class at each anchor, with the background: float32 [N, anchors, C]."""
    if binding.score_parts:
        return tf.sigmoid(detector_scores(binding))
    if reader.activation:
        return {"sigmoid": tf.sigmoid, "softmax": tf.nn.softmax}[reader.activation](score_maps(binding))
    tensor = tf.get_default_graph().get_tensor_by_name(binding.probabilities or binding.logits)
    return classes_last(tensor, binding.probability_axes, binding)


def class_shares(reader: BoxReader, binding: Binding) -> Tuple[tf.Tensor, tf.Tensor]:
    """Return the class probabilities P, float32 [N, anchors, C], and the objectness O, float32 [N, anchors].

    O is that of the net. Where it has none, it is 1 - p of the background class, else the highest confidence of the
    anchor. The background is 0 in P.
    """
    shares = confidences(reader, binding)
    if binding.score_parts:
        return shares, tf.sigmoid(objectness_scores(binding))[..., 0]
    if reader.background < 0:
        return shares, tf.reduce_max(shares, axis=-1)
    objects = 1.0 - tf.one_hot(reader.background, tf.shape(shares)[-1])
    return shares * objects, 1.0 - shares[..., reader.background]


def _columns(name: str, binding: Binding) -> tf.Tensor:
    """Return the four columns of a tensor, float32 [N, anchors, 4]."""
    tensor = tf.cast(tf.get_default_graph().get_tensor_by_name(name), tf.float32)
    columns = tensor.shape.as_list()[-1]
    count = images(binding) if tensor.shape.rank == 2 else tf.shape(tensor)[0]
    return tf.reshape(tensor, tf.stack([count, -1, columns]))[..., :4]


def _from_offsets(offsets: tf.Tensor, anchors: np.ndarray, reader: BoxReader) -> tf.Tensor:
    """SSD: centre = anchor centre + v d * anchor size, size = anchor size * exp(v d)."""
    offsets = offsets * tf.constant(reader.variances, tf.float32)
    if reader.form == "ssd-yx":
        offsets = tf.gather(offsets, [1, 0, 3, 2], axis=-1)
    centres = anchors[:, :2] + offsets[..., :2] * anchors[:, 2:]
    sizes = anchors[:, 2:] * tf.exp(offsets[..., 2:])
    return _from_centres(tf.concat([centres, sizes], axis=-1))


def _from_centres(boxes: tf.Tensor) -> tf.Tensor:
    x, y, width, height = tf.unstack(boxes, 4, axis=-1)
    return tf.stack([y - height / 2, x - width / 2, y + height / 2, x + width / 2], axis=-1)


_CORNERS: Dict[str, Callable[[tf.Tensor], tf.Tensor]] = {
    "yxyx": lambda boxes: boxes,
    "xyxy": lambda boxes: tf.gather(boxes, [1, 0, 3, 2], axis=-1),
    "cxcywh": _from_centres,
}


def _input_sides(binding: Binding) -> Tuple[tf.Tensor, tf.Tensor]:
    shape = tf.shape(tf.get_default_graph().get_tensor_by_name(binding.input))
    first = int(binding.has_batch_axis) + (0 if binding.input_channels_last else 1)
    return shape[first], shape[first + 1]


def overlaps(boxes: tf.Tensor, box: tf.Tensor) -> tf.Tensor:
    """Return the intersection over union of [N, anchors, 4] with [N, 4]: float32 [N, anchors]."""
    box = box[:, tf.newaxis]
    sides = tf.minimum(boxes[..., 2:], box[..., 2:]) - tf.maximum(boxes[..., :2], box[..., :2])
    inside = tf.reduce_prod(tf.nn.relu(sides), axis=-1)
    both = _area(boxes) + _area(box) - inside
    return tf.math.divide_no_nan(inside, both)


def _area(boxes: tf.Tensor) -> tf.Tensor:
    return tf.reduce_prod(tf.nn.relu(boxes[..., 2:] - boxes[..., :2]), axis=-1)
