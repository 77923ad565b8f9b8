"""Walk from the logits back through the linear end of a net: biases, one dense layer, pooling."""

from __future__ import annotations

from typing import Callable, List, Optional, Sequence, Tuple

from gradcam_tf1.errors import GradientError
from gradcam_tf1.scoring.map_layout import MapLayout
from gradcam_tf1.tf_runtime import static_value, tf

# ops that do not change the numbers, except by rounding
SAME = (
    "Identity", "Cast", "Snapshot", "EnsureShape", "CheckNumerics", "FakeQuantWithMinMaxArgs",
    "FakeQuantWithMinMaxVars", "FakeQuantWithMinMaxVarsPerChannel",
)  # fmt: skip
# ops that are linear in their first input
PASS_THROUGH = (*SAME, "Reshape", "Squeeze", "ExpandDims", "Mean", "AvgPool")
BIAS = ("BiasAdd", "Add", "AddV2")
DENSE = ("MatMul", "Conv2D")


def walk_back(
    tensor: tf.Tensor, through: Sequence[str], is_end: Callable[[tf.Tensor], bool]
) -> Tuple[List[tf.Operation], tf.Tensor]:
    """Follow the data back from a tensor, until `is_end` holds or an op of another type comes.

    A dropout that is switched off is skipped.

    Parameters
    ----------
    tensor : tf.Tensor
        Where the walk starts.
    through : sequence of str
        Op types that the walk passes.
    is_end : callable
        Whether the walk ends at a tensor.

    Returns
    -------
    list of tf.Operation
        The ops passed, the last one of the net first.
    tf.Tensor
        Where the walk ended.
    """
    passed: List[tf.Operation] = []
    while not is_end(tensor):
        before = _before_dropout(tensor.op)
        if before is None and tensor.op.type not in through:
            break
        if before is None:
            passed.append(tensor.op)
        tensor = _data_input(tensor.op) if before is None else before
    return passed, tensor


def _before_dropout(merge: tf.Operation) -> Optional[tf.Tensor]:
    """Return the data of a conditional whose branch for False returns them unchanged; None for other ops.

    Keras writes dropout like this; True is the training phase.
    """
    for branch in merge.inputs if merge.type == "Merge" else ():
        start = _behind_identities(branch)
        if start.op.type == "Switch" and start.value_index == 0:
            return start.op.inputs[0]
    return None


def _behind_identities(tensor: tf.Tensor) -> tf.Tensor:
    while tensor.op.type in SAME:
        tensor = tensor.op.inputs[0]
    return tensor


def _data_input(op: tf.Operation) -> tf.Tensor:
    """Return the input that carries data; for an addition, the one that is not the constant bias."""
    if op.type in ("Add", "AddV2") and _is_constant(op.inputs[0]):
        return op.inputs[1]
    return op.inputs[0]


def _is_constant(tensor: tf.Tensor) -> bool:
    op = tensor.op
    while op.type in (*SAME, "Dequantize"):
        op = op.inputs[0].op
    return op.type in ("Const", "ReadVariableOp")


def require_cam_head(logits: tf.Tensor, layer: tf.Tensor, layout: MapLayout) -> None:
    """Check CAM's condition: the logits are a global average of the layer and linear layers, in either order.

    Logits that still have positions are averaged later, see `class_scores.py`.

    Parameters
    ----------
    logits, layer : tf.Tensor
        The class scores, and the feature map that CAM would show.
    layout : MapLayout
        That of the layer.

    Raises
    ------
    GradientError
        If the condition does not hold; names the first op that breaks it.
    """
    passed, end = walk_back(
        logits, (*PASS_THROUGH, *BIAS, *DENSE, "Transpose"), lambda tensor: tensor.name == layer.name
    )
    if end.name != layer.name:
        raise _no_cam(layer, f"walking back from '{logits.name}' came to '{end.op.name}' ({end.op.type})")
    axes = list(layout.to_last(layer.shape.rank)[1:-1])
    for op in reversed(passed):
        if _one_position(op, axes):
            return
        if op.type == "Transpose":
            order = list(static_value(op.inputs[1]))
            axes = [order.index(axis) for axis in axes]
        elif _averages(op, axes):
            return
        elif not _keeps_positions(op, axes):
            raise _no_cam(layer, f"'{op.name}' ({op.type}) mixes the positions before they are averaged")
    if logits.shape.rank != 4:
        raise _no_cam(layer, f"no global average lies between it and '{logits.name}'")


def _no_cam(layer: tf.Tensor, reason: str) -> GradientError:
    return GradientError(
        f"CAM needs a head of global average pooling and a dense layer (or 1x1 convolution) on '{layer.name}'; "
        f"{reason}. Use gradcam, which is the same map where both exist, or the last layer before the pooling"
    )


def _size(tensor: tf.Tensor, axes: List[int]) -> List[int]:
    dims = tensor.shape.as_list()
    return [dims[axis] for axis in axes]


def _one_position(op: tf.Operation, axes: List[int]) -> bool:
    return all(size == 1 for size in _size(op.inputs[0], axes))


def _averages(op: tf.Operation, axes: List[int]) -> bool:
    """Return whether the op averages all positions."""
    if op.type == "Mean":
        rank = op.inputs[0].shape.rank
        averaged = static_value(op.inputs[1]).reshape(-1)
        return set(axes) <= {axis % rank for axis in averaged.tolist()}
    if op.type == "AvgPool":
        window, sizes = op.get_attr("ksize"), _size(op.inputs[0], axes)
        covered = all(size is not None and window[axis] >= size for axis, size in zip(axes, sizes))
        return covered and all(size == 1 for size in _size(op.outputs[0], axes))
    return False


def _keeps_positions(op: tf.Operation, axes: List[int]) -> bool:
    """Return whether each output position depends only on the same input position, alike for all positions."""
    if op.type == "Conv2D":
        strides = op.get_attr("strides")
        return all(op.inputs[1].shape.as_list()[n] == 1 for n in (0, 1)) and all(strides[axis] == 1 for axis in axes)
    return op.type in (*SAME, *BIAS)
