"""The values of large float constants, each once in memory, beside a graph that has only their dtype and shape.

A protobuf message that holds the weights of a net hands each out as a copy, and frees its memory as a whole. Beside it,
a value is an array that the variable of a session takes over without a copy, see `ALIGNMENT`.
"""

from __future__ import annotations

from typing import Dict, NamedTuple

import numpy as np

from gradcam_tf1.tf_runtime import tf

MIN_BYTES = 1 << 20
ALIGNMENT = 64  # TensorFlow takes over an array that begins at a multiple of this, and copies others

Contents = Dict[str, np.ndarray]  # name of a constant -> its bytes, uint8 [n], aligned


class ApartGraph(NamedTuple):
    """A graph without the values of its large constants, and these.

    Attributes
    ----------
    light : tf.GraphDef
        The graph. A constant in `contents` has no `tensor_content`: without it, it must not be imported.
    contents : dict
        Name of a constant -> its bytes, uint8 [n], not to be changed: sessions may use this memory.
    """

    light: tf.GraphDef
    contents: Contents

    def whole(self) -> tf.GraphDef:
        """Return a copy of the graph with all values in it."""
        graph_def = tf.GraphDef()
        graph_def.CopyFrom(self.light)
        for node in graph_def.node:
            tensor = node.attr["value"].tensor if node.op == "Const" and node.name in self.contents else None
            if tensor is not None and not tensor.tensor_content:
                tensor.tensor_content = self.contents[node.name].tobytes()
        return graph_def


def apart(graph_def: tf.GraphDef) -> ApartGraph:
    """Return a copy of a graph, its large values apart, one after the other; the argument does not change."""
    light = tf.GraphDef()
    for field, value in graph_def.ListFields():
        if field.name == "version":
            light.version = value
        elif field.name != "node":
            getattr(light, field.name).CopyFrom(value)
    contents: Contents = {}
    for node in graph_def.node:
        content = node.attr["value"].tensor.tensor_content if _is_plain(node) else b""
        if len(content) < MIN_BYTES or node.name in contents:
            light.node.add().CopyFrom(node)
        else:
            _add_without_content(light, node)
            contents[node.name] = as_content(np.frombuffer(content, np.uint8))
    return ApartGraph(light, contents)


def _is_plain(node: tf.NodeDef) -> bool:
    """Whether a node is a weight without further fields, which a copy would need."""
    if not (is_weight(node) and has_one_dtype(node)):
        return False
    inside = {field.name for message in (node, node.attr["value"].tensor) for field, _ in message.ListFields()}
    return inside <= {"name", "op", "device", "attr", "dtype", "tensor_shape", "tensor_content"}


def _add_without_content(light: tf.GraphDef, node: tf.NodeDef) -> None:
    copy = light.node.add(name=node.name, op=node.op, device=node.device)
    for name, value in node.attr.items():
        if name != "value":
            copy.attr[name].CopyFrom(value)
    tensor = copy.attr["value"].tensor
    tensor.dtype = node.attr["value"].tensor.dtype
    tensor.tensor_shape.CopyFrom(node.attr["value"].tensor.tensor_shape)


def is_weight(node: tf.NodeDef) -> bool:
    """Whether a node is a float constant that a variable can replace."""
    if node.op != "Const" or node.input:  # an input is a control dependency: a constant inside a loop or condition
        return False
    try:
        known = tf.as_dtype(node.attr["dtype"].type).is_numpy_compatible  # not so the handle of a variable
    except TypeError:  # a damaged file; the import says so
        return False
    return bool(known and np.issubdtype(numpy_type(node.attr["dtype"].type), np.floating))


def has_one_dtype(node: tf.NodeDef) -> bool:
    """Whether the value of a constant has the dtype that its node states; else the import refuses it."""
    return bool(node.attr["dtype"].type == node.attr["value"].tensor.dtype)


def numpy_type(number: int) -> np.dtype:
    """Return the numpy dtype of the enum of a dtype."""
    dtype: np.dtype = np.dtype(tf.as_dtype(number).as_numpy_dtype)
    return dtype


def aligned(size: int) -> np.ndarray:
    """Return memory of so many bytes that TensorFlow takes over, uint8 [size], not initialised."""
    memory: np.ndarray = np.empty(size + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + size]


def as_content(value: np.ndarray) -> np.ndarray:
    """Return a copy of the bytes of an array in the order of C, uint8 [n], aligned."""
    content = aligned(value.nbytes)
    np.copyto(content.view(value.dtype).reshape(value.shape), value)
    return content
