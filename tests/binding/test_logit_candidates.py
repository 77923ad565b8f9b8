"""Heads, and what only looks like one: records, losses, decoders, attention."""

from __future__ import annotations

import pytest
from binding_graphs import bound, conv, conv_relu, dense, images, pooled, two_layers, weights
from head_nets import trunk

from gradcam_tf1.binding.bind_graph import bind
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.tf_runtime import tf


def always_dropped(x, name="dropped"):
    """Dropout without a switch."""
    return tf.nn.dropout(x, rate=0.5, name=name)


def losses():
    labels = tf.placeholder(tf.int64, [None], name="labels")
    some = tf.placeholder(tf.float32, [None, 5], name="some")
    smooth = 0.9 * tf.one_hot(labels, 5) + 0.02
    rows = tf.where(labels >= 0)
    return {
        "sparse": lambda x: tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=x),
        "smoothed": lambda x: tf.nn.softmax_cross_entropy_with_logits_v2(labels=smooth, logits=x),
        "sigmoid": lambda x: tf.nn.sigmoid_cross_entropy_with_logits(labels=some, logits=x),
        "hinge": lambda x: tf.losses.hinge_loss(some, x),
        "gathered": lambda x: tf.losses.sparse_softmax_cross_entropy(tf.gather_nd(labels, rows), tf.gather_nd(x, rows)),
        "masked": lambda x: tf.losses.sparse_softmax_cross_entropy(
            tf.boolean_mask(labels, labels >= 0), tf.boolean_mask(x, labels >= 0)
        ),
    }


@pytest.mark.parametrize("loss", ["sparse", "smoothed", "sigmoid", "hinge", "gathered", "masked"])
def test_a_loss_wins_over_an_image_summary_where_dropout_is_always_on(graph, loss):
    x = two_layers(images())
    tf.summary.image("activations", tf.stack([x[0, :, :, k] for k in range(3)], axis=0)[..., tf.newaxis])
    scores = dense(always_dropped(pooled(x)), 5, 8)
    tf.reduce_mean(losses()[loss](scores), name="loss")
    binding = bind(graph)
    assert (binding.logits, binding.classes, binding.score_axes) == ("dense/BiasAdd:0", 5, "nc")


def queue(x, _scores):
    rows = tf.reduce_max(x, [1, 2])
    tf.queue.FIFOQueue(10, [tf.float32]).enqueue_many([rows])


def metric(x, _scores):
    tf.metrics.mean(tf.reduce_mean(x, axis=[1, 2], name="watched"))


def confusion(_x, scores):
    truth = tf.placeholder(tf.int64, [None], name="truth")
    matrix = tf.Variable(tf.zeros([5, 5]), use_resource=False)
    tf.assign_add(matrix, tf.math.confusion_matrix(truth, tf.argmax(scores, 1), 5, dtype=tf.float32))


def accuracy(_x, scores):
    truth = tf.placeholder(tf.int64, [None], name="truth")
    hits = tf.cast(tf.equal(truth, tf.argmax(scores, 1)), tf.float32, name="hits")
    tf.summary.scalar("accuracy", tf.reduce_mean(hits))


def printed(x, _scores):
    tf.raw_ops.Print(input=tf.constant(0.0), data=[tf.reduce_mean(x, axis=[1, 2])])


def asserted(x, _scores):
    peak = tf.reduce_max(x, axis=[1, 2])
    tf.debugging.Assert(tf.constant(True), [tf.concat([peak, peak], 1)])


def saved(x, _scores):
    sums = tf.reduce_sum(x, axis=[1, 2])
    tf.raw_ops.SaveV2(prefix="x", tensor_names=["features"], shape_and_slices=[""], tensors=[sums])


@pytest.mark.parametrize("record", [queue, metric, confusion, accuracy, printed, asserted, saved])
def test_what_is_only_written_down_is_no_output(graph, record):
    """The scores have no softmax; summaries are taken before and after them."""
    x = two_layers(images())
    before = dense(always_dropped(pooled(x)), 5, 8)
    record(x, before)
    with tf.name_scope("again"):
        record(x, before)
    assert bound(graph) == ("dense/BiasAdd:0", None)
    assert not any("outputs" in warning for warning in bind(graph).warnings)


