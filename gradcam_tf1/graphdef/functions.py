"""Functions of a graph under names that no other graph of the program has."""

from __future__ import annotations

from itertools import count
from typing import Any, Iterator

from gradcam_tf1.tf_runtime import tf

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
