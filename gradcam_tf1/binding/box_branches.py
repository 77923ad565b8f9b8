"""Find the boxes of a detector beside its class scores, and detections that the graph itself has suppressed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional, Tuple

import numpy as np

from gradcam_tf1.binding.anchor_files import anchor_bytes
from gradcam_tf1.binding.graph_index import GraphIndex
from gradcam_tf1.binding.tensor_names import find_tensor
from gradcam_tf1.errors import TargetError
from gradcam_tf1.scoring.box_reader import ACTIVATIONS, FORMS, OFFSETS, BoxReader
from gradcam_tf1.targets import Boxes
from gradcam_tf1.tf_runtime import OUR_SCOPE, tf
from gradcam_tf1.types import Binding

# the names of TensorFlow's Object Detection API: boxes are top, left, bottom, right, as shares of the image
_KEPT = ("detection_boxes", "detection_scores", "detection_classes")
_SHOWN = 6


@dataclass(frozen=True)
class KeptDetections:
    """Detections that are left after non-maximum suppression in the graph, M per image.

    Attributes
    ----------
    boxes, scores, classes : str
        Tensors [N, M, 4], [N, M] and [N, M].
    earlier : tuple of str
        Tensors before them that may hold the boxes of all anchors, [N, anchors, 4]; the last ones first.
    by_class : tuple of str
        Tensors before them that may hold a box of each class for each proposal, [N, proposals, C, 4].
    """

    boxes: str
    scores: str
    classes: str
    earlier: Tuple[str, ...]
    by_class: Tuple[str, ...] = ()


def kept_detections(graph: tf.Graph) -> Optional[KeptDetections]:
    """Return the detections of an export of TensorFlow's Object Detection API; None for any other graph."""
    names = {op.name for op in graph.get_operations()}
    if not set(_KEPT) <= names:
        return None
    index = GraphIndex(graph)
    boxes, scores, classes = (f"{name}:0" for name in _KEPT)
    before = index.upstream([boxes]) - index.looped
    found = [name for name in before if name != boxes and _is_boxes(index, name)]
    found.sort(key=lambda name: -index.position[index.maker[name].name])
    kernels = {name for name in before if index.maker[name].type == "Const"}
    of_classes = sorted(name for name in before - kernels if _is_boxes(index, name, rank=4))
    return KeptDetections(boxes, scores, classes, tuple(found), tuple(of_classes))


def resolve_boxes(boxes: Boxes, tensor: str, binding: Binding) -> BoxReader:
    """Fill in what a `Boxes` leaves open.

    Parameters
    ----------
    boxes : Boxes
        What is known.
    tensor : str
        The tensor of the boxes, from `named_boxes` or `only_boxes`.
    binding : Binding
        The key tensors of the net.

    Raises
    ------
    TargetError
        If a field is not possible, or must be given because the graph does not show it.
    """
    anchors = anchor_bytes(boxes.anchors)
    if boxes.form is not None and not callable(boxes.form) and boxes.form not in FORMS:
        raise TargetError(f"no form of boxes {boxes.form!r}; possible: {', '.join(FORMS)}, or a function")
    activation = _activation(boxes, binding)
    form = boxes.form if boxes.form is not None else "ssd" if anchors else None
    if form is None:
        raise TargetError(
            f"the graph does not show what the columns of the boxes '{tensor}' are; give their form "
            f"({', '.join(FORMS)}, or a function), and anchors where they are offsets: Boxes(form=..., anchors=...), "
            "--box-form and --box-anchors"
        )
    if form in OFFSETS and not anchors:
        raise TargetError(
            f"boxes of form {form!r} are offsets from anchors, which the graph does not show; give [anchors, 4] of "
            "centre x, centre y, width, height: Boxes(anchors=...), --box-anchors FILE.npy"
        )
    if anchors and form not in OFFSETS:
        raise TargetError(f"boxes of form {form!r} have no anchors; leave one of the two out")
    background = -1 if boxes.background is None else boxes.background
    return BoxReader(tensor, form, boxes.pixels, anchors, _variances(boxes.variances), activation, background)


def _activation(boxes: Boxes, binding: Binding) -> str:
    if boxes.activation is not None and boxes.activation not in ACTIVATIONS:
        raise TargetError(f"no activation {boxes.activation!r}; possible: {', '.join(ACTIVATIONS)}")
    if binding.score_parts or binding.probabilities:
        return ""
    if boxes.activation is None:
        raise TargetError(
            f"the graph has no confidences after '{binding.logits}'; say what makes them of these scores: "
            "Boxes(activation='sigmoid') or 'softmax', --box-activation"
        )
    return boxes.activation


def _variances(values: Any) -> Tuple[float, ...]:
    try:
        factors = tuple(float(value) for value in values)
    except (TypeError, ValueError):
        factors = ()
    if len(factors) != 4 or not all(0 < factor < np.inf for factor in factors):
        raise TargetError(f"variances are four numbers above 0, one for each offset, not {values!r}")
    return factors


def named_boxes(graph: tf.Graph, name: str) -> str:
    """Return the full name of a tensor of boxes. Raises BindingError or TargetError if it is none."""
    tensor = find_tensor(graph, name)
    sides = tensor.shape.as_list() if tensor.shape.rank else []
    if len(sides) < 2 or not sides[-1] or sides[-1] < 4 or not tensor.dtype.is_floating:
        raise TargetError(
            f"'{tensor.name}' is {tensor.dtype.name} {tensor.shape}; boxes are floats [N, anchors, 4 or more]"
        )
    return str(tensor.name)


def only_boxes(graph: tf.Graph, binding: Binding) -> str:
    """Return the one tensor that may hold the boxes, behind all others that lead to it.

    Raises TargetError if there is none, or several.
    """
    index = GraphIndex(graph)
    names = index.downstream([binding.input]) - index.looped
    found = [name for name in names if _is_boxes(index, name) and not name.startswith(OUR_SCOPE)]
    own = _anchors_of(index, binding)
    found = [name for name in found if own is None or (index.dims(name) or (0, 0))[-2] in (None, own)]
    last = [name for name in found if not (index.downstream([name]) - {name}) & set(found)]
    if len(last) == 1:
        return last[0]
    last.sort(key=lambda name: index.position[index.maker[name].name])
    told = f"several tensors may be: {', '.join(last[:_SHOWN])}" if last else "no tensor has four columns"
    raise TargetError(
        f"the boxes of '{binding.logits}' are not found: {told}; name one: Boxes(tensor=...), --box-tensor"
    )


def _is_boxes(index: GraphIndex, name: str, rank: int = 3) -> bool:
    dims = index.dims(name)
    return dims is not None and len(dims) == rank and dims[-1] == 4 and index.is_float(name)


def _anchors_of(index: GraphIndex, binding: Binding) -> Optional[int]:
    """Return the number of anchors if the shape of the class scores shows it."""
    dims = index.dims(binding.logits)
    axes: str = binding.score_axes
    if binding.score_parts or dims is None or axes.count("a") != 1 or len(axes) != len(dims):
        return None
    return dims[axes.index("a")]
