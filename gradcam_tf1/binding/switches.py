"""The values of training switches at inference, and the tensors that no run computes because of them."""

from __future__ import annotations

import re
from typing import Dict, Mapping, Optional, Sequence, Set

from gradcam_tf1.binding.feed_values import FeedValue
from gradcam_tf1.binding.graph_index import GraphIndex
from gradcam_tf1.binding.op_kinds import BATCH_NORMS, PLACEHOLDERS, RANDOM
from gradcam_tf1.tf_runtime import tf

_TRAINING = re.compile(r"train|learning_?phase|phase|is_?fit|use_?dropout|drop_?out", re.IGNORECASE)
_INFERENCE = re.compile(r"infer|is_?test|testing|test_?mode|eval|predict|determin", re.IGNORECASE)
_COMPARISONS = ("Cast", "Equal", "NotEqual", "Greater", "GreaterEqual", "Less")
_LOOK_AHEAD = 400


def switch_values(index: GraphIndex, given: Mapping[str, FeedValue]) -> Dict[str, bool]:
    """Return the values of all scalar training switches at inference.

    A switch is recognised by its name (is_training, phase_train, keras_learning_phase, inference_mode, ...), or by its
    use: a bool that turns on random ops or the batch statistics of a batch norm.

    Parameters
    ----------
    index : GraphIndex
        The graph.
    given : mapping
        Values that the user feeds, by tensor name; they take precedence.

    Returns
    -------
    dict of str to bool
        By tensor name.
    """
    values: Dict[str, bool] = {}
    for op in index.ops:
        if op.type not in PLACEHOLDERS:
            continue
        name = op.outputs[0].name
        if name in given:
            if op.outputs[0].dtype.is_bool:
                values[name] = bool(given[name])
        elif is_switch(index, op):
            values[name] = _value_at_inference(op)
    return values


def is_switch(index: GraphIndex, op: tf.Operation) -> bool:
    """Return whether a placeholder switches between training and inference."""
    tensor = op.outputs[0]
    if tensor.shape.rank not in (0, None):
        return False
    named = bool(_TRAINING.search(_leaf(op.name)) or _INFERENCE.search(_leaf(op.name)))
    if tensor.dtype.is_bool:
        return named or _turns_on_training(index, tensor.name)
    # "dropout" may name a probability; a number is a switch only if it decides a branch
    return named and _decides(index, tensor.name)


def _value_at_inference(op: tf.Operation) -> bool:
    leaf = _leaf(op.name)
    return bool(_INFERENCE.search(leaf)) and "train" not in leaf.lower()


def _leaf(name: str) -> str:
    """Return the last meaningful part of a name ("model/is_training/Placeholder" -> "is_training")."""
    parts = [
        part for part in name.split("/") if not re.match(r"(placeholder(withdefault)?|input|in)(_\d+)?$", part, re.I)
    ]
    return parts[-1] if parts else ""


def _decides(index: GraphIndex, name: str) -> bool:
    """Return whether a number is first cast to bool or compared."""
    waiting = [name]
    while waiting:
        index.walk()
        for op, _ in index.users[waiting.pop()]:
            if op.type in _COMPARISONS and op.outputs[0].dtype.is_bool:
                return True
            waiting += index.outputs[op.name] if op.type == "Identity" else ()
    return False


def _turns_on_training(index: GraphIndex, name: str) -> bool:
    """Return whether the True branch of a predicate holds random ops or batch statistics."""
    predicates, stack = {name}, [name]
    while stack:
        index.walk()
        for op, _ in index.users[stack.pop()]:
            if op.type in ("Identity", "LogicalNot") and op.outputs[0].name not in predicates:
                predicates.add(op.outputs[0].name)
                stack.append(op.outputs[0].name)
    starts = [index.outputs[op.name][1] for p in predicates for op, i in index.users[p] if op.type == "Switch"]
    seen, queue = set(starts), list(starts)
    while queue and len(seen) < _LOOK_AHEAD:
        index.walk()
        for op, _ in index.users[queue.pop(0)]:
            if RANDOM.match(op.type) or (op.type in BATCH_NORMS and op.get_attr("is_training")):
                return True
            if op.type == "Mean" and "moments" in op.name:
                return True
            fresh = [out for out in index.outputs[op.name] if out not in seen and op.type != "Merge"]
            seen.update(fresh)
            queue.extend(fresh)
    return False


