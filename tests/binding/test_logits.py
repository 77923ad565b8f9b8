"""The tensors bound as class scores and as probabilities."""

from __future__ import annotations

import pytest
from binding_graphs import batch_norm, bound, classifier, conv, conv_relu, dense, images, pooled, two_layers, weights

from gradcam_tf1.binding.bind_graph import bind
from gradcam_tf1.tf_runtime import tf


def test_the_tensor_before_softmax(graph):
    classifier(images())
    binding = bind(graph)
    assert (binding.logits, binding.probabilities, binding.classes) == ("dense/BiasAdd:0", "prob:0", 5)
    assert "softmax 'prob'" in binding.reasons["logits"]
    assert not binding.background


def test_softmax_named_loss_and_behind_identity(graph):
    tf.identity(tf.nn.softmax(dense(pooled(two_layers(images())), 5, 8), name="loss"), name="model_outputs")
    assert bound(graph) == ("dense/BiasAdd:0", "loss:0")


def test_reshape_before_softmax_is_undone_but_squeeze_is_kept(graph):
    squeezed = tf.squeeze(conv(tf.reduce_mean(two_layers(images()), [1, 2], keepdims=True), 6, 1, 8), [1, 2], name="sq")
    tf.reshape(tf.nn.softmax(tf.reshape(squeezed, [-1, 6]), name="prob"), tf.shape(squeezed))
    assert bound(graph) == ("sq:0", "prob:0")


def test_rank_four_scores_and_written_softmax(graph):
    scores = conv(tf.reduce_mean(two_layers(images()), [1, 2], keepdims=True), 6, 1, 8, name="preds")
    exp = tf.exp(scores - tf.reduce_max(scores, axis=-1, keepdims=True))
    prob = tf.divide(exp, tf.reduce_sum(exp, axis=-1, keepdims=True))
    tf.reshape(prob, [-1, 6], name="flat")
    assert bound(graph) == ("preds/BiasAdd:0", "flat:0")
    assert bind(graph).classes == 6


def test_written_softmax_without_shift(graph):
    exp = tf.exp(dense(pooled(two_layers(images())), 5, 8))
    tf.divide(exp, tf.reduce_sum(exp, axis=-1, keepdims=True), name="prob")
    assert bound(graph) == ("dense/BiasAdd:0", "prob:0")


def test_named_identity_is_kept_and_a_nameless_one_is_not(graph):
    named = tf.identity(dense(pooled(two_layers(images())), 5, 8), name="logits")
    tf.nn.softmax(named, name="prob")
    assert bound(graph) == ("logits:0", "prob:0")
    other = tf.Graph()
    with other.as_default():
        tf.identity(dense(pooled(two_layers(images())), 5, 8), name="Identity")
    assert bound(other) == ("dense/BiasAdd:0", None)


def test_one_logit_with_sigmoid(graph):
    tf.nn.sigmoid(dense(pooled(two_layers(images())), 1, 8), name="prob")
    binding = bind(graph)
    assert (binding.logits, binding.probabilities, binding.classes) == ("dense/BiasAdd:0", "prob:0", 1)


def test_elements_cut_from_one_vector_lead_back_to_it(graph):
    vector = dense(pooled(two_layers(images())), 3, 8)
    for k, name in enumerate("XYZ"):
        tf.nn.sigmoid(vector[:, k], name=name)
    assert bound(graph) == ("dense/BiasAdd:0", None)
    assert bind(graph).classes == 3


def test_segmentation_scores_before_resizing(graph):
    x = images(1, 16, 16, 3)
    scores = conv(two_layers(x), 2, 1, 8, name="logits")
    large = tf.image.resize_bilinear(scores, [32, 32])
    tf.argmax(large, 3)
    tf.identity(tf.nn.softmax(large), name="SemanticProbabilities")
    binding = bind(graph)
    assert (binding.logits, binding.probabilities, binding.classes) == (
        "logits/BiasAdd:0",
        "SemanticProbabilities:0",
        2,
    )


def test_anchors_keep_their_reshape(graph):
    scores = tf.reshape(conv(two_layers(images()), 12, 1, 8), [-1, 16 * 16 * 4, 3], name="anchors")
    tf.nn.softmax(scores, name="prob")
    binding = bind(graph)
    assert (binding.logits, binding.classes) == ("anchors:0", 3)


