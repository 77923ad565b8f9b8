"""Repairs on NodeDefs before import: one function per repair, one row in a table, one sentence when it changed something."""

from __future__ import annotations

from collections import Counter
from typing import Any, Callable, Iterator, List, Optional, Tuple

from gradcam_tf1.errors import ModelFileError
from gradcam_tf1.graphdef.nodes import edges

Repair = Callable[[Any], Optional[str]]


def clean(graph_def: Any) -> Tuple[str, ...]:
    """Repair a GraphDef in place and say what was changed. Raises ModelFileError naming what cannot be repaired."""
    notes = [repair(graph_def) for repair in REPAIRS]
    return tuple(note for note in notes if note)


def _all_nodes(graph_def: Any) -> Iterator[Any]:
    yield from graph_def.node
    for function in graph_def.library.function:
        yield from function.node_def


def _check_names(graph_def: Any) -> None:
    if not graph_def.node:
        raise ModelFileError("the graph has no nodes; expected a frozen graph with its weights")
    counts = Counter(node.name for node in graph_def.node)
    twice = sorted(name for name, count in counts.items() if count > 1)
    if twice:
        raise ModelFileError(
            f"{len(twice)} node names occur more than once, the first is {twice[0]!r}: not a valid graph"
        )
    for node in graph_def.node:
        for edge in edges(node):
            if edge.node not in counts:
                raise ModelFileError(
                    f"node {node.name!r} ({node.op}) takes its input from {edge.node!r}, which is not in the graph: "
                    "the file is incomplete; export it again with every node that the output needs"
                )


def _clear_devices(graph_def: Any) -> None:
    for node in _all_nodes(graph_def):
        node.device = ""


def _strip_leftovers(graph_def: Any) -> Optional[str]:
    """Remove colocation, other people's gradient overrides and recorded shapes (import infers them again)."""
    overrides = 0
    for node in _all_nodes(graph_def):
        overrides += "_gradient_op_type" in node.attr
        for name in ("_class", "_gradient_op_type", "_output_shapes"):
            if name in node.attr:
                del node.attr[name]
    return f"gradient overrides of {overrides} nodes removed" if overrides else None


REPAIRS: List[Repair] = [_check_names, _clear_devices, _strip_leftovers]
