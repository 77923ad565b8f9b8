"""The linear end of a net, walked from the logits back: biases, one dense layer, pooling, and where it stops."""

from __future__ import annotations

from typing import Callable, List, Optional, Sequence, Tuple

from gradcam_tf1.errors import GradientError
from gradcam_tf1.tf_runtime import tf

# the same numbers, but for rounding
SAME = (
    "Identity", "Cast", "Snapshot", "EnsureShape", "CheckNumerics", "FakeQuantWithMinMaxArgs",
    "FakeQuantWithMinMaxVars", "FakeQuantWithMinMaxVarsPerChannel",
)  # fmt: skip
# ops that are linear in their first input once the bias is left out
PASS_THROUGH = (*SAME, "Reshape", "Squeeze", "ExpandDims", "Mean", "AvgPool")
BIAS = ("BiasAdd", "Add", "AddV2")
DENSE = ("MatMul", "Conv2D")


def walk_back(
    tensor: tf.Tensor, through: Sequence[str], found: Callable[[tf.Tensor], bool]
) -> Tuple[List[tf.Operation], tf.Tensor]:
    """Follow the data back from `tensor` through ops of the types `through`, until `found` or an op of another type.

    A dropout that is switched off is passed over.
    Returns: the ops passed, last first, and the tensor where the walk ended.
    """
    passed: List[tf.Operation] = []
    while not found(tensor):
        before = _before_dropout(tensor.op)
        if before is None and tensor.op.type not in through:
            break
        if before is None:
            passed.append(tensor.op)
        tensor = _data_input(tensor.op) if before is None else before
    return passed, tensor


def _before_dropout(merge: tf.Operation) -> Optional[tf.Tensor]:
    """The data of a conditional whose branch for False hands them on as they are; None for other ops.

    That is how Keras writes dropout, True being the training phase.
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
    """The input that carries data; for an addition, the one that is not the constant bias."""
    if op.type in ("Add", "AddV2") and _is_constant(op.inputs[0]):
        return op.inputs[1]
    return op.inputs[0]


def _is_constant(tensor: tf.Tensor) -> bool:
    op = tensor.op
    while op.type in (*SAME, "Dequantize"):
        op = op.inputs[0].op
    return op.type in ("Const", "ReadVariableOp")


def require_cam_head(logits: tf.Tensor, layer: tf.Tensor, channels_last: bool) -> None:
    """Nothing, where the logits are a global average of the layer and linear layers, in either order (CAM's condition).

    Logits that still have positions are averaged later, see `heads.py`.
    Raises: GradientError naming the first op that is in the way.
    """
    passed, end = walk_back(
        logits, (*PASS_THROUGH, *BIAS, *DENSE, "Transpose"), lambda tensor: tensor.name == layer.name
    )
    if end.name != layer.name:
        raise _no_cam(layer, f"walking back from '{logits.name}' came to '{end.op.name}' ({end.op.type})")
    rank = layer.shape.rank
    axes = list(range(1, rank - 1)) if channels_last else list(range(2, rank))
    for op in reversed(passed):
        if _one_position(op, axes):
            return
        if op.type == "Transpose":
            order = list(tf.get_static_value(op.inputs[1]))
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
    """Whether the op averages all positions."""
    if op.type == "Mean":
        rank = op.inputs[0].shape.rank
        averaged = tf.get_static_value(op.inputs[1]).reshape(-1)
        return set(axes) <= {axis % rank for axis in averaged.tolist()}
    if op.type == "AvgPool":
        window, sizes = op.get_attr("ksize"), _size(op.inputs[0], axes)
        covered = all(size is not None and window[axis] >= size for axis, size in zip(axes, sizes))
        return covered and all(size == 1 for size in _size(op.outputs[0], axes))
    return False


def _keeps_positions(op: tf.Operation, axes: List[int]) -> bool:
    """Whether each position of the output comes from that position of the input alone, the same way everywhere."""
    if op.type == "Conv2D":
        strides = op.get_attr("strides")
        return all(op.inputs[1].shape.as_list()[n] == 1 for n in (0, 1)) and all(strides[axis] == 1 for axis in axes)
    return op.type in (*SAME, *BIAS)
