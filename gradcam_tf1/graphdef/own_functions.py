"""Function names that no other graph of the program has.

TensorFlow 2 writes what a gradient needs of a loop's inside into a new version of the loop's functions, under the old
names with "_rewritten" behind, and keeps these names for the whole program: two nets from one file, one for each
device for example, would take each other's, and the second is refused ("duplicate function").
"""

from __future__ import annotations

import itertools
from typing import Any, Iterator

from gradcam_tf1.tf_runtime import tf

_NUMBERS = itertools.count(1)


def with_own_functions(graph_def: Any) -> Any:
    """The GraphDef with the functions of its library renamed; itself where it has none."""
    if not graph_def.library.function:
        return graph_def
    own = tf.GraphDef()
    own.CopyFrom(graph_def)
    number = next(_NUMBERS)
    names = {function.signature.name: f"{function.signature.name}_net{number}" for function in own.library.function}
    for function in own.library.function:
        function.signature.name = names[function.signature.name]
    for gradient in own.library.gradient:
        gradient.function_name = names.get(gradient.function_name, gradient.function_name)
        gradient.gradient_func = names.get(gradient.gradient_func, gradient.gradient_func)
    for node in itertools.chain(own.node, *(function.node_def for function in own.library.function)):
        node.op = names.get(node.op, node.op)
        for function in itertools.chain.from_iterable(map(_functions, node.attr.values())):
            function.name = names.get(function.name, function.name)
    return own


def _functions(value: Any) -> Iterator[Any]:
    """The functions that an attribute names, those among a function's own attributes too."""
    for function in [value.func] if value.HasField("func") else list(value.list.func):
        yield function
        for inner in function.attr.values():
            yield from _functions(inner)
