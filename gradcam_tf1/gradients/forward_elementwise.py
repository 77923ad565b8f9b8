"""Gradients of activations and of batch norm in inference mode, written with forward ops only.

Each function takes a gradient op of a graph and returns what its first output is, made of the op's inputs. Sources:
the kernels' formulas in https://github.com/tensorflow/tensorflow/blob/master/tensorflow/core/kernels
"""

from __future__ import annotations

from typing import Callable, Dict

from gradcam_tf1.errors import GradientError
from gradcam_tf1.tf_runtime import tf

Forward = Callable[["tf.Operation"], "tf.Tensor"]  # in quotes: this line must not import TensorFlow

_SELU_SCALE = 1.0507009873554804934193349852946
_SELU_SLOPE = 1.7580993408473768599402175208123  # scale times alpha


def relu_grad(op: tf.Operation) -> tf.Tensor:
    """G where f > 0, else 0."""
    grad, features = op.inputs
    return tf.where_v2(features > 0, grad, tf.zeros([], grad.dtype))


def relu6_grad(op: tf.Operation) -> tf.Tensor:
    """G where 0 < f < 6, else 0."""
    grad, features = op.inputs
    return tf.where_v2(tf.logical_and(features > 0, features < 6), grad, tf.zeros([], grad.dtype))


def leaky_relu_grad(op: tf.Operation) -> tf.Tensor:
    """G where f > 0, else alpha g."""
    grad, features = op.inputs
    return tf.where_v2(features > 0, grad, op.get_attr("alpha") * grad)


def elu_grad(op: tf.Operation) -> tf.Tensor:
    """G where y >= 0, else g (y + 1)."""
    grad, outputs = op.inputs
    return tf.where_v2(outputs < 0, grad * (outputs + 1), grad)


def selu_grad(op: tf.Operation) -> tf.Tensor:
    """G s where y >= 0, else g (y + s a)."""
    grad, outputs = op.inputs
    return tf.where_v2(outputs < 0, grad * (outputs + _SELU_SLOPE), grad * _SELU_SCALE)


def softsign_grad(op: tf.Operation) -> tf.Tensor:
    """G / (1 + |x|)^2."""
    grad, features = op.inputs
    return grad / tf.square(1 + tf.abs(features))


def sigmoid_grad(op: tf.Operation) -> tf.Tensor:
    """G y (1 - y)."""
    outputs, grad = op.inputs
    return grad * outputs * (1 - outputs)


def tanh_grad(op: tf.Operation) -> tf.Tensor:
    """G (1 - y^2)."""
    outputs, grad = op.inputs
    return grad * (1 - outputs * outputs)


def sqrt_grad(op: tf.Operation) -> tf.Tensor:
    """G / (2 y)."""
    outputs, grad = op.inputs
    return grad * 0.5 / outputs


def rsqrt_grad(op: tf.Operation) -> tf.Tensor:
    """-g y^3 / 2."""
    outputs, grad = op.inputs
    return grad * (-0.5 * outputs) * (outputs * outputs)


def reciprocal_grad(op: tf.Operation) -> tf.Tensor:
    """-g y^2."""
    outputs, grad = op.inputs
    return -grad * outputs * outputs


def batch_norm_grad(op: tf.Operation) -> tf.Tensor:
    """G scale / sqrt(variance + epsilon), for a layer in inference mode.

    Raises
    ------
    GradientError
        If the layer is in training mode.
    """
    if op.get_attr("is_training"):
        raise GradientError("the batch norm is in training mode")
    grad, _, scale, _, variance = op.inputs[:5]
    slopes = tf.cast(scale, variance.dtype) * tf.math.rsqrt(variance + op.get_attr("epsilon"))
    if op.get_attr("data_format") == b"NCHW":
        slopes = tf.reshape(slopes, [1, -1, 1, 1])
    return grad * tf.cast(slopes, grad.dtype)


def local_response_grad(op: tf.Operation) -> tf.Tensor:
    """G N^-b - 2 a b x sum_window(g y / N), where N = bias + a sum_window(x^2) over neighbouring channels."""
    grad, features, outputs = op.inputs
    channels, radius = features.shape.as_list()[-1], op.get_attr("depth_radius")
    alpha, beta = op.get_attr("alpha"), op.get_attr("beta")
    window = tf.linalg.band_part(tf.ones([channels, channels], grad.dtype), radius, radius)

    def over_window(tensor: tf.Tensor) -> tf.Tensor:
        summed = tf.matmul(tf.reshape(tensor, [-1, channels]), window)
        return tf.reshape(summed, tf.shape(tensor))

    norm = op.get_attr("bias") + alpha * over_window(tf.square(features))
    return grad * tf.pow(norm, -beta) - 2 * alpha * beta * features * over_window(grad * outputs / norm)


ELEMENTWISE: Dict[str, Forward] = {
    "ReluGrad": relu_grad,
    "Relu6Grad": relu6_grad,
    "LeakyReluGrad": leaky_relu_grad,
    "EluGrad": elu_grad,
    "SeluGrad": selu_grad,
    "SoftsignGrad": softsign_grad,
    "SigmoidGrad": sigmoid_grad,
    "TanhGrad": tanh_grad,
    "SqrtGrad": sqrt_grad,
    "RsqrtGrad": rsqrt_grad,
    "ReciprocalGrad": reciprocal_grad,
    "InvGrad": reciprocal_grad,
    "FusedBatchNormGrad": batch_norm_grad,
    "FusedBatchNormGradV2": batch_norm_grad,
    "FusedBatchNormGradV3": batch_norm_grad,
    "LRNGrad": local_response_grad,
}
