"""Further inputs of nets of texts whose values follow from the ids: the mask of the tokens, and their segments.

BERT takes input_ids, input_mask and segment_ids, [N, T] each. The mask is 1 at a token and 0 at padding: its direction
is read from the graph, where (1 - mask) * -10000 is added to the scores of attention, or where it multiplies features.
Segments are numbers of a small table of embeddings; one text alone is segment 0. Anything else is asked for.
"""

from __future__ import annotations

import re
from typing import Dict, Iterable, List, Mapping, Optional, Set, Tuple

from gradcam_tf1.binding.feeds import affine_step
from gradcam_tf1.binding.graph_index import GraphIndex
from gradcam_tf1.binding.op_kinds import PLACEHOLDERS
from gradcam_tf1.binding.token_nets import token_inputs
from gradcam_tf1.tf_runtime import tf

MASK, SEGMENTS = "mask", "segments"
_SEGMENTS = re.compile(r"segment|token_?type|seg_?ids?", re.IGNORECASE)
_MASK = re.compile(r"mask", re.IGNORECASE)
_PADDING = re.compile(r"pad", re.IGNORECASE)
_CLOSED = 100.0  # a score of attention that is so much lower counts for nothing after the softmax
_SHAPING = (
    *("Cast", "Identity", "Reshape", "ExpandDims", "Squeeze", "Tile", "BroadcastTo", "Transpose", "StridedSlice"),
    "EnsureShape",
)
_TEXTS = 2  # axes


def text_inputs(
    index: GraphIndex, ids: str, embedded: str, ends: Iterable[str], given: Iterable[str]
) -> Dict[str, str]:
    """Find the further inputs of a net of texts that follow from the ids.

    Parameters
    ----------
    index : GraphIndex
        The graph.
    ids, embedded : str
        The token ids and their embeddings.
    ends : iterable of str
        What is computed.
    given : iterable of str
        Tensors whose values the user gives.

    Returns
    -------
    dict of str to str
        Tensor name to MASK or SEGMENTS.
    """
    taken = {ids, embedded, *given}
    needed = index.needed(list(ends), list(taken))
    names = [index.outputs[op.name][0] for op in index.ops if op.type in PLACEHOLDERS and op.name in needed]
    numbered = {item.ids for item in token_inputs(index)}
    behind = index.downstream([embedded])
    found: Dict[str, str] = {}
    for name in names:
        if name in taken or not _shaped_as(index, name, ids):
            continue
        leaf = name.split("/")[-1]
        if name in numbered:
            found.update({name: SEGMENTS} if _SEGMENTS.search(leaf) else {})
        elif not _PADDING.search(leaf) and _is_mask(index, name, behind, bool(_MASK.search(leaf))):
            found[name] = MASK
    return found


def about_inputs(found: Mapping[str, str]) -> List[str]:
    """Say which values the inputs get."""
    values = {MASK: "1 where an id is not 0", SEGMENTS: "0"}
    return [f"{name} is {values[kind]}, unless it is given with each text" for name, kind in found.items()]


def _shaped_as(index: GraphIndex, name: str, ids: str) -> bool:
    """Return whether a tensor of numbers has the shape of the ids."""
    dims, of_ids, dtype = index.dims(name), index.dims(ids), index.tensors[name].dtype
    if dims is None or of_ids is None or len(dims) != _TEXTS or not (dtype.is_floating or dtype.is_integer):
        return False
    return dims[1] is None or of_ids[1] is None or dims[1] == of_ids[1]


def _is_mask(index: GraphIndex, name: str, behind: Set[str], named: bool) -> bool:
    """Return whether 1 keeps a token and 0 hides it wherever the tensor meets values that depend on the tokens."""
    uses = _uses(index, name, behind)
    if uses is None or not uses:
        return False
    added = all(kind == "added" and slope >= _CLOSED for kind, slope, _ in uses)
    return added or (named and all(_keeps(*use) for use in uses))


def _keeps(kind: str, slope: float, offset: float) -> bool:
    return slope >= _CLOSED if kind == "added" else offset == 0 and slope > 0


_Use = Tuple[str, float, float]


def _uses(index: GraphIndex, name: str, behind: Set[str]) -> Optional[List[_Use]]:
    """Return ("added" or "multiplied", slope, offset) where slope * value + offset meets values in `behind`.

    None if the tensor is used in any other way.
    """
    stack: List[Tuple[str, float, float]] = [(name, 1.0, 0.0)]
    found: List[_Use] = []
    while stack:
        index.walk()
        tensor, slope, offset = stack.pop()
        for op, slot in index.users[tensor]:
            outputs = index.flows(op, slot)
            if not outputs:
                continue
            other = index.inputs[op.name][1 - slot] if len(index.inputs[op.name]) == 2 and slot < 2 else ""
            step = (1.0, 0.0) if op.type in _SHAPING and slot == 0 else _step(index, op, slot, other)
            if step is not None:
                stack += [(out, slope * step[0], offset * step[0] + step[1]) for out in outputs]
            elif other in behind and op.type in ("Add", "AddV2"):
                found.append(("added", slope, offset))
            elif other in behind and op.type == "Mul":
                found.append(("multiplied", slope, offset))
            elif op.type not in ("Sum", "Max", "Maximum"):  # lengths and divisors of a mean count tokens
                return None
    return found


def _step(index: GraphIndex, op: tf.Operation, slot: int, other: str) -> Optional[Tuple[float, float]]:
    """Return (slope, offset) of an op with a constant, or with tf.ones or another number in all places of a shape."""
    maker = index.maker.get(other)
    if op.type != "Mul" or maker is None or maker.type != "Fill":
        return affine_step(index, op, slot)
    value = index.constant(index.inputs[maker.name][1])
    return None if value is None else (float(value), 0.0)
