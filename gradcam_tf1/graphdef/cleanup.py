"""Repair the NodeDefs of a graph before import: one function and one row of `REPAIRS` for each repair.

A repair changes the graph in place and returns a sentence for the user, or None if it has nothing to report.
"""

from __future__ import annotations

from typing import Callable, Iterator, List, Optional, Tuple

from gradcam_tf1.graphdef.attributes import Defaults, drop_unknown
from gradcam_tf1.graphdef.cut_ops import cut_files_and_code, drop_unused_functions, leave_out_unknown
from gradcam_tf1.graphdef.loop_repair import complete_loops
from gradcam_tf1.tf_runtime import own_gradient, register_functional_gradients, tf

Repair = Callable[["tf.GraphDef"], Optional[str]]
_REFERENCE_OPS = {"RefSwitch", "RefMerge", "RefEnter", "RefExit", "RefIdentity", "RefNextIteration"}
_FUNCTIONAL = {"While", "StatelessWhile", "If", "StatelessIf"}
_REFERENCE_TYPES = 100  # the enum of a reference dtype is the enum of its dtype plus this


def clean(graph_def: tf.GraphDef, defaults: Optional[Defaults] = None) -> Tuple[str, ...]:
    """Repair a checked GraphDef in place.

    Parameters
    ----------
    graph_def : GraphDef
        The graph, after `check_graph.check`.
    defaults : dict, optional
        Attribute defaults that the file itself states, see `attributes.file_defaults`.

    Returns
    -------
    tuple of str
        One sentence for each change that the user should know of.

    Raises
    ------
    ModelFileError
        If the graph needs something that cannot be repaired; the message names it.
    """
    notes = [repair(graph_def) for repair in REPAIRS]
    notes.append(drop_unknown(_all_nodes(graph_def), defaults or {}))
    return tuple(note for note in notes if note)


def _all_nodes(graph_def: tf.GraphDef) -> Iterator[tf.NodeDef]:
    yield from graph_def.node
    for function in graph_def.library.function:
        yield from function.node_def


def _clear_devices(graph_def: tf.GraphDef) -> None:
    for node in _all_nodes(graph_def):
        node.device = ""


def _strip_leftovers(graph_def: tf.GraphDef) -> Optional[str]:
    """Remove colocation, gradient overrides of the author and recorded shapes (import infers shapes again)."""
    overrides = set()
    for node in _all_nodes(graph_def):
        if "_gradient_op_type" in node.attr:
            overrides.add(node.attr["_gradient_op_type"].s.decode("utf-8", "replace"))
        for name in ("_class", "_gradient_op_type", "_output_shapes"):
            if name in node.attr:
                del node.attr[name]
    return f"gradient overrides removed: {', '.join(sorted(overrides))}" if overrides else None


def _dereference(graph_def: tf.GraphDef) -> Optional[str]:
    """Turn ops on references to variables into the same ops on values, since all variables are constants now."""
    count = 0
    for node in graph_def.node:
        if node.op in _REFERENCE_OPS:
            node.op = node.op[3:]
            count += 1
        for value in node.attr.values():
            if value.WhichOneof("value") == "type" and value.type > _REFERENCE_TYPES:
                value.type -= _REFERENCE_TYPES
                count += 1
    return f"references to variables turned into values: {count}" if count else None


def _rename_removed(graph_def: tf.GraphDef) -> None:
    """Rename PlaceholderV2, which graph versions 17 to 23 had; Placeholder does the same since."""
    for node in graph_def.node:
        if node.op == "PlaceholderV2":
            node.op = "Placeholder"


def _give_gradients(graph_def: tf.GraphDef) -> None:
    """Register gradients of functional loops and branches; rename StatelessWhile, which 1.15 has no gradient for."""
    functional = [node for node in _all_nodes(graph_def) if node.op in _FUNCTIONAL]
    if functional:
        register_functional_gradients()
    for node in functional:
        if node.op == "StatelessWhile" and own_gradient(node.op) is None:
            node.op = "While"


def _silence(graph_def: tf.GraphDef) -> None:
    """Replace Print by Identity: it would write its input, escape sequences included, to the user's terminal."""
    for node in _all_nodes(graph_def):
        if node.op == "Print":
            node.op = "Identity"
            node.input[:] = [text for index, text in enumerate(node.input) if index == 0 or text.startswith("^")]
            for name in [name for name in node.attr if name != "T"]:
                del node.attr[name]


REPAIRS: List[Repair] = [
    cut_files_and_code,
    _silence,
    leave_out_unknown,
    drop_unused_functions,
    _rename_removed,
    _give_gradients,
    _dereference,
    _clear_devices,
    _strip_leftovers,
    complete_loops,
]
