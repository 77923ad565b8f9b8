"""The functions of a graph: checked to be defined once, not circular and not too large, and given unique names."""

from __future__ import annotations

from collections import Counter
from itertools import count
from typing import Any, Dict, Iterator, List

from gradcam_tf1.errors import ModelFileError
from gradcam_tf1.graphdef.nodes import circle_in, functions_called, in_order
from gradcam_tf1.graphdef.tensor_sizes import check_constants
from gradcam_tf1.tf_runtime import tf

MAX_CALLS = 200  # functions that call each other in a row: TensorFlow goes down them on its stack


def check_functions(library: Any, max_nodes: int) -> None:
    """Raises ModelFileError by name. max_nodes: of a function and all that it calls, each as often as it is called."""
    counts = Counter(function.signature.name for function in library.function)
    twice = sorted(name for name, count in counts.items() if count > 1)
    if twice:
        raise ModelFileError(f"the function {twice[0]!r} is defined more than once")
    called: Dict[str, List[str]] = {name: [] for name in counts}
    for function in library.function:
        name = function.signature.name
        for node in function.node_def:
            called[name] += [other for other in functions_called(node) if other in counts]
            check_constants(node)
        _check_body(function)
    own_nodes = {function.signature.name: len(function.node_def) for function in library.function}
    _check_calls(called, own_nodes, max_nodes)
    for gradient in library.gradient:
        if gradient.function_name in called and gradient.gradient_func in called:
            called[gradient.function_name].append(gradient.gradient_func)
    circle = circle_in(called)
    if circle:
        raise ModelFileError(f"functions call themselves, {circle}: such a graph cannot be computed")


def _check_body(function: Any) -> None:
    name = function.signature.name
    nodes = {node.name for node in function.node_def}
    if len(nodes) < len(function.node_def):
        raise ModelFileError(f"in the function {name!r} node names occur more than once")
    before = {
        node.name: [source for source in (text.lstrip("^").split(":")[0] for text in node.input) if source in nodes]
        for node in function.node_def
    }
    circle = circle_in(before)
    if circle:
        raise ModelFileError(f"the function {name!r} is circular, {circle}: it cannot be computed")


def _check_calls(called: Dict[str, List[str]], own_nodes: Dict[str, int], max_nodes: int) -> None:
    """TensorFlow puts the bodies of functions where they are called: a few that call each other twice are millions."""
    depth: Dict[str, int] = {}
    nodes: Dict[str, int] = {}
    for name in in_order(called):
        depth[name] = 1 + max((depth[other] for other in called[name]), default=0)
        nodes[name] = own_nodes[name] + sum(nodes[other] for other in called[name])
        if depth[name] > MAX_CALLS:
            raise ModelFileError(f"more than {MAX_CALLS} functions call each other in a row, the first is {name!r}")
        if nodes[name] > max_nodes:
            raise ModelFileError(
                f"the function {name!r} is more than {max_nodes:,} nodes with the functions that it calls"
            )


_opened = count()


def with_own_functions(graph_def: Any) -> Any:
    """The GraphDef with the functions of its library renamed; itself where it has none.

    TensorFlow 2 keeps the functions of all graphs in one table, and the names that it makes for them count from 0 in
    every program: those of two files are often the same, and the second graph could not be built. It also writes what a
    gradient needs of a loop's inside into a new version of the loop's functions, under the old names with "_rewritten"
    behind: two nets from one file, one for each device for example, would take each other's.
    """
    if not graph_def.library.function:
        return graph_def
    own = tf.GraphDef()
    own.CopyFrom(graph_def)
    _rename_all(own)
    return own


def _rename_all(graph_def: Any) -> None:
    ending = f"_gradcam_tf1_{next(_opened)}"
    names = {function.signature.name: function.signature.name + ending for function in graph_def.library.function}
    for function in graph_def.library.function:
        function.signature.name += ending
        for value in function.attr.values():  # of one that has a gradient of its own: the name of that
            named = names.get(value.s.decode("utf-8", "replace"))
            if named:
                value.s = named.encode()
    for gradient in graph_def.library.gradient:
        gradient.function_name = names.get(gradient.function_name, gradient.function_name)
        gradient.gradient_func = names.get(gradient.gradient_func, gradient.gradient_func)
    for node in _nodes(graph_def):
        node.op = names.get(node.op, node.op)
        for value in node.attr.values():
            _rename(value, names)


def _nodes(graph_def: Any) -> Iterator[Any]:
    yield from graph_def.node
    for function in graph_def.library.function:
        yield from function.node_def


def _rename(value: Any, names: Any) -> None:
    """In an attribute, at any depth."""
    waiting = [value]
    while waiting:
        value = waiting.pop()
        for function in [value.func] if value.HasField("func") else value.list.func:
            function.name = names.get(function.name, function.name)
            waiting.extend(function.attr.values())
