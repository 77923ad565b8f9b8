"""What the graph itself shows about the values it wants in its images."""

from __future__ import annotations

from typing import List, NamedTuple, Optional, Set, Tuple

import numpy as np

from gradcam_tf1.binding.graph_index import GraphIndex, Op
from gradcam_tf1.binding.op_kinds import BATCH_NORMS, CONCATS, CONVOLUTIONS, PIPELINE_ENDS, PLACEHOLDERS
from gradcam_tf1.tf_runtime import tf

_STEPS = 24
_BYTE_MEAN = 30.0  # a mean above this belongs to pixels of 0..255
_BYTE_SCALE = 0.02  # so does a scale below this
_UNIT_MEAN = (0.2, 0.8)  # means between these belong to pixels of 0..1
_ARITHMETIC = ("Sub", "Add", "AddV2", "BiasAdd", "Mul", "RealDiv", "Div")


class Affine(NamedTuple):
    """y = scale x + shift, per channel or one number for all, in the order in which the channels came in."""

    scale: np.ndarray
    shift: np.ndarray


def preprocessing(walk: GraphIndex, images: str, path: Set[str], channels: int) -> Tuple[Optional[str], str]:
    """The preset that the graph itself shows, None where it shows none, and one sentence why.

    The constants between the input and the first convolution make y = scale x + shift. The range of the pixels shows
    in the mean -shift / scale and in a small scale; the order of three means shows the order of the colours, because
    red is the brightest and blue the darkest channel of photographs on average.
    """
    dtype = walk.tensors[images].dtype
    if dtype.is_integer:
        return _preset("raw", channels), f"'{images}' takes {dtype.name}, so the graph scales the pixels itself"
    done, ops = _first_steps(walk, images, path) if channels in (1, 3) else (None, [])
    if done is None or not ops:
        return None, "the graph does not show which pixel values it wants; name a preset"
    mean = -done.shift / np.where(done.scale == 0, 1.0, done.scale) + 0.0
    numbers = f"(mean {np.round(mean, 3).tolist()}, scale {np.round(done.scale, 5).tolist()})"
    where = f"'{ops[0]}'" if len(ops) == 1 else f"'{ops[0]}' to '{ops[-1]}'"
    if np.abs(mean).max() >= _BYTE_MEAN or np.abs(done.scale).max() <= _BYTE_SCALE:
        name, told = "raw", f"{where} take pixels of 0..255 {numbers}"
    elif mean.min() >= _UNIT_MEAN[0] and mean.max() <= _UNIT_MEAN[1]:
        name, told = "zero-one", f"{where} take pixels of 0..1 {numbers}"
    else:
        return None, f"{where} change the pixels {numbers}, but do not show which values the graph wants; name a preset"
    if mean.size == 3 and mean[0] < 0.98 * mean[2]:
        return _preset(f"{name}-bgr", channels), f"{told}, blue first by the order of the means"
    return _preset(name, channels), told


def _preset(name: str, channels: int) -> Optional[str]:
    """Of other than 1 and 3 channels "raw" alone says something: means and scales of photographs say nothing there."""
    return {1: f"gray-{name}", 3: name}.get(channels, "raw" if name == "raw" else None)


def _first_steps(walk: GraphIndex, name: str, path: Set[str]) -> Tuple[Affine, List[str]]:
    """What happens to the pixels before the first convolution, as long as there is one way, and the ops that do it."""
    done, flipped, ops = Affine(np.ones(1), np.zeros(1)), False, []
    for _ in range(_STEPS):
        op = _only_user(walk, name, path)
        if op is None or op.type in CONVOLUTIONS:
            break
        parts = _channel_by_channel(walk, op, path)
        step = parts[0] if parts else _affine(walk, op, name)
        if step is not None:
            step = Affine(step.scale[::-1], step.shift[::-1]) if flipped else step
            done = Affine(done.scale * step.scale, done.shift * step.scale + step.shift)
            ops.append(op.name)
        turned = parts[2] if parts else _reverses(walk, op)
        flipped = flipped != turned
        outputs = [parts[1]] if parts else [out for out in walk.outputs[op.name] if out in path]
        if len(outputs) != 1:
            break
        name = outputs[0]
    return done, ops


