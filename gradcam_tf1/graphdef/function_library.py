"""Check the functions of a graph (defined once, not circular, not too large) and give them unique names."""

from __future__ import annotations

from collections import Counter
from itertools import count
from typing import TYPE_CHECKING, Dict, Iterator, List

from gradcam_tf1.errors import ModelFileError
from gradcam_tf1.graphdef.nodes import circle_in, functions_called, in_order
from gradcam_tf1.graphdef.tensor_sizes import check_constants
from gradcam_tf1.tf_runtime import tf

if TYPE_CHECKING:
    from gradcam_tf1.tf_runtime import FunctionDef, FunctionDefLibrary

MAX_CALLS = 200  # depth of calls between functions: TensorFlow follows them on its stack


def check_functions(library: FunctionDefLibrary, max_nodes: int) -> None:
    """Refuse functions that TensorFlow could not build.

    Parameters
    ----------
    library : FunctionDefLibrary
        The functions of a graph.
    max_nodes : int
        Limit on the nodes of one function, those of the functions that it calls included once for each call.

    Raises
    ------
    ModelFileError
        If a function is refused; the message names it.
    """
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
    sizes = {function.signature.name: len(function.node_def) for function in library.function}
    _check_calls(called, sizes, max_nodes)
    for gradient in library.gradient:
        if gradient.function_name in called and gradient.gradient_func in called:
            called[gradient.function_name].append(gradient.gradient_func)
    circle = circle_in(called)
    if circle:
        raise ModelFileError(f"functions call themselves, {circle}: such a graph cannot be computed")


def _check_body(function: FunctionDef) -> None:
    name = function.signature.name
    nodes = {node.name for node in function.node_def}
    if len(nodes) < len(function.node_def):
        raise ModelFileError(f"in the function {name!r} a node name occurs more than once")
    before = {
        node.name: [source for source in (text.lstrip("^").split(":")[0] for text in node.input) if source in nodes]
        for node in function.node_def
    }
    circle = circle_in(before)
    if circle:
        raise ModelFileError(f"the function {name!r} is circular, {circle}: it cannot be computed")


def _check_calls(called: Dict[str, List[str]], sizes: Dict[str, int], max_nodes: int) -> None:
    """Limit depth and size after inlining: a few functions that each call the next one twice give millions of nodes."""
    depth: Dict[str, int] = {}
    nodes: Dict[str, int] = {}
    for name in in_order(called):
        depth[name] = 1 + max((depth[other] for other in called[name]), default=0)
        nodes[name] = sizes[name] + sum(nodes[other] for other in called[name])
        if depth[name] > MAX_CALLS:
            raise ModelFileError(f"more than {MAX_CALLS} functions call each other in a row, the first is {name!r}")
        if nodes[name] > max_nodes:
            raise ModelFileError(
                f"the function {name!r} has more than {max_nodes:,} nodes, the functions that it calls included"
            )


_opened = count()  # a number for each graph that is renamed


def with_own_functions(graph_def: tf.GraphDef) -> tf.GraphDef:
    """Give the functions of a graph names that no other graph uses.

    TensorFlow 2 keeps the functions of all graphs in one table, and numbers them from 0 in every program. Two files
    often use the same names, and the second graph could not be built. For gradients of loops, TensorFlow also writes
    new versions of functions under the old name plus "_rewritten". Two nets from one file, such as one for each
    device, would use each other's versions.

    Parameters
    ----------
    graph_def : GraphDef
        The graph, not changed.

    Returns
    -------
    GraphDef
        A copy with renamed functions, or `graph_def` itself if it has no functions.
    """
    if not graph_def.library.function:
        return graph_def
    renamed = tf.GraphDef()
    renamed.CopyFrom(graph_def)
    _rename_all(renamed)
    return renamed


def _rename_all(graph_def: tf.GraphDef) -> None:
    ending = f"_gradcam_tf1_{next(_opened)}"
    names = {function.signature.name: function.signature.name + ending for function in graph_def.library.function}
    for function in graph_def.library.function:
        function.signature.name += ending
        for value in function.attr.values():  # may name the function of a custom gradient
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


def _nodes(graph_def: tf.GraphDef) -> Iterator[tf.NodeDef]:
    yield from graph_def.node
    for function in graph_def.library.function:
        yield from function.node_def


def _rename(value: tf.AttrValue, names: Dict[str, str]) -> None:
    """Rename the functions in an attribute, at any depth."""
    waiting = [value]
    while waiting:
        value = waiting.pop()
        for function in [value.func] if value.HasField("func") else value.list.func:
            function.name = names.get(function.name, function.name)
            waiting.extend(function.attr.values())
