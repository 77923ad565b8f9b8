"""Change which tensors the ops of a graph read."""

from __future__ import annotations

from typing import Dict, Mapping, Sequence

from gradcam_tf1.tf_runtime import tf


def rewired(graph: tf.Graph, replaced: Mapping[str, str], outputs: Sequence[str]) -> tf.GraphDef:
    """Return the part of a graph that some outputs need, with tensors replaced by others everywhere.

    Parameters
    ----------
    graph : tf.Graph
        Holds all tensors; it stays as it is.
    replaced : mapping of str to str
        Name of a tensor -> name of the tensor that is read in its place.
    outputs : sequence of str
        Names of tensors. They keep their names: an output that is replaced becomes an identity of the other.
    """
    graph_def = graph.as_graph_def()
    for node in graph_def.node:
        node.input[:] = [_final(name, replaced) for name in node.input]
        node.attr.pop("_class", None)  # which ops share a device; some of them go
    kept = _identities({name: _final(name, replaced) for name in outputs}, graph_def)
    wanted = [name.split(":")[0] for name in outputs]
    return tf.graph_util.extract_sub_graph(kept, wanted)


def _final(name: str, replaced: Mapping[str, str]) -> str:
    """Return the name to read in place of the input `name` of a node, in the form of a node's input."""
    if name.startswith("^"):
        return name
    tensor = name if ":" in name else f"{name}:0"
    while tensor in replaced:
        tensor = replaced[tensor]
    return tensor[:-2] if tensor.endswith(":0") else tensor


def _identities(read: Dict[str, str], graph_def: tf.GraphDef) -> tf.GraphDef:
    """Turn the op of each output that is replaced into an identity of what replaces it."""
    nodes = {node.name: node for node in graph_def.node}
    for output, source in read.items():
        name = output.split(":")[0]
        if source not in (output, name):
            dtype = nodes[name].attr["T"].type
            node = nodes[name]
            node.Clear()
            node.name, node.op = name, "Identity"
            node.input.append(source)
            node.attr["T"].type = dtype
    return graph_def
