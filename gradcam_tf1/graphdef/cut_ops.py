"""Cut ops that must not or cannot run: those that touch files or run code, and those that this runtime lacks."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, Callable, Dict, Iterable, List, Optional, Set

from gradcam_tf1.errors import ModelFileError
from gradcam_tf1.graphdef.allowed_ops import reaches_outside
from gradcam_tf1.graphdef.nodes import (
    consumers,
    data_sources,
    dependants,
    edges,
    functions_called,
    keep_only,
    spread,
)
from gradcam_tf1.graphdef.removal import remove
from gradcam_tf1.tf_runtime import op_definition, tf

if TYPE_CHECKING:
    from gradcam_tf1.tf_runtime import FunctionDefLibrary

# Layers with weights: ops before one of them belong to the net; ops behind all of them may be cut.
_LAYERS = re.compile(r"(Conv2D|Conv3D|DepthwiseConv2dNative|MatMul|BatchMatMul(V2)?|BiasAdd|FusedBatchNorm(V\d)?)\Z")


def cut_files_and_code(graph_def: tf.GraphDef) -> Optional[str]:
    """Replace ops that would touch files or run code by placeholders, in place; remove the unused ones.

    Returns
    -------
    str or None
        A sentence that names the ops, None if there were none.
    """
    unsafe = functions_with(graph_def.library, _is_forbidden)
    cut = [node for node in graph_def.node if _is_forbidden(node) or (unsafe and _calls_any(node, unsafe))]
    if not cut:
        return None
    users = consumers(graph_def)
    gone = {node.name for node in cut}
    kept = [node for node in cut if any(user.name not in gone for user in users.get(node.name, ()))]
    replaced = [f"{node.op} ({node.name})" for node in kept]
    gone.difference_update(node.name for node in kept)
    _replace_by_placeholders(graph_def, {node.name: node for node in kept})
    remove(graph_def, gone, bridge=True)
    if not replaced:
        return f"ops that touch files or run code left out: {', '.join(sorted({node.op for node in cut}))}"
    return f"ops that touch files or run code are replaced by placeholders: {', '.join(replaced[:5])}"


def _is_forbidden(node: tf.NodeDef) -> bool:
    return reaches_outside(node.op)


def _calls_any(node: tf.NodeDef, functions: Set[str]) -> bool:
    return any(name in functions for name in functions_called(node))


def functions_with(library: FunctionDefLibrary, is_meant: Callable[[tf.NodeDef], bool]) -> Set[str]:
    """Find the functions that contain certain nodes.

    Parameters
    ----------
    library : FunctionDefLibrary
        The functions of a graph.
    is_meant : callable
        NodeDef -> whether it is one of these nodes.

    Returns
    -------
    set of str
        The functions with such a node, and those that call one of them or have one of them as their gradient.
    """
    callers: Dict[str, List[str]] = defaultdict(list)
    starts = []
    for function in library.function:
        name = function.signature.name
        for called in {called for node in function.node_def for called in functions_called(node)}:
            callers[called].append(name)
        if any(map(is_meant, function.node_def)):
            starts.append(name)
    for gradient in library.gradient:
        callers[gradient.gradient_func].append(gradient.function_name)
    return spread(starts, lambda name: callers.get(name, ()))


def called_functions(library: FunctionDefLibrary, start: Iterable[str]) -> Set[str]:
    """Return `start` and all functions that these call, directly or not, with the gradients of all of them."""
    bodies = {function.signature.name: function.node_def for function in library.function}
    gradients = {gradient.function_name: gradient.gradient_func for gradient in library.gradient}

    def called_by(name: str) -> List[str]:
        names = [called for node in bodies.get(name, ()) for called in functions_called(node)]
        return [*names, gradients.get(name, "")]

    return spread(start, called_by)


def drop_unused_functions(graph_def: tf.GraphDef) -> None:
    """Remove functions that nothing calls any more, in place: they may contain ops that this runtime lacks."""
    if not graph_def.library.function:
        return
    used = called_functions(graph_def.library, [name for node in graph_def.node for name in functions_called(node)])
    keep_only(graph_def.library.function, lambda function: function.signature.name in used)


def _replace_by_placeholders(graph_def: tf.GraphDef, cut: Dict[str, tf.NodeDef]) -> None:
    """Put one placeholder for each used output; output 0 keeps the node's name, so that its tensor keeps its name."""
    used: Dict[str, Set[int]] = defaultdict(set)
    for node in graph_def.node if cut else ():
        for index, edge in enumerate(edges(node)):
            if edge.node in cut and edge.output > 0 and _output_type(cut[edge.node], edge.output):
                used[edge.node].add(edge.output)
                node.input[index] = f"{edge.node}/output_{edge.output}"
    for name, node in cut.items():
        for index in sorted(used[name]):
            added = graph_def.node.add(name=f"{name}/output_{index}", op="Placeholder")
            added.attr["dtype"].type = _output_type(node, index)
        dtype = _output_type(node, 0) or tf.string.as_datatype_enum
        node.op = "Placeholder"
        del node.input[:]
        node.attr.clear()
        node.attr["dtype"].type = dtype


def _output_type(node: tf.NodeDef, index: int) -> int:
    """Return the dtype enum of one output, 0 if there is no such output."""
    definition = op_definition(node.op)
    for argument in definition.output_arg if definition is not None else ():
        if argument.type_list_attr:
            types = node.attr[argument.type_list_attr].list.type
            if index < len(types):
                return int(types[index])
            index -= len(types)
            continue
        count = node.attr[argument.number_attr].i if argument.number_attr else 1
        if index < count:
            return int(argument.type or node.attr[argument.type_attr].type)
        index -= count
    return 0


def leave_out_unknown(graph_def: tf.GraphDef) -> Optional[str]:
    """Remove ops that this runtime does not have, and all nodes that depend on them, in place.

    Returns
    -------
    str or None
        A sentence that names the ops, None if there were none.

    Raises
    ------
    ModelFileError
        If a layer with weights depends on one: then the net cannot be computed.
    """
    functions = {function.signature.name for function in graph_def.library.function}

    def is_unknown(node: tf.NodeDef) -> bool:
        return node.op not in functions and op_definition(node.op) is None

    hollow = functions_with(graph_def.library, is_unknown)
    unknown = {n.name: n.op for n in graph_def.node if is_unknown(n) or (hollow and _calls_any(n, hollow))}
    if not unknown:
        return None
    gone = dependants(consumers(graph_def), unknown)
    for node in graph_def.node:
        if node.name in gone and node.name not in unknown and _LAYERS.match(node.op):
            name = min(unknown.keys() & _upstream(graph_def, node.name))
            raise ModelFileError(
                f"TensorFlow {tf.__version__} does not know the op {unknown[name]} (node {name!r}), and the layer "
                f"{node.name!r} depends on it; {_remedy()}"
            )
    remove(graph_def, gone)
    if not graph_def.node:
        raise ModelFileError(f"without the unknown ops {_types(unknown)} the graph is empty; {_remedy()}")
    return f"unknown ops left out, with the nodes that depend on them ({len(gone)} in all): {_types(unknown)}"


def _upstream(graph_def: tf.GraphDef, name: str) -> Set[str]:
    sources = {node.name: data_sources(node) for node in graph_def.node}
    return spread([name], lambda other: sources[other])


def _types(unknown: Dict[str, str]) -> str:
    return ", ".join(sorted(set(unknown.values())))


def _remedy() -> str:
    return "load its library first (tf.load_op_library, or import tensorflow.contrib), or use another TensorFlow"