def test_scales_joined_after_their_sigmoids(graph):
    features = two_layers(images())
    parts = []
    for name in ("fine", "coarse"):
        rows = tf.reshape(conv(features, 8, 1, 8, name=name), [-1, 1024, 2], name=f"{name}_rows")
        parts.append(tf.nn.sigmoid(rows))
    tf.concat(parts, 1, name="scores")
    binding = bind(graph)
    assert (binding.logits, binding.probabilities, binding.classes) == ("scores:0", "scores:0", 2)
    assert any("joined after their activation" in warning for warning in binding.warnings)


@pytest.mark.parametrize("sparse", [True, False])
def test_training_graph_without_softmax_goes_by_its_loss(graph, sparse):
    logits = dense(pooled(two_layers(images())), 5, 8)
    if sparse:
        loss = tf.losses.sparse_softmax_cross_entropy(tf.placeholder(tf.int64, [None], name="y"), logits)
    else:
        labels = tf.placeholder(tf.float32, [None, 5], name="y")
        loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits_v2(labels=labels, logits=logits))
    tf.gradients(loss, tf.get_default_graph().get_tensor_by_name("input:0"))
    binding = bind(graph)
    assert (binding.logits, binding.probabilities, binding.feeds) == ("dense/BiasAdd:0", None, {})
    assert "cross-entropy" in binding.reasons["logits"]


def test_binary_training_graph_goes_by_its_sigmoid_loss(graph):
    logits = tf.identity(dense(pooled(two_layers(images())), 1, 8), name="score")
    labels = tf.placeholder(tf.float32, [None, 1])
    tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits))
    assert bound(graph) == ("score:0", None)


def test_argmax_alone_shows_the_scores(graph):
    tf.argmax(dense(pooled(two_layers(images())), 5, 8), 1, name="classes")
    binding = bind(graph)
    assert binding.logits == "dense/BiasAdd:0"
    assert "ArgMax 'classes'" in binding.reasons["logits"]


def test_plain_output(graph):
    dense(pooled(two_layers(images())), 5, 8)
    binding = bind(graph)
    assert (binding.logits, binding.probabilities) == ("dense/BiasAdd:0", None)
    assert "no softmax" in binding.reasons["probabilities"]


def test_gates_and_attention_inside_the_net_are_no_heads(graph):
    x = two_layers(images())
    gate = tf.nn.sigmoid(dense(pooled(x), 8, 8, name="squeeze"))
    x = conv_relu(x * tf.reshape(gate, [-1, 1, 1, 8]), 8, inputs=8, name="conv3")
    attention = tf.nn.softmax(tf.reshape(conv(x, 1, 1, 8, name="attend"), [-1, 256]))
    x = pooled(x * tf.reshape(attention, [-1, 16, 16, 1]))
    dense(x, 5, 8, name="final")
    assert bound(graph) == ("final/BiasAdd:0", None)


def test_auxiliary_head_loses_to_the_deeper_one(graph):
    x = conv_relu(conv_relu(images(), 4, name="conv1"), 8, inputs=4, name="conv2")
    tf.nn.softmax(dense(pooled(x, name="aux_gap"), 5, 8, name="aux"), name="aux_prob")
    tf.nn.softmax(dense(pooled(conv_relu(x, 8, inputs=8, name="conv3")), 5, 8, name="main"), name="prob")
    binding = bind(graph)
    assert binding.logits == "main/BiasAdd:0"
    assert "aux/BiasAdd:0" in binding.reasons["logits"]


def test_retrained_head_is_preferred_to_the_old_one(graph):
    bottleneck = tf.placeholder_with_default(pooled(two_layers(images())), [None, 8], name="BottleneckInput")
    tf.nn.softmax(dense(graph.get_tensor_by_name("gap:0"), 9, 8, name="old"), name="softmax")
    tf.nn.softmax(dense(bottleneck, 3, 8, name="final"), name="final_result")
    assert bound(graph) == ("final/BiasAdd:0", "final_result:0")


def test_of_equal_towers_the_first(graph):
    x = pooled(two_layers(images()))
    for k in (0, 1):
        tf.nn.softmax(dense(x, 5, 8, name=f"tower_{k}"), name=f"prob_{k}")
    assert bound(graph) == ("tower_0/BiasAdd:0", "prob_0:0")