def known_predicate(
    index: GraphIndex, name: str, switches: Mapping[str, bool], known: Optional[Dict[str, Optional[bool]]] = None
) -> Optional[bool]:
    """Compute the value of a scalar that decides a branch from switches and constants.

    Parameters
    ----------
    index : GraphIndex
        The graph.
    name : str
        The scalar.
    switches : mapping of str to bool
        Values of the training switches.
    known : dict, optional
        Values of other tensors computed so far; it is extended.

    Returns
    -------
    bool or None
        None if switches and constants do not determine it.
    """
    known = {} if known is None else known
    waiting = [name]
    while waiting:
        top = waiting[-1]
        before = () if top in switches or top in known else _decided_by(index, top)
        unknown = [tensor for tensor in before if tensor not in known]
        if unknown:
            waiting += unknown
            continue
        waiting.pop()
        if top not in known:
            known[top] = _settled(index, top, switches, [known[tensor] for tensor in before])
    return known[name]


def _decided_by(index: GraphIndex, name: str) -> Sequence[str]:
    op = index.maker[name]
    inputs = index.inputs[op.name]
    if op.type in ("Identity", "Cast", "Switch", "PlaceholderWithDefault", "Squeeze", "Reshape", "LogicalNot"):
        return inputs[:1]
    return inputs if op.type in ("LogicalAnd", "LogicalOr") else ()


def _settled(
    index: GraphIndex, name: str, switches: Mapping[str, bool], values: Sequence[Optional[bool]]
) -> Optional[bool]:
    """Return the value of a tensor from `values`, those of the tensors that determine it."""
    if name in switches:
        return switches[name]
    op = index.maker[name]
    if op.type == "LogicalNot":
        return None if values[0] is None else not values[0]
    if op.type in ("LogicalAnd", "LogicalOr"):
        decisive = op.type == "LogicalOr"
        return decisive if decisive in values else None if None in values else not decisive
    if values:
        return values[0]
    if op.type in ("Equal", "NotEqual"):
        sides = [_number(index, i, switches) for i in index.inputs[op.name]]
        return None if None in sides else (sides[0] == sides[1]) == (op.type == "Equal")
    number = _number(index, name, switches)
    return None if number is None else bool(number)


def _number(index: GraphIndex, name: str, switches: Mapping[str, bool]) -> Optional[float]:
    source = index.source(name)
    for tensor in (name, *index.outputs[source.name][:1]):
        if tensor in switches:
            return float(switches[tensor])
    value = index.constant(name) if source.type == "Const" and source.outputs[0].shape.num_elements() == 1 else None
    return None if value is None or value.dtype.kind not in "biuf" else float(value.reshape(-1)[0])


def dead_tensors(index: GraphIndex, switches: Mapping[str, bool]) -> Set[str]:
    """Return all tensors that no run computes, because their branch is not taken."""
    dead: Set[str] = set()
    known: Dict[str, Optional[bool]] = {}
    for op in index.ops:
        inputs = index.inputs[op.name]
        if op.type in ("Switch", "RefSwitch") and inputs[0] not in dead:
            taken = known_predicate(index, inputs[1], switches, known)
            if taken is not None:
                dead.add(index.outputs[op.name][0 if taken else 1])
            continue
        gone = [i in dead for i in inputs] + [c.outputs[0].name in dead for c in op.control_inputs if c.outputs]
        if gone and (all(gone) if op.type == "Merge" else any(gone)):
            dead.update(index.outputs[op.name])
    return dead
