"""The axes of the class scores in letters, for `scoring.heads`: n images, c classes, p positions, a anchors or steps.

One more letter stands for rows of several images in the first axis: r image by image, s step by step.
"""

from __future__ import annotations

from typing import Any, Optional

from gradcam_tf1.binding.graph_index import GraphIndex, Op
from gradcam_tf1.binding.op_kinds import FORWARDING


def class_axis(walk: GraphIndex, name: str) -> Optional[int]:
    """The axis of classes: where the channels of the last layer are, else the last one, or 1 of [N, C, 1, 1].

    None for a vector of one score per image and for unknown rank.
    """
    dims, state = walk.dims(name), walk.axes.get(name)
    if dims is None or len(dims) < 2:
        return None
    last = len(dims) - 1
    if state is not None and state.channels and last not in state.channels:
        return max(state.channels)
    if len(dims) == 4 and dims[-1] == dims[-2] == 1 and dims[1] not in (1, None):
        return 1
    return last


def pools(walk: GraphIndex, op: Op) -> Optional[bool]:
    """Whether a reduction is over positions, members or images and keeps the classes; None: over nothing at all.

    Where the graph does not fix its axes, it is taken for one over the classes.
    """
    name, axes = walk.inputs[op.name][0], walk.constant(walk.inputs[op.name][1])
    dims, classes = walk.dims(name), class_axis(walk, name)
    if dims is None or axes is None or classes is None:
        return False
    gone = {axis for axis in (int(axis) % len(dims) for axis in axes.reshape(-1)) if dims[axis] != 1}
    return classes not in gone if gone else None


def ranks_positions(walk: GraphIndex, op: Op) -> bool:
    """Whether the op picks the strongest of the positions of each class, and does not decide by classes."""
    if not op.type.startswith("TopK"):
        return False
    name = walk.inputs[op.name][0]
    rank, classes = walk.rank(name), class_axis(walk, name)
    return rank is not None and classes is not None and classes != rank - 1


def score_axes(walk: GraphIndex, name: str, batched: bool, volume: bool = False) -> str:
    """One letter for each axis of a tensor of scores; "" where its rank is not known.

    batched: whether the input has an axis of images. volume: whether maps have three axes of positions.
    """
    dims, state = walk.dims(name), walk.axes.get(name)
    if not dims:
        return ""
    if len(dims) == 1:
        return "c" if not batched or _one_image(walk, name) else "r" if state is not None and state.rows else "n"
    classes = class_axis(walk, name)
    images = 0 if state is None else state.images
    rows = state is not None and state.rows
    if not batched and (images is None or dims[images] != 1):
        images, rows = 0, True
    if rows:
        first: Any = 0
        letter = "s" if images == 1 else "r"
    else:
        first, letter = images or 0, "n"
    if first == classes:
        first = next(axis for axis in range(len(dims)) if axis != classes)
    maps = len(dims) == (5 if volume else 4) and not (state is not None and state.split) and letter == "n"
    between = "p" if maps else "a"
    return "".join("c" if axis == classes else letter if axis == first else between for axis in range(len(dims)))


def _one_image(walk: GraphIndex, name: str) -> bool:
    """Whether a vector holds the classes of the one image that the net takes, its axis squeezed away."""
    state = walk.axes.get(name)
    return state is not None and state.images is None and state.channels == frozenset({0})


def class_count(walk: GraphIndex, name: str) -> Optional[int]:
    """The size of the class axis; 1 for a vector of one score per image; None where neither it nor a layer tells."""
    dims = walk.dims(name)
    if dims is not None and len(dims) == 1:
        return dims[0] if _one_image(walk, name) else 1
    axis = class_axis(walk, name)
    if dims is not None and axis is not None and dims[axis] is not None:
        return dims[axis]
    return _weight_columns(walk, name)


def _weight_columns(walk: GraphIndex, name: str) -> Optional[int]:
    """The number of outputs of the bias or kernel that makes a tensor of unknown shape."""
    op: Any = walk.maker[name]
    while op.type in FORWARDING | {"Reshape", "Squeeze"} and walk.inputs[op.name]:
        op = walk.maker[walk.inputs[op.name][0]]
    if op.type not in ("BiasAdd", "Add", "AddV2", "MatMul", "Conv2D"):
        return None
    sizes = [walk.source(i).outputs[0].shape for i in walk.inputs[op.name][1:]]
    known = [shape.as_list()[-1] for shape in sizes if shape.rank]
    return known[0] if known else None
