"""Ops that call functions of the graph, as functional loops and branches do, and what these functions hold."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Sequence, Set


def calls_with(graph: Any, ops: Sequence[Any], is_meant: Callable[[Any], bool]) -> List[Any]:
    """Those of the ops of a tf.Graph whose functions contain such a NodeDef; reads the whole graph if any calls one."""
    called = {op: names for op, names in ((op, _called_by(op.node_def)) for op in ops) if len(names) > 1}
    holding = _functions_with(graph.as_graph_def().library, is_meant) if called else set()
    return [op for op, names in called.items() if names & holding]


def _functions_with(library: Any, is_meant: Callable[[Any], bool]) -> Set[str]:
    """The functions that contain such a node, or call one that does, however far."""
    callers: Dict[str, List[str]] = {}
    found: List[str] = []
    for function in library.function:
        name = function.signature.name
        for node in function.node_def:
            for called in _called_by(node):
                callers.setdefault(called, []).append(name)
        if any(is_meant(node) for node in function.node_def):
            found.append(name)
    holding = set(found)
    while found:
        fresh = [name for name in callers.get(found.pop(), ()) if name not in holding]
        holding.update(fresh)
        found += fresh
    return holding


def _called_by(node: Any) -> Set[str]:
    """The names of the functions that a NodeDef may call, its op among them."""
    names = {node.op}
    for value in node.attr.values():
        names.update(function.name for function in ([value.func] if value.HasField("func") else value.list.func))
    return names
