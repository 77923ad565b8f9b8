"""The gradients of TensorArrays as loops of the first kind use them.

They are TensorFlow's own, spelt with its raw ops. TensorFlow's functions make a TensorArray object on the way, and that
is of the other kind wherever a program has functional control flow on, as all of TensorFlow 2 has: AssertionError.
Source: https://github.com/tensorflow/tensorflow/blob/master/tensorflow/python/ops/tensor_array_grad.py
"""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Tuple

from gradcam_tf1.tf_runtime import tf


def _gradient_array(op: tf.Operation, flow: tf.Tensor, grad: tf.Tensor) -> Tuple[tf.Tensor, tf.Tensor]:
    """Handle and flow of the array that collects the gradients of the array that `op` works on.

    There is one for each call of tf.gradients, known by the name scope of what it builds. flow: it says that the array
    has its final size.
    """
    handle = op.inputs[0]
    with tf.get_default_graph().colocate_with(handle.op):
        made, _ = tf.raw_ops.TensorArrayGradV3(handle=handle, flow_in=flow, source=_call(grad.name))
        with tf.control_dependencies([made]):
            return made, tf.identity(flow)


def _call(name: str) -> str:
    """The scope of the tf.gradients call that a tensor was made by."""
    parts = name.split("/")
    last = max(place for place, part in enumerate(parts) if part.startswith("gradients"))
    return "/".join(parts[: last + 1])


def _after(op: tf.Operation, flow: tf.Tensor) -> tf.Tensor:
    """The flow, once what `op` writes is there."""
    with tf.control_dependencies([tf.identity(op.outputs[0])]):
        return tf.identity(flow)


def _of_element(put: str, place: str) -> Callable[..., List[Any]]:
    """Of what is taken out by its index or indices: its gradient is put in there."""

    def gradient(op: tf.Operation, grad: tf.Tensor) -> List[Any]:
        handle, flow = _gradient_array(op, op.inputs[2], grad)
        made = getattr(tf.raw_ops, put)(handle=handle, value=grad, flow_in=flow, **{place: op.inputs[1]})
        return [None, None, made]

    return gradient


def _of_entry(take: str, place: str) -> Callable[..., List[Any]]:
    """Of what is put in: its gradient is taken out there, once the forward value is in."""

    def gradient(op: tf.Operation, flow: tf.Tensor) -> List[Any]:
        handle, after = _gradient_array(op, _after(op, flow), flow)
        value = op.inputs[2]
        where = {place: op.inputs[1]}
        grad = getattr(tf.raw_ops, take)(handle=handle, flow_in=after, dtype=value.dtype, **where)
        grad.set_shape(value.shape)
        return [None, None, grad, flow]

    return gradient


def _of_concat(op: tf.Operation, grad: tf.Tensor, _lengths: tf.Tensor) -> List[Any]:
    handle, flow = _gradient_array(op, op.inputs[1], grad)
    return [
        None,
        tf.raw_ops.TensorArraySplitV3(handle=handle, value=grad, lengths=op.outputs[1], flow_in=flow),
    ]


def _of_split(op: tf.Operation, flow: tf.Tensor) -> List[Any]:
    handle, after = _gradient_array(op, _after(op, flow), flow)
    value = op.inputs[1]
    grad = tf.raw_ops.TensorArrayConcatV3(handle=handle, flow_in=after, dtype=value.dtype)[0]
    grad.set_shape(value.shape)
    return [None, grad, None, flow]


ARRAYS: Dict[str, Callable[..., List[Any]]] = {
    "TensorArrayReadV3": _of_element("TensorArrayWriteV3", "index"),
    "TensorArrayGatherV3": _of_element("TensorArrayScatterV3", "indices"),
    "TensorArrayWriteV3": _of_entry("TensorArrayReadV3", "index"),
    "TensorArrayScatterV3": _of_entry("TensorArrayGatherV3", "indices"),
    "TensorArrayConcatV3": _of_concat,
    "TensorArraySplitV3": _of_split,
}
