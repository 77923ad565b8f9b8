"""The layers of a net with their weights, in the order from the class scores down."""

from __future__ import annotations

import numpy as np
import pytest
from weight_nets import branched, conv, dense, made, numbers, opened, weight

from gradcam_tf1.sanity.weight_layers import find_weight_layers
from gradcam_tf1.tf_runtime import tf


def layers_of(build, **options):
    with opened(made(build), **options) as net:
        return find_weight_layers(net.graph, net.binding)


def names(layer):
    return [weight.name for weight in layer.weights]


def test_each_layer_comes_before_those_that_it_depends_on():
    found = layers_of(branched)
    order = [layer.name for layer in found.layers]
    assert (order[0], order[1], order[-1]) == ("dense", "joined", "stem")
    assert order.index("long_2") < order.index("long_1")
    assert set(order) == {"dense", "joined", "stem", "long_1", "long_2", "short"}
    assert found.fixed == {}


def test_biases_belong_to_their_layer_and_preprocessing_to_none():
    found = {layer.name: names(layer) for layer in layers_of(branched).layers}
    assert found["stem"] == ["stem/w:0", "stem/b:0"]
    assert found["long_2"] == ["long_2/w:0", "long_2/b:0"]
    assert not any("mean_pixel" in name for weights in found.values() for name in weights)


def batch_norms(x):
    y = tf.nn.conv2d(x, weight("k", 3, 3, 3, 4), [1, 1, 1, 1], "SAME", name="first")
    parts = [weight(name, 4) for name in ("scale", "offset", "mean")]
    y = tf.nn.fused_batch_norm(y, *parts, tf.constant([1.0, 2, 3, 4], name="variance"), is_training=False)[0]
    y = tf.nn.conv2d(tf.nn.relu(y), weight("k2", 1, 1, 4, 4), [1, 1, 1, 1], "SAME", name="folded")
    return dense(tf.nn.relu(y * weight("mul", 4) + weight("add", 4)))


def test_batch_norm_whole_and_folded():
    found = {layer.name: layer for layer in layers_of(batch_norms).layers}
    assert names(found["first"]) == ["k:0", "scale:0", "offset:0", "mean:0", "variance:0"]
    assert [weight.positive for weight in found["first"].weights] == [False] * 4 + [True]
    assert names(found["folded"]) == ["k2:0", "mul:0", "add:0"]


def spelled_out(x):
    y = tf.nn.conv2d(x, weight("k", 3, 3, 3, 4), [1, 1, 1, 1], "SAME", name="first")
    scale = tf.rsqrt(tf.constant([1.0, 2, 3, 4]) + 1e-3) * weight("gamma", 4)
    return dense(
        tf.nn.relu(tf.add(y * tf.identity(scale, name="scale"), weight("beta", 4) - weight("mean", 4) * scale))
    )


def test_batch_norm_spelled_out_is_fed_where_it_enters():
    first = layers_of(spelled_out).layers[-1]
    with opened(made(spelled_out)) as net:
        assert [net.graph.get_tensor_by_name(name).op.type for name in names(first)] == ["Const", "Mul", "Sub"]


def chained(x):
    read = tf.identity(weight("k", 3, 3, 3, 4), name="read")
    y = tf.nn.relu(tf.nn.conv2d(x, read, [1, 1, 1, 1], "SAME", name="one"))
    half = tf.cast(tf.constant(numbers("h", 3, 3, 4, 4).astype(np.float16), name="h"), tf.float32, name="cast")
    y = tf.nn.relu(tf.nn.conv2d(y, half, [1, 1, 1, 1], "SAME", name="two"))
    fake = tf.quantization.fake_quant_with_min_max_args(weight("f", 3, 3, 4, 4), -1, 1, name="fake")
    y = tf.nn.relu(tf.nn.conv2d(y, fake, [1, 1, 1, 1], "SAME", name="three"))
    eight = tf.constant(np.arange(64).reshape(4, 4, 2, 2).astype(np.uint8), tf.quint8, name="eight")
    whole = tf.reshape(tf.quantization.dequantize(eight, -1.0, 1.0, name="whole"), [2, 2, 4, 4])
    return dense(tf.nn.relu(tf.nn.conv2d(y, whole, [1, 1, 1, 1], "SAME", name="four")))


def test_weights_behind_other_ops():
    found = {layer.name: layer.weights[0] for layer in layers_of(chained).layers}
    assert (found["one"].name, found["one"].source) == ("k:0", "k")
    assert (found["two"].name, found["two"].source) == ("cast:0", "h")
    assert (found["three"].name, found["three"].source) == ("fake:0", "f")
    assert found["four"].source == "eight"


def shared(x):
    kernel = weight("kernel", 3, 3, 3, 3)
    y = x / 255.0
    for name in ("one", "two"):
        y = tf.nn.relu(tf.nn.conv2d(y, tf.identity(kernel), [1, 1, 1, 1], "SAME", name=name))
    return dense(y)


def test_layers_that_share_a_constant_have_one_weight():
    found = layers_of(shared)
    assert [names(layer) for layer in found.layers][1:] == [["kernel:0"], ["kernel:0"]]
    assert found.names == ["dense/w:0", "dense/b:0", "kernel:0"]


def looped(x):
    kernel = weight("inner", 3, 3, 3, 3)

    def body(i, y):
        return i + 1, tf.nn.relu(tf.nn.conv2d(y, kernel, [1, 1, 1, 1], "SAME"))

    _, y = tf.while_loop(lambda i, _: i < 2, body, [0, x / 255.0])
    y.set_shape(x.shape)
    return dense(conv(y, "after", 4))


def test_weights_of_a_loop_are_fed_outside_of_it():
    found = layers_of(looped)
    assert [names(layer) for layer in found.layers][1:] == [["after/w:0", "after/b:0"], ["inner:0"]]


def in_function(x):
    @tf.function
    def layer(y):
        return tf.nn.relu(tf.nn.conv2d(y, tf.constant(numbers("k", 3, 3, 3, 3)), 1, "SAME"))

    return dense(conv(layer(x / 255.0), "after", 4))


@pytest.mark.skipif(not hasattr(tf, "function"), reason="TensorFlow 1.15 has it under another name")
def test_constants_inside_functions_are_named():
    found = layers_of(in_function)
    assert [layer.name for layer in found.layers] == ["dense", "after"]
    assert list(found.fixed.values()) == ["it has constants inside a function"]
