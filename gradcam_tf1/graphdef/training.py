"""Cutting what only training needs: optimisers, initialisers, savers, summaries, and what hangs on nothing else."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Any, Dict, List, Set

from gradcam_tf1.graphdef.nodes import consumers, dependants, edges, remove
from gradcam_tf1.tf_runtime import tf

VARIABLES = {"Variable", "VariableV2", "VarHandleOp", "TemporaryVariable"}
READS = {"Identity", "ReadVariableOp"}

# What an assignment yields is the value written; where the net goes on with that value, arithmetic replaces it.
_ASSIGNMENTS = {"Assign": "Identity", "AssignAdd": "Add", "AssignSub": "Sub"}
_QUESTIONS = {"IsVariableInitialized", "VarIsInitializedOp"}
SAVERS = re.compile(
    r"(Save|SaveV2|SaveSlices|Restore|RestoreV2|RestoreSlice|MergeV2Checkpoints|ShardedFilename(spec)?)\Z"
)
WRITERS = re.compile(
    r"(Assign(Add|Sub)?(VariableOp)?|(Resource)?(Sparse)?Apply[A-Z]\w*|Scatter(Add|Sub|Mul|Div|Min|Max|Update)"
    r"|ScatterNd(Add|Sub|Update|Max|Min)|ResourceScatter\w+|(Resource)?StridedSliceAssign|(Resource)?CountUpTo"
    r"|DestroyTemporaryVariable|DestroyResourceOp|IsVariableInitialized|VarIsInitializedOp|\w+SummaryV?\d?|ImageSummary"
    r"|WriteSummary|WriteScalarSummary|WriteGraphSummary|FlushSummaryWriter|(Resource)?Accumulator\w*)\Z"
)
_TRAINING_SCOPE = re.compile(r"(^|/)(gradients(_\d+)?|Initializer|initializer)(/|$)")
_CONSTANT_SOURCES = VARIABLES | {"Const", "NoOp"}


def cut_training(graph_def: Any) -> None:
    """Remove, in place, every op that writes variables or files, what depends on it, and what only it used."""
    _assignments_as_values(graph_def)
    writers = [node.name for node in graph_def.node if WRITERS.match(node.op) or SAVERS.match(node.op)]
    gone = dependants(graph_def, writers)
    gone |= _litter(graph_def, gone)
    gone |= _loose_ends(graph_def, gone)
    gone |= _litter(graph_def, gone)
    remove(graph_def, gone | _unused_reads(graph_def, gone))


def _assignments_as_values(graph_def: Any) -> None:
    users = consumers(graph_def)
    for node in graph_def.node:
        used = any(not WRITERS.match(user.op) for user in users.get(node.name, ()))
        if not used:
            continue
        if node.op in _QUESTIONS:
            _answer_yes(node)
        if node.op not in _ASSIGNMENTS:
            continue
        if node.op == "Assign":
            del node.input[0]
        node.op = _ASSIGNMENTS[node.op]
        for name in ("use_locking", "validate_shape"):
            if name in node.attr:
                del node.attr[name]


def _answer_yes(node: Any) -> None:
    """Is the variable initialised? A constant always is."""
    node.op = "Const"
    del node.input[:]
    node.attr.clear()
    node.attr["dtype"].type = tf.bool.as_datatype_enum
    node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(True))


def _unused_reads(graph_def: Any, gone: Set[str]) -> Set[str]:
    """Reads nobody uses, of variables that have no other use: optimiser slots, counters."""
    users = consumers(graph_def)
    unused: Set[str] = set()
    for node in graph_def.node:
        if node.op not in VARIABLES:
            continue
        live = [user for user in users.get(node.name, ()) if user.name not in gone]
        if all(user.op in READS and not set(_names(users, user.name)) - gone for user in live):
            unused.update(user.name for user in live)
            unused.add(node.name)
    return unused


def _names(users: Dict[str, List[Any]], name: str) -> List[str]:
    return [user.name for user in users.get(name, ())]


def _scope(name: str) -> str:
    """The scope of gradients or of an initialiser that a node stands in, "" for other nodes."""
    found = _TRAINING_SCOPE.search(name)
    return name[: found.end()] if found else ""


def _loose_ends(graph_def: Any, gone: Set[str]) -> Set[str]:
    """Gradients that the optimiser left unused, those of the pictures: they would hold on to all the others."""
    scopes = {_scope(name) for name in gone} - {""}
    used = {edge.node for node in graph_def.node for edge in edges(node)}
    return {node.name for node in graph_def.node if node.name not in used and _scope(node.name) in scopes}


def _litter(graph_def: Any, gone: Set[str]) -> Set[str]:
    """Nodes all of whose users go and that cannot be the net: no picture reaches them, or they are gradients."""
    nodes = {node.name: node for node in graph_def.node}
    users: Dict[str, Set[str]] = defaultdict(set)
    for node in graph_def.node:
        for edge in edges(node):
            users[edge.node].add(node.name)
    sources = [n.name for n in graph_def.node if not n.input and n.op not in _CONSTANT_SOURCES]
    fed = dependants(graph_def, sources + [n.name for n in graph_def.node if n.op.startswith("Placeholder")])
    savers = {name for name in gone if SAVERS.match(nodes[name].op)}
    litter: Set[str] = set()
    waiting = list(gone)
    while waiting:
        for edge in edges(nodes[waiting.pop()]):
            name = edge.node
            if name in gone or name in litter or not users[name] <= gone | litter:
                continue
            if name not in fed or _scope(name) or users[name] <= savers | litter:
                litter.add(name)
                waiting.append(name)
    return litter
