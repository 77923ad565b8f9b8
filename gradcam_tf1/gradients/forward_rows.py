"""The table of gradients written with forward ops: op type of a gradient -> function that builds it.

Runtimes other than TensorFlow have no gradient ops; they can run a gradient that is spelt out in forward ops.
"""

from __future__ import annotations

from typing import Dict

from gradcam_tf1.gradients.forward_elementwise import ELEMENTWISE, Forward
from gradcam_tf1.gradients.forward_resampling import RESAMPLING
from gradcam_tf1.gradients.forward_windows import WINDOWS
from gradcam_tf1.tf_runtime import static_value, tf


def kernel_first(op: tf.Operation) -> tf.Tensor:
    """X W^T as (W x^T)^T, where W is a constant: the file holds W once, not once more transposed."""
    inputs, kernel = op.inputs
    if not op.get_attr("transpose_b") or op.get_attr("transpose_a") or static_value(kernel) is None:
        return op.outputs[0]
    return tf.transpose(tf.matmul(kernel, tf.transpose(inputs)))


def sum_without_axes(op: tf.Operation) -> tf.Tensor:
    """The input itself where there are no axes to sum over; for other runtimes no axes mean all axes."""
    axes = static_value(op.inputs[1])
    return op.inputs[0] if axes is not None and axes.size == 0 else op.outputs[0]


# a row may return the op's own output: then the op stays as it is
FORWARD_ROWS: Dict[str, Forward] = {
    **ELEMENTWISE,
    **WINDOWS,
    **RESAMPLING,
    "MatMul": kernel_first,
    "Sum": sum_without_axes,
    "PreventGradient": lambda op: op.inputs[0],
}
