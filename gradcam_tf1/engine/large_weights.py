"""Move large weights, and weights that change, from constants of the graph to variables of the session.

TensorFlow copies the constants of a graph at the import, in each session, and again for every new set of fetched
tensors: the 0.55 GB of weights of VGG-19 became 3 GB on TensorFlow 1.15 and 12 GB on 2.21 (measured,
docs/performance.md). A variable exists once. The op that reads it keeps the name of the constant.
"""

from __future__ import annotations

from typing import Any, Container, Dict, Tuple

import numpy as np

from gradcam_tf1.tf_runtime import inside, tf

MIN_BYTES = 1 << 20
_HANDLE = "/gradcam_tf1_variable"

Weights = Dict[str, Any]  # name of the variable's op -> TensorProto or np.ndarray
Fillers = Dict[str, Tuple[Any, Any]]  # name of the variable's op -> placeholder and op of its assignment


def take_out_weights(graph_def: tf.GraphDef, changing: Container[str] = ()) -> Tuple[tf.GraphDef, Weights]:
    """Replace the large float constants of a GraphDef by variables.

    Parameters
    ----------
    graph_def : tf.GraphDef
        Frozen and cleaned up by a loader.
    changing : container of str
        Names of constants that are replaced whatever their size, if they are float: their values change later.

    Returns
    -------
    light : tf.GraphDef
        A copy with variables. The argument does not change.
    weights : dict
        Their values.
    """
    light = tf.GraphDef(versions=graph_def.versions, library=graph_def.library)
    weights: Weights = {}
    for node in graph_def.node:
        if not (is_weight(node) and (node.name in changing or _is_large(node))):
            light.node.add().CopyFrom(node)
            continue
        value = node.attr["value"].tensor
        handle = light.node.add(name=handle_of(node.name), op="VarHandleOp")
        handle.attr["dtype"].type = value.dtype
        handle.attr["shape"].shape.CopyFrom(value.tensor_shape)
        handle.attr["shared_name"].s = handle.name.encode()
        reader = light.node.add(name=node.name, op="ReadVariableOp", input=[handle.name])
        reader.attr["dtype"].type = value.dtype
        weights[handle.name] = value
    return light, weights


def make_fillers(graph: tf.Graph, weights: Weights) -> Fillers:
    """Add an assignment for each variable to the graph."""
    fillers: Fillers = {}
    for name, value in weights.items():
        with inside(graph), tf.name_scope("gradcam_tf1/"):
            fed = tf.placeholder(value.dtype, [side.size for side in value.tensor_shape.dim])
            handle = graph.get_tensor_by_name(name + ":0")
            fillers[name] = fed, tf.raw_ops.AssignVariableOp(resource=handle, value=fed)
    return fillers


def put_weights(sess: tf.Session, weights: Weights, fillers: Fillers) -> None:
    """Set the variables of a session, one at a time."""
    for name, value in weights.items():
        fed, assign = fillers[name]
        sess.run(assign, {fed: value if isinstance(value, np.ndarray) else tf.make_ndarray(value)})


def handle_of(constant: str) -> str:
    """Return the name of the variable that takes the place of a constant."""
    return constant + _HANDLE


def constant_of(handle: str) -> str:
    """Return the name of the constant that a variable took the place of."""
    return handle[: -len(_HANDLE)]


def is_handle(name: str) -> bool:
    """Whether a name is that of a variable that took the place of a constant."""
    return name.endswith(_HANDLE)


def is_weight(node: tf.NodeDef) -> bool:
    """Whether a node is a float constant that a variable can replace."""
    if node.op != "Const" or node.input:  # an input is a control dependency: a constant inside a loop or condition
        return False
    if not node.attr["dtype"].type:  # a damaged file; the import says so
        return False
    known = tf.as_dtype(node.attr["dtype"].type).is_numpy_compatible  # not so the handle of a variable
    return bool(known and np.issubdtype(_dtype(node), np.floating))


def _dtype(node: tf.NodeDef) -> np.dtype:
    dtype: np.dtype = np.dtype(tf.as_dtype(node.attr["dtype"].type).as_numpy_dtype)
    return dtype


def _is_large(node: tf.NodeDef) -> bool:
    value = node.attr["value"].tensor
    # bytes in the file: a single value may stand for a whole tensor
    listed = len(value.float_val) + len(value.half_val) + len(value.double_val)
    return bool(max(len(value.tensor_content), listed * _dtype(node).itemsize) >= MIN_BYTES)
