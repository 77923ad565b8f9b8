"""Values for the placeholders beside the images: training switches off, dropout off, the rest asked for."""

from __future__ import annotations

import re
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence, Set, Tuple

from gradcam_tf1.binding.feed_values import shown_value
from gradcam_tf1.binding.graph_index import GraphIndex, Op
from gradcam_tf1.binding.layout import IMAGE_CHANNELS
from gradcam_tf1.binding.op_kinds import PARSERS, PIPELINE_ENDS, PLACEHOLDERS, RANDOM
from gradcam_tf1.binding.streams import is_part, part_of
from gradcam_tf1.errors import BindingError, FeedError

_KEEP = re.compile(r"keep", re.IGNORECASE)
_DROP_RATE = re.compile(r"drop\w*_?rate|rate_?drop|drop_?path|^rate(_\d+)?$", re.IGNORECASE)
_BATCH_SIZE = re.compile(r"batch_?(size|num)|^batch(_\d+)?$|num_?(images|examples)", re.IGNORECASE)


def choose_feeds(
    walk: GraphIndex,
    ends: Iterable[str],
    images: str,
    switches: Mapping[str, bool],
    given: Mapping[str, Any],
    later: Sequence[str] = (),
) -> Tuple[Dict[str, Any], str]:
    """Values for everything beside the images that a run to `ends` needs, and what was assumed.

    later: tensors whose values come with each image.

    Policy: training switches off; keep_prob 1 and drop rates 0, known by their use in a dropout or by name; other
    placeholders with a default keep it; a batch size of its own is 1.
    Raises: BindingError naming each placeholder whose value nobody knows, with dtype, shape and the --feed syntax.
    """
    if images in given or images in later:
        raise FeedError(f"'{images}' takes the images; it is not fed by hand. Leave it out, or name another input")
    ends = list(ends)
    feeds, said = dict(given), [f"{name} = {shown_value(value)} as given" for name, value in given.items()]
    said += [f"{name} comes with each image" for name in later]
    for tensor in _sources(walk, ends, [images, *later, *feeds]):
        assumed = _assumed(walk, tensor, switches) if tensor.op.type in PLACEHOLDERS else None
        if assumed is not None:
            feeds[tensor.name], why = assumed
            said.append(f"{tensor.name} = {feeds[tensor.name]} ({why})")
    unknown = []
    for tensor in _sources(walk, ends, [images, *later, *feeds]):
        if tensor.op.type == "PlaceholderWithDefault":
            said.append(f"{tensor.name} keeps its default")
        else:
            unknown.append(tensor)
    for tensor in unknown:
        if is_part(walk, tensor.name, images):
            raise BindingError(part_of(walk, tensor.name, images))
    if unknown:
        raise FeedError(ask_for(_askable(walk, unknown, ends, [images, *later, *feeds]), images))
    return feeds, "; ".join(said) or "nothing else has to be fed"


def fed_batch_size(feeds: Mapping[str, Any]) -> Optional[int]:
    """The number of images that a fed batch size asks for."""
    sizes = [value for name, value in feeds.items() if isinstance(value, int) and not isinstance(value, bool)
             and _BATCH_SIZE.search(name.split("/")[-1].split(":")[0])]  # fmt: skip
    return sizes[0] if sizes else None


def _sources(walk: GraphIndex, ends: List[str], given: List[str]) -> List[Any]:
    """The tensors that somebody has to give a value: of placeholders and of ends of pipelines."""
    needed = walk.needed(ends, given)
    ops = [walk.op[name] for name in sorted(needed, key=walk.position.__getitem__)]
    ops = [op for op in ops if op.type in PLACEHOLDERS or PIPELINE_ENDS.search(op.type)]
    return [walk.tensors[name] for op in ops for name in _used(walk, op, needed, ends) if name not in given]


