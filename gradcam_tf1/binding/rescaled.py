"""Softmaxes and log-probabilities that are scaled, shifted, negated or raised to a power."""

from __future__ import annotations

from dataclasses import replace
from typing import Dict, List, Optional

from gradcam_tf1.binding.graph_index import GraphIndex
from gradcam_tf1.binding.op_kinds import CLIPS, FORWARDING, QUANTISED, RESHAPING, RESIZES, SUMS
from gradcam_tf1.binding.pre_softmax import Activated, activation_at
from gradcam_tf1.tf_runtime import tf

_LOGARITHMS = {"Log", "Log1p"}
_OF_NUMBERS = SUMS | CLIPS | {"Sub", "Mul", "RealDiv", "Div", "DivNoNan", "Pow"}
_PASSED = (
    FORWARDING
    | RESHAPING
    | RESIZES
    | QUANTISED
    | _LOGARITHMS
    | {"Cast", "Transpose", "StridedSlice", "Slice", "Neg", "Sqrt", "Square", "Exp"}
)


def rescaled_activation(index: GraphIndex, name: str) -> Optional[Activated]:
    """Find the softmax or sigmoid that a tensor is computed from, class by class, with either sign.

    That is, a logarithm to any base, a multiple, a power or the odds. A sigmoid counts only with a logarithm: times a
    number it is a regression between two bounds.

    Parameters
    ----------
    index : GraphIndex
        The graph.
    name : str
        The tensor.

    Returns
    -------
    Activated or None
        None if there is none.
    """
    names, seen, log = [name], {name}, False
    found: Dict[str, Activated] = {}
    while names:
        op = index.maker[names.pop()]
        activation = activation_at(index, op)
        if activation is not None:
            log = log or activation.log
            found[activation.output] = activation
            continue
        data = _data(index, op)
        if not data:
            return None
        log = log or op.type in _LOGARITHMS
        names += [other for other in data if other not in seen]
        seen.update(data)
    activation = next(iter(found.values()), None)
    if activation is None or len(found) > 1 or not (log or activation.kind == "softmax"):
        return None
    return replace(activation, log=log)


def _data(index: GraphIndex, op: tf.Operation) -> List[str]:
    """Return the inputs that depend on the images; none if the op does more than arithmetic with single numbers."""
    live = [name for name in index.inputs[op.name] if name in index.axes and name not in index.dead]
    numbers = all(index.rank(name) == 0 for name in index.inputs[op.name] if name not in live)
    return live if op.type in _PASSED or (op.type in _OF_NUMBERS and numbers) else []
