"""The pixel values that a net expects, as far as its graph shows them."""

from __future__ import annotations

from typing import List, NamedTuple, Optional, Set, Tuple

import numpy as np

from gradcam_tf1.binding.graph_index import GraphIndex
from gradcam_tf1.binding.op_kinds import BATCH_NORMS, CONCATS, CONVOLUTIONS, PIPELINE_ENDS, PLACEHOLDERS
from gradcam_tf1.tf_runtime import tf

_STEPS = 24
_BYTE_MEAN = 30.0  # a mean above this belongs to pixels of 0..255
_BYTE_SCALE = 0.02  # so does a scale below this
_UNIT_MEAN = (0.2, 0.8)  # means between these belong to pixels of 0..1
_ARITHMETIC = ("Sub", "Add", "AddV2", "BiasAdd", "Mul", "RealDiv", "Div")


class Affine(NamedTuple):
    """y = scale x + shift; one number per channel in the order of the input, or one for all channels."""

    scale: np.ndarray
    shift: np.ndarray


def preprocessing(index: GraphIndex, images: str, path: Set[str], channels: int) -> Tuple[Optional[str], str]:
    """Find the preset that fits the constants in the graph.

    The constants between the input and the first convolution make y = scale x + shift. The mean -shift / scale and a
    small scale show the range of the pixels. The order of three means shows the order of the colours, because on
    average red is the brightest and blue the darkest channel of photographs.

    Parameters
    ----------
    index : GraphIndex
        The graph.
    images : str
        The image input.
    path : set of str
        The tensors between input and logits.
    channels : int
        Channels of the input.

    Returns
    -------
    (str or None, str)
        The preset, None if the graph shows none, and the reason in one sentence.
    """
    dtype = index.tensors[images].dtype
    if dtype.is_integer:
        return _preset("raw", channels), f"'{images}' takes {dtype.name}, so the graph scales the pixels itself"
    change, ops = _first_steps(index, images, path) if channels in (1, 3) else (None, [])
    if change is None or not ops:
        return None, "the graph does not show which pixel values it expects; name a preset"
    mean = -change.shift / np.where(change.scale == 0, 1.0, change.scale) + 0.0
    numbers = f"(mean {np.round(mean, 3).tolist()}, scale {np.round(change.scale, 5).tolist()})"
    where = f"'{ops[0]}'" if len(ops) == 1 else f"'{ops[0]}' to '{ops[-1]}'"
    if np.abs(mean).max() >= _BYTE_MEAN or np.abs(change.scale).max() <= _BYTE_SCALE:
        name, why = "raw", f"{where} take pixels of 0..255 {numbers}"
    elif mean.min() >= _UNIT_MEAN[0] and mean.max() <= _UNIT_MEAN[1]:
        name, why = "zero-one", f"{where} take pixels of 0..1 {numbers}"
    else:
        return (
            None,
            f"{where} change the pixels {numbers}, but do not show which values the graph expects; name a preset",
        )
    if mean.size == 3 and mean[0] < 0.98 * mean[2]:
        return _preset(f"{name}-bgr", channels), f"{why}, blue first by the order of the means"
    return _preset(name, channels), why


def _preset(name: str, channels: int) -> Optional[str]:
    """Return the preset for a number of channels; only "raw" suits other than 1 and 3, which are no photographs."""
    return {1: f"gray-{name}", 3: name}.get(channels, "raw" if name == "raw" else None)


def _first_steps(index: GraphIndex, name: str, path: Set[str]) -> Tuple[Affine, List[str]]:
    """Return the change of the pixels before the first convolution or branching, and the ops that make it."""
    total, flipped, ops = Affine(np.ones(1), np.zeros(1)), False, []
    for _ in range(_STEPS):
        op = _only_user(index, name, path)
        if op is None or op.type in CONVOLUTIONS:
            break
        parts = _channel_by_channel(index, op, path)
        step = parts[0] if parts else _affine(index, op, name)
        if step is not None:
            step = Affine(step.scale[::-1], step.shift[::-1]) if flipped else step
            total = Affine(total.scale * step.scale, total.shift * step.scale + step.shift)
            ops.append(op.name)
        reverses = parts[2] if parts else _reverses(index, op)
        flipped = flipped != reverses
        outputs = [parts[1]] if parts else [out for out in index.outputs[op.name] if out in path]
        if len(outputs) != 1:
            break
        name = outputs[0]
    return total, ops


