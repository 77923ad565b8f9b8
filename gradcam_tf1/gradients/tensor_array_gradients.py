"""The gradients of TensorArrays in while loops of version 1 (Enter, Exit, ...).

They are TensorFlow's own, written with raw ops. TensorFlow's gradient functions create a TensorArray object, which is
of version 2 wherever control flow v2 is on, as in all of TensorFlow 2, and then raises AssertionError.
Source: https://github.com/tensorflow/tensorflow/blob/master/tensorflow/python/ops/tensor_array_grad.py
"""

from __future__ import annotations

from typing import Callable, Dict, List, Optional, Tuple

from gradcam_tf1.tf_runtime import tf

InputGradients = List[Optional["tf.Tensor"]]  # one for each input; in quotes: this line must not import TensorFlow


def _gradient_array(op: tf.Operation, flow: tf.Tensor, grad: tf.Tensor) -> Tuple[tf.Tensor, tf.Tensor]:
    """Return handle and flow of the array that collects the gradients of the array that `op` reads or writes.

    There is one for each call of tf.gradients, identified by its name scope. `flow` must come after the array has its
    final size.
    """
    handle = op.inputs[0]
    with tf.get_default_graph().colocate_with(handle.op):
        made, _ = tf.raw_ops.TensorArrayGradV3(handle=handle, flow_in=flow, source=_call(grad.name))
        with tf.control_dependencies([made]):
            return made, tf.identity(flow)


def _call(name: str) -> str:
    """Return the scope of the tf.gradients call that made a tensor."""
    parts = name.split("/")
    last = max(place for place, part in enumerate(parts) if part.startswith("gradients"))
    return "/".join(parts[: last + 1])


def _after(op: tf.Operation, flow: tf.Tensor) -> tf.Tensor:
    """Return the flow, after `op` has written."""
    with tf.control_dependencies([tf.identity(op.outputs[0])]):
        return tf.identity(flow)


def _read_gradient(write: str, index: str) -> Callable[..., InputGradients]:
    """Return the gradient function of a read: it writes the gradient to the same index or indices."""

    def gradient(op: tf.Operation, grad: tf.Tensor) -> InputGradients:
        handle, flow = _gradient_array(op, op.inputs[2], grad)
        written = getattr(tf.raw_ops, write)(handle=handle, value=grad, flow_in=flow, **{index: op.inputs[1]})
        return [None, None, written]

    return gradient


def _write_gradient(read: str, index: str) -> Callable[..., InputGradients]:
    """Return the gradient function of a write: it reads the gradient from the same index, after the forward write."""

    def gradient(op: tf.Operation, flow: tf.Tensor) -> InputGradients:
        handle, after = _gradient_array(op, _after(op, flow), flow)
        value = op.inputs[2]
        where = {index: op.inputs[1]}
        grad = getattr(tf.raw_ops, read)(handle=handle, flow_in=after, dtype=value.dtype, **where)
        grad.set_shape(value.shape)
        return [None, None, grad, flow]

    return gradient


def _concat_gradient(op: tf.Operation, grad: tf.Tensor, _lengths: tf.Tensor) -> InputGradients:
    handle, flow = _gradient_array(op, op.inputs[1], grad)
    return [
        None,
        tf.raw_ops.TensorArraySplitV3(handle=handle, value=grad, lengths=op.outputs[1], flow_in=flow),
    ]


def _split_gradient(op: tf.Operation, flow: tf.Tensor) -> InputGradients:
    handle, after = _gradient_array(op, _after(op, flow), flow)
    value = op.inputs[1]
    grad = tf.raw_ops.TensorArrayConcatV3(handle=handle, flow_in=after, dtype=value.dtype)[0]
    grad.set_shape(value.shape)
    return [None, grad, None, flow]


ARRAYS: Dict[str, Callable[..., InputGradients]] = {
    "TensorArrayReadV3": _read_gradient("TensorArrayWriteV3", "index"),
    "TensorArrayGatherV3": _read_gradient("TensorArrayScatterV3", "indices"),
    "TensorArrayWriteV3": _write_gradient("TensorArrayReadV3", "index"),
    "TensorArrayScatterV3": _write_gradient("TensorArrayGatherV3", "indices"),
    "TensorArrayConcatV3": _concat_gradient,
    "TensorArraySplitV3": _split_gradient,
}
