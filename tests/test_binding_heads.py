"""What is a head and what is not: records, losses, decisions, logarithms, softmax over positions, several outputs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from binding_graphs import bound, conv, conv_relu, dense, pictures, pooled, two_layers, weights
from head_nets import PICTURES, answers, assert_same, logits, opened, score_map, trunk, values_of

from gradcam_tf1.binding import bind
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.loaders import load
from gradcam_tf1.run.settings import net_warnings
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import KeyTensors


def always_dropped(x, name="dropped"):
    """Dropout that nothing turns off."""
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
    x = two_layers(pictures())
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
    """The scores are not even behind a softmax; the records are made before and after them."""
    x = two_layers(pictures())
    before = dense(always_dropped(pooled(x)), 5, 8)
    record(x, before)
    with tf.name_scope("again"):
        record(x, before)
    assert bound(graph) == ("dense/BiasAdd:0", None)
    assert not any("outputs" in warning for warning in bind(graph).warnings)


def test_scores_that_a_histogram_watches_are_scores(graph):
    tf.summary.histogram("scores", dense(pooled(two_layers(pictures())), 5, 8))
    assert bound(graph) == ("dense/BiasAdd:0", None)


def test_the_tower_without_dropout_is_preferred_to_the_trained_one(graph):
    x = pooled(two_layers(pictures()))
    trained = dense(always_dropped(x), 5, 8, name="train")
    tf.nn.sparse_softmax_cross_entropy_with_logits(labels=tf.placeholder(tf.int64, [None]), logits=trained)
    dense(x, 5, 8, name="test")
    assert bound(graph) == ("test/BiasAdd:0", None)


# the logarithm of a softmax


def plain_softmax():
    tf.nn.softmax(logits(), name="prob")


LOGARITHMS = {
    "op": tf.nn.log_softmax,
    "of softmax": lambda x: tf.log(tf.nn.softmax(x)),
    "of clipped": lambda x: tf.log(tf.clip_by_value(tf.nn.softmax(x), 1e-7, 1.0)),
    "of maximum": lambda x: tf.log(tf.maximum(tf.nn.softmax(x), 1e-7)),
    "with epsilon": lambda x: tf.log(tf.nn.softmax(x) + 1e-7),
    "minus logsumexp": lambda x: x - tf.reduce_logsumexp(x, axis=1, keepdims=True),
    "minus log of sum": lambda x: x - tf.log(tf.reduce_sum(tf.exp(x), 1, keepdims=True)),
    "minus expanded logsumexp": lambda x: x - tf.expand_dims(tf.reduce_logsumexp(x, axis=-1), -1),
}


@pytest.mark.parametrize("kind", LOGARITHMS)
def test_a_logarithm_of_softmax_named_as_logits_is_walked_back(kind):
    def build():
        tf.identity(LOGARITHMS[kind](logits()), name="log_prob")

    ours = answers(build, logits="log_prob")
    assert ours["binding"].logits == "dense/BiasAdd:0"
    assert any("'log_prob:0' bound as score; using 'dense/BiasAdd:0'" in w for w in ours["binding"].warnings)
    assert_same(ours, answers(plain_softmax))
    if ours["probabilities"] is not None:
        np.testing.assert_allclose(ours["probabilities"], answers(plain_softmax)["probabilities"], rtol=1e-4)


@pytest.mark.parametrize("kind", LOGARITHMS)
@pytest.mark.parametrize("declared", [False, True])
def test_a_logarithm_of_softmax_found_by_itself(graph, kind, declared):
    tf.identity(LOGARITHMS[kind](logits()), name="log_prob")
    binding = bind(graph, declared_outputs=("log_prob:0",) * declared)
    assert binding.logits == "dense/BiasAdd:0"
    assert binding.probabilities is None or "softmax" in binding.probabilities.lower()


def test_log_sigmoid_named_as_logits_is_walked_back():
    def build():
        tf.identity(tf.math.log_sigmoid(logits(3)), name="log_prob")

    def plain():
        tf.nn.sigmoid(logits(3), name="prob")

    assert_same(answers(build, logits="log_prob"), answers(plain))


def test_shifted_scores_are_no_logarithm(graph):
    scores = dense(pooled(two_layers(pictures())), 5, 8)
    tf.subtract(scores, tf.reduce_mean(scores, 1, keepdims=True), name="centred")
    assert bind(graph, requested=KeyTensors(logits="centred")).logits == "centred:0"


# softmax over positions


def soft_argmax(x):
    """The mean place of each channel: x and y of 2 key points."""
    power = tf.exp(x - tf.reduce_max(x, [1, 2], keepdims=True))
    share = power / tf.reduce_sum(power, [1, 2], keepdims=True)
    grid = tf.reshape(tf.range(4, dtype=tf.float32), [1, 4, 1, 1])
    rows = tf.reduce_sum(share * grid, [1, 2])
    columns = tf.reduce_sum(share * tf.reshape(grid, [1, 1, 4, 1]), [1, 2])
    return tf.concat([rows, columns], 1, name="places")


def flattened_softmax(x):
    flat = tf.reshape(tf.transpose(x, [0, 3, 1, 2]), [-1, 2, 16])
    share = tf.nn.softmax(flat)
    grid = tf.range(16, dtype=tf.float32)
    return tf.reduce_sum(share * grid, -1, name="places")


def flattened_rows_softmax(x):
    """Pictures and channels together: the softmax of spatial_softmax in tf.contrib."""
    flat = tf.reshape(tf.transpose(x, [0, 3, 1, 2]), [-1, 16])
    expected = tf.reduce_sum(tf.nn.softmax(flat) * tf.range(16, dtype=tf.float32), [1], keepdims=True)
    return tf.reshape(expected, [-1, 2], name="places")


@pytest.mark.parametrize("places", [soft_argmax, flattened_softmax, flattened_rows_softmax])
def test_softmax_over_positions_is_none_over_classes(graph, places):
    count = places(score_map(2)).shape.as_list()[-1]
    binding = bind(graph)
    assert (binding.logits, binding.classes, binding.probabilities) == ("places:0", count, None)


@pytest.mark.parametrize("places", [soft_argmax, flattened_softmax, flattened_rows_softmax])
def test_a_classifier_behind_places_is_found(graph, places):
    found = places(score_map(2))
    tf.nn.softmax(dense(found, 5, found.shape.as_list()[-1]), name="prob")
    assert bound(graph) == ("dense/BiasAdd:0", "prob:0")


def test_the_places_are_explained_as_they_are():
    """y of output 1 is the expected row of channel 1, whose gradient differs from that of the heat map's mean."""
    with tf.Graph().as_default() as graph:
        soft_argmax(score_map(2))
        places, features = (graph.get_tensor_by_name(f"{name}:0") for name in ("places", "features"))
        grads = tf.gradients(places[:, 1], features)[0]
        with tf.Session(graph=graph) as sess:
            wanted = sess.run([places, tf.reduce_sum(grads * features, -1)], {"input:0": PICTURES / np.float32(255)})
    ours = answers(lambda: soft_argmax(score_map(2)), [1])
    np.testing.assert_allclose(ours["scores"][:, 0], wanted[0][:, 1], rtol=1e-4)
    np.testing.assert_allclose(ours["maps"][:, 0], wanted[1], atol=1e-6)


