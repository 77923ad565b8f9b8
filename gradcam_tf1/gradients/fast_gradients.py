"""Replace the gradients of convolutions and dense layers by their inputs where TensorFlow's own are slow or wrong.

The faster gradients sum the same products in another order; the results differ by rounding (1e-6 of the maximum). They
are used with the official build of TensorFlow 1.15 on the CPU (times: docs/performance.md). With TensorFlow 2 its own
gradients are as fast or faster, and GPUs have kernels of their own: there TensorFlow's gradients are kept.

Intel's build of 1.15 stores constant kernels in another memory layout and, when a convolution and its gradient are in
one run, gives the gradient uninitialised memory. There the gradient gets a kernel that does not count as constant.
"""

from __future__ import annotations

from functools import lru_cache, partial
from typing import Any, Callable, Dict, List

from gradcam_tf1.tf_runtime import has_slow_gradients, is_intel_build, tf

# with fewer input channels the convolution with the rotated kernel is not faster (measured for 3 channels)
MIN_CHANNELS = 8

# Larger kernels are those of dense heads, whose inputs have few rows: there the other order is 5 to 20 times as fast.
# Smaller ones gain little, and layers of tokens, with thousands of rows, would become slower.
MIN_WEIGHTS = 5000000

# Kernels of this size are rotated when their gradient is there: nothing else keeps a session from rotating all of them
# at its start (94 MB of VGG-19). Smaller ones are constants of the net (`large_weights`), which are rotated only once.
LATE_WEIGHTS = 1 << 18

# in quotes: these lines must not import TensorFlow
InputGradient = Callable[["tf.Operation", "tf.Tensor"], "tf.Tensor"]
OwnGradient = Callable[["tf.Operation", "tf.Tensor"], Any]


def _replaced(applies: Callable[[tf.Operation], bool], faster: InputGradient, own: OwnGradient) -> OwnGradient:
    """Return the gradient function `own` with the gradient by the first input replaced where `faster` applies."""

    def gradient(op: tf.Operation, grad: tf.Tensor) -> List[tf.Tensor]:
        by_input, by_kernel = own(op, grad)
        return [faster(op, grad) if applies(op) and _is_worth_it() else by_input, by_kernel]

    return gradient


def _with_separate_kernel(own: OwnGradient) -> OwnGradient:
    """Return the gradient function of Conv2D, corrected for Intel's build."""

    def gradient(op: tf.Operation, grad: tf.Tensor) -> List[tf.Tensor]:
        by_input, by_kernel = own(op, grad)
        return [own_convolution(op, grad) if is_intel_build() else by_input, by_kernel]

    return gradient


def own_convolution(op: tf.Operation, grad: tf.Tensor) -> tf.Tensor:
    """Return dL/dx of y = conv(x, kernel), in the layout of x, by TensorFlow's op with a separate kernel.

    The kernel is fed through a placeholder with a default: a constant or an identity would be merged with the kernel of
    the convolution.
    """
    kernel = tf.placeholder_with_default(op.inputs[1], op.inputs[1].shape)
    names = ("strides", "padding", "use_cudnn_on_gpu", "explicit_paddings", "data_format", "dilations")
    options = {name: op.get_attr(name) for name in names}
    sizes = tf.shape(op.inputs[0])
    return tf.raw_ops.Conv2DBackpropInput(input_sizes=sizes, filter=kernel, out_backprop=grad, **options)


def turned_convolution(op: tf.Operation, grad: tf.Tensor) -> tf.Tensor:
    """Return dL/dx of y = conv(x, kernel): float32 [N, H, W, C] from dL/dy [N, H, W, K].

    With stride 1, SAME padding, no dilation and odd kernels it is a convolution itself: of dL/dy with the kernel
    rotated by 180 degrees and its channels swapped. The kernel is rotated in every run. That takes 1 to 3 % of the time
    of a convolution of 8 images; keeping it would double the memory of the kernels.
    """
    height, width, inputs, outputs = op.inputs[1].shape.as_list()
    kernel = op.inputs[1]
    if kernel.shape.num_elements() >= LATE_WEIGHTS:
        with tf.control_dependencies([grad]):
            kernel = tf.identity(kernel)
    # one matrix per position: twice as fast as tf.reverse and a transpose of four axes
    positions = tf.reshape(kernel, [height * width, inputs, outputs])
    backwards = tf.gather(positions, list(reversed(range(height * width))))
    rotated = tf.reshape(tf.transpose(backwards, [0, 2, 1]), [height, width, outputs, inputs])
    return tf.nn.conv2d(grad, rotated, strides=[1, 1, 1, 1], padding="SAME")


def kernel_first(op: tf.Operation, grad: tf.Tensor) -> tf.Tensor:
    """Return dL/dx of y = x W: float32 [N, K] from dL/dy [N, M], as (W dL/dy^T)^T, which needs no transpose of W."""
    return tf.transpose(tf.matmul(op.inputs[1], grad, transpose_b=True))


def _is_turnable(op: tf.Operation) -> bool:
    kernel = op.inputs[1].shape
    return bool(
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
    return bool(
        not op.get_attr("transpose_a")
        and not op.get_attr("transpose_b")
        and op.inputs[1].dtype.is_floating
        and kernel.is_fully_defined()
        and kernel.num_elements() >= MIN_WEIGHTS
    )


@lru_cache(maxsize=None)
def _is_worth_it() -> bool:
    return has_slow_gradients()


# op type -> function that turns TensorFlow's gradient function into ours
FASTER: Dict[str, Callable[[OwnGradient], OwnGradient]] = {
    "Conv2D": lambda own: _replaced(_is_turnable, turned_convolution, _with_separate_kernel(own)),
    "MatMul": partial(_replaced, _is_large, kernel_first),
}
