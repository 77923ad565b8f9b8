"""Relevance through transformers: a float64 twin, what is conserved, and one map for all spellings."""

from __future__ import annotations

import re

import numpy as np
import pytest
from attention_nets import AttentionNet, einsum
from attention_relevance import RelevanceTwin
from relevance_nets import imported, relevance_in

from gradcam_tf1 import GradCamGraph
from gradcam_tf1.engine.graph_import import import_graph
from gradcam_tf1.gradients.normalisers import norms_each_image
from gradcam_tf1.gradients.relevance import RelevanceComposite
from gradcam_tf1.gradients.relevance_rules import Settings
from gradcam_tf1.tf_runtime import tf

EXACT = RelevanceComposite("epsilon", "epsilon", "same", Settings(epsilon=0))


def in_package(net, how=EXACT):
    """(relevance of the images, scores) of class 2, the net as the package imports it."""
    graph = tf.Graph()
    with graph.as_default():
        tf.import_graph_def(net.graph().as_graph_def(), name="")
        tf.identity(graph.get_tensor_by_name("logits:0"), name="scores")
    definition = graph.as_graph_def()
    for node in definition.node:
        node.name, node.input[:] = RENAMED.get(node.name, node.name), [RENAMED.get(each, each) for each in node.input]
    return relevance_in(import_graph(definition, "net"), net.images, how)[:2]


RENAMED = {"logits": "last_dense", "scores": "logits"}


@pytest.mark.parametrize("normed", ["", "before", "after"])
@pytest.mark.parametrize("class_token", [True, False])
def test_the_epsilon_rule_equals_a_twin_of_the_whole_transformer(normed, class_token):
    net = AttentionNet(size=(8, 12), class_token=class_token, normed=normed)
    found, scores = in_package(net)
    for n, image in enumerate(net.images):
        twin = RelevanceTwin(net, image, 2)
        np.testing.assert_allclose(scores[n], twin.score, rtol=1e-4)
        assert np.abs(found[n] - twin.relevance).max() < 2e-3 * np.abs(twin.relevance).max()


@pytest.mark.parametrize("normed", ["", "before", "after"])
def test_without_biases_all_of_the_score_arrives_but_for_what_softmaxes_keep(normed):
    net = AttentionNet(size=(8, 12), class_token=False, normed=normed)
    net.place *= 0
    net.norms = [(factor, 0 * shift) for factor, shift in net.norms] if normed else []
    found, scores = in_package(net)
    for n, image in enumerate(net.images):
        kept = RelevanceTwin(net, image, 2).kept
        assert abs(kept) > 0.01 * abs(scores[n])
        np.testing.assert_allclose(found[n].sum(), scores[n] - kept, rtol=1e-3)


@pytest.mark.parametrize("how", [EXACT, RelevanceComposite("zplus", "zplus"), RelevanceComposite("zplus", "gamma")])
def test_einsum_and_matmul_of_one_net_have_one_map(how):
    matmul, einsum = (AttentionNet(size=(8, 12), spelling=each, normed="before") for each in ("matmul", "einsum"))
    first, second = in_package(matmul, how)[0], in_package(einsum, how)[0]
    assert np.abs(first - second).max() < 1e-3 * np.abs(first).max()


@pytest.mark.skipif(tf.__version__.startswith("1."), reason="TensorFlow 1.15 has no such norm on CPUs")
@pytest.mark.parametrize("normed", ["before", "after"])
def test_a_layer_norm_in_one_op_is_the_same_map(normed):
    plain, fused = (in_package(AttentionNet(size=(8, 12), normed=normed, fused=each))[0] for each in (False, True))
    assert np.abs(plain - fused).max() < 2e-3 * np.abs(plain).max()


FUSED_NORMS = {
    "tokens": ((None, 5, 8), (1, -1, 8, 1), "NCHW", True),
    "tokens, as Keras merges axes": ((None, 5, 8), "merged", "NCHW", True),
    "two tokens of an image": ((None, 6, 8), (1, -1, 16, 1), "NCHW", True),
    "groups of channels": ((None, 4, 6, 6), (1, -1, 12, 6), "NCHW", True),
    "a token and a half": ((None, 5, 8), (1, -1, 12, 1), "NCHW", False),
    "channels of all images": ((None, 5, 8), (-1, 8, 5, 1), "NCHW", False),
    "rows of all images": ((None, 5, 8), (1, -1, 8, 1), "NHWC", False),
}


def merged(tokens):
    """The shape as Keras computes it: TensorFlow does not see that its third number is 8."""
    sides = tf.shape(tokens)
    return tf.stack([1, tf.reduce_prod(sides[:2]), tf.reduce_prod(sides[-1:]) * 1, 1])


@pytest.mark.parametrize("name", FUSED_NORMS)
def test_a_norm_in_training_mode_is_taken_for_a_layer_norm_only_if_it_sees_one_image(name):
    shape, cells, data_format, alone = FUSED_NORMS[name]
    with tf.Graph().as_default():
        tokens = tf.placeholder(tf.float32, shape)
        x = tf.reshape(tokens, merged(tokens) if cells == "merged" else cells)
        numbers = tf.ones([tf.shape(x)[data_format.index("C")]])
        y = tf.nn.fused_batch_norm(x, numbers, 0 * numbers, data_format=data_format)[0]
        assert norms_each_image(y.op) == alone


