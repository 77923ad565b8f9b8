"""Texts are explained by their embeddings: against tf.gradients in the net itself, and a linear net by hand."""

from __future__ import annotations

import numpy as np
import pytest
from text_nets import HEAD, NETS, T, built, frozen, masked_mean, table

from gradcam_tf1.errors import OptionError
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.methods import method
from gradcam_tf1.tf_runtime import tf

IDS = np.array([[2, 3, 4, 8, 5, 0, 0, 0, 0, 0], [3, 4, 7, 5, 9, 9, 6, 2, 1, 1]])


def reference(name, class_id):
    """Scores, embeddings and their gradient, by TensorFlow alone in the graph that built the net."""
    graph = built(NETS[name])
    with graph.as_default(), tf.Session() as session:
        y, e = (graph.get_tensor_by_name(name) for name in ("logits:0", "embedding_lookup:0"))
        (grads,) = tf.gradients(y[:, class_id], e)
        return session.run([y[:, class_id], e, grads], {"ids:0": IDS})


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("class_id", [0, 1])
def test_the_gradient_is_that_of_the_net(name, class_id):
    scores, embedded, grads = reference(name, class_id)
    with GradCamGraph(frozen(NETS[name])) as net:
        found = net.explain(IDS, class_id, ["gradient", "gradient_x_input"])
    np.testing.assert_allclose(found.scores[:, 0], scores, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found.maps["gradient", ""][:, 0], grads, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found.maps["gradient_x_input", ""][:, 0], embedded * grads, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", ["masked_mean", "attention", "recurrent"])
def test_without_a_convolution_gradcam_is_at_the_embeddings(name):
    _, embedded, grads = reference(name, 1)
    with GradCamGraph(frozen(NETS[name])) as net:
        found = net.explain(IDS, 1, ["gradcam", "hirescam"])
    cam = np.maximum((embedded * grads.mean(1, keepdims=True)).sum(-1), 0)
    np.testing.assert_allclose(found.maps["gradcam", "embedding_lookup:0"][:, 0], cam, rtol=1e-4, atol=1e-6)
    hires = (embedded * grads).sum(-1)
    np.testing.assert_allclose(found.maps["hirescam", "embedding_lookup:0"][:, 0], hires, rtol=1e-4, atol=1e-6)


def test_a_linear_net_by_hand():
    """y is the mean of e.w over the words: each word has e.w / words, by every method that adds up to the score."""
    wanted = table()[IDS] @ HEAD[:, 1] / np.array([[5], [10]])
    wanted[IDS == 0] = 0
    chosen = [
        "gradient_x_input",
        method("integrated_gradients", steps=3),
        method("occlusion", window=1, stride=1, baseline="zero"),
    ]
    with GradCamGraph(frozen(masked_mean)) as net:
        found = net.explain(IDS, 1, chosen)
    for name in ("gradient_x_input", "integrated_gradients"):
        np.testing.assert_allclose(found.maps[name, ""][:, 0].sum(-1), wanted, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found.maps["occlusion", ""][:, 0], wanted, rtol=1e-4, atol=1e-5)


def test_one_text_lists_and_floats():
    with GradCamGraph(frozen(masked_mean)) as net:
        wanted = net.explain(IDS, 1).scores
        np.testing.assert_array_equal(net.explain(IDS[0], 1).scores, wanted[:1])
        np.testing.assert_array_equal(net.explain(IDS.tolist(), 1).scores, wanted)
        np.testing.assert_array_equal(net.explain(IDS.astype(np.float32), 1).scores, wanted)


REFUSED = [
    ([[1, 2], [1, 2, 3]], "the texts have 2 to 3 tokens; 'ids:0' takes token ids .N, 10.; pad or cut them"),
    (IDS[:, :4], r"the texts are int64 \[2, 4\]; 'ids:0' takes token ids \[N, 10\]; pad or cut them"),
    (IDS + 1, "the token ids are 1 to 10; the net's vocabulary has 10: give whole numbers from 0 to 9"),
    (IDS - 1, "the token ids are -1 to 8; the net's vocabulary has 10"),
    (IDS * 0.5, "the token ids are 0.0 to 4.5; the net's vocabulary has 10: give whole numbers from 0 to 9"),
    ([[10**25] * T], "the token ids are no numbers of 64 bits; 'ids:0' takes token ids"),
    (["the film"] * T, "'ids:0' takes token ids"),
]


@pytest.mark.parametrize(("texts", "match"), REFUSED)
def test_what_is_refused(texts, match):
    with GradCamGraph(frozen(masked_mean)) as net, pytest.raises(OptionError, match=match):
        net.explain(texts, 1)
