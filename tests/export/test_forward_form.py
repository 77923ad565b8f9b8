"""Gradients spelt out in forward ops equal TensorFlow's own gradient ops, on random tensors, with ties and paddings."""

from __future__ import annotations

import numpy as np
import pytest

from gradcam_tf1.export.forward_form import forward_form
from gradcam_tf1.export.shape_values import BATCHES
from gradcam_tf1.tf_runtime import tf

RANDOM = np.random.RandomState(0)


def kernel(*shape):
    return tf.constant(np.random.RandomState(1).randn(*shape), DTYPE["now"])


DTYPE = {"now": tf.float64}

ACTIVATIONS = {
    "relu": (lambda x: tf.nn.relu(x), "ReluGrad"),
    "relu6": (lambda x: tf.nn.relu6(4 * x), "Relu6Grad"),
    "leaky relu": (lambda x: tf.nn.leaky_relu(x, 0.3), "LeakyReluGrad"),
    "elu": (tf.nn.elu, "EluGrad"),
    "selu": (tf.nn.selu, "SeluGrad"),
    "softsign": (tf.nn.softsign, "SoftsignGrad"),
    "sigmoid": (tf.sigmoid, "SigmoidGrad"),
    "swish": (lambda x: x * tf.sigmoid(x), "SigmoidGrad"),
    "tanh": (tf.tanh, "TanhGrad"),
    "sqrt": (lambda x: tf.sqrt(tf.abs(x) + 1), "SqrtGrad"),
    "rsqrt": (lambda x: tf.math.rsqrt(tf.abs(x) + 1), "RsqrtGrad"),
    "reciprocal": (lambda x: tf.math.reciprocal(tf.abs(x) + 1), "ReciprocalGrad"),
}


def pool(kind, size, stride, padding):
    function = {"max": tf.nn.max_pool, "average": tf.nn.avg_pool}[kind]
    return lambda x: function(x, [1, *size, 1], [1, *stride, 1], padding)


def ties(x):
    """Windows of zeros, as after a ReLU: the gradient goes to the first."""
    return tf.nn.relu(tf.round(x))


POOLS = {
    f"{kind} {size} {stride} {padding}": (pool(kind, size, stride, padding), op_type)
    for kind, op_type in (("max", "MaxPoolGrad"), ("average", "AvgPoolGrad"))
    for size, stride, padding in (
        ((2, 2), (2, 2), "VALID"),
        ((2, 2), (2, 2), "SAME"),
        ((3, 3), (2, 2), "SAME"),
        ((3, 2), (1, 3), "VALID"),
        ((3, 3), (1, 1), "SAME"),
        ((1, 1), (2, 2), "SAME"),
        ((9, 8), (1, 1), "VALID"),
        ((9, 8), (9, 8), "SAME"),
    )
}


def convolution(size, stride, padding, dilation=1):
    return lambda x: tf.nn.conv2d(
        x, kernel(*size, 5, 4), [1, stride, stride, 1], padding, dilations=[1, dilation, dilation, 1]
    )


def depthwise(size, times, stride, padding, rate=1):
    return lambda x: tf.nn.depthwise_conv2d_native(
        x, kernel(*size, 5, times), [1, stride, stride, 1], padding, dilations=[1, rate, rate, 1]
    )


WINDOWS = {
    "1x1 of every second": (convolution((1, 1), 2, "SAME"), "Conv2DBackpropInput"),
    "1x1 of every third": (convolution((1, 1), 3, "VALID"), "Conv2DBackpropInput"),
    "2x2 with a rest": (convolution((2, 2), 2, "VALID"), "Conv2DBackpropInput"),
    "depthwise": (depthwise((3, 3), 1, 1, "SAME"), "DepthwiseConv2dNativeBackpropInput"),
    "depthwise of every second": (depthwise((3, 3), 1, 2, "SAME"), "DepthwiseConv2dNativeBackpropInput"),
    "depthwise with a rest": (depthwise((2, 3), 1, 3, "VALID"), "DepthwiseConv2dNativeBackpropInput"),
    "depthwise, two each": (depthwise((3, 4), 2, 2, "SAME"), "DepthwiseConv2dNativeBackpropInput"),
    "depthwise, one position": (depthwise((1, 1), 2, 2, "VALID"), "DepthwiseConv2dNativeBackpropInput"),
}


def batch_norm(x):
    scale, offset, mean, variance = (tf.constant(RANDOM.rand(5).astype(np.float32)) for _ in range(4))
    return tf.nn.fused_batch_norm(x, scale, offset, mean, variance, epsilon=0.01, is_training=False)[0]


def two_parts(x):
    return tf.concat([x[:, 1:8:2, :, 1], x[:, 0:4, :, 2] * 2.0], axis=1)


