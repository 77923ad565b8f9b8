"""Values for the placeholders besides the images: training switches off, dropout off, the rest given by the user."""

from __future__ import annotations

import re
from typing import Dict, Iterable, List, Mapping, Optional, Sequence, Set, Tuple, Union

from gradcam_tf1.binding.feed_values import FeedValue, shown_value
from gradcam_tf1.binding.graph_index import GraphIndex
from gradcam_tf1.binding.layout import IMAGE_CHANNELS
from gradcam_tf1.binding.op_kinds import PARSERS, PIPELINE_ENDS, PLACEHOLDERS, RANDOM
from gradcam_tf1.binding.streams import is_part, part_of
from gradcam_tf1.binding.token_nets import embedded_in
from gradcam_tf1.errors import BindingError, FeedError
from gradcam_tf1.tf_runtime import tf

_KEEP = re.compile(r"keep", re.IGNORECASE)
_DROP_RATE = re.compile(r"drop\w*_?rate|rate_?drop|drop_?path|^rate(_\d+)?$", re.IGNORECASE)
_BATCH_SIZE = re.compile(r"batch_?(size|num)|^batch(_\d+)?$|num_?(images|examples)", re.IGNORECASE)


def choose_feeds(
    index: GraphIndex,
    ends: Iterable[str],
    images: str,
    switches: Mapping[str, bool],
    given: Mapping[str, FeedValue],
    later: Sequence[str] = (),
) -> Tuple[Dict[str, FeedValue], str]:
    """Find values for everything besides the images that a run to `ends` needs.

    Training switches are off. keep_prob is 1 and drop rates are 0, known by their use in a dropout or by name. Other
    placeholders keep their default. A placeholder for the batch size is 1.

    Parameters
    ----------
    index : GraphIndex
        The graph.
    ends : iterable of str
        The tensors to compute.
    images : str
        The image input.
    switches : mapping of str to bool
        Values of the training switches.
    given : mapping of str to FeedValue
        What the user feeds.
    later : sequence of str
        Tensors whose values come with each image.

    Returns
    -------
    (dict of str to FeedValue, str)
        Value by tensor name, and a sentence on what was assumed.

    Raises
    ------
    BindingError
        If a placeholder without a value is an image input of which `images` is only a part.
    FeedError
        If a placeholder has no known value, or the images are fed by hand.
    """
    if images in given or images in later:
        raise FeedError(f"'{images}' takes the images and cannot be fed by hand; leave it out, or name another input")
    ends = list(ends)
    feeds, remarks = dict(given), [f"{name} = {shown_value(value)} as given" for name, value in given.items()]
    remarks += [f"{name} comes with each input" for name in later]
    for tensor in _sources(index, ends, [images, *later, *feeds]):
        assumed = _assumed(index, tensor, switches) if tensor.op.type in PLACEHOLDERS else None
        if assumed is not None:
            feeds[tensor.name], why = assumed
            remarks.append(f"{tensor.name} = {feeds[tensor.name]} ({why})")
    unknown = []
    for tensor in _sources(index, ends, [images, *later, *feeds]):
        if tensor.op.type == "PlaceholderWithDefault":
            remarks.append(f"{tensor.name} keeps its default")
        else:
            unknown.append(tensor)
    for tensor in unknown:
        if is_part(index, tensor.name, images):
            raise BindingError(part_of(index, tensor.name, images))
    if unknown:
        asked = _to_ask_for(index, unknown, ends, [images, *later, *feeds])
        raise FeedError(ask_for(asked, images, embedded_in(index, images) is not None))
    return feeds, "; ".join(remarks) or "nothing else has to be fed"


def fed_batch_size(feeds: Mapping[str, FeedValue]) -> Optional[int]:
    """Return the value of a fed batch size, None if there is none."""
    sizes = [value for name, value in feeds.items() if isinstance(value, int) and not isinstance(value, bool)
             and _BATCH_SIZE.search(name.split("/")[-1].split(":")[0])]  # fmt: skip
    return sizes[0] if sizes else None


