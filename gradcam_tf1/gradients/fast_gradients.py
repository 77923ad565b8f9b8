"""The gradients of convolutions and dense layers by their inputs, where TensorFlow's own are slow or wrong.

The faster ones are sums of the same products in another order; the results differ by rounding (1e-6 of the maximum).
They are for TensorFlow's own build of 1.15 on the CPU (figures: docs/performance.md). TensorFlow 2 computes either way
alike or its own faster, and GPUs have their own kernels: there TensorFlow's own stay.

Intel's build of 1.15 keeps constant kernels in an order of its own and, when a convolution and its gradient are in one
run, hands the gradient memory that nobody has filled. There the gradient gets a kernel that does not count as constant.
"""

from __future__ import annotations

from functools import lru_cache, partial
from typing import Any, Callable, Dict

from gradcam_tf1.tf_runtime import has_slow_gradients, is_intel_build, tf

# below this the convolution with the turned kernel has too few output channels to be worth it (measured: 3 of 3-64)
MIN_CHANNELS = 8

# Kernels from here on are those of dense heads, whose inputs have few rows: there the other order is 5 to 20 times as
# fast. Below there is little to gain, and layers of tokens, with thousands of rows, would lose.
MIN_WEIGHTS = 5000000


def _replaced(applies: Callable[[Any], bool], faster: Callable, own: Any) -> Callable[..., Any]:
    """`own`, a gradient function, with the gradient by the first input replaced where `faster` applies and pays."""

    def gradient(op: tf.Operation, grad: tf.Tensor) -> Any:
        by_input, by_kernel = own(op, grad)
        return [faster(op, grad) if applies(op) and _is_worth_it() else by_input, by_kernel]

    return gradient


def _kernel_apart(own: Any) -> Callable[..., Any]:
    """`own`, the gradient function of Conv2D, right on Intel's build too."""

    def gradient(op: tf.Operation, grad: tf.Tensor) -> Any:
        by_input, by_kernel = own(op, grad)
        return [own_convolution(op, grad) if is_intel_build() else by_input, by_kernel]

    return gradient


def own_convolution(op: tf.Operation, grad: tf.Tensor) -> tf.Tensor:
    """dL/dx of y = conv(x, kernel), [N, H, W, C] or [N, C, H, W] as x, by TensorFlow's op with a kernel of its own.

    Another constant or an identity of the kernel would be merged with the convolution's; a placeholder is not.
    """
    kernel = tf.placeholder_with_default(op.inputs[1], op.inputs[1].shape)
    names = ("strides", "padding", "use_cudnn_on_gpu", "explicit_paddings", "data_format", "dilations")
    options = {name: op.get_attr(name) for name in names}
    sizes = tf.shape(op.inputs[0])
    return tf.raw_ops.Conv2DBackpropInput(input_sizes=sizes, filter=kernel, out_backprop=grad, **options)


def turned_convolution(op: tf.Operation, grad: tf.Tensor) -> tf.Tensor:
    """dL/dx of y = conv(x, kernel): float32 [N, H, W, C] from dL/dy [N, H, W, K].

    For stride 1, SAME padding, no dilation and odd kernels it is itself a convolution: of dL/dy with the kernel turned
    round by 180 degrees and its channels swapped. The turned kernel is made in every run: that takes 1 to 3 % of the
    convolution of 8 images, and keeping it would take as much memory again as the kernels do.
    """
    height, width, inputs, outputs = op.inputs[1].shape.as_list()
    # one matrix per position: twice as fast as tf.reverse and a transpose of four axes
    positions = tf.reshape(op.inputs[1], [height * width, inputs, outputs])
    backwards = tf.gather(positions, list(reversed(range(height * width))))
    turned = tf.reshape(tf.transpose(backwards, [0, 2, 1]), [height, width, outputs, inputs])
    return tf.nn.conv2d(grad, turned, strides=[1, 1, 1, 1], padding="SAME")


def kernel_first(op: tf.Operation, grad: tf.Tensor) -> tf.Tensor:
    """dL/dx of y = x W: float32 [N, K] from dL/dy [N, M], as (W dL/dy^T)^T, which leaves W as it lies in memory."""
    return tf.transpose(tf.matmul(op.inputs[1], grad, transpose_b=True))


def _is_turnable(op: tf.Operation) -> bool:
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


def _is_large(op: tf.Operation) -> bool:
    kernel = op.inputs[1].shape
    return (
        not op.get_attr("transpose_a")
        and not op.get_attr("transpose_b")
        and op.inputs[1].dtype.is_floating
        and kernel.is_fully_defined()
        and kernel.num_elements() >= MIN_WEIGHTS
    )


@lru_cache(maxsize=None)
def _is_worth_it() -> bool:
    return has_slow_gradients()


# op type -> from TensorFlow's own gradient function to the one to take
FASTER: Dict[str, Callable[[Any], Callable[..., Any]]] = {
    "Conv2D": lambda own: _replaced(_is_turnable, turned_convolution, _kernel_apart(own)),
    "MatMul": partial(_replaced, _is_large, kernel_first),
}
