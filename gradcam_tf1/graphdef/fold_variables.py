"""Fold the variables of a graph into constants, on NodeDefs. No output has to be named: the whole graph is folded."""

from __future__ import annotations

from typing import Callable, Dict, Iterator, List, Optional, Tuple

import numpy as np

from gradcam_tf1.errors import ModelFileError
from gradcam_tf1.graphdef.large_constants import MIN_BYTES, Contents, as_content, is_weight
from gradcam_tf1.graphdef.training_ops import VARIABLES, cut_training
from gradcam_tf1.graphdef.variable_handles import follow_handles
from gradcam_tf1.tf_runtime import tf

LIMIT = 2**31 - 1  # bytes of one protobuf message
_BATCH = 64 * 2**20  # bytes of values in memory besides the graph
Values = Dict[str, np.ndarray]
Read = Callable[[List[str]], Values]


def fold(graph_def: tf.GraphDef, read: Read, contents: Optional[Contents] = None) -> Tuple[str, ...]:
    """Turn every variable that inference can use into a Const and remove training ops, in place.

    A variable without a value becomes a Placeholder of the same name. It does no harm if no output needs it; otherwise
    the error about an unfed placeholder names it.

    Parameters
    ----------
    graph_def : GraphDef
        The graph to change.
    read : callable
        Names of variable nodes -> the values of those that have one. It is called for a few variables at a time, so
        that memory holds no second copy of the weights.
    contents : dict, optional
        The values that the graph is without, see `ApartGraph`; those of large variables are added. Without it, all
        values go into the graph.

    Returns
    -------
    tuple of str
        The names of the variables without a value.

    Raises
    ------
    ModelFileError
        If a value does not fit its variable, or the weights exceed 2 GB.
    """
    cut_training(graph_def)
    variables = [node for node in graph_def.node if node.op in VARIABLES]
    handles = {node.name: node.attr["dtype"].type for node in variables if node.op == "VarHandleOp"}
    apart = sum(map(len, contents.values())) if contents else 0
    missing, total = [], apart + graph_def.ByteSize() if variables else 0
    for batch in _batches(variables):
        values = read([node.name for node in batch])
        for node in batch:
            value = values.pop(node.name, None)
            if value is None:
                missing.append(node.name)
                _become(node, "Placeholder", ("dtype", "shape"))
                continue
            total += value.nbytes
            if total > LIMIT:
                raise ModelFileError("the weights exceed 2 GB, the limit of a graph with its weights inside")
            _become_const(node, value, contents)
    follow_handles(graph_def, handles)
    return tuple(missing)


def _batches(variables: List[tf.NodeDef]) -> Iterator[List[tf.NodeDef]]:
    """Split the variables into batches of at most _BATCH bytes; their order stays."""
    batch: List[tf.NodeDef] = []
    size = 0
    for node in variables:
        dims = [dim.size for dim in node.attr["shape"].shape.dim]
        size += 8 * int(np.prod(dims, dtype=np.int64)) if all(dim >= 0 for dim in dims) else _BATCH
        if batch and size > _BATCH:
            yield batch
            batch, size = [], 0
        batch.append(node)
    if batch:
        yield batch


def _become(node: tf.NodeDef, op: str, keep: Tuple[str, ...]) -> None:
    node.op = op
    del node.input[:]
    for name in [name for name in node.attr if name not in keep]:
        del node.attr[name]


def _become_const(node: tf.NodeDef, value: np.ndarray, contents: Optional[Contents]) -> None:
    dtype = tf.as_dtype(node.attr["dtype"].type).base_dtype
    shape = node.attr["shape"].shape
    unknown = node.op == "Variable" and not shape.dim  # the first version of the op means an unknown shape by this
    expected = tf.TensorShape(None if unknown else shape)
    if not expected.is_compatible_with(value.shape):
        raise ModelFileError(
            f"the value of variable {node.name!r} has shape {value.shape}, the graph expects {expected}"
        )
    if dtype != tf.string and tf.as_dtype(value.dtype) != dtype:
        raise ModelFileError(f"the value of variable {node.name!r} is {value.dtype}, the graph expects {dtype.name}")
    _become(node, "Const", ("dtype",))
    node.attr["dtype"].type = dtype.as_datatype_enum
    tensor = node.attr["value"].tensor
    if dtype == tf.string:
        tensor.CopyFrom(tf.make_tensor_proto(value, dtype))
        return
    tensor.dtype = dtype.as_datatype_enum
    for size in value.shape:
        tensor.tensor_shape.dim.add().size = size
    if contents is not None and value.nbytes >= MIN_BYTES and is_weight(node):
        contents[node.name] = as_content(value)
    else:
        tensor.tensor_content = value.tobytes()  # one copy; make_tensor_proto and CopyFrom would make two
