"""Ops that call functions of the graph, as functional loops and branches do, and what these functions hold."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Set

from gradcam_tf1.binding.kinds import CONVOLUTIONS
from gradcam_tf1.tf_runtime import tf


def calls_with_convolutions(graph: tf.Graph) -> List[Any]:
    """The ops whose functions hold convolutions, in the order of the graph; reads the whole graph."""
    holding = functions_with(graph.as_graph_def().library, lambda node: node.op in CONVOLUTIONS)
    return [op for op in graph.get_operations() if called_by(op.node_def) & holding] if holding else []


def functions_with(library: Any, is_meant: Callable[[Any], bool]) -> Set[str]:
    """The functions that contain such a node, or call one that does, however far."""
    callers: Dict[str, List[str]] = {}
    found: List[str] = []
    for function in library.function:
        name = function.signature.name
        for node in function.node_def:
            for called in called_by(node):
                callers.setdefault(called, []).append(name)
        if any(is_meant(node) for node in function.node_def):
            found.append(name)
    holding = set(found)
    while found:
        fresh = [name for name in callers.get(found.pop(), ()) if name not in holding]
        holding.update(fresh)
        found += fresh
    return holding


def called_by(node: Any) -> Set[str]:
    """The names of the functions that a NodeDef may call."""
    names = {node.op}
    for value in node.attr.values():
        names.update(function.name for function in ([value.func] if value.HasField("func") else value.list.func))
    return names
