"""Nets with gates: what guided methods refuse, and what their notes say."""

from __future__ import annotations

import numpy as np
import pytest

from gradcam_tf1.errors import GradientError
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.tf_runtime import tf

HARD_SWISH = 7 / 6  # the slope at 2
MISH = np.tanh(np.log1p(np.exp(2))) + 2 * (1 - np.tanh(np.log1p(np.exp(2))) ** 2) / (1 + np.exp(-2))
# (what the net writes, its slope at 2)
GATES = {
    "x relu6(x+3) / 6": (lambda x: x * tf.nn.relu6(x + 3.0) / 6.0, HARD_SWISH),
    "relu6(3+x) (x/6)": (lambda x: tf.nn.relu6(3.0 + x) * (x / 6.0), HARD_SWISH),
    "x clip(x/6+.5)": (lambda x: tf.clip_by_value(x / 6.0 + 0.5, 0.0, 1.0) * x, HARD_SWISH),
    "x (relu(x+3) - relu(x-3)) / 6": (lambda x: x * (tf.nn.relu(x + 3.0) - tf.nn.relu(x - 3.0)) / 6.0, HARD_SWISH),
    "mish": (lambda x: x * tf.tanh(tf.nn.softplus(x)), MISH),
}


def net_of(activation):
    """A gray image of three positions - times 1 - activation - dense with rows 1, -1, 1: the issue's net."""
    graph = tf.Graph()
    with graph.as_default():
        x = tf.placeholder(tf.float32, [None, 1, 3, 1], name="x")
        z = tf.nn.conv2d(x, np.ones((1, 1, 1, 1), np.float32), [1, 1, 1, 1], "SAME", name="z")
        rows = np.array([[1, 0], [-1, 0], [1, 0]], np.float32)
        tf.matmul(tf.reshape(activation(z), [-1, 3]), rows, name="logits")
    return GradCamGraph(graph.as_graph_def(), input="x", logits="logits", layer="z", preset="gray-raw")


TWO = np.full((1, 1, 3, 3), 2, np.uint8)


@pytest.mark.parametrize("name", GATES)
@pytest.mark.parametrize("method", ["guided_backprop", "deconvnet", "guided_gradcam"])
def test_a_net_of_gates_alone_is_refused_as_swish_is(name, method):
    spell, slope = GATES[name]
    with net_of(spell) as net:
        plain = net.explain(TWO, 0, "gradient")["gradient"].ravel()
        np.testing.assert_allclose(plain, [slope, -slope, slope], rtol=1e-5)
        with pytest.raises(GradientError, match="a plain gradient in disguise.*of which factors of a product: 1 "):
            net.explain(TWO, 0, method)
        assert net.usable_methods([method])[0] == []


def test_the_note_says_what_was_changed_and_what_was_left():
    with net_of(lambda z: (lambda r: r * (tf.nn.relu6(r + 3.0) / 6.0) * tf.sigmoid(z))(tf.nn.relu(z))) as net:
        found = net.explain(TWO, 0, "guided_backprop")
        (note,) = found.statuses["guided_backprop", ""][0][0].notes
    assert note == "the guided rule changed 1 Relu; left as gates: 1 Relu6; unchanged: 1 Sigmoid"
