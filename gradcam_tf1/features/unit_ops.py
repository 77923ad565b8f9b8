"""The ops that measure units: v . A at each position, the value of a unit, and its gradient by the net's floats."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple, Optional

from gradcam_tf1.engine.graph_ops import GraphOps
from gradcam_tf1.gradients.derivatives import gradients
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import LayerInfo

_RECTIFIERS = ("Relu", "Relu6")
_LEAST_COSINE = 0.1
_TINY = 1e-12  # keeps the gradient of a length finite at zero


class UnitPlace(NamedTuple):
    """Which tensor units are measured at, and how.

    Attributes
    ----------
    layer : LayerInfo or None
        A single layer; None for the scores of the classes.
    at_position : bool
        Whether one position counts instead of the mean over all.
    by_cosine : bool
        Whether the cosine of the direction and the features counts.
    of_class : bool
        Whether the directions are those of classes: dy/dA of the class's logit y, summed over the positions.
    """

    layer: Optional[LayerInfo]
    at_position: bool = False
    by_cosine: bool = False
    of_class: bool = False


class UnitTensors(NamedTuple):
    """The tensors of a place.

    Attributes
    ----------
    directions : tf.Tensor
        Fed: float32 [N, U, K], the directions of U units for each image; of classes, [N, 1, C].
    position : tf.Tensor
        Fed: int32 [N, 2].
    power : tf.Tensor
        Fed: float32 [N].
    map : tf.Tensor
        float32 [N, h, w, U]: what each position counts.
    values : tf.Tensor
        float32 [N, U].
    """

    directions: tf.Tensor
    position: tf.Tensor
    power: tf.Tensor
    map: tf.Tensor
    values: tf.Tensor


def unit_tensors(ops: GraphOps, place: UnitPlace) -> UnitTensors:
    """Return the tensors of a place; they are added to the net's graph once."""

    def part(name: str, build: object) -> tf.Tensor:
        return ops.once(("unit", name, place), build)  # type: ignore[arg-type]

    directions = part("directions", lambda: tf.placeholder(tf.float32, [None, None, None], "directions"))
    position = part("position", lambda: tf.placeholder(tf.int32, [None, 2], "position"))
    power = part("power", lambda: tf.placeholder(tf.float32, [None], "power"))
    map = part("map", lambda: _place_map(ops, place, directions, power))
    values = part("values", lambda: _values(map, position if place.at_position else None))
    return UnitTensors(directions, position, power, map, values)


def unit_grads(ops: GraphOps, place: UnitPlace) -> tf.Tensor:
    """Return the gradient of the sum of all units by the net's floats: float32 [N, H, W, C]. Raises GradientError."""
    values = unit_tensors(ops, place).values
    return ops.once(("unit", "grads", place), lambda: ops.as_images(gradients(values, [ops.float_images().tensor])[0]))


def class_grads(ops: GraphOps, layer: LayerInfo) -> tf.Tensor:
    """Return dy/dA for the class that is fed with each image, at `UnitPlace(layer, True, of_class=True)`: [N, h, w, K].

    Raises GradientError.
    """
    return _class_grads(ops, layer, unit_tensors(ops, UnitPlace(layer, True, of_class=True)).directions)


def _class_grads(ops: GraphOps, layer: LayerInfo, classes: tf.Tensor) -> tf.Tensor:
    def build() -> tf.Tensor:
        score = tf.reduce_sum(ops.scores("logit") * classes[:, 0], axis=1)
        return ops.as_map(gradients(score, [ops.layer_tensor(layer)])[0], layer)

    return ops.once(("unit", "class grads", layer), build)


def unit_features(ops: GraphOps, layer: Optional[LayerInfo]) -> tf.Tensor:
    """Return the features of a layer, or the scores of the classes at a single position: float32 [N, h, w, K]."""
    if layer is not None:
        return ops.features(layer)
    return ops.once("scores as features", lambda: ops.scores("logit")[:, tf.newaxis, tf.newaxis])


def before_rectifier(ops: GraphOps, layer: Optional[LayerInfo]) -> Optional[LayerInfo]:
    """Return the tensor that a layer of ReLUs is made of, where no unit is switched off; None for other layers."""
    if layer is None:
        return None
    op = ops.layer_tensor(layer).op
    return replace(layer, name=op.inputs[0].name, op=op.inputs[0].op.type) if op.type in _RECTIFIERS else None


def _place_map(ops: GraphOps, place: UnitPlace, directions: tf.Tensor, power: tf.Tensor) -> tf.Tensor:
    if place.of_class and place.layer is not None:  # what the class counts each channel for, as constants
        grads = _class_grads(ops, place.layer, directions)
        directions = tf.stop_gradient(tf.reduce_sum(grads, axis=[1, 2])[:, tf.newaxis])
    return _map(unit_features(ops, place.layer), directions, power if place.by_cosine else None)


def _map(features: tf.Tensor, directions: tf.Tensor, power: Optional[tf.Tensor]) -> tf.Tensor:
    sides = tf.shape(features)
    flat = tf.reshape(features, [sides[0], sides[1] * sides[2], sides[3]])
    counts = tf.matmul(flat, directions, transpose_b=True)  # [N, h w, U]
    if power is not None:
        lengths = [tf.sqrt(tf.reduce_sum(tf.square(each), axis=-1) + _TINY) for each in (flat, directions)]
        cosines = counts / (lengths[0][:, :, tf.newaxis] * lengths[1][:, tf.newaxis])
        counts *= tf.pow(tf.maximum(cosines, _LEAST_COSINE), power[:, tf.newaxis, tf.newaxis])
    return tf.reshape(counts, tf.concat([sides[:3], tf.shape(directions)[1:2]], axis=0))


def _values(map: tf.Tensor, position: Optional[tf.Tensor]) -> tf.Tensor:
    if position is None:
        return tf.reduce_mean(map, axis=[1, 2])
    return tf.gather_nd(map, position, batch_dims=1)
