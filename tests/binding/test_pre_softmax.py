"""Softmax and its logarithm in all spellings, softmax over positions, and ops in between."""

from __future__ import annotations

import numpy as np
import pytest
from binding_graphs import bound, dense, images, pooled, two_layers
from head_nets import IMAGES, answers, assert_same, logits, score_map, values_of

from gradcam_tf1.binding.bind_graph import bind
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import KeyTensors

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
    scores = dense(pooled(two_layers(images())), 5, 8)
    tf.subtract(scores, tf.reduce_mean(scores, 1, keepdims=True), name="centred")
    assert bind(graph, requested=KeyTensors(logits="centred")).logits == "centred:0"


# softmax over positions


def soft_argmax(x):
    """The mean position of each channel: x and y of 2 key points."""
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
    """Images and channels in one axis, as in spatial_softmax of tf.contrib."""
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
    """Output 1 is the expected row of channel 1; its gradient differs from that of the heat map's mean."""
    with tf.Graph().as_default() as graph:
        soft_argmax(score_map(2))
        places, features = (graph.get_tensor_by_name(f"{name}:0") for name in ("places", "features"))
        grads = tf.gradients(places[:, 1], features)[0]
        with tf.Session(graph=graph) as sess:
            wanted = sess.run([places, tf.reduce_sum(grads * features, -1)], {"input:0": IMAGES / np.float32(255)})
    ours = answers(lambda: soft_argmax(score_map(2)), [1])
    np.testing.assert_allclose(ours["scores"][:, 0], wanted[0][:, 1], rtol=1e-4)
    np.testing.assert_allclose(ours["maps"][:, 0], wanted[1], atol=1e-6)


# ops in between


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