def _sources(index: GraphIndex, ends: List[str], given: List[str]) -> List[tf.Tensor]:
    """Return the outputs of placeholders and of input pipelines that a run needs."""
    fed = set(given)
    needed = index.needed(ends, given)
    ops = [index.op[name] for name in sorted(needed, key=index.position.__getitem__)]
    ops = [op for op in ops if op.type in PLACEHOLDERS or PIPELINE_ENDS.search(op.type)]
    return [index.tensors[name] for op in ops for name in _used(index, op, needed, ends) if name not in fed]


def _used(index: GraphIndex, op: tf.Operation, needed: Set[str], ends: List[str]) -> Sequence[str]:
    """Return the outputs of an op that a run reads; the first output of an op that is only run."""
    outputs = index.outputs[op.name]
    if len(outputs) == 1:
        return outputs
    used = [out for out in outputs if out in ends or any(user.name in needed for user, _ in index.users[out])]
    return used or outputs[:1]


def _assumed(
    index: GraphIndex, tensor: tf.Tensor, switches: Mapping[str, bool]
) -> Optional[Tuple[Union[bool, int, float], str]]:
    """Return the value that can be assumed for a placeholder, and why; None if there is none."""
    op = tensor.op
    name, leaf = tensor.name, op.name.split("/")[-1]
    number = int if tensor.dtype.is_integer else float
    if name in switches:
        value = switches[name]
        return (value if tensor.dtype.is_bool else number(value)), "training switch"
    if tensor.shape.rank not in (0, None) or not (tensor.dtype.is_floating or tensor.dtype.is_integer):
        return None
    kept = dropout_off(index, name)
    if kept is not None:
        return number(kept), "no dropout, judging by its use"
    if tensor.dtype.is_floating and _KEEP.search(leaf):
        return 1.0, "no dropout, judging by its name"
    if tensor.dtype.is_floating and _DROP_RATE.search(leaf) and "learn" not in leaf.lower():
        return 0.0, "no dropout, judging by its name"
    if tensor.dtype.is_integer and _BATCH_SIZE.search(leaf) and op.type != "PlaceholderWithDefault":
        return 1, "one image at a time"
    return None


def dropout_off(index: GraphIndex, name: str) -> Optional[float]:
    """Return the value of a tensor that turns dropout off; None if it is not the probability of a dropout.

    The value p is followed through a p + b to the op with random numbers u: floor(keep + u) and u < keep keep
    everything if keep is 1, u >= rate does if rate is 0.
    """
    stack: List[Tuple[str, float, float]] = [(name, 1.0, 0.0)]
    seen = {name}
    while stack:
        index.walk()
        tensor, slope, offset = stack.pop()
        for op, slot in index.users[tensor]:
            target = _dropout_target(index, op, slot)
            if target is not None:
                return (target - offset) / slope
            step = affine_step(index, op, slot)
            fresh = [out for out in index.outputs[op.name] if out not in seen]
            if step is None or not step[0]:
                continue
            seen.update(fresh)
            stack += [(out, slope * step[0], offset * step[0] + step[1]) for out in fresh]
    return None


def _dropout_target(index: GraphIndex, op: tf.Operation, slot: int) -> Optional[float]:
    inputs = index.inputs[op.name]
    if len(inputs) != 2 or not _is_random(index, inputs[1 - slot]):
        return None
    if op.type in ("Add", "AddV2"):
        return 1.0
    keeps_above = {"GreaterEqual": 0.0, "Greater": 0.0, "Less": 1.0, "LessEqual": 1.0}
    if op.type not in keeps_above:
        return None
    return keeps_above[op.type] if slot == 1 else 1.0 - keeps_above[op.type]


