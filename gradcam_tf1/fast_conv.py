"""The gradient of a convolution by its input, the faster way where TensorFlow's own is slow.

For stride 1, SAME padding, no dilation and odd kernels, dL/dx is itself a convolution: of dL/dy with the kernel turned
round by 180 degrees and its channels swapped. TensorFlow 1.15 computes that convolution on the CPU 1.3 to 2.5 times
faster than its own Conv2DBackpropInput (docs/performance.md); the results differ by rounding (1e-6 of the maximum).
TensorFlow 2 computes both alike, GPUs have their own kernels, and Intel's build of 1.15 gave a wrong result: there
TensorFlow's own gradient stays.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Callable

from gradcam_tf1.tf_runtime import has_slow_conv_gradient, tf

# below this the convolution with the turned kernel has too few output channels to be worth it (measured: 3 of 3-64)
MIN_CHANNELS = 8


def conv_gradient(own: Callable[..., Any]) -> Callable[..., Any]:
    """A gradient function for Conv2D: own, with the gradient by the input replaced where that is faster."""

    def gradient(op: tf.Operation, grad: tf.Tensor) -> Any:
        by_input, by_kernel = own(op, grad)
        return [turned_convolution(op, grad) if _applies(op) and _is_worth_it() else by_input, by_kernel]

    return gradient


def turned_convolution(op: tf.Operation, grad: tf.Tensor) -> tf.Tensor:
    """dL/dx of y = conv(x, kernel): float32 [N, H, W, C] from dL/dy [N, H, W, K]; for convolutions that `_applies`."""
    turned = tf.transpose(tf.reverse(op.inputs[1], [0, 1]), [0, 1, 3, 2])
    return tf.nn.conv2d(grad, turned, strides=[1, 1, 1, 1], padding="SAME")


def _applies(op: tf.Operation) -> bool:
    kernel = op.inputs[1].shape
    return (
        op.get_attr("padding") == b"SAME"
        and op.get_attr("data_format") == b"NHWC"
        and set(op.get_attr("strides")) == {1}
        and set(op.get_attr("dilations")) == {1}
        and kernel.is_fully_defined()
        and all(side % 2 for side in kernel.as_list()[:2])
        and kernel.as_list()[2] >= MIN_CHANNELS
        and op.inputs[0].shape[-1] == kernel[2]  # no groups
    )


@lru_cache(maxsize=None)
def _is_worth_it() -> bool:
    return has_slow_conv_gradient()
