"""Values for the placeholders beside the pictures: training switches off, dropout off, the rest asked for."""

from __future__ import annotations

import re
from typing import Any, Dict, Iterable, List, Mapping, Optional, Tuple

import numpy as np

from gradcam_tf1.binding.kinds import PIPELINE_ENDS, PLACEHOLDERS, RANDOM
from gradcam_tf1.binding.names import find_tensor
from gradcam_tf1.binding.walk import Op, Walk
from gradcam_tf1.errors import BindingError

_KEEP = re.compile(r"keep", re.IGNORECASE)
_DROP_RATE = re.compile(r"drop\w*_?rate|rate_?drop|drop_?path|^rate(_\d+)?$", re.IGNORECASE)
_BATCH_SIZE = re.compile(r"batch_?(size|num)|^batch(_\d+)?$|num_?(images|examples)", re.IGNORECASE)
_BOOLS = {"true": True, "1": True, "false": False, "0": False}


def requested_feeds(walk: Walk, feed: Mapping[Any, Any]) -> Dict[str, Any]:
    """What a person wants fed: tensor name -> numpy array of the tensor's dtype.

    Raises: BindingError where a name is not in the graph, or a value does not fit its tensor.
    """
    values: Dict[str, Any] = {}
    for key, value in feed.items():
        tensor = find_tensor(walk.graph, key)
        try:
            array = np.asarray(_bool_text(value, tensor), dtype=tensor.dtype.as_numpy_dtype)
        except (TypeError, ValueError):
            raise BindingError(f"feed {value!r} for '{tensor.name}' is no {tensor.dtype.name}") from None
        if not tensor.shape.is_compatible_with(array.shape):
            raise BindingError(f"feed for '{tensor.name}' has shape {array.shape}, the tensor {tensor.shape}")
        values[tensor.name] = array.item() if array.ndim == 0 else array
    return values


def _bool_text(value: Any, tensor: Any) -> Any:
    """ "False" is False, not a non-empty string."""
    if not (isinstance(value, str) and tensor.dtype.is_bool):
        return value
    if value.strip().lower() not in _BOOLS:
        raise ValueError(value)
    return _BOOLS[value.strip().lower()]


def choose_feeds(
    walk: Walk, ends: Iterable[str], pictures: str, switches: Mapping[str, bool], given: Mapping[str, Any]
) -> Tuple[Dict[str, Any], str]:
    """Values for everything beside the pictures that a run to `ends` needs, and what was assumed.

    Policy: training switches off; keep_prob 1 and drop rates 0, known by their use in a dropout or by name; other
    placeholders with a default keep it; a batch size of its own is 1.
    Raises: BindingError naming each placeholder whose value nobody knows, with dtype, shape and the --feed syntax.
    """
    if pictures in given:
        raise BindingError(f"'{pictures}' takes the pictures; it is not fed by hand. Leave it out of the feed")
    ends = list(ends)
    feeds, said = dict(given), [f"{name} = {value} as given" for name, value in given.items()]
    for op in _sources(walk, ends, [pictures, *feeds]):
        assumed = _assumed(walk, op, switches) if op.type in PLACEHOLDERS else None
        if assumed is not None:
            name = op.outputs[0].name
            feeds[name], why = assumed
            said.append(f"{name} = {feeds[name]} ({why})")
    unknown = []
    for op in _sources(walk, ends, [pictures, *feeds]):
        if op.type == "PlaceholderWithDefault":
            said.append(f"{op.outputs[0].name} keeps its default")
        else:
            unknown.append(op)
    if unknown:
        raise BindingError(_ask(unknown, pictures))
    return feeds, "; ".join(said) or "nothing else has to be fed"


def fed_batch_size(feeds: Mapping[str, Any]) -> Optional[int]:
    """The number of pictures that a fed batch size asks for."""
    sizes = [value for name, value in feeds.items() if isinstance(value, int) and not isinstance(value, bool)
             and _BATCH_SIZE.search(name.split("/")[-1].split(":")[0])]  # fmt: skip
    return sizes[0] if sizes else None


def _sources(walk: Walk, ends: List[str], given: List[str]) -> List[Op]:
    names = walk.needed(ends, given)
    ops = [walk.op[name] for name in sorted(names, key=walk.position.__getitem__)]
    return [
        op
        for op in ops
        if (op.type in PLACEHOLDERS or PIPELINE_ENDS.search(op.type)) and walk.outputs[op.name][0] not in given
    ]


