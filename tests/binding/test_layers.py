"""The feature maps of a net, and the last one."""

from __future__ import annotations

import numpy as np
import pytest
from binding_graphs import (
    batch_norm,
    branches,
    classifier,
    conv,
    conv_relu,
    dense,
    finish,
    images,
    pooled,
    two_layers,
    weights,
)

from gradcam_tf1.binding.bind_graph import bind
from gradcam_tf1.tf_runtime import tf


def maps(graph, **options):
    """Names of the counted feature maps, input side first."""
    return [layer.name for layer in bind(graph, **options).layers if layer.counted]


def test_maps_come_after_their_activation_and_raw_outputs_are_not_counted(graph):
    classifier(images())
    binding = bind(graph)
    rows = [(layer.name, layer.counted) for layer in binding.layers]
    assert rows == [
        ("conv1/Conv2D:0", False),
        ("conv1/Relu:0", True),
        ("conv2/Conv2D:0", False),
        ("conv2/Relu:0", True),
    ]
    assert (binding.layer, binding.layers[-1].shape, binding.layers[-1].op) == (
        "conv2/Relu:0",
        (None, 16, 16, 8),
        "Relu",
    )
    assert "'conv2/Conv2D:0' (Conv2D) after its activation" in binding.reasons["layer"]


ACTIVATIONS = {
    "relu6": lambda x: tf.nn.relu6(x, name="act"),
    "elu": lambda x: tf.nn.elu(x, name="act"),
    "leaky": lambda x: tf.maximum(0.2 * x, x, name="act"),
    "leaky_op": lambda x: tf.nn.leaky_relu(x, name="act"),
    "prelu": lambda x: tf.add(tf.nn.relu(x), 0.25 * (x - tf.abs(x)) * 0.5, name="act"),
    "prelu_select": lambda x: tf.where(tf.greater(x, 0.0), x, 0.25 * x, name="act"),
    "swish": lambda x: tf.multiply(x, tf.nn.sigmoid(x), name="act"),
    "hard_swish": lambda x: tf.multiply(x, tf.nn.relu6(x + 3.0) * 0.16667, name="act"),
    "mish": lambda x: tf.multiply(x, tf.tanh(tf.nn.softplus(x)), name="act"),
    "gelu": lambda x: tf.multiply(0.5 * x, 1.0 + tf.erf(x * 0.7071), name="act"),
    "clip": lambda x: tf.minimum(tf.maximum(x, 0.0), 1.0, name="act"),
    "sigmoid": lambda x: tf.nn.sigmoid(x, name="act"),
}


@pytest.mark.parametrize("normalised", [False, True])
@pytest.mark.parametrize("kind", sorted(ACTIVATIONS))
def test_activations_in_one_op_and_in_many(graph, kind, normalised):
    x = conv(images(), 8)
    ACTIVATIONS[kind](batch_norm(x, 8) if normalised else x)
    finish(graph.get_tensor_by_name("act:0"))
    assert maps(graph) == ["act:0"]


def test_swish_with_its_own_gradient(graph):
    """Custom gradients wrap an op's output and input in one IdentityN; only the output is used."""
    x = conv(images(), 8)
    finish(tf.identity_n([x * tf.nn.sigmoid(x), x], name="swish")[0])
    binding = bind(graph)
    with tf.Session() as sess:
        bound, act = sess.run([binding.layer, "swish:0"], {binding.input: np.ones([1, 16, 16, 3])})
    np.testing.assert_array_equal(bound, act)


def test_folded_batch_norm_and_identities_belong_to_the_block(graph):
    x = tf.nn.conv2d(images(), weights(3, 3, 3, 8), [1, 1, 1, 1], "SAME", name="conv")
    x = tf.identity(tf.add(tf.multiply(x, weights(8)), weights(8)), name="bn")
    finish(tf.nn.relu(x, name="act"))
    assert maps(graph) == ["act:0"]


def test_norm_after_the_activation_belongs_to_the_head(graph):
    finish(batch_norm(tf.nn.relu(conv(images(), 8), name="act"), 8))
    assert maps(graph) == ["act:0"]


def test_batch_norm_without_activation(graph):
    finish(batch_norm(conv(images(), 8), 8, name="bn"))
    binding = bind(graph)
    assert binding.layer == "bn:0"
    assert "after its batch norm" in binding.reasons["layer"]


def test_only_a_bias_leaves_the_convolution_itself(graph):
    finish(tf.nn.relu(tf.nn.max_pool(conv(images(), 8, name="last"), [1, 2, 2, 1], [1, 2, 2, 1], "SAME")))
    assert maps(graph) == ["last/Conv2D:0"]
    assert "the output of Conv2D 'last/Conv2D'" in bind(graph).reasons["layer"]