@pytest.mark.parametrize("always_on", [True, False])
def test_what_only_summaries_are_given_is_no_output_of_a_file(graph, always_on):
    """Loading cuts the summaries; what was made for them alone goes with them, the watched scores stay."""
    x = two_layers(images())
    tf.summary.image("channels", x[..., :3])
    tf.summary.image("mean", tf.tile(tf.reduce_mean(x, 3, keepdims=True), [1, 1, 1, 3]) * 255)
    tf.summary.image("stacked", tf.stack([x[..., 0]] * 3, 3))
    scores = dense(always_dropped(pooled(x)) if always_on else pooled(x), 5, 8)
    tf.summary.histogram("scores", scores)
    with GradCamGraph(graph.as_graph_def(), preset="raw") as net:
        assert net.binding.logits == scores.name
        assert not [warning for warning in net.binding.warnings if "outputs" in warning]


def test_scores_that_a_histogram_watches_are_scores(graph):
    tf.summary.histogram("scores", dense(pooled(two_layers(images())), 5, 8))
    assert bound(graph) == ("dense/BiasAdd:0", None)


def test_the_tower_without_dropout_is_preferred_to_the_trained_one(graph):
    x = pooled(two_layers(images()))
    trained = dense(always_dropped(x), 5, 8, name="train")
    tf.nn.sparse_softmax_cross_entropy_with_logits(labels=tf.placeholder(tf.int64, [None]), logits=trained)
    dense(x, 5, 8, name="test")
    assert bound(graph) == ("test/BiasAdd:0", None)


# similar cases


def test_sequence_decoders_are_outputs_and_no_scores(graph):
    columns = tf.transpose(tf.reduce_mean(trunk(), 1), [1, 0, 2])
    rows = tf.matmul(tf.reshape(columns, [-1, 8]), weights(8, 5))
    scores = tf.reshape(rows, [4, -1, 5], name="scores")
    paths, chances = tf.nn.ctc_beam_search_decoder(scores, tf.fill([tf.shape(scores)[1]], 4))
    tf.sparse.to_dense(paths[0], name="text")
    tf.exp(chances, name="chances")
    binding = bind(graph)
    assert (binding.logits, binding.score_axes, binding.classes) == ("scores:0", "anc", 5)
    assert not any("outputs" in warning for warning in binding.warnings)


def test_a_loop_over_time_keeps_images_and_time_apart(graph):
    """The loop's own tensors show nothing: time is the first axis inside it, and the second after it."""
    columns = tf.transpose(tf.reduce_mean(trunk(), 1), [1, 0, 2])
    start = tf.zeros([tf.shape(columns)[1], 8])
    states = tf.scan(lambda state, x: tf.tanh(state + x), columns, initializer=start)
    states = tf.reshape(tf.transpose(states, [1, 0, 2]), [-1, 4, 8])
    rows = tf.reshape(tf.matmul(tf.reshape(states, [-1, 8]), weights(8, 5)), [-1, 4, 5], name="steps")
    tf.nn.softmax(rows, name="prob")
    binding = bind(graph)
    assert (binding.logits, binding.score_axes) == ("steps:0", "nac")


def test_attention_over_positions_leaves_the_classifier(graph):
    x = two_layers(images())
    share = tf.nn.softmax(tf.reshape(conv(x, 1, 1, 8, name="attend"), [-1, 256]))
    x = tf.reduce_sum(tf.reshape(x, [-1, 256, 8]) * share[..., tf.newaxis], 1)
    tf.nn.sigmoid(dense(x, 4, 8, name="marks"), name="marked")
    binding = bind(graph)
    assert (binding.logits, binding.probabilities, binding.score_axes) == ("marks/BiasAdd:0", "marked:0", "nc")


def test_normalised_embedding_has_no_probabilities(graph):
    x = conv_relu(two_layers(images()), 8, inputs=8, name="conv3")
    tf.nn.l2_normalize(dense(pooled(x), 16, 8), 1, name="embeddings")
    binding = bind(graph)
    assert (binding.logits, binding.probabilities, binding.score_axes) == ("embeddings:0", None, "nc")
