"""BERT with words, positions and segments: against TensorFlow in the net itself, and identities."""

from __future__ import annotations

import numpy as np
import pytest
from bert_nets import HEADS, LAYERS, PIECES, E, T, bert

from gradcam_tf1.engine.explain_options import ExplainOptions
from gradcam_tf1.errors import FeedError, GradientError, OptionError
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.methods import method
from gradcam_tf1.tf_runtime import tf

IDS = np.array([[2, 4, 5, 6, 7, 3, 0, 0], [2, 4, 5, 6, 8, 9, 10, 3]])
WORDS = "bert/embeddings/Reshape_1:0"
SOFTMAX = [f"bert/encoder/layer_{n}/attention/self/Softmax:0" for n in range(LAYERS)]


@pytest.fixture(scope="module")
def frozen():
    return bert()


@pytest.fixture(scope="module")
def net(frozen):
    with GradCamGraph(frozen) as opened:
        yield opened


def plain(graph_def, build, feed=None, segments=0):
    """Run what `build` makes of the graph by TensorFlow alone, with a mask by hand."""
    with tf.Graph().as_default() as graph, tf.Session() as session:
        tf.import_graph_def(graph_def, name="")
        inputs = {"input_ids:0": IDS, "input_mask:0": IDS > 0, "segment_ids:0": np.full_like(IDS, segments)}
        return session.run(build(graph.get_tensor_by_name), {**inputs, **(feed or {})})


def score(get):
    return get("loss/BiasAdd:0")[:, 1]


@pytest.mark.parametrize("options", [{}, {"one_hot": True}, {"length": None}])
def test_ids_mask_and_segments_are_found(options):
    with GradCamGraph(bert(**options)) as net:
        found = net.binding
        assert (found.input, found.token_ids, found.vocabulary) == (WORDS, "input_ids:0", len(PIECES))
        assert found.text_inputs == {"input_mask:0": "mask", "segment_ids:0": "segments"}
        assert found.logits == "loss/BiasAdd:0"
        assert "input_mask:0 is 1 where an id is not 0, unless it is given with each text" in found.reasons["feeds"]
        scores = net.explain(IDS, 1, "gradient").scores[:, 0]
        np.testing.assert_allclose(scores, plain(bert(**options), score), rtol=1e-4)
        if found.array_shape[1] is None:  # padding changes nothing
            np.testing.assert_allclose(net.explain(IDS[:1, :6], 1, "gradient").scores[0, 0], scores[0], rtol=1e-4)


def test_the_gradient_is_that_of_the_net(frozen, net):
    grads = plain(frozen, lambda get: tf.gradients(score(get), get(WORDS))[0])
    found = net.explain(IDS, 1, "gradient").maps["gradient", ""][:, 0]
    np.testing.assert_allclose(found, grads, rtol=1e-3, atol=1e-5)


def test_integrated_gradients_add_up_to_the_score_of_the_words(frozen, net):
    shape = (*IDS.shape, plain(frozen, lambda get: get(WORDS)).shape[-1])
    without = plain(frozen, score, {WORDS: np.zeros(shape, np.float32)})
    found = net.explain(IDS, 1, method("integrated_gradients", steps=150))
    total = found.maps["integrated_gradients", ""][:, 0].sum(axis=(1, 2))
    np.testing.assert_allclose(total, found.scores[:, 0] - without, rtol=2e-2, atol=2e-3)


def test_attention_rollout_of_the_class_token(frozen, net):
    maps = plain(frozen, lambda get: [get(name) for name in SOFTMAX])
    flow = np.eye(T)
    for attention in maps:
        flow = (attention.astype(np.float64).mean(axis=1) + np.eye(T)) / 2 @ flow
    found = net.explain(IDS, 1, "attention_rollout")
    np.testing.assert_allclose(found.maps["attention_rollout", ""][:, 0], flow[:, 0], rtol=1e-4, atol=1e-6)
    assert (found.map("attention_rollout").placed()[6:] < 1e-6).all()  # padding


def score_of_layer(get, number):
    """What the pooler and the output layer make of one layer's own [CLS]."""
    tokens = get(f"bert/encoder/layer_{number}/output/LayerNorm/batchnorm/add_1:0")
    first = tf.reshape(tokens, [-1, T, E])[:, 0]
    pooled = tf.tanh(tf.matmul(first, get("bert/pooler/dense/kernel:0")) + get("bert/pooler/dense/bias:0"))
    return (tf.matmul(pooled, get("output_weights:0"), transpose_b=True) + get("loss/output_bias:0"))[:, 1]