def test_training_branches_are_not_followed(graph):
    training = tf.placeholder(tf.bool, [], name="is_training")
    x = branches(training, conv(images(), 8), lambda y: batch_norm(y, 8, training=True), lambda y: batch_norm(y, 8))
    x = tf.nn.relu(x, name="act")
    finish(branches(training, x, lambda y: tf.nn.dropout(y, rate=0.5), tf.identity))
    binding = bind(graph)
    assert (binding.layer, binding.feeds, binding.warnings) == ("act:0", {"is_training:0": False}, ())


def test_conditions_of_either_control_flow_are_passed(graph):
    """tf.cond is Switch and Merge on TensorFlow 1 and one op with two functions on TensorFlow 2."""
    training = tf.placeholder(tf.bool, [], name="is_training")
    x = conv(images(), 8)
    x = tf.cond(training, lambda: batch_norm(x, 8, training=True), lambda: batch_norm(x, 8))
    finish(tf.nn.relu(x, name="act"))
    binding = bind(graph)
    assert (binding.layer, binding.feeds) == ("act:0", {"is_training:0": False})


def test_concat_of_branches(graph):
    x = conv_relu(images(), 8, name="stem")
    left, right = conv_relu(x, 4, 1, 8, name="left"), conv_relu(x, 4, 3, 8, name="right")
    finish(tf.concat([left, right], 3, name="mixed"))
    assert maps(graph) == ["stem/Relu:0", "left/Relu:0", "right/Relu:0", "mixed:0"]


def test_residual_sum_with_its_activation(graph):
    x = conv_relu(images(), 8, name="stem")
    finish(tf.nn.relu(x + batch_norm(conv(x, 8, inputs=8, name="branch"), 8, name="bn"), name="out"))
    assert maps(graph) == ["stem/Relu:0", "bn:0", "out:0"]


def test_preactivated_residuals_and_the_last_norm(graph):
    x = conv(images(), 8, name="stem")
    for k in (1, 2):
        branch = conv(tf.nn.relu(batch_norm(x, 8)), 8, inputs=8, name=f"branch{k}")
        x = tf.add(x, branch, name=f"sum{k}")
    finish(tf.nn.relu(batch_norm(x, 8), name="post"))
    assert maps(graph) == ["stem/Conv2D:0", "branch1/Conv2D:0", "sum1:0", "branch2/Conv2D:0", "post:0"]


def test_dense_block_tail(graph):
    x = conv(images(), 8, name="stem")
    y = conv(tf.nn.relu(batch_norm(x, 8)), 4, inputs=8, name="grow")
    finish(tf.nn.relu(batch_norm(tf.concat([x, y], 3, name="all"), 12), name="tail"), 12)
    assert maps(graph)[-1] == "tail:0"


def test_separable_convolution_is_one_block(graph):
    x = tf.nn.depthwise_conv2d(images(), weights(3, 3, 3, 2), [1, 1, 1, 1], "SAME", name="depthwise")
    finish(tf.nn.relu(tf.nn.conv2d(x, weights(1, 1, 6, 8), [1, 1, 1, 1], "SAME", name="pointwise"), name="act"))
    assert maps(graph) == ["act:0"]


def test_depthwise_with_its_own_activation_counts(graph):
    x = tf.nn.depthwise_conv2d(images(), weights(3, 3, 3, 2), [1, 1, 1, 1], "SAME", name="depthwise")
    x = tf.nn.relu6(x, name="dw")
    finish(tf.nn.relu6(tf.nn.conv2d(x, weights(1, 1, 6, 8), [1, 1, 1, 1], "SAME"), name="pw"))
    assert maps(graph) == ["dw:0", "pw:0"]


def test_dilated_convolution(graph):
    x = tf.space_to_batch_nd(images(), [2, 2], [[2, 2], [2, 2]])
    x = tf.nn.conv2d(x, weights(3, 3, 3, 8), [1, 1, 1, 1], "VALID")
    finish(tf.nn.relu(tf.batch_to_space_nd(x, [2, 2], [[0, 0], [0, 0]]), name="act"))
    assert maps(graph) == ["act:0"]


def test_squeezed_maps_of_one_position_are_no_feature_maps(graph):
    x = conv_relu(images(), 8)
    squeezed = tf.reduce_mean(x, [1, 2], keepdims=True)
    gate = tf.nn.sigmoid(conv(conv_relu(squeezed, 2, 1, 8, name="down"), 8, 1, 2, name="up"))
    x = conv_relu(tf.multiply(x, gate, name="scaled"), 8, inputs=8, name="after")
    finish(x)
    assert maps(graph) == ["conv/Relu:0", "after/Relu:0"]