# what stands between


def quantised(x):
    return tf.quantization.fake_quant_with_min_max_args(x, -6.0, 6.0, num_bits=16)


@pytest.mark.parametrize(
    "between",
    [
        quantised,
        lambda x: tf.cast(tf.cast(x, tf.float16), tf.float32),
        lambda x: tf.cast(x, tf.float64),
        lambda x: tf.quantization.quantize_and_dequantize(x, -6.0, 6.0, range_given=True, num_bits=16),
    ],
    ids=["fake quant", "half", "double", "quantise"],
)
def test_quantising_and_casting_are_passed(between):
    def build():
        tf.identity(between(tf.nn.softmax(between(logits()))), name="out")

    for options in ({}, {"logits": "out"}):
        ours = answers(build, **options)
        assert ours["binding"].score_axes == "nc"
        np.testing.assert_allclose(ours["scores"], answers(plain_softmax)["scores"], atol=2e-3)
        np.testing.assert_allclose(ours["maps"], answers(plain_softmax)["maps"], atol=2e-3)


def test_dequantised_probabilities_named_as_logits_are_walked_back():
    def build():
        prob = tf.nn.softmax(logits())
        eight = tf.quantization.quantize(prob, 0.0, 1.0, tf.quint8)
        tf.quantization.dequantize(eight.output, eight.output_min, eight.output_max, name="out")

    assert_same(answers(build, logits="out"), answers(plain_softmax))


@pytest.mark.parametrize("output", ["classes", "best", "names", "looked_up"])
def test_decisions_named_as_output_are_walked_back(output):
    def build():
        prob = tf.nn.softmax(logits(), name="prob")
        tf.argmax(prob, 1, name="classes")
        tf.identity(tf.nn.top_k(prob, 2).indices, name="best")
        tf.gather(tf.constant(list("abcde")), tf.argmax(prob, 1), name="names")
        tf.strings.as_string(tf.argmax(prob, 1), name="looked_up")

    ours = answers(build, output=output)
    assert ours["binding"].logits == "dense/BiasAdd:0"
    assert_same(ours, answers(plain_softmax))


def test_a_temperature_keeps_the_classes():
    def build():
        tf.nn.softmax(tf.divide(logits(), 2.0, name="cool"), name="prob")

    scores = values_of(build, ["cool:0"])[0]
    np.testing.assert_allclose(answers(build)["scores"], scores[:, :2], rtol=1e-4)


# several outputs


def two_heads():
    x = pooled(trunk())
    tf.nn.softmax(dense(x, 2, 8, name="sex"), name="sex_prob")
    tf.nn.softmax(dense(x, 7, 8, name="age"), name="age_prob")