def test_of_several_sigmoids_the_one_with_the_classes(graph):
    """The tail of a YOLO: positions, sizes, objectness and classes are cut from one tensor and joined again."""
    out = tf.reshape(conv(two_layers(images()), 24, 1, 8), [-1, 512, 12])
    parts = [tf.nn.sigmoid(out[..., :2]), tf.exp(out[..., 2:4]), tf.nn.sigmoid(out[..., 4:5])]
    tf.concat([*parts, tf.nn.sigmoid(tf.identity(out[..., 5:], name="classes"))], -1, name="boxes")
    binding = bind(graph)
    assert (binding.logits, binding.classes) == ("classes:0", 7)


def test_squeeze_that_may_drop_the_batch_is_undone(graph):
    """A Squeeze without axes has an unknown rank, and a single image would lose its batch axis."""
    tf.squeeze(dense(pooled(two_layers(images())), 1, 8), name="score")
    binding = bind(graph)
    assert (binding.logits, binding.classes) == ("dense/BiasAdd:0", 1)


def test_calm_auxiliary_head_loses_to_a_main_head_with_dropout(graph):
    x = conv_relu(images(), 8, name="conv0")
    tf.nn.softmax(dense(pooled(x, name="aux_gap"), 5, 8, name="aux"))
    for k in (1, 2, 3):
        x = conv_relu(x, 8, inputs=8, name=f"conv{k}")
    tf.nn.softmax(dense(tf.nn.dropout(pooled(x), rate=0.5), 5, 8, name="main"))
    assert bind(graph).logits == "main/BiasAdd:0"


def test_losses_per_image_are_no_scores(graph):
    labels = tf.placeholder(tf.float32, [None, 5], name="y_true")
    scores = dense(pooled(two_layers(images())), 5, 8)
    tf.reduce_sum(tf.squared_difference(scores, labels), 1, name="loss")
    assert bound(graph) == ("dense/BiasAdd:0", None)


def test_softmax_over_positions_keeps_its_flattening(graph):
    x = conv(two_layers(images()), 2, 1, 8, name="heat")
    flat = tf.reshape(x, tf.stack([tf.shape(x)[0], -1]), name="flat")
    tf.nn.softmax(tf.placeholder_with_default(flat, [None, None]), name="where")
    assert bind(graph).logits == "flat:0"


def test_vector_with_one_score_per_image(graph):
    tf.nn.sigmoid(tf.squeeze(dense(pooled(two_layers(images())), 1, 8), [1], name="score"), name="prob")
    binding = bind(graph)
    assert (binding.logits, binding.probabilities, binding.classes) == ("score:0", "prob:0", 1)


def test_vector_of_classes_where_there_is_no_batch(graph):
    x = two_layers(tf.expand_dims(images(16, 16, 3), 0))
    tf.nn.softmax(tf.squeeze(dense(pooled(x), 5, 8), [0], name="scores"))
    binding = bind(graph)
    assert (binding.logits, binding.has_batch_axis, binding.classes) == ("scores:0", False, 5)


def test_by_product_of_an_op_inside_is_no_output(graph):
    x = two_layers(images())
    pooled(tf.identity_n([x * tf.nn.sigmoid(x), x], name="swish")[0], name="embedding")
    assert bind(graph).logits == "embedding:0"


def test_batch_norm_updates_and_summaries_are_no_outputs(graph):
    x = two_layers(images())
    mean, variance = tf.nn.moments(x, [0, 1, 2])
    tf.multiply(mean, 0.1, name="AssignMovingAvg/mul")
    tf.multiply(variance, 0.1, name="AssignMovingAvg_1/mul")
    tf.summary.histogram("activations", x)
    dense(pooled(batch_norm(x, 8)), 5, 8)
    assert bound(graph) == ("dense/BiasAdd:0", None)


def test_embedding_is_bound_as_it_is(graph):
    tf.nn.l2_normalize(dense(pooled(two_layers(images())), 16, 8), 1, name="embeddings")
    binding = bind(graph)
    assert (binding.logits, binding.classes) == ("embeddings:0", 16)


def test_unknown_class_axis_is_read_off_the_weights(graph):
    x = tf.placeholder(tf.float32, name="input")
    flat = tf.reshape(two_layers(x), tf.placeholder_with_default([-1, 2048], [None]))
    scores = tf.add(tf.matmul(flat, weights(2048, 7)), weights(7), name="scores")
    tf.nn.softmax(tf.placeholder_with_default(scores, None), name="prob")
    assert bind(graph).classes == 7


def test_1001_classes_are_imagenet_with_background(graph):
    classifier(images(), classes=1001)
    binding = bind(graph)
    assert binding.background
    assert any("class 0" in warning for warning in binding.warnings)
