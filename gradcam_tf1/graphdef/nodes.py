"""Reading the edges of a GraphDef, and the order in which its nodes can be computed. All in linear time."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Callable, Dict, Iterable, Iterator, List, NamedTuple, Set, Tuple


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


def sources(node: Any) -> List[str]:
    """The names of all nodes that a NodeDef takes inputs from or waits for."""
    return [text if ":" not in text and text[:1] != "^" else parse_edge(text).node for text in node.input]


def data_sources(node: Any) -> List[str]:
    """The names of the nodes that a NodeDef takes data from."""
    return [parse_edge(text).node if ":" in text else text for text in node.input if text[:1] != "^"]


def functions_called(node: Any) -> Iterator[str]:
    """The names that a NodeDef may call functions by: its op, and the functions among its attributes."""
    yield node.op
    waiting = list(node.attr.values())
    while waiting:
        value = waiting.pop()
        kind = value.WhichOneof("value")
        for function in [value.func] if kind == "func" else value.list.func if kind == "list" else ():
            yield function.name
            waiting.extend(function.attr.values())


def consumers(graph_def: Any) -> Dict[str, List[Any]]:
    """Node name -> the NodeDefs that use an output of it as data."""
    found: Dict[str, List[Any]] = defaultdict(list)
    for node in graph_def.node:
        for name in dict.fromkeys(data_sources(node)):
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


def dependants(users: Dict[str, List[Any]], names: Iterable[str]) -> Set[str]:
    """`names` and every node whose data comes, however far, from them. users: of `consumers`."""
    return spread(names, lambda name: [node.name for node in users.get(name, ())])


def keep_only(messages: Any, wanted: Callable[[Any], bool]) -> None:
    """Delete the others of a repeated field in place: a new list would hold every weight twice.

    They go to the end in one sort, which keeps the order of the rest: one at a time would be a move of all that follow.
    """
    total = len(messages)
    kept = sum(map(bool, map(wanted, messages)))
    if kept < total:
        messages.sort(key=lambda message: not wanted(message))
        del messages[kept:]


Before = Dict[str, List[str]]  # name -> where it comes from


def in_order(before: Before) -> List[str]:
    """The names, each behind all that it comes from; those on a circle, or behind one, are left out."""
    waiting = {name: len(set(names)) for name, names in before.items()}
    users: Dict[str, List[str]] = defaultdict(list)
    for name, names in before.items():
        for source in set(names):
            users[source].append(name)
    order = [name for name, count in waiting.items() if not count]
    for name in order:  # grows
        for user in users.get(name, ()):
            waiting[user] -= 1
            if not waiting[user]:
                order.append(user)
    return order


def circle_in(before: Before) -> str:
    """One circle as text, 'a' <- 'b' <- 'a', "" where there is none."""
    order = in_order(before)
    if len(order) == len(before):
        return ""
    left = before.keys() - set(order)
    name, seen = next(name for name in before if name in left), {}  # type: ignore[var-annotated]
    while name not in seen:  # every one that is left has a source that is left
        seen[name] = len(seen)
        name = next(source for source in before[name] if source in left)
    return _path(tuple(seen)[seen[name] :])


def _path(circle: Tuple[str, ...]) -> str:
    names = [*circle[:4], *(["..."] if len(circle) > 4 else []), circle[0]]
    return " <- ".join(repr(name) if name != "..." else name for name in names)