def _used(walk: GraphIndex, op: Op, needed: Set[str], ends: List[str]) -> Sequence[str]:
    """The outputs of an op that a run reads; the first one where it is run for its own sake."""
    outputs = walk.outputs[op.name]
    if len(outputs) == 1:
        return outputs
    used = [out for out in outputs if out in ends or any(user.name in needed for user, _ in walk.users[out])]
    return used or outputs[:1]


def _assumed(walk: GraphIndex, tensor: Any, switches: Mapping[str, bool]) -> Optional[Tuple[Any, str]]:
    op = tensor.op
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
        return 1, "one image at a time"
    return None


def dropout_off(walk: GraphIndex, name: str) -> Optional[float]:
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


def _dropout_target(walk: GraphIndex, op: Op, index: int) -> Optional[float]:
    inputs = walk.inputs[op.name]
    if len(inputs) != 2 or not _is_random(walk, inputs[1 - index]):
        return None
    if op.type in ("Add", "AddV2"):
        return 1.0
    keeps_above = {"GreaterEqual": 0.0, "Greater": 0.0, "Less": 1.0, "LessEqual": 1.0}
    if op.type not in keeps_above:
        return None
    return keeps_above[op.type] if index == 1 else 1.0 - keeps_above[op.type]


def _affine_step(walk: GraphIndex, op: Op, index: int) -> Optional[Tuple[float, float]]:
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


def _is_random(walk: GraphIndex, name: str) -> bool:
    """Random numbers, scaled and shifted at most."""
    for _ in range(5):
        op = walk.maker[name]
        if RANDOM.match(op.type):
            return True
        if op.type not in ("Add", "AddV2", "Mul", "Identity", "Cast") or not walk.inputs[op.name]:
            return False
        name = walk.inputs[op.name][0]
    return False


def _askable(walk: GraphIndex, unknown: Sequence[Any], ends: List[str], given: List[str]) -> List[Any]:
    """The tensors to ask for: of a serialized example, which nobody can type, the features that are read from it."""
    found = {tensor.name: tensor for tensor in unknown}
    texts = [name for name, tensor in found.items() if tensor.dtype.name == "string"]
    behind = walk.downstream(texts)
    needed = walk.needed(ends, given)
    for name in sorted(needed, key=walk.position.__getitem__):
        read = [i for i in walk.inputs[name] if i in behind] if PARSERS.search(walk.op[name].type) else []
        if read:
            examples = walk.upstream(read)
            found = {key: tensor for key, tensor in found.items() if key not in examples}
            used = _used(walk, walk.op[name], needed, ends)
            found.update({out: walk.tensors[out] for out in used if out not in given})
    return list(found.values())


def ask_for(tensors: Sequence[Any], images: str) -> str:
    """The message that asks for values of these tensors; what it says to type works."""
    listed = [
        f"'{t.name}' ({t.dtype.name}, shape {t.shape if t.shape.rank is not None else 'unknown'})" for t in tensors
    ]
    first = tensors[0]
    text, value = _example(first)
    python = f"feed={{{first.name!r}: {value}}}" if value else f"inputs={{{first.name!r}: {text[1:]!r}}}"
    return (
        f"besides the images in '{images}' the scores need values for {', '.join(listed)}; give each with "
        f"--feed name=value, for example --feed {first.name}={text} (in Python: {python}), or one for each image "
        "with --feed-file values.csv"
    )


def _example(tensor: Any) -> Tuple[str, str]:
    """A value as one writes it on the command line and in Python; "" there for a file."""
    sides = None if tensor.shape.rank is None else tensor.shape.as_list()
    if sides is not None and len(sides) in (3, 4) and tensor.dtype.name != "string" and (
        sides[-1] in IMAGE_CHANNELS or sides[-3] in IMAGE_CHANNELS
    ):  # fmt: skip
        return "@image.png", ""
    typed, python = {"bool": ("true", "True"), "string": ("text", "'text'")}.get(tensor.dtype.name, ("1", "1"))
    inner = 0 if sides is None or None not in sides[1:] else len(sides)
    quoted = typed if typed != "text" or not inner else '"text"'
    return "[" * inner + quoted + "]" * inner, "[" * inner + python + "]" * inner
