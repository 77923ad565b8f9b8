"""Nets of token ids [N, T] (texts): the ids are looked up in a table of embeddings, [N, T, E].

A score has no derivative by ids. So the embeddings are explained, as a signal with E channels is, and the ids of the
texts give their values.
"""

from __future__ import annotations

from typing import Iterator, List, NamedTuple, Optional

import numpy as np

from gradcam_tf1.binding.graph_index import GraphIndex
from gradcam_tf1.binding.op_kinds import PLACEHOLDERS, VALUE_FREE
from gradcam_tf1.tf_runtime import tf

_LOOKUPS = ("Gather", "GatherV2", "ResourceGather")
_RESHAPES = ("Reshape", "ExpandDims", "Squeeze", "Identity", "EnsureShape")
_ON_IDS = (*_RESHAPES, "Cast", "Maximum", "Minimum", "ClipByValue", "StopGradient", "OneHot")
_TEXTS, _TABLE, _EMBEDDED = 2, 2, 3  # axes


class TokenInput(NamedTuple):
    """Where a net takes texts.

    Attributes
    ----------
    ids : str
        The placeholder of the token ids, [N, T].
    embedded : str
        Their embeddings, floats [N, T, E].
    vocabulary : int
        Number of rows of the table: ids are 0 to `vocabulary` - 1.
    """

    ids: str
    embedded: str
    vocabulary: int


def token_inputs(index: GraphIndex) -> List[TokenInput]:
    """Find all tensors of token ids and their embeddings, the one with the largest vocabulary first.

    Parameters
    ----------
    index : GraphIndex
        The graph.

    Returns
    -------
    list of TokenInput
        Positions and segments, as BERT has them, have smaller tables than words; they are further inputs.
    """
    names = [index.outputs[op.name][0] for op in index.ops if op.type in PLACEHOLDERS]
    found = [lookup for name in names if index.rank(name) == _TEXTS for lookup in _lookups(index, name)]
    return sorted(found, key=lambda item: -item.vocabulary)


def _lookups(index: GraphIndex, ids: str) -> Iterator[TokenInput]:
    stack, seen = [ids], {ids}
    while stack:
        index.walk()
        for op, slot in index.users[stack.pop()]:
            out = index.outputs[op.name][0] if index.outputs[op.name] else ""
            table = _table(index, op, slot)
            if table is not None and index.is_float(out):
                rows, embedded = index.dims(table) or (), _with_tokens(index, out)
                if len(rows) == _TABLE and rows[0] is not None and embedded is not None:
                    yield TokenInput(ids, embedded, rows[0])
            elif op.type in _ON_IDS and slot == 0 and out not in seen:
                seen.add(out)
                stack.append(out)


def _table(index: GraphIndex, op: tf.Operation, slot: int) -> Optional[str]:
    """Return the table whose rows an op looks up by number, or by numbers written as one-hot vectors; else None."""
    names = index.inputs[op.name]
    if op.type == "MatMul" and slot == 0 and not op.get_attr("transpose_a") and not op.get_attr("transpose_b"):
        return names[1] if _one_hot(index, names[0]) else None
    if op.type not in _LOOKUPS or slot != 1:
        return None
    axis = index.constant(names[2]) if op.type == "GatherV2" else np.int32(0)
    return names[0] if axis is not None and int(axis) == 0 else None


def _one_hot(index: GraphIndex, name: str) -> bool:
    while index.maker[name].type in _RESHAPES:
        name = index.inputs[index.maker[name].name][0]
    op = index.maker[name]
    return bool(op.type == "OneHot" and op.get_attr("axis") == -1)


def _with_tokens(index: GraphIndex, name: str) -> Optional[str]:
    """Return the embeddings as [N, T, E]: a lookup of flat ids is reshaped later."""
    while index.rank(name) != _EMBEDDED:
        users = [(op, slot) for op, slot in index.users[name] if op.type not in VALUE_FREE]
        if len(users) != 1 or users[0][0].type not in _RESHAPES or users[0][1] != 0:
            return None
        name = index.outputs[users[0][0].name][0]
    return None if name in index.looped else name


def embedded_in(index: GraphIndex, name: str) -> Optional[TokenInput]:
    """Return the input of texts whose ids or embeddings the tensor is; None for other tensors."""
    return next((item for item in token_inputs(index) if name in (item.ids, item.embedded)), None)
