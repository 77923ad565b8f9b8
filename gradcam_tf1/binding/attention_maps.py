"""The maps of attention of a transformer, found by what is computed and not by names.

A map is a Softmax of [N, heads, tokens, tokens], or [N, tokens, tokens] of a single head, that is multiplied with the
values of the tokens, by MatMul or Einsum.
"""

from __future__ import annotations

from typing import List, Optional, Set

from gradcam_tf1.binding.graph_index import GraphIndex
from gradcam_tf1.binding.op_kinds import DENSE
from gradcam_tf1.errors import GradientError
from gradcam_tf1.tf_runtime import tf

_TOKENS = 3  # axes of [N, tokens, K]
_MULTIPLIED = DENSE | {"Einsum", "XlaEinsum"}
_PASSED = {"Identity", "Snapshot", "Reshape", "Transpose", "Cast", "StopGradient", "ExpandDims", "Squeeze", "Switch"}
_DROPPED = {"Mul": 0, "RealDiv": 0, "Div": 0, "Select": 1, "SelectV2": 1}  # the number of the data of a dropout


def attention_maps(index: GraphIndex, start: str, logits: str) -> List[str]:
    """Return the names of the maps of attention between two tensors, input side first.

    Parameters
    ----------
    index : GraphIndex
        The graph.
    start, logits : str
        The net's input and its scores.

    Returns
    -------
    list of str
        Tensors [N, heads, tokens, tokens] or [N, tokens, tokens], all of as many tokens, each computed from the one
        before.

    Raises
    ------
    GradientError
        If there are none, or they do not follow each other token by token.
    """
    path = index.path(start, logits)
    found = [_weights_of(index, op, path) for op in index.makers(path) if op.type == "Softmax"]
    maps = [name for name in found if name is not None]
    if not maps:
        raise GradientError(
            f"no attention is found between '{start}' and '{logits}': a Softmax of [N, heads, tokens, tokens] with a "
            "known number of tokens, multiplied with values; use 'gradcam' or another method"
        )
    shapes = {name: index.dims(name) or () for name in maps}
    tokens = shapes[maps[0]][-1]
    for name, shape in shapes.items():
        if shape[-2:] != (tokens, tokens):
            raise GradientError(
                f"the attention '{name}' is {list(shape)}, and '{maps[0]}' is {list(shapes[maps[0]])}: they are "
                "chained only where all layers have the same tokens, each looking at all; use 'gradcam' at a layer of "
                "tokens"
            )
    for before, after in zip(maps, maps[1:]):
        if not index.leads([before], after):
            raise GradientError(
                f"the attention '{after}' is not computed from '{before}': branches side by side have no common chain; "
                "use 'gradcam' at a layer of tokens"
            )
    return maps


def _weights_of(index: GraphIndex, softmax: tf.Operation, path: Set[str]) -> Optional[str]:
    """Return the tensor [N, heads, tokens, tokens] of a softmax that weighs values, None if it does not.

    Between the two may be a dropout: a product with what does not depend on the input.
    """
    stack = [index.outputs[softmax.name][0]]
    weights: Optional[str] = None
    multiplied = False
    while stack:
        name = stack.pop(0)
        shape = index.dims(name)
        if weights is None and shape is not None and len(shape) in (3, 4) and None not in shape[-2:]:
            weights = name
        for op, slot in index.users[name]:
            multiplied = multiplied or op.type in _MULTIPLIED
            others = [each for number, each in enumerate(index.inputs[op.name]) if number != slot]
            dropped = _DROPPED.get(op.type) == slot and not path.intersection(others)
            if dropped or op.type == "Merge" or (op.type in _PASSED and slot == 0):
                stack += index.outputs[op.name]
    return weights if multiplied else None


def reads_first_token(index: GraphIndex, attention: str, logits: str) -> bool:
    """Return whether all that the scores take of a map of attention is its row of token 0, the class token.

    Parameters
    ----------
    index : GraphIndex
        The graph.
    attention, logits : str
        The last map of attention, and the scores.
    """
    path = index.path(attention, logits)
    firsts = [index.outputs[op.name][0] for op in index.makers(path) if _takes_first(index, op)]
    return bool(firsts) and index.maker[attention].name not in index.needed([logits], firsts)


def _takes_first(index: GraphIndex, op: tf.Operation) -> bool:
    """Return whether an op cuts token 0 out of [N, tokens, K]."""
    names = index.inputs[op.name]
    if op.type not in ("StridedSlice", "Slice") or index.rank(names[0]) != _TOKENS:
        return False
    begin, second = index.constant(names[1]), index.constant(names[2])
    if begin is None or second is None or len(begin) < 2 or len(second) < 2:
        return False
    if op.type == "Slice":
        return int(begin[1]) == 0 and int(second[1]) == 1
    opened = op.get_attr("begin_mask") & 2
    masks = op.get_attr("ellipsis_mask") | op.get_attr("new_axis_mask") | (op.get_attr("end_mask") & 2)
    return not masks and (opened or int(begin[1]) == 0) and int(second[1]) == 1
