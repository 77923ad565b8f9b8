"""What the graph itself shows about the values it wants in its pictures."""

from __future__ import annotations

from typing import List, Optional, Set, Tuple

import numpy as np

from gradcam_tf1.binding.kinds import BATCH_NORMS, CONVOLUTIONS, PIPELINE_ENDS, PLACEHOLDERS
from gradcam_tf1.binding.walk import Op, Walk
from gradcam_tf1.tf_runtime import tf

_STEPS = 24
_LARGE = 30.0  # a mean above this belongs to pixels of 0..255
_SMALL = 0.02  # so does a scale below this
_ARITHMETIC = ("Sub", "Add", "AddV2", "BiasAdd", "Mul", "RealDiv", "Div")


def preprocessing(walk: Walk, pictures: str, path: Set[str], channels: int) -> Tuple[Optional[str], str]:
    """The preset that the graph itself shows, None where it shows none, and one sentence why.

    "raw" (RGB pixels 0..255), "raw-bgr" or, for one channel, "gray-raw".

    The constants between the input and the first convolution make y = scale x + shift. Pixels of 0..255 show in a mean
    -shift / scale of some size, or in a small scale; the order of three means shows the colour order, because red is
    the brightest and blue the darkest channel of photographs on average.
    """
    dtype = walk.tensors[pictures].dtype
    if dtype.is_integer:
        return _raw(channels), f"'{pictures}' takes {dtype.name}, so the graph scales the pixels itself"
    scale, shift, swapped, names = np.ones(1), np.zeros(1), False, []
    for op, name in _chain(walk, pictures, path):
        if op.type in CONVOLUTIONS:
            break
        swapped = swapped or op.type in ("Split", "SplitV", "Unpack", "ReverseV2", "Reverse")
        step = _affine(walk, op, name)
        if step is not None:
            scale, shift = scale * step[0], shift * step[0] + step[1]
            names.append(op.name)
    if not names:
        return None, "the graph does not show which pixel values it wants; name a preset"
    return _judge(f"'{names[0]}' to '{names[-1]}'", scale, -shift / np.where(scale == 0, 1.0, scale), swapped, channels)


def _raw(channels: int, order: str = "") -> Optional[str]:
    return {1: "gray-raw", 3: f"raw{order}"}.get(channels)


def _judge(where: str, scale: np.ndarray, mean: np.ndarray, swapped: bool, channels: int) -> Tuple[Optional[str], str]:
    if np.abs(mean).max() < _LARGE and np.abs(scale).max() > _SMALL:
        return None, f"{where} change the pixels, but do not show which values the graph wants; name a preset"
    shown = f"{where} take pixels of 0..255 (mean {np.round(mean, 1).tolist()}, scale {np.round(scale, 5).tolist()})"
    if mean.size == 3 and mean[0] < mean[2] - 1 and not swapped:
        return _raw(channels, "-bgr"), f"{shown}, blue first by the order of the means"
    return _raw(channels), shown + (", and swap the colours themselves" if swapped else "")


def _chain(walk: Walk, name: str, path: Set[str]) -> List[Tuple[Op, str]]:
    """The ops from the input on, as long as there is one way, with the tensor that enters each."""
    found = []
    for _ in range(_STEPS):
        users = [op for op, index in walk.users[name] if any(out in path for out in walk.flows(op, index))]
        if len({op.name for op in users}) != 1:
            break
        found.append((users[0], name))
        outputs = [out for out in walk.outputs[users[0].name] if out in path]
        if len(outputs) > 1:  # split into channels: go on where they are joined again
            joined = {op.name: op for out in outputs for op, _ in walk.users[out]}
            nexts = [op for op in joined.values() if op.type in ("ConcatV2", "Concat", "Pack")]
            outputs = [walk.outputs[nexts[0].name][0]] if len(joined) == len(nexts) == 1 else []
        if not outputs:
            break
        name = outputs[0]
    return found


def _affine(walk: Walk, op: Op, name: str) -> Optional[Tuple[np.ndarray, np.ndarray]]:
    """(scale, shift) of an op with constants, per channel or for all; None for other ops."""
    if op.type in BATCH_NORMS and walk.inputs[op.name][0] == name:
        mean, variance = (_small_constant(walk, i) for i in walk.inputs[op.name][3:5])
        if mean is None or variance is None:
            return None
        return 1 / np.sqrt(variance + 1e-3), -mean / np.sqrt(variance + 1e-3)
    others = [i for i in walk.inputs[op.name] if i != name]
    value = _small_constant(walk, others[0]) if len(others) == 1 and op.type in _ARITHMETIC else None
    if value is None or (walk.inputs[op.name][0] != name and op.type in ("Sub", "RealDiv", "Div")):
        return None
    if op.type == "Mul":
        return value, np.zeros(1)
    if op.type in ("RealDiv", "Div"):
        return 1 / np.where(value == 0, 1.0, value), np.zeros(1)
    return np.ones(1), -value if op.type == "Sub" else value


def _small_constant(walk: Walk, name: str) -> Optional[np.ndarray]:
    """A float constant of at most four elements, computed where the graph spells it as arithmetic of constants."""
    tensor = walk.tensors[name]
    if not tensor.dtype.is_floating or (tensor.shape.num_elements() or 99) > 4:
        return None
    value = walk.constant(name)
    if value is None:
        ops = [walk.op[needed] for needed in walk.needed([name])]
        if any(op.type in PLACEHOLDERS or PIPELINE_ENDS.search(op.type) for op in ops):
            return None
        with tf.Session(graph=walk.graph, config=tf.ConfigProto(device_count={"GPU": 0})) as sess:
            value = sess.run(tensor)
    return np.asarray(value, np.float64).reshape(-1)