def _only_user(walk: GraphIndex, name: str, path: Set[str]) -> Optional[Op]:
    users = [op for op, index in walk.users[name] if any(out in path for out in walk.flows(op, index))]
    return users[0] if len({op.name for op in users}) == 1 else None


def _channel_by_channel(walk: GraphIndex, op: Op, path: Set[str]) -> Optional[Tuple[Affine, str, bool]]:
    """Channels split, each changed by constants, and joined: the change, the joined tensor, whether reversed."""
    if op.type not in ("Split", "SplitV", "Unpack") or len(walk.outputs[op.name]) != 3:
        return None
    found = [_one_channel(walk, name, path) for name in walk.outputs[op.name]]
    parts = [part for part in found if part is not None]
    if len(parts) != 3 or len({join.name for _, join, _ in parts}) != 1:
        return None
    change = Affine(*(np.concatenate([np.broadcast_to(part[k], 1) for part, _, _ in parts]) for k in (0, 1)))
    join = parts[0][1]
    return change, walk.outputs[join.name][0], parts[0][2] > parts[2][2]


def _one_channel(walk: GraphIndex, name: str, path: Set[str]) -> Optional[Tuple[Affine, Op, int]]:
    """What happens to one channel until it is joined with the others: the change, the joining op, its place there."""
    done, here = Affine(np.ones(1), np.zeros(1)), name
    for _ in range(_STEPS):
        user = _only_user(walk, here, path)
        if user is None:
            return None
        if user.type in CONCATS | {"Pack"}:
            return done, user, walk.inputs[user.name].index(here)
        step = _affine(walk, user, here)
        if step is None:
            return None
        done = Affine(done.scale * step.scale, done.shift * step.scale + step.shift)
        here = walk.outputs[user.name][0]
    return None


def _reverses(walk: GraphIndex, op: Op) -> bool:
    """Whether an op turns RGB to BGR: reverse, [..., ::-1], gather of [2, 1, 0]."""
    if op.type in ("ReverseV2", "Reverse"):
        return True
    if op.type == "StridedSlice":
        strides = walk.constant(walk.inputs[op.name][3])
        return strides is not None and int(strides[-1]) == -1
    if op.type in ("GatherV2", "Gather"):
        indices = walk.constant(walk.inputs[op.name][1])
        return indices is not None and np.array_equal(indices, [2, 1, 0])
    return False


def _affine(walk: GraphIndex, op: Op, name: str) -> Optional[Affine]:
    """The change that an op with constants makes; None for other ops."""
    inputs = walk.inputs[op.name]
    if op.type in BATCH_NORMS and inputs[0] == name:
        mean, variance = (_small_constant(walk, i) for i in inputs[3:5])
        if mean is None or variance is None or not mean.size:
            return None
        return Affine(1 / np.sqrt(variance + 1e-3), -mean / np.sqrt(variance + 1e-3))
    others = [i for i in inputs if i != name]
    value = _small_constant(walk, others[0]) if len(others) == 1 and op.type in _ARITHMETIC else None
    if value is None or (inputs[0] != name and op.type in ("Sub", "RealDiv", "Div")):
        return None
    if op.type == "Mul":
        return Affine(value, np.zeros(1))
    if op.type in ("RealDiv", "Div"):
        return Affine(1 / np.where(value == 0, 1.0, value), np.zeros(1))
    return Affine(np.ones(1), -value if op.type == "Sub" else value)


def _small_constant(walk: GraphIndex, name: str) -> Optional[np.ndarray]:
    """A float constant of at most four elements, computed where the graph spells it as arithmetic of constants."""
    tensor = walk.tensors[name]
    if not tensor.dtype.is_floating or (tensor.shape.num_elements() or 99) > 4:
        return None
    value = walk.constant(name)
    if value is None:
        ops = [walk.op[needed] for needed in walk.needed([name])]
        if any(op.type in PLACEHOLDERS or PIPELINE_ENDS.search(op.type) for op in ops):
            return None
        config = tf.ConfigProto(device_count={"GPU": 0}, allow_soft_placement=True)  # wherever the net's ops are to be
        with tf.Session(graph=walk.graph, config=config) as sess:
            value = sess.run(tensor)
    return np.asarray(value, np.float64).reshape(-1)
