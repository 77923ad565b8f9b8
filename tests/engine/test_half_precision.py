"""Nets in float16 and bfloat16 give the maps of the same net in float32, but for rounding."""

from __future__ import annotations

import numpy as np
import pytest

from gradcam_tf1.errors import RunError
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.tf_runtime import IS_TF2, tf

RANDOM = np.random.RandomState(0)
KERNELS = [RANDOM.randn(*shape).astype(np.float32) * 0.3 for shape in ((3, 3, 3, 6), (3, 3, 6, 5), (5, 4))]
PHOTOS = np.random.RandomState(1).randint(0, 255, (2, 8, 8, 3)).astype(np.uint8)
METHODS = ("gradcam", "cam", "hirescam", "eigencam", "gradient", "guided_gradcam", "occlusion", "fullgrad")


def net(dtype, input_dtype, after=tf.identity):
    """Conv, ReLU - conv, ReLU - mean - dense, all in `dtype`, and a softmax in float32."""
    graph = tf.Graph()
    with graph.as_default(), tf.Session(graph=graph) as sess:
        first, second, dense = (tf.constant(sess.run(tf.cast(tf.constant(each), dtype))) for each in KERNELS)
        x = tf.placeholder(input_dtype, [None, 8, 8, 3], name="x")
        a = tf.nn.relu(tf.nn.conv2d(tf.cast(x, dtype), first, [1, 1, 1, 1], "SAME"))
        a = tf.nn.relu(tf.nn.conv2d(a, second, [1, 2, 2, 1], "SAME"), name="feat")
        logits = tf.matmul(tf.reduce_mean(after(a), [1, 2]), dense, name="logits")
        tf.nn.softmax(tf.cast(logits, tf.float32), name="prob")
    return graph.as_graph_def()


def maps(dtype, input_dtype=tf.float32):
    with GradCamGraph(net(dtype, input_dtype), layer="feat", preset="inception") as opened:
        found = opened.explain(PHOTOS, 1, METHODS)
    return {name: found[name] for name in METHODS}


@pytest.fixture(scope="module")
def whole():
    return maps(tf.float32)


@pytest.mark.parametrize("half_input", [False, True])
@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_maps_are_those_in_float32(whole, name, half_input):
    dtype = tf.as_dtype(name)
    found = maps(dtype, dtype if half_input else tf.float32)
    for method, map in found.items():
        share = np.corrcoef(map.ravel(), whole[method].ravel())[0, 1]
        assert share > (0.999 if name == "float16" else 0.95), (method, share)
        assert np.abs(map).max() == pytest.approx(np.abs(whole[method]).max(), rel=0.02 if name == "float16" else 0.1)


def resized(x):
    return tf.cast(tf.image.resize_bilinear(x, [8, 8]), x.dtype)


@pytest.mark.parametrize(
    ("after", "op"),
    [
        (tf.nn.local_response_normalization, "LRN"),
        pytest.param(resized, "ResizeBilinearGrad", marks=pytest.mark.skipif(IS_TF2, reason="TensorFlow 2 has it")),
    ],
)
def test_op_without_kernel_in_bfloat16_is_named_with_a_way_out(after, op):
    wanted = f"{op}.* does not compute this op in bfloat16 here; export the net in float32"
    with GradCamGraph(net(tf.bfloat16, tf.float32, after), layer="feat", preset="inception") as opened:  # noqa: SIM117
        with pytest.raises(RunError, match=wanted):
            opened.explain(PHOTOS, 1, "gradcam")