def test_several_outputs_are_said_first_and_can_be_chosen_as_written():
    with opened(two_heads) as net:
        warning = net.binding.warnings[0]
    assert "2 outputs and none was asked for" in warning
    chosen, other = warning.split("'")[1], warning.split("'")[3]
    assert {chosen, other} == {"sex_prob:0", "age_prob:0"}
    name = warning.split("--output ")[1].split(" ")[0]
    assert name == other
    for asked in (chosen, other):
        with opened(two_heads, output=asked) as net:
            assert net.binding.logits == asked.replace("_prob:0", "/BiasAdd:0")
            assert not any("none was asked for" in warning for warning in net.binding.warnings)


def test_the_warning_comes_before_those_of_the_model():
    with tf.Graph().as_default() as graph:
        two_heads()
    with GradCamGraph(replace(load(graph), notes=("a note of the loader",)), preset="zero-one") as net:
        told = net_warnings(net)
    assert "none was asked for" in told[0]
    assert "a note of the loader" in told


def test_declared_outputs_are_listed_by_their_names(graph):
    x = pooled(two_layers(pictures()))
    prob = tf.nn.softmax(dense(x, 5, 8, name="kind"), name="prob")
    tf.argmax(prob, 1, name="classes")
    tf.nn.sigmoid(dense(x, 3, 8, name="marks"), name="marked")
    dense(x, 1, 8, name="price")
    names = ("prob:0", "classes:0", "marked:0", "price/BiasAdd:0")
    warning = bind(graph, declared_outputs=names).warnings[0]
    assert "3 outputs" in warning
    assert "'marked:0', 'price/BiasAdd:0'" in warning
    assert "classes:0" not in warning
    for name, scores in (("marked:0", "marks/BiasAdd:0"), ("price/BiasAdd:0", "price/BiasAdd:0")):
        assert bind(graph, declared_outputs=names, requested=KeyTensors(logits=name)).logits == scores


def test_outputs_of_one_set_of_scores_are_one_output(graph):
    prob = tf.nn.softmax(dense(pooled(two_layers(pictures())), 5, 8), name="prob")
    tf.argmax(prob, 1, name="classes")
    tf.nn.top_k(prob, 3, name="best")
    tf.reduce_max(prob, 1, name="confidence")
    assert bound(graph) == ("dense/BiasAdd:0", "prob:0")
    assert not any("outputs" in warning for warning in bind(graph).warnings)


def test_a_coarse_head_that_feeds_a_fine_one_can_be_asked_for(graph):
    x = pooled(two_layers(pictures()))
    coarse = tf.nn.softmax(dense(x, 3, 8, name="coarse"), name="coarse_prob")
    tf.nn.softmax(dense(tf.concat([x, coarse], 1), 9, 11, name="fine"), name="fine_prob")
    assert bound(graph) == ("fine/BiasAdd:0", "fine_prob:0")
    names = ("coarse_prob:0", "fine_prob:0")
    assert "2 outputs" in bind(graph, declared_outputs=names).warnings[0]
    assert bound(graph, requested=KeyTensors(logits="coarse_prob")) == ("coarse/BiasAdd:0", "coarse_prob:0")


# others of the kind


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


def test_a_loop_over_time_keeps_pictures_and_time_apart(graph):
    """Also where the loop's own tensors tell nothing: the time is in front inside, and behind the pictures again."""
    columns = tf.transpose(tf.reduce_mean(trunk(), 1), [1, 0, 2])
    start = tf.zeros([tf.shape(columns)[1], 8])
    states = tf.scan(lambda state, x: tf.tanh(state + x), columns, initializer=start)
    states = tf.reshape(tf.transpose(states, [1, 0, 2]), [-1, 4, 8])
    rows = tf.reshape(tf.matmul(tf.reshape(states, [-1, 8]), weights(8, 5)), [-1, 4, 5], name="steps")
    tf.nn.softmax(rows, name="prob")
    binding = bind(graph)
    assert (binding.logits, binding.score_axes) == ("steps:0", "nac")


def test_attention_over_positions_leaves_the_classifier(graph):
    x = two_layers(pictures())
    share = tf.nn.softmax(tf.reshape(conv(x, 1, 1, 8, name="attend"), [-1, 256]))
    x = tf.reduce_sum(tf.reshape(x, [-1, 256, 8]) * share[..., tf.newaxis], 1)
    tf.nn.sigmoid(dense(x, 4, 8, name="marks"), name="marked")
    binding = bind(graph)
    assert (binding.logits, binding.probabilities, binding.score_axes) == ("marks/BiasAdd:0", "marked:0", "nc")


def test_normalised_embedding_has_no_probabilities(graph):
    x = conv_relu(two_layers(pictures()), 8, inputs=8, name="conv3")
    tf.nn.l2_normalize(dense(pooled(x), 16, 8), 1, name="embeddings")
    binding = bind(graph)
    assert (binding.logits, binding.probabilities, binding.score_axes) == ("embeddings:0", None, "nc")
