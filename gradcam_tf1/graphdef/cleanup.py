"""Repairs on NodeDefs before import: one function and one row in a table each; a sentence when it changed something."""

from __future__ import annotations

from typing import Any, Callable, Iterator, List, Optional, Tuple

from gradcam_tf1.graphdef.attributes import Defaults, drop_unknown
from gradcam_tf1.graphdef.cut_ops import cut_files_and_code, drop_unused_functions, leave_out_unknown
from gradcam_tf1.graphdef.loop_repair import complete_loops
from gradcam_tf1.tf_runtime import own_gradient, register_functional_gradients

Repair = Callable[[Any], Optional[str]]
_REFERENCE_OPS = {"RefSwitch", "RefMerge", "RefEnter", "RefExit", "RefIdentity", "RefNextIteration"}
_FUNCTIONAL = {"While", "StatelessWhile", "If", "StatelessIf"}
_REFERENCE_TYPES = 100  # a reference dtype's number is its dtype's plus this


def clean(graph_def: Any, defaults: Optional[Defaults] = None) -> Tuple[str, ...]:
    """Repair a checked GraphDef in place and say what was changed.

    Raises ModelFileError naming what cannot be repaired.

    defaults: attribute defaults that the file itself states (see `attributes.file_defaults`).
    """
    notes = [repair(graph_def) for repair in REPAIRS]
    notes.append(drop_unknown(_all_nodes(graph_def), defaults or {}))
    return tuple(note for note in notes if note)


def _all_nodes(graph_def: Any) -> Iterator[Any]:
    yield from graph_def.node
    for function in graph_def.library.function:
        yield from function.node_def


def _clear_devices(graph_def: Any) -> None:
    for node in _all_nodes(graph_def):
        node.device = ""


def _strip_leftovers(graph_def: Any) -> Optional[str]:
    """Remove colocation, other people's gradient overrides and recorded shapes (import infers them again)."""
    overrides = set()
    for node in _all_nodes(graph_def):
        if "_gradient_op_type" in node.attr:
            overrides.add(node.attr["_gradient_op_type"].s.decode("utf-8", "replace"))
        for name in ("_class", "_gradient_op_type", "_output_shapes"):
            if name in node.attr:
                del node.attr[name]
    return f"gradient overrides removed: {', '.join(sorted(overrides))}" if overrides else None


def _dereference(graph_def: Any) -> Optional[str]:
    """Ops on references to variables become the same ops on values: there are no variables any more."""
    count = 0
    for node in graph_def.node:
        if node.op in _REFERENCE_OPS:
            node.op = node.op[3:]
            count += 1
        for value in node.attr.values():
            if value.WhichOneof("value") == "type" and value.type > _REFERENCE_TYPES:
                value.type -= _REFERENCE_TYPES
                count += 1
    return f"references to variables made values: {count}" if count else None


def _rename_removed(graph_def: Any) -> None:
    """PlaceholderV2 lived from graph version 17 to 23, when Placeholder learnt to do the same."""
    for node in graph_def.node:
        if node.op == "PlaceholderV2":
            node.op = "Placeholder"


def _give_gradients(graph_def: Any) -> None:
    """TensorFlow 1.15 knows how to go back through a While, and not through the same op of another name."""
    functional = [node for node in _all_nodes(graph_def) if node.op in _FUNCTIONAL]
    if functional:
        register_functional_gradients()
    for node in functional:
        if node.op == "StatelessWhile" and own_gradient(node.op) is None:
            node.op = "While"


def _silence(graph_def: Any) -> None:
    """Print writes what it is given, escape sequences too, to the terminal of whoever runs it."""
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