def test_squeezed_maps_of_unknown_rank_are_no_feature_maps_either(graph):
    x = tf.placeholder_with_default(conv_relu(images(), 8), None)
    gate = tf.reduce_mean(x, [1, 2], keepdims=True)
    gate = tf.nn.sigmoid(conv(conv_relu(gate, 2, 1, 8, name="down"), 8, 1, 2, name="up"))
    finish(conv_relu(x * gate, 8, inputs=8, name="after"))
    assert maps(graph) == ["conv/Relu:0", "after/Relu:0"]


@pytest.mark.parametrize("size", [16, None])
def test_dense_layers_as_convolutions_end_the_maps(graph, size):
    x = conv_relu(images(None, size, size, 3), 8, name="conv5")
    x = tf.nn.max_pool(x, [1, 2, 2, 1], [1, 2, 2, 1], "SAME")
    x = conv_relu(x, 12, 8, 8, name="fc6", padding="VALID")
    x = conv_relu(x, 12, 1, 12, name="fc7")
    tf.reduce_mean(conv(x, 5, 1, 12, name="fc8"), [1, 2])
    assert maps(graph) == ["conv5/Relu:0"]


def test_flattening_head_of_unknown_size(graph):
    x = two_layers(images(None, None, None, 3))
    dense(tf.reshape(tf.nn.max_pool(x, [1, 2, 2, 1], [1, 2, 2, 1], "SAME"), [-1, 512]), 5, 512)
    assert bind(graph).layer == "conv2/Relu:0"


def test_pooled_class_maps_of_a_one_by_one_convolution_are_scores(graph):
    x = conv_relu(images(), 8, name="features")
    tf.nn.softmax(pooled(conv_relu(x, 5, 1, 8, name="class_maps"), name="scores"))
    assert maps(graph) == ["features/Relu:0"]


def test_pooled_class_maps_of_a_spatial_convolution_are_features(graph):
    x = conv_relu(images(), 8, name="features")
    tf.nn.softmax(pooled(conv(x, 5, 3, 8, name="class_maps"), name="scores"))
    assert maps(graph) == ["features/Relu:0", "class_maps/Conv2D:0"]


def test_unpooled_class_maps_are_scores(graph):
    x = conv_relu(images(), 8, name="features")
    tf.nn.softmax(tf.image.resize_bilinear(conv(x, 5, 3, 8, name="class_maps"), [32, 32]))
    binding = bind(graph)
    assert (binding.logits, binding.layer) == ("class_maps/BiasAdd:0", "features/Relu:0")


def test_of_several_scales_the_finest_comes_last(graph):
    fine = conv_relu(images(), 8, name="trunk")
    coarse = tf.nn.max_pool(fine, [1, 2, 2, 1], [1, 2, 2, 1], "SAME")
    parts = []
    for name, x in (("a", fine), ("b", coarse)):
        head = conv_relu(x, 8, 3, 8, name=name)
        parts.append(tf.reshape(conv(head, 6, 3, 8, name=f"{name}_scores"), [-1, 512 if name == "a" else 128, 3]))
    tf.nn.softmax(tf.concat(parts, 1))
    assert maps(graph) == ["trunk/Relu:0", "b/Relu:0", "a/Relu:0"]


def test_skip_connections_end_in_the_last_map(graph):
    down = conv_relu(images(), 4, name="down")
    deep = conv_relu(tf.nn.max_pool(down, [1, 2, 2, 1], [1, 2, 2, 1], "SAME"), 8, inputs=4, name="deep")
    up = tf.nn.conv2d_transpose(deep, weights(2, 2, 4, 8), [1, 16, 16, 4], [1, 2, 2, 1], name="up")
    last = conv_relu(tf.concat([down, up], 3, name="skip"), 4, inputs=8, name="last")
    tf.nn.sigmoid(conv(last, 1, 1, 4, name="mask"))
    assert maps(graph) == ["down/Relu:0", "deep/Relu:0", "up:0", "skip:0", "last/Relu:0"]


def test_maps_of_unknown_shape(graph):
    x = tf.placeholder(tf.float32, name="input")
    finish(conv_relu(x, 8))
    layer = bind(graph).layers[-1]
    assert (layer.name, layer.shape) == ("conv/Relu:0", (None, None, None, 8))


def test_the_map_bound_is_the_map_computed(graph):
    """The head pools the layer: pooling it by hand gives the same scores."""
    classifier(images())
    binding = bind(graph)
    with tf.Session() as sess:
        batch = np.random.RandomState(0).rand(2, 16, 16, 3)
        features, scores = sess.run([binding.layer, binding.logits], {binding.input: batch})
        again = sess.run(binding.logits, {"gap:0": features.mean((1, 2))})
    np.testing.assert_allclose(scores, again, rtol=1e-5)