def _only_user(index: GraphIndex, name: str, path: Set[str]) -> Optional[tf.Operation]:
    users = [op for op, slot in index.users[name] if any(out in path for out in index.flows(op, slot))]
    return users[0] if len({op.name for op in users}) == 1 else None


def _channel_by_channel(index: GraphIndex, op: tf.Operation, path: Set[str]) -> Optional[Tuple[Affine, str, bool]]:
    """Return the change of split and rejoined channels, the joined tensor, and whether their order is reversed."""
    if op.type not in ("Split", "SplitV", "Unpack") or len(index.outputs[op.name]) != 3:
        return None
    channels = [_one_channel(index, name, path) for name in index.outputs[op.name]]
    parts = [part for part in channels if part is not None]
    if len(parts) != 3 or len({join.name for _, join, _ in parts}) != 1:
        return None
    change = Affine(*(np.concatenate([np.broadcast_to(part[k], 1) for part, _, _ in parts]) for k in (0, 1)))
    join = parts[0][1]
    return change, index.outputs[join.name][0], parts[0][2] > parts[2][2]


def _one_channel(index: GraphIndex, name: str, path: Set[str]) -> Optional[Tuple[Affine, tf.Operation, int]]:
    """Return the change of one channel before it is joined with the others, the joining op, and its position there."""
    total, here = Affine(np.ones(1), np.zeros(1)), name
    for _ in range(_STEPS):
        user = _only_user(index, here, path)
        if user is None:
            return None
        if user.type in CONCATS | {"Pack"}:
            return total, user, index.inputs[user.name].index(here)
        step = _affine(index, user, here)
        if step is None:
            return None
        total = Affine(total.scale * step.scale, total.shift * step.scale + step.shift)
        here = index.outputs[user.name][0]
    return None


def _reverses(index: GraphIndex, op: tf.Operation) -> bool:
    """Return whether an op reverses the channels: reverse, [..., ::-1], gather of [2, 1, 0]."""
    if op.type in ("ReverseV2", "Reverse"):
        return True
    if op.type == "StridedSlice":
        strides = index.constant(index.inputs[op.name][3])
        return strides is not None and int(strides[-1]) == -1
    if op.type in ("GatherV2", "Gather"):
        indices = index.constant(index.inputs[op.name][1])
        return indices is not None and np.array_equal(indices, [2, 1, 0])
    return False


def _affine(index: GraphIndex, op: tf.Operation, name: str) -> Optional[Affine]:
    """Return the change by an op with constants; None for other ops."""
    inputs = index.inputs[op.name]
    if op.type in BATCH_NORMS and inputs[0] == name:
        mean, variance = (_small_constant(index, i) for i in inputs[3:5])
        if mean is None or variance is None or not mean.size:
            return None
        return Affine(1 / np.sqrt(variance + 1e-3), -mean / np.sqrt(variance + 1e-3))
    others = [i for i in inputs if i != name]
    value = _small_constant(index, others[0]) if len(others) == 1 and op.type in _ARITHMETIC else None
    if value is None or (inputs[0] != name and op.type in ("Sub", "RealDiv", "Div")):
        return None
    if op.type == "Mul":
        return Affine(value, np.zeros(1))
    if op.type in ("RealDiv", "Div"):
        return Affine(1 / np.where(value == 0, 1.0, value), np.zeros(1))
    return Affine(np.ones(1), -value if op.type == "Sub" else value)


def _small_constant(index: GraphIndex, name: str) -> Optional[np.ndarray]:
    """Return a float constant of at most four elements, computed if it is arithmetic of constants; else None."""
    tensor = index.tensors[name]
    if not tensor.dtype.is_floating or (tensor.shape.num_elements() or 99) > 4:
        return None
    value = index.constant(name)
    if value is None:
        ops = [index.op[needed] for needed in index.needed([name])]
        if any(op.type in PLACEHOLDERS or PIPELINE_ENDS.search(op.type) for op in ops):
            return None
        config = tf.ConfigProto(device_count={"GPU": 0}, allow_soft_placement=True)  # whatever the ops' devices
        with tf.Session(graph=index.graph, config=config) as sess:
            value = sess.run(tensor)
    return np.asarray(value, np.float64).reshape(-1)
