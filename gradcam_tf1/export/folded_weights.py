"""Fold the variables of a session back to constants, one after the other."""

from __future__ import annotations

import numpy as np

from gradcam_tf1.engine.large_weights import constant_of, is_handle
from gradcam_tf1.engine.map_engine import MapEngine
from gradcam_tf1.errors import ExportError
from gradcam_tf1.graphdef.nodes import keep_only
from gradcam_tf1.tf_runtime import tf

MOST_BYTES = 2**31 - 2**20  # of one protobuf message, with room for the rest of the file


def fold_weights(graph_def: tf.GraphDef, engine: MapEngine) -> None:
    """Replace the reader of each variable by a constant with its present value, in place.

    Parameters
    ----------
    graph_def : tf.GraphDef
        Ops of the engine's graph, see `large_weights`.
    engine : MapEngine
        Whose session holds the values.

    Raises
    ------
    ExportError
        If the weights do not fit into one file.
    """
    handles = {node.name: node for node in graph_def.node if node.op == "VarHandleOp" and is_handle(node.name)}
    total = graph_def.ByteSize() + sum(_bytes(node) for node in handles.values())
    if total > MOST_BYTES:
        raise ExportError(
            f"the weights take {total / 1e9:.1f} GB, and a graph with its weights holds at most 2 GB; export a smaller "
            "net"
        )
    readers = {constant_of(name) for name in handles}
    for node in graph_def.node:
        if node.name in readers:
            (value,) = engine.constants([engine.graph.get_tensor_by_name(f"{node.name}:0")])
            del node.input[:]
            node.attr.clear()
            node.op = "Const"
            node.attr["dtype"].type = tf.as_dtype(value.dtype).as_datatype_enum
            node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value))
    keep_only(graph_def.node, lambda node: node.name not in handles)


def _bytes(handle: tf.NodeDef) -> int:
    sides = [side.size for side in handle.attr["shape"].shape.dim]
    return int(np.prod(sides, dtype=np.int64)) * int(tf.as_dtype(handle.attr["dtype"].type).size)
