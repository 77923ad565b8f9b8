"""Attention rollout and LeGrad on a small transformer against its float64 twin and finite differences."""

from __future__ import annotations

import numpy as np
import pytest
from attention_nets import AttentionNet
from relevance_nets import control_flow

from gradcam_tf1.errors import GradientError, RunError
from gradcam_tf1.gradients.guided import override_map
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.methods.catalogue import without_gradients
from gradcam_tf1.targets import Top
from gradcam_tf1.tf_runtime import tf

METHODS = ["attention_rollout", "legrad"]


class ConditionalDropout(AttentionNet):
    """With dropout in training mode, as Keras writes it for a learning phase."""

    def shares(self, scores):
        whole = tf.nn.softmax(scores)
        training = tf.placeholder_with_default(False, [])
        with control_flow(functional=False):
            return tf.cond(training, lambda: tf.nn.dropout(whole, rate=0.5), lambda: tf.identity(whole))


NETS = {
    "class token": AttentionNet(),
    "no class token": AttentionNet(class_token=False),
    "einsum": AttentionNet(spelling="einsum"),
    "einsum without class token": AttentionNet((8, 8), False, 3, "einsum"),
    "one block": AttentionNet((8, 12), blocks=1, seed=5),
    "dropout in training": ConditionalDropout(),
    "norms before": AttentionNet((8, 12), blocks=3, seed=14, normed="before"),
    "norms after": AttentionNet((8, 8), False, 3, "einsum", seed=7, normed="after"),
}


def opened(net, **how):
    return GradCamGraph(net.graph().as_graph_def(), preset="raw", input="input", layer="tokens", logits="logits", **how)


def rollout_twin(net, image):
    """Step by step: what each token holds of the first ones."""
    held = np.eye(net.tokens)
    for attention in net.forward(image)[1]:
        held = np.array([0.5 * held[i] + 0.5 * attention.mean(0)[i] @ held for i in range(net.tokens)])
    return net.on_grid(held[0] if net.class_token else held.mean(axis=0))


def legrad_twin(net, image):
    total = sum(np.maximum(net.slopes(image, block), 0).mean(axis=(1, 2)) for block in range(net.blocks))
    return np.array([net.on_grid(one) for one in total])


@pytest.mark.parametrize("net", list(NETS.values()), ids=list(NETS))
def test_both_equal_the_float64_twin(net):
    with opened(net) as graph:
        found = graph.explain(net.images, [2, 0], METHODS)
    for n, image in enumerate(net.images):
        scores, _ = net.forward(image)
        np.testing.assert_allclose(found.scores[n], scores[[2, 0]], atol=1e-4)
        rollout, legrad = rollout_twin(net, image), legrad_twin(net, image)
        assert np.ptp(rollout) > 0.01
        assert np.abs(legrad[2] - legrad[0]).max() > 0.01
        for t, class_id in enumerate((2, 0)):
            np.testing.assert_allclose(found["attention_rollout"][n, t], rollout, atol=1e-5)
            np.testing.assert_allclose(found["legrad"][n, t], legrad[class_id], atol=1e-4)


def test_rollout_by_hand_is_a_flow():
    """All rows of a rollout add up to 1: what the class token keeps of itself is the rest of the map."""
    net = NETS["class token"]
    with opened(net) as graph:
        found = graph.explain(net.images, 0, "attention_rollout")["attention_rollout"][:, 0]
    assert (found > 0).all()
    assert (found.sum(axis=(1, 2)) < 1 - 0.25).all()  # half of it in each of two layers: at least a quarter stays
    net = NETS["no class token"]
    with opened(net) as graph:
        found = graph.explain(net.images, 0, "attention_rollout")["attention_rollout"][:, 0]
    np.testing.assert_allclose(found.sum(axis=(1, 2)), 1, atol=1e-5)


def test_ops_are_built_once():
    net = NETS["class token"]
    with opened(net) as graph:
        sizes = []
        for class_id in (0, 1, 2):
            graph.explain(net.images, class_id, METHODS)
            sizes.append(len(graph.graph.get_operations()))
        assert sizes[0] == sizes[1] == sizes[2]
        assert graph.graph.finalized


def test_rollout_is_no_advice_where_a_gradient_is_missing():
    assert "attention_rollout" not in without_gradients()
    assert "reciprocam" in without_gradients()


def test_tokens_of_ones_own_are_read_by_the_hook():
    class Mirrored(GradCamGraph):
        def reshape(self, features):
            return tf.reverse(tf.reshape(features[:, 1:], [-1, 3, 4, int(features.shape[2])]), [2])

    net = NETS["class token"]
    with Mirrored(net.graph().as_graph_def(), preset="raw", input="input", layer="tokens", logits="logits") as graph:
        found = graph.explain(net.images[:1], 0, "attention_rollout")["attention_rollout"][0, 0]
    np.testing.assert_allclose(found, rollout_twin(net, net.images[0])[:, ::-1], atol=1e-5)


def test_other_tokens_besides_are_refused():
    class Cut(GradCamGraph):
        def reshape(self, features):
            return tf.reshape(features[:, 4:], [-1, 3, 3, int(features.shape[2])])

    net = NETS["class token"]
    graph = Cut(net.graph().as_graph_def(), preset="raw", input="input", layer="tokens", logits="logits")
    with graph, pytest.raises(GradientError, match="of 13 tokens 9 are a grid: which of the others is the class token"):
        graph.explain(net.images, 0, "attention_rollout")


