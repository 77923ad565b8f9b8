"""The shapes of what a loop has collected: known while a net is built, and lost when its graph is imported."""

from __future__ import annotations

from typing import Any, Dict

from gradcam_tf1.tf_runtime import tf

_PASSED = ("Enter", "Identity", "Switch")
_STEPS = 64  # loops and conditionals that a handle goes through
_WRITES = {"TensorArrayWriteV3": 0, "TensorArrayScatterV3": 1}  # the axes before an element's own


def restore_array_shapes(graph: tf.Graph) -> None:
    """Tell the tensors that are gathered from TensorArrays the shape of the elements that are written there."""
    elements: Dict[str, Any] = {}
    for op in graph.get_operations():
        if op.type in _WRITES:
            array, shape = _array(op.inputs[0]), op.inputs[2].shape[_WRITES[op.type] :]
            known = elements.get(array, shape)
            elements[array] = known.most_specific_compatible_shape(shape)
    for op in graph.get_operations() if elements else ():
        if op.type == "TensorArrayGatherV3" and op.outputs[0].shape.rank is None:
            element = elements.get(_array(op.inputs[0]))
            if element is not None and element.rank is not None:
                op.outputs[0].set_shape([None, *element.as_list()])


def _array(handle: tf.Tensor) -> str:
    """The op that made the array of a handle."""
    for _ in range(_STEPS):
        if handle.op.type not in _PASSED:
            break
        handle = handle.op.inputs[0]
    return str(handle.op.name)