def test_a_transformer_has_maps_and_is_told_how_much_of_the_score_they_have():
    net = AttentionNet(size=(8, 12), spelling="einsum", normed="before")
    with GradCamGraph(net.graph().as_graph_def(), preset="raw", layer="tokens:0") as bound:
        found = bound.explain(net.images, 2, ["lrp_epsilon", "deep_taylor", "relevance_cam"])
    for n, image in enumerate(net.images):
        twin = RelevanceTwin(net, image, 2)
        note = found.statuses["lrp_epsilon", ""][n][0].notes[-1]
        total, score = (float(each) for each in re.findall(r"(?:adds up to|score is) (-?[\d.e+-]+),", note))
        np.testing.assert_allclose([total, score], [twin.relevance.sum(), twin.score], rtol=5e-3)
        assert "softmaxes between layers" in note or "a softmax between layers" in note
    assert all(np.isfinite(maps).all() and np.abs(maps).max() > 0 for maps in found.maps.values())


def masked(scores, softmax):
    """A softmax over tokens, the last of which is hidden from all."""
    hidden = np.zeros(6, np.float32)
    hidden[-1] = -np.inf
    return softmax(scores + hidden)


def quotient(scores):
    powers = tf.exp(scores - tf.reduce_max(scores, -1, keepdims=True))
    return powers / tf.reduce_sum(powers, -1, keepdims=True)


SOFTMAXES = {
    "quotient": quotient,
    "quotient without a shift": lambda scores: tf.exp(scores) / tf.reduce_sum(tf.exp(scores), -1, keepdims=True),
    "log sum exp": lambda scores: tf.exp(scores - tf.reduce_logsumexp(scores, -1, keepdims=True)),
    "transposed": lambda scores: tf.transpose(tf.nn.softmax(tf.transpose(scores, [0, 2, 1]), 1), [0, 2, 1]),
}


@pytest.mark.parametrize("hides", [True, False])
@pytest.mark.parametrize("written", SOFTMAXES)
def test_a_softmax_is_one_however_it_is_written(written, hides):
    weights = [np.random.RandomState(n).randn(3, 3).astype(np.float32) for n in range(4)]

    def build(softmax):
        def net(x):
            query, key, value = (tf.tensordot(x, w, 1) for w in weights[:3])
            scores = tf.matmul(query, key, transpose_b=True)
            mixed = tf.matmul(masked(scores, softmax) if hides else softmax(scores), value)
            return tf.matmul(tf.reduce_sum(mixed, 1), weights[3])

        return imported(net, (None, 6, 3))

    x = np.random.RandomState(9).randn(2, 6, 3).astype(np.float32)
    plain, other = (relevance_in(build(each), x, EXACT)[0] for each in (tf.nn.softmax, SOFTMAXES[written]))
    assert np.isfinite(plain).all()
    assert np.abs(plain - other).max() < 1e-3 * np.abs(plain).max()


@pytest.mark.parametrize("softmax", [tf.nn.softmax, quotient])
@pytest.mark.parametrize("mixed", [lambda p: p, lambda p: (p[..., ::-1] + p) / 2.0])
def test_the_softmax_of_the_answer_hands_its_relevance_down_unchanged(softmax, mixed):
    """Also where several answers are averaged."""
    weights = np.random.RandomState(1).randn(5, 3).astype(np.float32)
    x = np.random.RandomState(2).rand(2, 5).astype(np.float32)
    graph = imported(lambda x: mixed(softmax(tf.matmul(x, weights))), (None, 5))
    found, score, _ = relevance_in(graph, x, EXACT)
    np.testing.assert_allclose(found.sum(1), score, rtol=1e-4)


@pytest.mark.parametrize("rule", ["epsilon", "zplus", "alpha_beta", "gamma"])
@pytest.mark.parametrize(("equation", "order"), [("abc,cde->abde", [0, 1, 2]), ("abc,edc->abde", [2, 1, 0])])
def test_factors_and_biases_behind_an_einsum_are_folded_as_behind_a_matrix_product(equation, order, rule):
    """Of heads and their numbers, as Keras writes it."""
    random = np.random.RandomState(4)
    kernel, last = random.randn(3, 4, 2).astype(np.float32), random.randn(8, 3).astype(np.float32)
    factor, bias = random.randn(2, 4, 2).astype(np.float32)
    x = random.randn(2, 6, 3).astype(np.float32)

    def folded(x):
        heads = einsum(equation, x, tf.constant(kernel.transpose(order))) * factor + bias
        return tf.matmul(tf.reshape(tf.reduce_sum(tf.nn.relu(heads), 1), [-1, 8]), last)

    def plain(x):
        heads = tf.matmul(tf.reshape(x, [-1, 3]), kernel.reshape(3, 8)) * factor.ravel() + bias.ravel()
        return tf.matmul(tf.reduce_sum(tf.reshape(tf.nn.relu(heads), [-1, 6, 8]), 1), last)

    found, expected = (
        relevance_in(imported(net, (None, 6, 3)), x, RelevanceComposite(rule, rule))[0] for net in (folded, plain)
    )
    assert np.abs(found - expected).max() < 1e-3 * np.abs(expected).max()
