"""Numbers that a graph computes from the shapes of its images, replaced by constants and the size of the batch.

Gradients compute which axes to add up, sizes to slice and shapes to restore while they run, with ops that only
TensorFlow has. With the sides of the images fixed each such number is a n + c, with n the size of the batch: it is
computed for three batches, which determine a and c and confirm them. A net whose batch has a fixed size needs one.
"""

from __future__ import annotations

from typing import Dict, List, Mapping, Sequence, Set, Tuple

import numpy as np

from gradcam_tf1.export.control_depth import ops_inside
from gradcam_tf1.export.rewired import rewired
from gradcam_tf1.gradients.graph_walk import SHAPE_OPS
from gradcam_tf1.tf_runtime import tf

Feeds = Mapping[str, np.ndarray]

BATCHES = (2, 3, 7)  # not 1: for one image an axis of length 1 may be added up as well
UNPACKED = ("Dequantize",)  # of weights that are kept in 8 bits: other runtimes lack this form of it
_LARGEST = 256  # elements


def with_known_shapes(graph_def: tf.GraphDef, feeds: Sequence[Feeds], outputs: Sequence[str]) -> tf.GraphDef:
    """Return the graph with the numbers that depend on shapes replaced.

    Parameters
    ----------
    graph_def : tf.GraphDef
        A frozen graph whose images have fixed sides.
    feeds : sequence of mapping
        Inputs for batches of the sizes BATCHES: name of a placeholder's tensor -> array; the images first.
    outputs : sequence of str
        Names of the tensors that must stay.
    """
    graph = tf.Graph()
    with graph.as_default():
        tf.import_graph_def(graph_def, name="")
    found = _affine(graph, [name for name in _numbers(graph) if name not in outputs], feeds)
    with graph.as_default():
        batch = tf.shape(graph.get_tensor_by_name(next(iter(feeds[0]))))[0]
        replaced = {name: _tensor(graph.get_tensor_by_name(name), parts, batch).name for name, parts in found.items()}
    return rewired(graph, replaced, outputs)


def _numbers(graph: tf.Graph) -> List[str]:
    """Return the names of the tensors that depend on the shape of what is fed, and of integers that depend on nothing.

    They have at most one axis. Weights that the graph unpacks from 8 bits count too. What lies inside loops and
    conditionals does not: a run may have no value of it, or many.
    """
    inside = ops_inside(graph)
    data: Set[str] = set()
    shaped: Set[str] = set()
    numbers = []
    for op in graph.get_operations():  # an op's inputs come before it
        fed = op.type.startswith("Placeholder") or op.op_def.is_stateful or op.type in ("Switch", "Merge")
        by_value = op.type not in SHAPE_OPS and any(tensor.name in data for tensor in op.inputs)
        by_shape = op.type in SHAPE_OPS or any(tensor.name in shaped for tensor in op.inputs)
        for tensor in op.outputs:
            if fed or by_value:
                data.add(tensor.name)
            elif by_shape:
                shaped.add(tensor.name)
            if tensor.name in data or op.type == "Const" or op.name in inside:
                continue
            if op.type in UNPACKED or _is_number(tensor, by_shape):
                numbers.append(tensor.name)
    return numbers


def _is_number(tensor: tf.Tensor, by_shape: bool) -> bool:
    small = tensor.shape.rank in (None, 0, 1) and (tensor.shape.num_elements() or 0) <= _LARGEST
    return small and (tensor.dtype.is_integer or (by_shape and tensor.dtype.is_floating))


def _affine(graph: tf.Graph, names: Sequence[str], feeds: Sequence[Feeds]) -> Dict[str, Tuple[np.ndarray, np.ndarray]]:
    """Return a and c of the tensors whose values are a n + c."""
    runs = []
    with tf.Session(graph=graph) as sess:
        for feed in feeds:
            runs.append(sess.run({name: name for name in names}, dict(feed)))
    sizes = [len(next(iter(feed.values()))) for feed in feeds]
    found = {}
    for name in names:
        values = [np.asarray(run[name]) for run in runs]
        large = values[0].ndim > 1 or values[0].size > _LARGEST
        if len({value.shape for value in values}) > 1 or (
            large and graph.get_tensor_by_name(name).op.type not in UNPACKED
        ):
            continue
        step = sizes[-1] - sizes[0]
        slope = (values[-1] - values[0]) // step if step and values[0].dtype.kind in "iu" else values[0] * 0
        start = values[0] - slope * sizes[0]
        if all(np.array_equal(slope * size + start, value) for size, value in zip(sizes, values)):
            found[name] = (slope, start)
    return found


def _tensor(number: tf.Tensor, parts: Tuple[np.ndarray, np.ndarray], batch: tf.Tensor) -> tf.Tensor:
    """Return a n + c as a constant, or as a stack of constants and multiples of n."""
    slope, start = parts
    if not slope.any():
        return tf.constant(start, number.dtype)
    if all(reader.type == "Reshape" for reader in number.consumers()) and _is_free(slope, start):
        return tf.constant(np.where(slope > 0, -1, start), number.dtype)
    size = tf.cast(batch, number.dtype)
    if slope.ndim == 0:
        return _multiple(slope, start, size)
    return tf.stack([_multiple(*pair, size) for pair in zip(slope, start)])


def _is_free(slope: np.ndarray, start: np.ndarray) -> bool:
    """Whether only one size depends on the batch, so that a Reshape can find it."""
    return slope.ndim == 1 and np.count_nonzero(slope) == 1 and bool((np.where(slope > 0, 1, start) > 0).all())


def _multiple(slope: np.ndarray, start: np.ndarray, size: tf.Tensor) -> tf.Tensor:
    if not slope:
        return tf.constant(start, size.dtype)
    multiple = size if slope == 1 else size * tf.constant(slope, size.dtype)
    return multiple + tf.constant(start, size.dtype) if start else multiple
