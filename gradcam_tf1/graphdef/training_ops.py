"""Cutting what only training needs: optimisers, initialisers, savers, summaries, and what hangs on nothing else."""

from __future__ import annotations

import re
from collections import defaultdict
from functools import lru_cache
from typing import Any, Dict, List, Set

from gradcam_tf1.graphdef.nodes import consumers, dependants, sources
from gradcam_tf1.graphdef.removal import remove
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
Users = Dict[str, List[Any]]  # of `consumers`
_CONSTANT_SOURCES = VARIABLES | {"Const", "NoOp"}


def cut_training(graph_def: Any) -> None:
    """Remove, in place, every op that writes variables or files, what depends on it, and what only it used."""
    if not any(node.op in VARIABLES or _writes(node.op) for node in graph_def.node):
        return
    _assignments_as_values(graph_def)
    users = consumers(graph_def)
    gone = dependants(users, [node.name for node in graph_def.node if _writes(node.op)])
    litter = _Litter(graph_def, users)
    gone |= litter.left_by(gone)
    gone |= _loose_ends(graph_def, gone)
    gone |= litter.left_by(gone)
    remove(graph_def, gone | _unused_reads(graph_def, users, gone))


@lru_cache(maxsize=4096)
def _writes(op: str) -> bool:
    return WRITERS.match(op) is not None or SAVERS.match(op) is not None


def _assignments_as_values(graph_def: Any) -> None:
    users = consumers(graph_def)
    for node in graph_def.node:
        if node.op not in _QUESTIONS and node.op not in _ASSIGNMENTS:
            continue
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


def _unused_reads(graph_def: Any, users: Users, gone: Set[str]) -> Set[str]:
    """Reads nobody uses, of variables that have no other use: optimiser slots, counters."""
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
    """Gradients that the optimiser left unused, those of the images: they would hold on to all the others."""
    scopes = {_scope(name) for name in gone} - {""}
    used = {name for node in graph_def.node for name in sources(node)}
    return {node.name for node in graph_def.node if node.name not in used and _scope(node.name) in scopes}


class _Litter:
    """What goes with others: all of its users go, and no image reaches it, or it is a gradient."""

    def __init__(self, graph_def: Any, users: Users) -> None:
        self._sources = {node.name: list(dict.fromkeys(sources(node))) for node in graph_def.node}
        self._savers = {node.name for node in graph_def.node if SAVERS.match(node.op)}
        self._users: Dict[str, List[str]] = defaultdict(list)
        for name, origins in self._sources.items():
            for origin in origins:
                self._users[origin].append(name)
        starts = [n.name for n in graph_def.node if not n.input and n.op not in _CONSTANT_SOURCES]
        self._fed = dependants(users, starts + [n.name for n in graph_def.node if n.op.startswith("Placeholder")])

    def left_by(self, gone: Set[str]) -> Set[str]:
        """What is of no use once these are gone."""
        going, litter = set(gone), set()
        left: Dict[str, int] = {}
        for_savers = {name for name in gone if name in self._savers}
        waiting = list(gone)
        while waiting:
            name = waiting.pop()
            for origin in self._sources[name]:
                left[origin] = left.get(origin, len(self._users[origin])) - 1
                if left[origin] or origin in going:
                    continue
                if origin not in self._fed or _scope(origin) or for_savers.issuperset(self._users[origin]):
                    litter.add(origin)
                    going.add(origin)
                    for_savers.add(origin)
                    waiting.append(origin)
        return litter
