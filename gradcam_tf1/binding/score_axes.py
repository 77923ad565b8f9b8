"""The axes of class scores as letters, for `scoring.heads`: n images, c classes, p positions, a anchors or steps.

If the first axis holds rows of several images, its letter is r (grouped by image) or s (grouped by step).
"""

from __future__ import annotations

from typing import List, Optional

from gradcam_tf1.binding.graph_index import GraphIndex
from gradcam_tf1.binding.op_kinds import FORWARDING
from gradcam_tf1.tf_runtime import tf


def class_axis(index: GraphIndex, name: str) -> Optional[int]:
    """Return the axis of classes.

    Parameters
    ----------
    index : GraphIndex
        The graph.
    name : str
        The tensor of scores.

    Returns
    -------
    int or None
        The axis of the channels of the last layer, else 1 for [N, C, 1, 1], else the last axis. None for a vector of
        one score per image and for an unknown rank.
    """
    dims, state = index.dims(name), index.axes.get(name)
    if dims is None or len(dims) < 2:
        return None
    last = len(dims) - 1
    if state is not None and state.channels and last not in state.channels:
        return max(state.channels)
    if len(dims) == 4 and dims[-1] == dims[-2] == 1 and dims[1] not in (1, None):
        return 1
    return last


def pools(index: GraphIndex, op: tf.Operation) -> Optional[bool]:
    """Return whether a reduction runs over positions, members or images and keeps the classes.

    Parameters
    ----------
    index : GraphIndex
        The graph.
    op : tf.Operation
        The reduction.

    Returns
    -------
    bool or None
        False if it runs over the classes, or if the graph does not fix its axes. None if all its axes have length 1.
    """
    name, axes = index.inputs[op.name][0], index.constant(index.inputs[op.name][1])
    dims, classes = index.dims(name), class_axis(index, name)
    if dims is None or axes is None or classes is None:
        return False
    gone = {axis for axis in (int(axis) % len(dims) for axis in axes.reshape(-1)) if dims[axis] != 1}
    return classes not in gone if gone else None


def ranks_positions(index: GraphIndex, op: tf.Operation) -> bool:
    """Return whether a top-k op picks positions for each class, rather than classes."""
    if not op.type.startswith("TopK"):
        return False
    name = index.inputs[op.name][0]
    rank, classes = index.rank(name), class_axis(index, name)
    return rank is not None and classes is not None and classes != rank - 1


def score_axes(index: GraphIndex, name: str, batched: bool, volume: bool = False) -> str:
    """Name the axes of a tensor of scores.

    Parameters
    ----------
    index : GraphIndex
        The graph.
    name : str
        The tensor.
    batched : bool
        Whether the image input has a batch axis.
    volume : bool
        Whether maps have three axes of positions.

    Returns
    -------
    str
        One letter per axis; "" if the rank is unknown.
    """
    dims, state = index.dims(name), index.axes.get(name)
    if not dims:
        return ""
    if len(dims) == 1:
        return "c" if not batched or _one_image(index, name) else "r" if state is not None and state.rows else "n"
    classes = class_axis(index, name)
    images = 0 if state is None else state.images
    rows = state is not None and state.rows
    if not batched and (images is None or dims[images] != 1):
        images, rows = 0, True
    first, letter = (0, "s" if images == 1 else "r") if rows else (images or 0, "n")
    if first == classes:
        first = next(axis for axis in range(len(dims)) if axis != classes)
    maps = len(dims) == (5 if volume else 4) and not (state is not None and state.split) and letter == "n"
    between = "p" if maps else "a"
    return "".join("c" if axis == classes else letter if axis == first else between for axis in range(len(dims)))


def _one_image(index: GraphIndex, name: str) -> bool:
    """Return whether a vector holds the classes of a single image whose batch axis was squeezed."""
    state = index.axes.get(name)
    return state is not None and state.images is None and state.channels == frozenset({0})


def class_count(index: GraphIndex, name: str) -> Optional[int]:
    """Return the length of the class axis, by its shape or the last layer; 1 for one score per image, else None."""
    dims = index.dims(name)
    if dims is not None and len(dims) == 1:
        return dims[0] if _one_image(index, name) else 1
    axis = class_axis(index, name)
    if dims is not None and axis is not None and dims[axis] is not None:
        return dims[axis]
    return _weight_columns(index, name)


def same_classes(index: GraphIndex, name: str, scores: str) -> bool:
    """Return whether two tensors have the same number of classes, as far as their shapes show."""
    counts: List[Optional[int]] = []
    for tensor in (name, scores):
        dims, axis = index.dims(tensor), class_axis(index, tensor)
        if dims is None:
            return True
        counts.append(dims[-1 if axis is None else axis])
    return None in counts or counts[0] == counts[1]


def _weight_columns(index: GraphIndex, name: str) -> Optional[int]:
    """Return the number of outputs of the bias or kernel that makes a tensor of unknown shape."""
    op = index.maker[name]
    while op.type in FORWARDING | {"Reshape", "Squeeze"} and index.inputs[op.name]:
        index.walk()
        state = index.axes.get(index.inputs[op.name][0])
        if state is not None and state.merged is not None:
            return None
        op = index.maker[index.inputs[op.name][0]]
    if op.type not in ("BiasAdd", "Add", "AddV2", "MatMul", "Conv2D"):
        return None
    sizes = [index.source(i).outputs[0].shape for i in index.inputs[op.name][1:]]
    known = [shape.as_list()[-1] for shape in sizes if shape.rank]
    return known[0] if known else None