SINGLE = {  # kernels for float32 only
    "batch norm": (batch_norm, "FusedBatchNormGrad"),
    "local response": (lambda x: tf.nn.local_response_normalization(x, 1, 1.5, 0.3, 0.75), "LRNGrad"),
}
for aligned, half in ((True, False), (False, True), (False, False)):
    for sides in ((17, 16), (20, 13), (4, 3)):
        for resize in ("ResizeBilinear", "ResizeNearestNeighbor"):

            def resized(x, name=resize, size=sides, aligned=aligned, half=half):
                return getattr(tf.raw_ops, name)(images=x, size=size, align_corners=aligned, half_pixel_centers=half)

            SINGLE[f"{resize} {sides} {aligned} {half}"] = (resized, f"{resize}Grad")

DOUBLE = {
    **ACTIVATIONS,
    **POOLS,
    **WINDOWS,
    "mirrored": (lambda x: tf.pad(x, [(0, 0), (2, 1), (0, 3), (0, 0)], "REFLECT"), "MirrorPadGrad"),
    "mirrored with the edge": (lambda x: tf.pad(x, [(0, 0), (2, 1), (0, 3), (0, 0)], "SYMMETRIC"), "MirrorPadGrad"),
    "slices": (two_parts, "StridedSliceGrad"),
    "backwards": (lambda x: x[:, ::-2, 3:, -1], "StridedSliceGrad"),
    "broadcast": (lambda x: x * tf.reduce_mean(x, [1, 2], keepdims=True) + kernel(1, 8, 1), "BroadcastGradientArgs"),
    "means": (lambda x: tf.reduce_mean(x * x, axis=[1, 2]), "Prod"),
    "largest": (lambda x: tf.reduce_max(x, axis=[1, 2]), "DynamicStitch"),
    "joined": (lambda x: tf.concat([x, x * x], axis=3), "ConcatOffset"),
    "transposed": (lambda x: tf.transpose(x, [0, 3, 1, 2]), "InvertPermutation"),
}


def gradient_graph(cases, dtype):
    """Return a graph with an output for each case: d(sum of y random)/dx."""
    graph = tf.Graph()
    DTYPE["now"] = dtype
    with graph.as_default():
        x = tf.placeholder(dtype, [None, 9, 8, 5], name="x")
        for place, (build, _) in enumerate(cases.values()):
            with tf.name_scope(f"case{place}"):
                y = build(x)
                above = tf.sin(tf.reshape(tf.cast(tf.range(tf.size(y)), dtype), tf.shape(y)))
                tf.identity(tf.gradients(y, x, grad_ys=above)[0], name="out")
    return graph.as_graph_def()


def images(count, dtype):
    values = np.random.RandomState(count).randn(count, 9, 8, 5)
    values[:, 4:] = np.maximum(np.round(values[:, 4:]), 0)  # ties, as after a ReLU
    return {"x:0": values.astype(dtype.as_numpy_dtype)}


def run(graph_def, outputs, dtype):
    graph = tf.Graph()
    with graph.as_default(), tf.Session() as sess:
        tf.import_graph_def(graph_def, name="")
        return [sess.run(outputs, images(count, dtype)) for count in (1, 2, 5)]


def types(graph_def, output):
    return {node.op for node in tf.graph_util.extract_sub_graph(graph_def, [output.split(":")[0]]).node}


@pytest.fixture(scope="module", params=["double", "single"])
def compared(request):
    """Return per case the gradients and op types before, and those after."""
    dtype, cases = {"double": (tf.float64, DOUBLE), "single": (tf.float32, SINGLE)}[request.param]
    outputs = [f"case{place}/out:0" for place in range(len(cases))]
    before = gradient_graph(cases, dtype)
    result = forward_form(before, [images(count, dtype) for count in BATCHES], outputs)
    assert not result.left
    found = []
    for graph_def in (before, result.graph_def):
        values = list(zip(*run(graph_def, outputs, dtype)))
        found.append({case: (values[i], types(graph_def, outputs[i])) for i, case in enumerate(cases)})
    return {"double": 1e-13, "single": 2e-6}[request.param], cases, found


def test_the_forward_form_equals_tensorflows_gradient(compared):
    tolerance, cases, (before, after) = compared
    for case in cases:
        for expected, found in zip(before[case][0], after[case][0]):
            largest = np.abs(expected).max()
            assert largest > 0, case
            np.testing.assert_allclose(found, expected, atol=tolerance * largest, rtol=0, err_msg=case)


def test_no_gradient_op_is_left(compared):
    _, cases, (before, after) = compared
    for case, (_, op_type) in cases.items():
        assert any(name.startswith(op_type) for name in before[case][1]), case
        assert not any(name.startswith(op_type) for name in after[case][1]), case
