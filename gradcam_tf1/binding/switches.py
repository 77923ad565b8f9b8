"""Which way the training switches point at inference, and what is dead because of it."""

from __future__ import annotations

import re
from typing import Any, Dict, Mapping, Optional, Sequence, Set

from gradcam_tf1.binding.graph_index import GraphIndex, Op
from gradcam_tf1.binding.op_kinds import BATCH_NORMS, PLACEHOLDERS, RANDOM

_TRAINING = re.compile(r"train|learning_?phase|phase|is_?fit|use_?dropout|drop_?out", re.IGNORECASE)
_INFERENCE = re.compile(r"infer|is_?test|testing|test_?mode|eval|predict|determin", re.IGNORECASE)
_COMPARISONS = ("Cast", "Equal", "NotEqual", "Greater", "GreaterEqual", "Less")
_LOOK_AHEAD = 400


def switch_values(walk: GraphIndex, given: Mapping[str, Any]) -> Dict[str, bool]:
    """Inference values of all scalar training switches among the placeholders: tensor name -> bool.

    A switch goes by its name (is_training, phase_train, keras_learning_phase, inference_mode ...) or, where it has no
    telling name, by its use: it is boolean and turns on random ops or the batch statistics of a batch norm.
    """
    found: Dict[str, bool] = {}
    for op in walk.ops:
        if op.type not in PLACEHOLDERS:
            continue
        name = op.outputs[0].name
        if name in given:
            if op.outputs[0].dtype.is_bool:
                found[name] = bool(given[name])
        elif is_switch(walk, op):
            found[name] = _value_at_inference(op)
    return found


def is_switch(walk: GraphIndex, op: Op) -> bool:
    """Whether a placeholder switches between training and inference."""
    tensor = op.outputs[0]
    if tensor.shape.rank not in (0, None):
        return False
    named = bool(_TRAINING.search(_leaf(op.name)) or _INFERENCE.search(_leaf(op.name)))
    if tensor.dtype.is_bool:
        return named or _turns_on_training(walk, tensor.name)
    # "dropout" alone may be a probability; only numbers that decide a branch are switches
    return named and _decides(walk, tensor.name)


def _value_at_inference(op: Op) -> bool:
    leaf = _leaf(op.name)
    return bool(_INFERENCE.search(leaf)) and "train" not in leaf.lower()


def _leaf(name: str) -> str:
    """The last component that says something ("model/is_training/Placeholder" -> "is_training")."""
    parts = [
        part for part in name.split("/") if not re.match(r"(placeholder(withdefault)?|input|in)(_\d+)?$", part, re.I)
    ]
    return parts[-1] if parts else ""


def _decides(walk: GraphIndex, name: str) -> bool:
    """Whether a number is turned into a predicate (cast to bool, compared) before anything else."""
    waiting = [name]
    while waiting:
        for op, _ in walk.users[waiting.pop()]:
            if op.type in _COMPARISONS and op.outputs[0].dtype.is_bool:
                return True
            waiting += walk.outputs[op.name] if op.type == "Identity" else ()
    return False


def _turns_on_training(walk: GraphIndex, name: str) -> bool:
    """Whether the branch of True holds random ops or batch statistics, or the predicate guards such a branch."""
    predicates, stack = {name}, [name]
    while stack:
        for op, _ in walk.users[stack.pop()]:
            if op.type in ("Identity", "LogicalNot") and op.outputs[0].name not in predicates:
                predicates.add(op.outputs[0].name)
                stack.append(op.outputs[0].name)
    starts = [walk.outputs[op.name][1] for p in predicates for op, i in walk.users[p] if op.type == "Switch"]
    seen, queue = set(starts), list(starts)
    while queue and len(seen) < _LOOK_AHEAD:
        for op, _ in walk.users[queue.pop(0)]:
            if RANDOM.match(op.type) or (op.type in BATCH_NORMS and op.get_attr("is_training")):
                return True
            if op.type == "Mean" and "moments" in op.name:
                return True
            fresh = [out for out in walk.outputs[op.name] if out not in seen and op.type != "Merge"]
            seen.update(fresh)
            queue.extend(fresh)
    return False


def known_predicate(
    walk: GraphIndex, name: str, switches: Mapping[str, bool], known: Optional[Dict[str, Optional[bool]]] = None
) -> Optional[bool]:
    """The value of a scalar bool or number that decides a branch, where the switches and constants settle it.

    known: what is known of other tensors already; it grows.
    """
    known = {} if known is None else known
    waiting = [name]
    while waiting:
        top = waiting[-1]
        before = () if top in switches or top in known else _decided_by(walk, top)
        unknown = [tensor for tensor in before if tensor not in known]
        if unknown:
            waiting += unknown
            continue
        waiting.pop()
        if top not in known:
            known[top] = _settled(walk, top, switches, [known[tensor] for tensor in before])
    return known[name]


def _decided_by(walk: GraphIndex, name: str) -> Sequence[str]:
    op = walk.maker[name]
    inputs = walk.inputs[op.name]
    if op.type in ("Identity", "Cast", "Switch", "PlaceholderWithDefault", "Squeeze", "Reshape", "LogicalNot"):
        return inputs[:1]
    return inputs if op.type in ("LogicalAnd", "LogicalOr") else ()


def _settled(
    walk: GraphIndex, name: str, switches: Mapping[str, bool], values: Sequence[Optional[bool]]
) -> Optional[bool]:
    """The value of a tensor, by those that decide it."""
    if name in switches:
        return switches[name]
    op = walk.maker[name]
    if op.type == "LogicalNot":
        return None if values[0] is None else not values[0]
    if op.type in ("LogicalAnd", "LogicalOr"):
        decisive = op.type == "LogicalOr"
        return decisive if decisive in values else None if None in values else not decisive
    if values:
        return values[0]
    if op.type in ("Equal", "NotEqual"):
        sides = [_number(walk, i, switches) for i in walk.inputs[op.name]]
        return None if None in sides else (sides[0] == sides[1]) == (op.type == "Equal")
    number = _number(walk, name, switches)
    return None if number is None else bool(number)


def _number(walk: GraphIndex, name: str, switches: Mapping[str, bool]) -> Optional[float]:
    source = walk.source(name)
    for tensor in (name, *walk.outputs[source.name][:1]):
        if tensor in switches:
            return float(switches[tensor])
    value = walk.constant(name) if source.type == "Const" and source.outputs[0].shape.num_elements() == 1 else None
    return None if value is None or value.dtype.kind not in "biuf" else float(value.reshape(-1)[0])


def dead_tensors(walk: GraphIndex, switches: Mapping[str, bool]) -> Set[str]:
    """All tensors that no run computes because their branch is not taken."""
    dead: Set[str] = set()
    known: Dict[str, Optional[bool]] = {}
    for op in walk.ops:
        inputs = walk.inputs[op.name]
        if op.type in ("Switch", "RefSwitch") and inputs[0] not in dead:
            taken = known_predicate(walk, inputs[1], switches, known)
            if taken is not None:
                dead.add(walk.outputs[op.name][0 if taken else 1])
            continue
        gone = [i in dead for i in inputs] + [c.outputs[0].name in dead for c in op.control_inputs if c.outputs]
        if gone and (all(gone) if op.type == "Merge" else any(gone)):
            dead.update(walk.outputs[op.name])
    return dead
