"""Ops that cannot or must not run here: those that touch files or run foreign code, and those this runtime lacks."""

from __future__ import annotations

import re
from typing import Any, Callable, Dict, Iterable, List, Optional, Set

from gradcam_tf1.errors import ModelFileError
from gradcam_tf1.graphdef.harmless import reaches_outside
from gradcam_tf1.graphdef.nodes import consumers, dependants, edges, functions_called, remove, spread
from gradcam_tf1.tf_runtime import op_definition, tf

# Layers with weights: what stands before one of them is part of the net, what comes after all of them is not.
_LAYERS = re.compile(r"(Conv2D|Conv3D|DepthwiseConv2dNative|MatMul|BatchMatMul(V2)?|BiasAdd|FusedBatchNorm(V\d)?)\Z")


def cut_files_and_code(graph_def: Any) -> Optional[str]:
    """Put placeholders where ops would read or write files or run code of the file's author; unused ones just go."""
    unsafe = functions_with(graph_def.library, _is_forbidden)
    cut = [node for node in graph_def.node if _is_forbidden(node) or _calls_any(node, unsafe)]
    if not cut:
        return None
    users = consumers(graph_def)
    gone = {node.name for node in cut}
    kept = [node for node in cut if any(user.name not in gone for user in users.get(node.name, ()))]
    replaced = [f"{node.op} ({node.name})" for node in kept]
    for node in kept:
        gone.discard(node.name)
        _replace_by_placeholders(graph_def, node, users[node.name])
    remove(graph_def, gone, bridge=True)
    if not replaced:
        return f"ops that touch files or run code left out: {', '.join(sorted({node.op for node in cut}))}"
    return f"ops that touch files or run code are not run, placeholders stand in their place: {', '.join(replaced[:5])}"


def _is_forbidden(node: Any) -> bool:
    return reaches_outside(node.op)


def _calls_any(node: Any, functions: Set[str]) -> bool:
    return any(name in functions for name in functions_called(node))


def functions_with(library: Any, is_meant: Callable[[Any], bool]) -> Set[str]:
    """The functions that contain such a node, call one that does, or have one that does as their gradient."""
    found: Set[str] = set()
    gradients = [(gradient.function_name, gradient.gradient_func) for gradient in library.gradient]
    grown = True
    while grown:
        before = len(found)
        for function in library.function:
            if any(is_meant(node) or _calls_any(node, found) for node in function.node_def):
                found.add(function.signature.name)
        found.update(name for name, gradient in gradients if gradient in found)
        grown = len(found) > before
    return found


def called_functions(library: Any, start: Iterable[str]) -> Set[str]:
    """`start` and all functions that these call, directly or not, or that are the gradients of these."""
    bodies = {function.signature.name: function.node_def for function in library.function}
    gradients = {gradient.function_name: gradient.gradient_func for gradient in library.gradient}

    def called_by(name: str) -> List[str]:
        own = [called for node in bodies.get(name, ()) for called in functions_called(node)]
        return [*own, gradients.get(name, "")]

    return spread(start, called_by)


def drop_unused_functions(graph_def: Any) -> None:
    """Functions that nothing calls any more would drag in ops that are not there."""
    used = called_functions(graph_def.library, [name for node in graph_def.node for name in functions_called(node)])
    for index in range(len(graph_def.library.function) - 1, -1, -1):
        if graph_def.library.function[index].signature.name not in used:
            del graph_def.library.function[index]


def _replace_by_placeholders(graph_def: Any, node: Any, users: List[Any]) -> None:
    """One placeholder per output; the first keeps the node's name, so that its tensor keeps its own."""
    types = _output_types(node)
    names = [node.name] + [f"{node.name}/output_{index}" for index in range(1, len(types))]
    node.op = "Placeholder"
    del node.input[:]
    node.attr.clear()
    node.attr["dtype"].type = types[0]
    for name, dtype in list(zip(names, types))[1:]:
        graph_def.node.add(name=name, op="Placeholder").attr["dtype"].type = dtype
    for user in users:
        for index, edge in enumerate(edges(user)):
            if edge.node == node.name and not edge.control and edge.output < len(names):
                user.input[index] = names[edge.output]


def _output_types(node: Any) -> List[int]:
    definition = op_definition(node.op)
    types: List[int] = []
    for argument in definition.output_arg if definition is not None else ():
        if argument.type_list_attr:
            types.extend(node.attr[argument.type_list_attr].list.type)
        else:
            one = argument.type or node.attr[argument.type_attr].type
            types.extend([one] * (node.attr[argument.number_attr].i if argument.number_attr else 1))
    return types or [tf.string.as_datatype_enum]


def leave_out_unknown(graph_def: Any) -> Optional[str]:
    """Take out ops that this runtime does not have, with what depends on them.

    Raises ModelFileError where layers with weights depend on one: then the net cannot be computed.
    """
    functions = {function.signature.name for function in graph_def.library.function}

    def is_unknown(node: Any) -> bool:
        return node.op not in functions and op_definition(node.op) is None

    hollow = functions_with(graph_def.library, is_unknown)
    unknown = {node.name: node.op for node in graph_def.node if is_unknown(node) or _calls_any(node, hollow)}
    if not unknown:
        return None
    gone = dependants(graph_def, unknown)
    for node in graph_def.node:
        if node.name in gone and node.name not in unknown and _LAYERS.match(node.op):
            name = next(name for name in sorted(unknown) if node.name in dependants(graph_def, [name]))
            raise ModelFileError(
                f"TensorFlow {tf.__version__} does not know the op {unknown[name]} (node {name!r}), and the layer "
                f"{node.name!r} depends on it; {_remedy()}"
            )
    remove(graph_def, gone)
    if not graph_def.node:
        raise ModelFileError(f"nothing is left of the graph without the unknown ops {_types(unknown)}; {_remedy()}")
    return f"ops unknown here left out, with what depends on them ({len(gone)} nodes): {_types(unknown)}"


def _types(unknown: Dict[str, str]) -> str:
    return ", ".join(sorted(set(unknown.values())))


def _remedy() -> str:
    return "load its library first (tf.load_op_library, or import tensorflow.contrib), or use another TensorFlow"
