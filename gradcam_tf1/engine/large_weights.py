"""Move large weights, and weights that change, from constants of the graph to variables of the session.

TensorFlow copies the constants of a graph at the import, in each session, and again for every new set of fetched
tensors: the 0.55 GB of weights of VGG-19 became 3 GB on TensorFlow 1.15 and 12 GB on 2.21 (measured,
docs/performance.md). A variable exists once. The op that reads it keeps the name of the constant.

While a net is opened, its weights are in memory once: a loader keeps them apart from the GraphDef (`ApartGraph`), and
the variables take over the arrays, which are aligned for that. A variable is set by assignment only, which replaces its
memory, so sessions may share it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Container, Dict, Optional, Tuple, Union

import numpy as np

from gradcam_tf1.graphdef.large_constants import MIN_BYTES, ApartGraph, as_content, is_weight, numpy_type
from gradcam_tf1.tf_runtime import inside, tf

if TYPE_CHECKING:
    from gradcam_tf1.tf_runtime import TensorProto

_HANDLE = "/gradcam_tf1_variable"

Weights = Dict[str, np.ndarray]  # name of the variable's op -> its value
Fillers = Dict[str, Tuple[Any, Any]]  # name of the variable's op -> placeholder and op of its assignment


def take_out_weights(
    graph: Union[tf.GraphDef, ApartGraph], changing: Container[str] = ()
) -> Tuple[tf.GraphDef, Weights]:
    """Replace the large float constants of a graph by variables.

    Parameters
    ----------
    graph : tf.GraphDef or ApartGraph
        Frozen and cleaned up by a loader.
    changing : container of str
        Names of constants that are replaced whatever their size, if they are float: their values change later.

    Returns
    -------
    light : tf.GraphDef
        A copy with variables. The argument does not change.
    weights : dict
        Their values, which share no memory with a GraphDef; those of an ApartGraph are its `contents`.
    """
    graph_def, contents = graph if isinstance(graph, ApartGraph) else ApartGraph(graph, {})
    light = tf.GraphDef(versions=graph_def.versions, library=graph_def.library)
    weights: Weights = {}
    for node in graph_def.node:
        content = contents.get(node.name) if node.op == "Const" else None
        if content is None and not (is_weight(node) and (node.name in changing or _is_large(node))):
            light.node.add().CopyFrom(node)
            continue
        value = node.attr["value"].tensor
        handle = light.node.add(name=handle_of(node.name), op="VarHandleOp")
        handle.attr["dtype"].type = value.dtype
        handle.attr["shape"].shape.CopyFrom(value.tensor_shape)
        handle.attr["shared_name"].s = handle.name.encode()
        reader = light.node.add(name=node.name, op="ReadVariableOp", input=[handle.name])
        reader.attr["dtype"].type = value.dtype
        weights[handle.name] = _array(value, content)
    return light, weights


def make_fillers(graph: tf.Graph, weights: Weights) -> Fillers:
    """Add an assignment for each variable to the graph."""
    fillers: Fillers = {}
    for name, value in weights.items():
        with inside(graph), tf.name_scope("gradcam_tf1/"):
            fed = tf.placeholder(value.dtype, value.shape)
            handle = graph.get_tensor_by_name(name + ":0")
            fillers[name] = fed, tf.raw_ops.AssignVariableOp(resource=handle, value=fed)
    return fillers


def put_weights(sess: tf.Session, weights: Weights, fillers: Fillers) -> None:
    """Set the variables of a session, one at a time. Each value is taken out of the dict: `weights` ends empty."""
    while weights:
        name, value = weights.popitem()
        fed, assign = fillers[name]
        sess.run(assign, {fed: value})


def handle_of(constant: str) -> str:
    """Return the name of the variable that takes the place of a constant."""
    return constant + _HANDLE


def constant_of(handle: str) -> str:
    """Return the name of the constant that a variable took the place of."""
    return handle[: -len(_HANDLE)]


def is_handle(name: str) -> bool:
    """Whether a name is that of a variable that took the place of a constant."""
    return name.endswith(_HANDLE)


def _array(value: TensorProto, content: Optional[np.ndarray]) -> np.ndarray:
    """Return the value of a constant, aligned. Its content may be apart from it."""
    if content is None and not value.tensor_content:
        values: np.ndarray = tf.make_ndarray(value)
        return values
    if content is None:
        content = as_content(np.frombuffer(value.tensor_content, np.uint8))
    return content.view(numpy_type(value.dtype)).reshape([side.size for side in value.tensor_shape.dim])


def _is_large(node: tf.NodeDef) -> bool:
    value = node.attr["value"].tensor
    # bytes in the file: a single value may stand for a whole tensor
    listed = len(value.float_val) + len(value.half_val) + len(value.double_val)
    return bool(max(len(value.tensor_content), listed * numpy_type(value.dtype).itemsize) >= MIN_BYTES)