def net_of(build, size=(8, 8)):
    """A graph whose scores are the mean of what `build` makes of the tokens [N, 4, 6]."""
    graph = tf.Graph()
    random = np.random.RandomState(0)
    with graph.as_default(), override_map(graph):
        x = tf.placeholder(tf.float32, [None, *size, 3], name="input")
        kernel = random.randn(4, 4, 3, 6).astype(np.float32) * 0.01
        tokens = tf.reshape(tf.nn.conv2d(x, kernel, [1, 4, 4, 1], "VALID"), [-1, 4, 6], name="tokens")
        tf.matmul(tf.reduce_mean(build(tokens), axis=1), random.randn(6, 2).astype(np.float32), name="logits")
    return GradCamGraph(graph.as_graph_def(), preset="raw", input="input", layer="tokens", logits="logits")


def attended(tokens, by=None):
    by = tokens if by is None else by
    return tf.matmul(tf.nn.softmax(tf.matmul(by, tokens, transpose_b=True)), tokens)


IMAGES = np.random.RandomState(1).uniform(0, 255, (2, 8, 8, 3)).astype(np.float32)


def test_a_single_head_needs_no_axis():
    with net_of(attended) as graph:
        found = graph.explain(IMAGES, 0, "attention_rollout")["attention_rollout"][:, 0]
        tokens, logits = graph.graph.get_tensor_by_name("tokens:0"), graph.graph.get_tensor_by_name("Softmax:0")
        attention = graph.sess.run(logits, {graph.graph.get_tensor_by_name("input:0"): IMAGES})
        assert tokens.shape.as_list()[1:] == [4, 6]
    expected = 0.5 * np.eye(4) + 0.5 * attention.astype(float)
    np.testing.assert_allclose(found, expected.mean(axis=1).reshape(2, 2, 2), atol=1e-6)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (tf.tanh, "no attention is found between 'input:0' and 'logits:0': a Softmax of .* use 'gradcam'"),
        (lambda tokens: tokens * tf.nn.softmax(tokens), "no attention is found"),
        (
            lambda tokens: attended(attended(tokens), tf.reduce_mean(tokens, 1, keepdims=True)),
            r"the attention 'Softmax_1:0' is \[None, 1, 4\], and 'Softmax:0' is \[None, 4, 4\]: they are chained only",
        ),
        (
            lambda tokens: attended(tokens) + attended(2 * tokens),
            "the attention 'Softmax_1:0' is not computed from 'Softmax:0': branches side by side have no common chain",
        ),
    ],
    ids=["no attention", "a gate", "a pooling", "branches"],
)
def test_what_has_no_chain_is_refused(build, message):
    with net_of(build) as graph:
        with pytest.raises(GradientError, match=message):
            graph.explain(IMAGES, 0, "attention_rollout")
        usable, reasons = graph.usable_methods([*METHODS, "gradcam"])
    assert usable == ["gradcam"]
    assert set(reasons) == set(METHODS)


def test_windows_of_attention_are_refused():
    """Of two tokens each: [2 N, 2, 2] for N images."""

    def windows(tokens):
        return tf.reshape(attended(tf.reshape(tokens, [-1, 2, 6])), [-1, 4, 6])

    with net_of(windows) as graph, pytest.raises((RunError, GradientError), match="cuts images into parts|is no grid"):
        graph.explain(IMAGES, 0, "attention_rollout")


def test_the_class_is_that_of_the_net_and_not_of_a_layer():
    """The best class of the net, though a layer's own tokens may score another one higher."""
    net = NETS["norms before"]
    best = [int(net.forward(image)[0].argmax()) for image in net.images]
    first = [int(net.forward(image, layers=1)[0].argmax()) for image in net.images]
    assert best != first
    with opened(net) as graph:
        found = graph.explain(net.images, Top(1), "legrad")["legrad"]
    np.testing.assert_allclose(found[:, 0], [legrad_twin(net, x)[c] for x, c in zip(net.images, best)], atol=1e-4)


def test_a_head_that_sees_more_than_the_last_tokens_is_refused():
    """The mean over the tokens of both layers: there is no head that one layer's tokens could be put through."""
    with net_of(lambda tokens: attended(attended(tokens)) + tokens) as graph:
        message = "the head behind .* 'Softmax:0' .. 'Softmax_1:0' is not found: the layers do not end alike"
        with pytest.raises(GradientError, match=message):
            graph.explain(IMAGES, 0, "legrad")
        graph.explain(IMAGES, 0, "attention_rollout")
        assert set(graph.usable_methods(["legrad"])[1]) == {"legrad"}


def test_layers_that_end_in_other_ways_are_refused():
    """Where the second layer has no tanh, its tokens may or may not be those before the mean."""
    other = net_of(lambda tokens: attended(tf.tanh(attended(tokens))))
    with other as graph, pytest.raises(GradientError, match="the layers do not end alike"):
        graph.explain(IMAGES, 0, "legrad")
    with net_of(lambda tokens: tf.tanh(attended(tf.tanh(attended(tokens))))) as graph:
        assert graph.explain(IMAGES, 0, "legrad")["legrad"].max() > 0
