"""Large weights live in variables of our session, not in the graph.

TensorFlow copies the constants of a graph when it is imported, when a session takes it over, and again for every new
set of fetched tensors: VGG-19's 0.55 GB of weights became 3 GB on TensorFlow 1.15 and 12 GB on 2.21 (measured,
docs/performance.md). A variable is there once. What reads it keeps the constant's name.
"""

from __future__ import annotations

from typing import Any, Dict, Tuple

import numpy as np

from gradcam_tf1.tf_runtime import inside, tf

MIN_BYTES = 1 << 20
_HANDLE = "/gradcam_tf1_variable"

Weights = Dict[str, Any]  # name of the handle's op -> TensorProto
Fillers = Dict[str, Tuple[Any, Any]]  # the same -> placeholder and op of the assignment


def take_out_weights(graph_def: Any) -> Tuple[Any, Weights]:
    """A copy of the GraphDef with its large float constants turned into variables, and their values.

    graph_def itself stays as it is; the copy shares no weights with it.
    """
    light = tf.GraphDef(versions=graph_def.versions, library=graph_def.library)
    weights: Weights = {}
    for node in graph_def.node:
        if not _is_large_weight(node):
            light.node.add().CopyFrom(node)
            continue
        value = node.attr["value"].tensor
        handle = light.node.add(name=node.name + _HANDLE, op="VarHandleOp")
        handle.attr["dtype"].type = value.dtype
        handle.attr["shape"].shape.CopyFrom(value.tensor_shape)
        handle.attr["shared_name"].s = handle.name.encode()
        reader = light.node.add(name=node.name, op="ReadVariableOp", input=[handle.name])
        reader.attr["dtype"].type = value.dtype
        weights[handle.name] = value
    return light, weights


def make_fillers(graph: tf.Graph, weights: Weights) -> Fillers:
    """What fills the variables of a session: one assignment for each is added to the graph."""
    fillers: Fillers = {}
    for name, value in weights.items():
        with inside(graph), tf.name_scope("gradcam_tf1/"):
            fed = tf.placeholder(value.dtype, [side.size for side in value.tensor_shape.dim])
            handle = graph.get_tensor_by_name(name + ":0")
            fillers[name] = fed, tf.raw_ops.AssignVariableOp(resource=handle, value=fed)
    return fillers


def put_weights(sess: tf.Session, weights: Weights, fillers: Fillers) -> None:
    """Fill the variables, one at a time."""
    for name, value in weights.items():
        fed, assign = fillers[name]
        sess.run(assign, {fed: tf.make_ndarray(value)})


def _is_large_weight(node: Any) -> bool:
    if node.op != "Const" or node.input:  # an input is a control dependency: a constant inside a loop or a condition
        return False
    value = node.attr["value"].tensor
    dtype = np.dtype(tf.as_dtype(value.dtype).as_numpy_dtype)
    if not np.issubdtype(dtype, np.floating):
        return False
    # what is really there: one value may stand for a whole tensor, which would only then take up memory
    listed = len(value.float_val) + len(value.half_val) + len(value.double_val)
    return max(len(value.tensor_content), listed * dtype.itemsize) >= MIN_BYTES
