"""Remove nodes from a GraphDef, with the control edges to them, in linear time."""

from __future__ import annotations

from collections import defaultdict
from typing import Dict, Iterable, List, Set, Tuple

from gradcam_tf1.graphdef.nodes import keep_only, sources, spread
from gradcam_tf1.tf_runtime import tf


def remove(graph_def: tf.GraphDef, names: Set[str], bridge: bool = False) -> None:
    """Remove nodes and the control edges to them, in place; a no-op that loses its last input is removed, too.

    Parameters
    ----------
    graph_def : GraphDef
        The graph to change.
    names : set of str
        The nodes to remove.
    bridge : bool
        Keep removed nodes as no-ops where another node would lose its last input, so that it still waits for the same
        nodes. Inside a loop, these edges mark a node as part of the loop.
    """
    if not names:
        return
    nodes = {node.name: node for node in graph_def.node}
    gone, emptied = _without_input(nodes, names)
    bridges = _bridges(nodes, gone, emptied) if bridge and emptied else set()
    for name in bridges:
        before = [f"^{source}" for source in dict.fromkeys(sources(nodes[name]))]
        _become_no_op(nodes[name], [text for text in before if text[1:] in bridges or text[1:] not in gone])
    for node in graph_def.node:
        if node.name not in gone and any(text[:1] == "^" and text[1:] in gone for text in node.input):
            waits_for = bridges if node.name in emptied else ()
            node.input[:] = [t for t in node.input if t[:1] != "^" or t[1:] not in gone or t[1:] in waits_for]
    keep_only(graph_def.node, lambda node: node.name not in gone or node.name in bridges)


def _without_input(nodes: Dict[str, tf.NodeDef], names: Iterable[str]) -> Tuple[Set[str], Set[str]]:
    """Return the nodes to remove, no-ops without a remaining input included, and the other nodes without one."""
    waiters: Dict[str, List[str]] = defaultdict(list)
    left = {}
    for name, node in nodes.items():
        left[name] = len(node.input)
        for text in node.input:
            if text[:1] == "^":
                waiters[text[1:]].append(name)
    gone, emptied = set(names), set()
    waiting = list(gone)
    while waiting:
        for name in waiters.get(waiting.pop(), ()):
            left[name] -= 1
            if left[name] or name in gone:
                continue
            if nodes[name].op == "NoOp":
                gone.add(name)
                waiting.append(name)
            else:
                emptied.add(name)
    return gone, emptied


def _bridges(nodes: Dict[str, tf.NodeDef], gone: Set[str], emptied: Set[str]) -> Set[str]:
    """Return the removed nodes between a node that stays and a node that would lose its last input."""
    before = {name: sources(nodes[name]) for name in gone if name in nodes}
    users: Dict[str, List[str]] = defaultdict(list)
    for name, origins in before.items():
        for origin in origins:
            users[origin].append(name)
    first = [name for name, origins in before.items() if not gone.issuperset(origins)]
    connected = spread(first, lambda name: users.get(name, ()))
    starts = [text[1:] for name in emptied for text in nodes[name].input if text[1:] in connected]
    return spread(starts, lambda name: [origin for origin in before.get(name, ()) if origin in connected])


def _become_no_op(node: tf.NodeDef, inputs: List[str]) -> None:
    node.op = "NoOp"
    node.attr.clear()
    node.input[:] = inputs
