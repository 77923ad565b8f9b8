"""The numbers of a shape that a graph computes, as far as they do not depend on how many images are fed."""

from __future__ import annotations

from typing import List, Optional

from gradcam_tf1.tf_runtime import static_value, tf

Sizes = List[Optional[int]]

_PASSED = ("Identity", "Cast", "Reshape", "Squeeze", "ExpandDims")
_UNKNOWN: Sizes = [None]


def sizes_in(tensor: tf.Tensor) -> Sizes:
    """Return the elements of a vector or number that is computed from shapes, None for each that is not known.

    TensorFlow's own inference of shapes does not go through Prod, by which Keras merges axes.
    """
    op = tensor.op
    if op.type == "Const":
        value = static_value(tensor)
        return _UNKNOWN if value is None else [int(each) for each in value.ravel()]
    if op.type == "Shape":
        shape = op.inputs[0].shape
        return list(shape.as_list()) if shape.rank else _UNKNOWN
    if op.type in _PASSED:
        return sizes_in(op.inputs[0])
    if op.type in ("Pack", "ConcatV2"):
        parts = op.inputs if op.type == "Pack" else list(op.inputs)[:-1]
        return [size for part in parts for size in sizes_in(part)]
    if op.type == "StridedSlice":
        return _sliced(op)
    if op.type == "Prod":
        return [product_of(sizes_in(op.inputs[0]))]
    if op.type == "Mul":
        pairs = zip(*(sizes_in(each) for each in op.inputs))
        return [product_of(list(pair)) for pair in pairs]
    return _UNKNOWN


def product_of(sizes: Sizes) -> Optional[int]:
    """Return the product of sizes, None if one is not known."""
    product = 1
    for size in sizes:
        if size is None:
            return None
        product *= size
    return product


def _sliced(op: tf.Operation) -> Sizes:
    sizes = sizes_in(op.inputs[0])
    begin, end, step = (sizes_in(each)[0] for each in list(op.inputs)[1:4])
    if None in (begin, end, step) or op.inputs[0].shape.as_list() != [len(sizes)]:
        return _UNKNOWN
    if op.get_attr("shrink_axis_mask"):
        return [sizes[begin or 0]]
    return sizes[None if op.get_attr("begin_mask") else begin : None if op.get_attr("end_mask") else end : step]
