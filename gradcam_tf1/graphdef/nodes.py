"""Read the edges of a GraphDef and order its nodes, in linear time."""

from __future__ import annotations

from collections import defaultdict
from typing import Callable, Dict, Iterable, Iterator, List, NamedTuple, Set, Tuple, TypeVar

from gradcam_tf1.tf_runtime import tf

_Message = TypeVar("_Message")


class Edge(NamedTuple):
    """One entry of NodeDef.input: "^node" (control), "node" or "node:1".

    Attributes
    ----------
    node : str
        The name of the source node.
    output : int
        The index of its output, -1 for a control edge.
    control : bool
        Whether it is a control edge.
    """

    node: str
    output: int
    control: bool


def parse_edge(text: str) -> Edge:
    """Parse one entry of NodeDef.input."""
    if text.startswith("^"):
        return Edge(text[1:], -1, True)
    node, colon, index = text.rpartition(":")
    if colon and index.isdecimal() and index.isascii():
        return Edge(node, int(index), False)
    return Edge(text, 0, False)


def edges(node: tf.NodeDef) -> List[Edge]:
    """Return all inputs of a NodeDef, parsed."""
    return [parse_edge(text) for text in node.input]


def sources(node: tf.NodeDef) -> List[str]:
    """Return the names of the nodes that a NodeDef takes data from or waits for."""
    return [text if ":" not in text and text[:1] != "^" else parse_edge(text).node for text in node.input]


def data_sources(node: tf.NodeDef) -> List[str]:
    """Return the names of the nodes that a NodeDef takes data from."""
    return [parse_edge(text).node if ":" in text else text for text in node.input if text[:1] != "^"]


def functions_called(node: tf.NodeDef) -> Iterator[str]:
    """Yield the names of the functions that a NodeDef may call: its op and the functions in its attributes."""
    yield node.op
    waiting = list(node.attr.values())
    while waiting:
        value = waiting.pop()
        kind = value.WhichOneof("value")
        for function in [value.func] if kind == "func" else value.list.func if kind == "list" else ():
            yield function.name
            waiting.extend(function.attr.values())


def consumers(graph_def: tf.GraphDef) -> Dict[str, List[tf.NodeDef]]:
    """Return node name -> the NodeDefs that use one of its outputs as data."""
    users: Dict[str, List[tf.NodeDef]] = defaultdict(list)
    for node in graph_def.node:
        for name in dict.fromkeys(data_sources(node)):
            users[name].append(node)
    return users


def spread(start: Iterable[str], neighbours: Callable[[str], Iterable[str]]) -> Set[str]:
    """Return every name reached from `start`, `start` included.

    Parameters
    ----------
    start : iterable of str
        The first names.
    neighbours : callable
        Name -> the names reached from it in one step.

    Returns
    -------
    set of str
        The names.
    """
    reached = set(start)
    waiting = list(reached)
    while waiting:
        for name in neighbours(waiting.pop()):
            if name not in reached:
                reached.add(name)
                waiting.append(name)
    return reached


def dependants(users: Dict[str, List[tf.NodeDef]], names: Iterable[str]) -> Set[str]:
    """Return `names` and every node whose data comes from them, directly or not; `users` is from `consumers`."""
    return spread(names, lambda name: [node.name for node in users.get(name, ())])


def keep_only(messages: List[_Message], wanted: Callable[[_Message], bool]) -> None:
    """Keep only some messages of a repeated field, in place: a new list would hold every weight twice.

    One stable sort moves the others to the end, where they are cut off. Deleting them one by one would move all
    messages behind each of them.

    Parameters
    ----------
    messages : repeated field of a message
        The field to change.
    wanted : callable
        Message -> whether it stays.
    """
    total = len(messages)
    kept = sum(map(bool, map(wanted, messages)))
    if kept < total:
        messages.sort(key=lambda message: not wanted(message))
        del messages[kept:]


Before = Dict[str, List[str]]  # name -> its sources


def in_order(before: Before) -> List[str]:
    """Return the names, each after its sources; names on a circle or behind one are left out."""
    waiting = {name: len(set(names)) for name, names in before.items()}
    users: Dict[str, List[str]] = defaultdict(list)
    for name, names in before.items():
        for source in set(names):
            users[source].append(name)
    order = [name for name, count in waiting.items() if not count]
    for name in order:  # grows meanwhile
        for user in users.get(name, ()):
            waiting[user] -= 1
            if not waiting[user]:
                order.append(user)
    return order


def circle_in(before: Before) -> str:
    """Return one circle as text, 'a' <- 'b' <- 'a', or "" if there is none."""
    order = in_order(before)
    if len(order) == len(before):
        return ""
    left = before.keys() - set(order)
    seen: Dict[str, int] = {}
    name = next(name for name in before if name in left)
    while name not in seen:  # each remaining name has a remaining source
        seen[name] = len(seen)
        name = next(source for source in before[name] if source in left)
    return _path(tuple(seen)[seen[name] :])


def _path(circle: Tuple[str, ...]) -> str:
    names = [*circle[:4], *(["..."] if len(circle) > 4 else []), circle[0]]
    return " <- ".join(repr(name) if name != "..." else name for name in names)