def test_legrad_of_the_tokens(frozen, net):
    last = LAYERS - 1
    np.testing.assert_allclose(*plain(frozen, lambda get: (score_of_layer(get, last), score(get))), rtol=1e-4)
    grads = plain(
        frozen,
        lambda get: [tf.gradients(score_of_layer(get, n), get(name))[0] for n, name in enumerate(SOFTMAX)],
    )
    assert grads[0].shape[1] == HEADS
    wanted = sum(np.maximum(each.astype(np.float64), 0).mean(axis=(1, 2)) for each in grads)
    found = net.explain(IDS, 1, "legrad").maps["legrad", ""][:, 0]
    np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-6)


def test_attention_needs_a_known_number_of_tokens():
    with GradCamGraph(bert(length=None)) as net, pytest.raises(GradientError, match="with a known number of tokens"):
        net.explain(IDS, 1, "attention_rollout")


def test_values_that_are_given_with_each_text_count(frozen, net):
    second = np.ones_like(IDS)
    found = net.explain(IDS, 1, "gradient", options=ExplainOptions(inputs={"segment_ids": second})).scores[:, 0]
    np.testing.assert_allclose(found, plain(frozen, score, segments=1), rtol=1e-4)
    assert np.abs(found - plain(frozen, score)).max() > 1e-3
    with pytest.raises(FeedError, match="'input_ids:0' receives what is explained, images or token ids; leave it out"):
        net.explain(IDS, 1, "gradient", options=ExplainOptions(inputs={"input_ids": IDS}))


def upside_down(ids, mask):
    """The mask of other code: 1 at padding."""
    wide = tf.reshape(mask, [-1, 1, 1, int(ids.shape[1])])
    return tf.cast(wide, tf.float32) * -10000.0


def by_name_alone(ids, mask):
    """A mask that is added as it is: what it means is not known."""
    return tf.cast(tf.reshape(mask, [-1, 1, 1, int(ids.shape[1])]), tf.float32)


UNKNOWN = {
    "segments": {"segments_name": "position_ids"},
    "upside down": {"adder": upside_down},
    "weak": {"adder": by_name_alone},
    "of padding": {"mask_name": "padding_mask"},
}


@pytest.mark.parametrize("kind", UNKNOWN)
def test_what_is_not_known_is_asked_for(kind):
    options = UNKNOWN[kind]
    name = {"segments": "position_ids", "of padding": "padding_mask"}.get(kind, "input_mask")
    match = rf"besides the token ids, embedded as .* need values for '{name}:0' \(int32, shape \(\?, 8\)\); give each"
    match = match.replace(r"\(\?, 8\)", r"\((\?|None), 8\)")
    frozen = bert(layers=1, **options)
    with GradCamGraph(frozen) as net, pytest.raises(FeedError, match=match) as error:
        net.explain(IDS)
    assert f"--feed {name}:0=1" in str(error.value)
    assert 'one for each text as "inputs" of its line in a .jsonl file' in str(error.value)
    with GradCamGraph(frozen, feed={f"{name}:0": 1}) as net:  # the example works as it is typed
        assert net.explain(IDS, 1).scores.shape == (2, 1)


def test_a_mask_that_multiplies_embeddings():
    """A mean over the words whose mask is an input: by hand."""
    from text_nets import HEAD, table
    from text_nets import WORDS as VOCABULARY
    from text_nets import T as LENGTH

    with tf.Graph().as_default() as graph:
        ids = tf.placeholder(tf.int32, [None, LENGTH], name="ids")
        mask = tf.placeholder(tf.float32, [None, LENGTH], name="mask")
        kept = tf.nn.embedding_lookup(tf.constant(table()), ids) * tf.expand_dims(mask, -1)
        mean = tf.reduce_sum(kept, 1) / tf.reduce_sum(mask, 1, keepdims=True)
        tf.nn.softmax(tf.matmul(mean, tf.constant(HEAD), name="logits"))
    text = [VOCABULARY.index(word) for word in ("the", "film", "good")] + [0] * (LENGTH - 3)
    with GradCamGraph(graph.as_graph_def()) as net:
        found = net.explain([text], 1, "gradient_x_input")
    wanted = table()[text] @ HEAD[:, 1] / 3
    np.testing.assert_allclose(found.maps["gradient_x_input", ""][0, 0].sum(-1)[:3], wanted[:3], rtol=1e-4)
    assert found.scores[0, 0] == pytest.approx(wanted[:3].sum(), rel=1e-4)


def test_wrong_numbers_of_values(net):
    with pytest.raises(OptionError, match="segment_ids"):
        net.explain(IDS, 1, "gradient", options=ExplainOptions(inputs={"segment_ids": np.ones_like(IDS)[:1]}))
