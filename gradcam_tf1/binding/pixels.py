"""What the graph itself shows about the values it wants in its pictures."""

from __future__ import annotations

from typing import Any, List, Optional, Tuple

import numpy as np

from gradcam_tf1.binding.kinds import BATCH_NORMS, CONVOLUTIONS, FORWARDING, RESHAPING, RESIZES
from gradcam_tf1.binding.walk import Op, Walk

_STEPS = 24
_LARGE = 30.0  # a mean above this belongs to pixels of 0..255
_NEUTRAL = FORWARDING | RESHAPING | RESIZES | {"Cast", "Transpose", "Pad", "MirrorPad", "CropAndResize", "StridedSlice"}


def preprocessing(walk: Walk, pictures: str, path: Any) -> Tuple[Optional[str], str]:
    """("raw" or None, one sentence why): whether the graph wants plain RGB pixels of 0..255 and shows it."""
    dtype = walk.tensors[pictures].dtype
    if dtype.is_integer:
        return "raw", f"'{pictures}' takes {dtype.name}, so the graph scales the pixels itself"
    swapped = ""
    for op, name in _chain(walk, pictures, path):
        if op.type in CONVOLUTIONS:
            break
        if op.type in ("Split", "SplitV", "Unpack", "ReverseV2", "Reverse"):
            swapped = op.name
        shift, scale = _constants(walk, op, name)
        if shift is not None and np.abs(shift).max() >= _LARGE:
            return _by_mean(op, shift, bool(swapped))
        if scale is not None and np.abs(scale).max() <= 0.02:
            return "raw", f"'{op.name}' scales the pixels by {float(np.abs(scale).max()):.5g}, so they come as 0..255"
    return None, "the graph does not show which pixel values it wants; name a preset"


def _chain(walk: Walk, name: str, path: Any) -> List[Tuple[Op, str]]:
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


def _constants(walk: Walk, op: Op, name: str) -> Tuple[Optional[np.ndarray], Optional[np.ndarray]]:
    """(what the op takes off the pixels, what it multiplies them by), where it does so with constants."""
    if op.type in BATCH_NORMS and walk.inputs[op.name][0] == name:
        return _folded(walk, walk.inputs[op.name][3]), None
    others = [i for i in walk.inputs[op.name] if i != name]
    if op.type not in ("Sub", "Add", "AddV2", "BiasAdd", "Mul", "RealDiv", "Div") or len(others) != 1:
        return None, None
    value = _folded(walk, others[0])
    if value is None or value.size == 0:
        return None, None
    if op.type in ("RealDiv", "Div"):
        return None, 1.0 / np.where(value == 0, 1.0, value)
    return (None, value) if op.type == "Mul" else (value if op.type == "Sub" else -value, None)


def _folded(walk: Walk, name: str) -> Optional[np.ndarray]:
    value = walk.constant(name)
    return None if value is None or value.dtype.kind != "f" else np.asarray(value, np.float64)


def _by_mean(op: Op, shift: np.ndarray, swapped: bool) -> Tuple[Optional[str], str]:
    """Pixels of 0..255; the order of three means tells the colour order: the red mean of photographs is the largest."""
    means = ", ".join(f"{mean:.1f}" for mean in shift.reshape(-1)[:4])
    text = f"'{op.name}' takes off the mean ({means}), so the pixels come as 0..255"
    three = shift.reshape(-1) if shift.size == 3 else np.zeros(1)
    blue_first = three[0] < three[-1]
    if blue_first and not swapped:
        return None, f"{text}, and blue first by the order of the means: name a BGR preset without its own mean"
    return "raw", f"{text}, red first{' (the graph swaps the colours itself)' if swapped else ''}"