def _assumed(walk: Walk, op: Op, switches: Mapping[str, bool]) -> Optional[Tuple[Any, str]]:
    tensor = op.outputs[0]
    name, leaf = tensor.name, op.name.split("/")[-1]
    number = int if tensor.dtype.is_integer else float
    if name in switches:
        value = switches[name]
        return (value if tensor.dtype.is_bool else number(value)), "training switch"
    if tensor.shape.rank not in (0, None) or not (tensor.dtype.is_floating or tensor.dtype.is_integer):
        return None
    kept = dropout_off(walk, name)
    if kept is not None:
        return number(kept), "no dropout, by its use"
    if tensor.dtype.is_floating and _KEEP.search(leaf):
        return 1.0, "no dropout, by its name"
    if tensor.dtype.is_floating and _DROP_RATE.search(leaf) and "learn" not in leaf.lower():
        return 0.0, "no dropout, by its name"
    if tensor.dtype.is_integer and _BATCH_SIZE.search(leaf) and op.type != "PlaceholderWithDefault":
        return 1, "one picture at a time"
    return None


def dropout_off(walk: Walk, name: str) -> Optional[float]:
    """The value that turns dropout off, where the tensor is its probability; None where it is not.

    Follows p through a p + b to where it meets random numbers: floor(keep + u) and u < keep keep everything at 1,
    u >= rate at 0.
    """
    stack: List[Tuple[str, float, float]] = [(name, 1.0, 0.0)]
    seen = {name}
    while stack:
        tensor, slope, offset = stack.pop()
        for op, index in walk.users[tensor]:
            target = _dropout_target(walk, op, index)
            if target is not None:
                return (target - offset) / slope
            step = _affine_step(walk, op, index)
            fresh = [out for out in walk.outputs[op.name] if out not in seen]
            if step is None or not step[0]:
                continue
            seen.update(fresh)
            stack += [(out, slope * step[0], offset * step[0] + step[1]) for out in fresh]
    return None


def _dropout_target(walk: Walk, op: Op, index: int) -> Optional[float]:
    inputs = walk.inputs[op.name]
    if len(inputs) != 2 or not _is_random(walk, inputs[1 - index]):
        return None
    if op.type in ("Add", "AddV2"):
        return 1.0
    keeps_above = {"GreaterEqual": 0.0, "Greater": 0.0, "Less": 1.0, "LessEqual": 1.0}
    if op.type not in keeps_above:
        return None
    return keeps_above[op.type] if index == 1 else 1.0 - keeps_above[op.type]


def _affine_step(walk: Walk, op: Op, index: int) -> Optional[Tuple[float, float]]:
    """(slope, offset) of an op on one of its inputs, the other being a constant."""
    if op.type in ("Identity", "Switch", "Reshape", "Cast", "Enter", "Merge", "PlaceholderWithDefault"):
        return (1.0, 0.0) if op.outputs[0].dtype.is_floating else None
    if op.type not in ("Sub", "Add", "AddV2", "Mul") or not op.outputs[0].dtype.is_floating:
        return None
    other = walk.inputs[op.name][1 - index]
    value = walk.constant(other) if walk.source(other).type == "Const" else None
    if value is None or value.size != 1:
        return None
    constant = float(value.reshape(-1)[0])
    if op.type == "Mul":
        return constant, 0.0
    if op.type == "Sub":
        return (1.0, -constant) if index == 0 else (-1.0, constant)
    return 1.0, constant


def _is_random(walk: Walk, name: str) -> bool:
    """Random numbers, scaled and shifted at most."""
    for _ in range(5):
        op = walk.maker[name]
        if RANDOM.match(op.type):
            return True
        if op.type not in ("Add", "AddV2", "Mul", "Identity", "Cast") or not walk.inputs[op.name]:
            return False
        name = walk.inputs[op.name][0]
    return False


def _ask(unknown: List[Op], pictures: str) -> str:
    tensors = [op.outputs[0] for op in unknown]
    listed = [
        f"'{t.name}' ({t.dtype.name}, shape {t.shape if t.shape.rank is not None else 'unknown'})" for t in tensors
    ]
    first = unknown[0].outputs[0].name
    return (
        f"besides the pictures in '{pictures}' the scores need values for {', '.join(listed)}; give each with "
        f"--feed name=value, for example --feed {first}=1 (in Python: feed={{{first!r}: 1}})"
    )