def affine_step(index: GraphIndex, op: tf.Operation, slot: int) -> Optional[Tuple[float, float]]:
    """Return (slope, offset) of an op with respect to one input, if the other is a constant."""
    if op.type in ("Identity", "Switch", "Reshape", "Cast", "Enter", "Merge", "PlaceholderWithDefault"):
        return (1.0, 0.0) if op.outputs[0].dtype.is_floating else None
    if op.type not in ("Sub", "Add", "AddV2", "Mul") or not op.outputs[0].dtype.is_floating:
        return None
    other = index.inputs[op.name][1 - slot]
    value = index.constant(other) if index.source(other).type == "Const" else None
    if value is None or value.size != 1:
        return None
    constant = float(value.reshape(-1)[0])
    if op.type == "Mul":
        return constant, 0.0
    if op.type == "Sub":
        return (1.0, -constant) if slot == 0 else (-1.0, constant)
    return 1.0, constant


def _is_random(index: GraphIndex, name: str) -> bool:
    """Return whether a tensor holds random numbers, scaled or shifted at most."""
    for _ in range(5):
        op = index.maker[name]
        if RANDOM.match(op.type):
            return True
        if op.type not in ("Add", "AddV2", "Mul", "Identity", "Cast") or not index.inputs[op.name]:
            return False
        name = index.inputs[op.name][0]
    return False


def _to_ask_for(index: GraphIndex, unknown: Sequence[tf.Tensor], ends: List[str], given: List[str]) -> List[tf.Tensor]:
    """Return the tensors to ask for; instead of a serialized example, the features that are parsed from it."""
    tensors = {tensor.name: tensor for tensor in unknown}
    texts = [name for name, tensor in tensors.items() if tensor.dtype.name == "string"]
    behind = index.downstream(texts)
    needed = index.needed(ends, given)
    for name in sorted(needed, key=index.position.__getitem__):
        read = [i for i in index.inputs[name] if i in behind] if PARSERS.search(index.op[name].type) else []
        if read:
            examples = index.upstream(read)
            tensors = {key: tensor for key, tensor in tensors.items() if key not in examples}
            used = _used(index, index.op[name], needed, ends)
            tensors.update({out: index.tensors[out] for out in used if out not in given})
    return list(tensors.values())


def ask_for(tensors: Sequence[tf.Tensor], images: str, texts: bool = False) -> str:
    """Return the message that asks for values of these tensors; its example can be typed as it is."""
    listed = [
        f"'{t.name}' ({t.dtype.name}, shape {t.shape if t.shape.rank is not None else 'unknown'})" for t in tensors
    ]
    first = tensors[0]
    text, value = _example(first)
    python = f"feed={{{first.name!r}: {value}}}" if value else f"inputs={{{first.name!r}: {text[1:]!r}}}"
    besides = f"the images in '{images}'" if not texts else f"the token ids, embedded as '{images}',"
    each = "image with --feed-file values.csv" if not texts else 'text as "inputs" of its line in a .jsonl file'
    return (
        f"besides {besides} the scores need values for {', '.join(listed)}; give each with --feed name=value, for "
        f"example --feed {first.name}={text} (in Python: {python}), or one for each {each}"
    )


def _example(tensor: tf.Tensor) -> Tuple[str, str]:
    """Return an example value for the command line and for Python; "" for Python if it is a file."""
    sides = None if tensor.shape.rank is None else tensor.shape.as_list()
    if sides is not None and len(sides) in (3, 4) and tensor.dtype.name != "string" and (
        sides[-1] in IMAGE_CHANNELS or sides[-3] in IMAGE_CHANNELS
    ):  # fmt: skip
        return "@image.png", ""
    typed, python = {"bool": ("true", "True"), "string": ("text", "'text'")}.get(tensor.dtype.name, ("1", "1"))
    inner = 0 if sides is None or None not in sides[1:] else len(sides)
    quoted = typed if typed != "text" or not inner else '"text"'
    return "[" * inner + quoted + "]" * inner, "[" * inner + python + "]" * inner
