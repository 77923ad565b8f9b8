"""The maps of attention of a transformer, found by what is computed and not by names.

A map is a Softmax of [N, heads, tokens, tokens], or [N, tokens, tokens] of a single head, that is multiplied with the
values of the tokens, by MatMul or Einsum.
"""

from __future__ import annotations

from typing import List, Optional

from gradcam_tf1.binding.graph_index import GraphIndex
from gradcam_tf1.binding.op_kinds import DENSE
from gradcam_tf1.errors import GradientError
from gradcam_tf1.tf_runtime import tf

_MULTIPLIED = DENSE | {"Einsum", "XlaEinsum"}
_PASSED = {"Identity", "Snapshot", "Reshape", "Transpose", "Cast", "StopGradient", "ExpandDims", "Squeeze"}


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
    found = [_weights_of(index, op) for op in index.makers(path) if op.type == "Softmax"]
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


def _weights_of(index: GraphIndex, softmax: tf.Operation) -> Optional[str]:
    """Return the tensor [N, heads, tokens, tokens] of a softmax that weighs values, None if it does not."""
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
            if op.type in _PASSED and slot == 0:
                stack += index.outputs[op.name]
    return weights if multiplied else None
