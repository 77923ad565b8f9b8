"""Reading and cutting the edges of a GraphDef: the helpers that folding and clean-up share."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Callable, Dict, Iterable, Iterator, List, NamedTuple, Set


class Edge(NamedTuple):
    """One entry of NodeDef.input: "^node" (control), "node" or "node:1"."""

    node: str
    output: int
    control: bool


def parse_edge(text: str) -> Edge:
    """The node, output index and kind of one input entry."""
    if text.startswith("^"):
        return Edge(text[1:], -1, True)
    node, colon, index = text.rpartition(":")
    if colon and index.isdigit():
        return Edge(node, int(index), False)
    return Edge(text, 0, False)


def edges(node: Any) -> List[Edge]:
    """All inputs of a NodeDef."""
    return [parse_edge(text) for text in node.input]


def functions_called(node: Any) -> Iterator[str]:
    """The names that a NodeDef may call functions by: its op, and the functions among its attributes."""
    yield node.op
    waiting = list(node.attr.values())
    while waiting:
        value = waiting.pop()
        for function in [value.func] if value.HasField("func") else value.list.func:
            yield function.name
            waiting.extend(function.attr.values())


def consumers(graph_def: Any) -> Dict[str, List[Any]]:
    """Node name -> the NodeDefs that use an output of it as data."""
    found: Dict[str, List[Any]] = defaultdict(list)
    for node in graph_def.node:
        for name in {edge.node for edge in edges(node) if not edge.control}:
            found[name].append(node)
    return found


def spread(start: Iterable[str], neighbours: Callable[[str], Iterable[str]]) -> Set[str]:
    """Every name reached from `start`, itself included."""
    reached = set(start)
    waiting = list(reached)
    while waiting:
        for name in neighbours(waiting.pop()):
            if name not in reached:
                reached.add(name)
                waiting.append(name)
    return reached


def dependants(graph_def: Any, names: Iterable[str]) -> Set[str]:
    """`names` and every node whose data comes, however far, from them."""
    users = consumers(graph_def)
    return spread(names, lambda name: [node.name for node in users.get(name, ())])


def remove(graph_def: Any, names: Set[str], bridge: bool = False) -> None:
    """Take these nodes out, in place, and the control edges to them; a no-op left without any input goes too.

    bridge: a node left without any input waits for what the nodes taken out had waited for: in a loop, that is what
    says that it belongs there.
    """
    gone = set(names)
    sources = {node.name: [edge.node for edge in edges(node)] for node in graph_def.node if node.name in gone}
    while names:
        emptied = set()
        for node in graph_def.node:
            if node.name in gone:
                continue
            kept = [text for text in node.input if not (text.startswith("^") and text[1:] in names)]
            if len(kept) == len(node.input):
                continue
            if not kept and node.op == "NoOp":
                emptied.add(node.name)
            elif not kept and bridge:
                before = spread([text[1:] for text in node.input], lambda name: sources.get(name, ()))
                kept = [f"^{name}" for name in sorted(before - gone)]
            del node.input[:]
            node.input.extend(kept)
        gone |= emptied
        names = emptied
    keep_only(graph_def, lambda node: node.name not in gone)


def keep_only(graph_def: Any, wanted: Callable[[Any], bool]) -> None:
    """Delete the other nodes in place: a new list would hold every weight twice."""
    for index in range(len(graph_def.node) - 1, -1, -1):
        if not wanted(graph_def.node[index]):
            del graph_def.node[index]
