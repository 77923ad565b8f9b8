"""Remove what only training needs: optimisers, initialisers, savers, summaries, and nodes that only these use."""

from __future__ import annotations

import re
from collections import defaultdict
from functools import lru_cache
from typing import Dict, List, Set

from gradcam_tf1.graphdef.nodes import consumers, data_sources, dependants, sources
from gradcam_tf1.graphdef.removal import remove
from gradcam_tf1.tf_runtime import tf

VARIABLES = {"Variable", "VariableV2", "VarHandleOp", "TemporaryVariable"}
READS = {"Identity", "ReadVariableOp"}

# An assignment returns the value that it wrote. If the net uses that value, an op without side effects replaces it.
_ASSIGNMENTS = {"Assign": "Identity", "AssignAdd": "Add", "AssignSub": "Sub"}
_QUESTIONS = {"IsVariableInitialized", "VarIsInitializedOp"}
SAVERS = re.compile(
    r"(Save|SaveV2|SaveSlices|Restore|RestoreV2|RestoreSlice|MergeV2Checkpoints|ShardedFilename(spec)?)\Z"
)
WRITERS = re.compile(
    r"(Assign(Add|Sub)?(VariableOp)?|(Resource)?(Sparse)?Apply[A-Z]\w*|Scatter(Add|Sub|Mul|Div|Min|Max|Update)"
    r"|ScatterNd(Add|Sub|Update|Max|Min)|ResourceScatter\w+|(Resource)?StridedSliceAssign|(Resource)?CountUpTo"
    r"|DestroyTemporaryVariable|DestroyResourceOp|DisableCopyOnRead|IsVariableInitialized|VarIsInitializedOp"
    r"|\w+SummaryV?\d?|ImageSummary|WriteSummary|WriteScalarSummary|WriteGraphSummary|FlushSummaryWriter"
    r"|(Resource)?Accumulator\w*)\Z"
)
_SUMMARIES = re.compile(r"\w*Summary\w*\Z")
# What a summary is given is cut out of the net's tensors, scaled, tiled or averaged by these. Layers, activations and
# losses are none of them: they show which tensor holds the scores, even if only a summary uses their values.
_SHOWING = {
    "Cast", "ClipByValue", "Concat", "ConcatV2", "Div", "DrawBoundingBoxes", "DrawBoundingBoxesV2", "ExpandDims",
    "Gather", "GatherV2", "Identity", "Max", "Maximum", "Mean", "Min", "Minimum", "Mul", "Pack", "Pad", "PadV2",
    "RealDiv", "Reshape", "ResizeBilinear", "ResizeNearestNeighbor", "Slice", "Split", "SplitV", "Square",
    "StridedSlice", "Sub", "Sum", "Tile", "Transpose", "Unpack",
}  # fmt: skip
_TRAINING_SCOPE = re.compile(r"(^|/)(gradients(_\d+)?|Initializer|initializer)(/|$)")
Users = Dict[str, List["tf.NodeDef"]]  # from `consumers`
_CONSTANT_SOURCES = VARIABLES | {"Const", "NoOp"}


def cut_training(graph_def: tf.GraphDef) -> None:
    """Remove ops that write variables or files, nodes that depend on them, and nodes that only they use, in place."""
    if not any(node.op in VARIABLES or _writes(node.op) for node in graph_def.node):
        return
    _assignments_as_values(graph_def)
    users = consumers(graph_def)
    gone = dependants(users, [node.name for node in graph_def.node if _writes(node.op)])
    leftovers = _Leftovers(graph_def, users)
    gone |= _only_shown(graph_def, users)
    gone |= leftovers.of(gone)
    gone |= _loose_ends(graph_def, gone)
    gone |= leftovers.of(gone)
    remove(graph_def, gone | _unused_reads(graph_def, users, gone))


@lru_cache(maxsize=4096)
def _writes(op: str) -> bool:
    return WRITERS.match(op) is not None or SAVERS.match(op) is not None


def _assignments_as_values(graph_def: tf.GraphDef) -> None:
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


def _answer_yes(node: tf.NodeDef) -> None:
    """Turn the question whether a variable is initialised into the constant True: it becomes a constant."""
    node.op = "Const"
    del node.input[:]
    node.attr.clear()
    node.attr["dtype"].type = tf.bool.as_datatype_enum
    node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(True))


def _unused_reads(graph_def: tf.GraphDef, users: Users, gone: Set[str]) -> Set[str]:
    """Return unused variables, such as optimiser slots and counters, and their reads, which nothing uses."""
    unused: Set[str] = set()
    for node in graph_def.node:
        if node.op not in VARIABLES:
            continue
        live = [user for user in users.get(node.name, ()) if user.name not in gone]
        if all(user.op in READS and not set(_names(users, user.name)) - gone for user in live):
            unused.update(user.name for user in live)
            unused.add(node.name)
    return unused


def _names(users: Users, name: str) -> List[str]:
    return [user.name for user in users.get(name, ())]


def _scope(name: str) -> str:
    """Return the scope of gradients or of an initialiser in a node's name, "" if there is none."""
    match = _TRAINING_SCOPE.search(name)
    return name[: match.end()] if match else ""


def _loose_ends(graph_def: tf.GraphDef, gone: Set[str]) -> Set[str]:
    """Return gradients that nothing uses, such as those of the images: they would keep all other gradients."""
    scopes = {_scope(name) for name in gone} - {""}
    used = {name for node in graph_def.node for name in sources(node)}
    return {node.name for node in graph_def.node if node.name not in used and _scope(node.name) in scopes}


def _only_shown(graph_def: tf.GraphDef, users: Users) -> Set[str]:
    """Return the nodes whose values go into summaries and nowhere else: without these they would look like outputs."""
    waiting = [node for node in graph_def.node if _SUMMARIES.match(node.op)]
    shown = {node.name for node in waiting}
    nodes = {node.name: node for node in graph_def.node} if waiting else {}
    left: Dict[str, int] = {}  # node -> users that are not shown
    found: Set[str] = set()
    while waiting:
        for name in set(data_sources(waiting.pop())) & nodes.keys():
            left[name] = left.get(name, len(users[name])) - 1
            if not left[name] and name not in shown and nodes[name].op in _SHOWING:
                found.add(name)
                shown.add(name)
                waiting.append(nodes[name])
    return found


class _Leftovers:
    """Finds the nodes to remove together with others: all their users are removed, and no image reaches them.

    Gradients and sources of savers are removed even if an image reaches them.
    """

    def __init__(self, graph_def: tf.GraphDef, users: Users) -> None:
        self._sources = {node.name: list(dict.fromkeys(sources(node))) for node in graph_def.node}
        self._savers = {node.name for node in graph_def.node if SAVERS.match(node.op)}
        self._users: Dict[str, List[str]] = defaultdict(list)
        for name, origins in self._sources.items():
            for origin in origins:
                self._users[origin].append(name)
        starts = [n.name for n in graph_def.node if not n.input and n.op not in _CONSTANT_SOURCES]
        self._fed = dependants(users, starts + [n.name for n in graph_def.node if n.op.startswith("Placeholder")])

    def of(self, gone: Set[str]) -> Set[str]:
        """Return the nodes that have no use once these are removed."""
        going, leftovers = set(gone), set()
        left: Dict[str, int] = {}  # node -> users that are not removed yet
        for_savers = {name for name in gone if name in self._savers}
        waiting = list(gone)
        while waiting:
            name = waiting.pop()
            for origin in self._sources[name]:
                left[origin] = left.get(origin, len(self._users[origin])) - 1
                if left[origin] or origin in going:
                    continue
                if origin not in self._fed or _scope(origin) or for_savers.issuperset(self._users[origin]):
                    leftovers.add(origin)
                    going.add(origin)
                    for_savers.add(origin)
                    waiting.append(origin)
        return leftovers
