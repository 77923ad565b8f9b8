"""Nets of token ids are bound at their embeddings."""

from __future__ import annotations

import numpy as np
import pytest
from text_nets import NETS, WORDS, E, T, frozen, masked_mean, table

from gradcam_tf1.binding.bind_graph import bind
from gradcam_tf1.binding.candidates import find_candidates
from gradcam_tf1.binding.token_nets import token_inputs
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import KeyTensors


def imported(graph_def):
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(graph_def, name="")
    return graph


@pytest.mark.parametrize("name", NETS)
def test_the_embeddings_are_the_input(name):
    found = bind(imported(frozen(NETS[name])))
    assert (found.input, found.token_ids, found.vocabulary) == ("embedding_lookup:0", "ids:0", len(WORDS))
    assert (found.array_shape, found.logits, found.classes) == ((None, T, E), "logits:0", 2)
    layers = {"convolution": "features:0", "windows": "Relu:0 + Relu_1:0"}
    assert found.layer == layers.get(name, "embedding_lookup:0")
    assert found.probabilities == "probabilities:0"


@pytest.mark.parametrize("named", ["ids", "embedding_lookup"])
def test_the_ids_or_the_embeddings_can_be_named(named):
    found = bind(imported(frozen(masked_mean)), requested=KeyTensors(input=named))
    assert (found.input, found.token_ids) == ("embedding_lookup:0", "ids:0")


@pytest.mark.parametrize("name", NETS)
def test_ids_as_floats_are_no_signal(name):
    found = bind(imported(frozen(NETS[name], dtype=tf.float32)))
    assert (found.input, found.token_ids) == ("embedding_lookup:0", "ids:0")


def test_float_ids_of_keras_and_any_length():
    found = bind(imported(frozen(masked_mean, length=None, dtype=tf.float32)))
    assert (found.token_ids, found.array_shape) == ("ids:0", (None, None, E))


def test_of_words_positions_and_segments_the_largest_table_is_that_of_words(graph):
    ids, segments = (tf.placeholder(tf.int32, [None, T], name=name) for name in ("ids", "segments"))
    few = tf.nn.embedding_lookup(tf.constant(table()[:2]), segments)
    flat = tf.gather(tf.constant(table()), tf.reshape(ids, [-1]))
    words = tf.reshape(flat, [-1, T, E], name="words")
    tf.nn.softmax(tf.matmul(tf.reduce_mean(words + few, 1), tf.ones([E, 2]), name="logits"))
    found = bind(graph, requested=KeyTensors(later=("segments",)))
    assert (found.input, found.token_ids, found.per_image) == ("words:0", "ids:0", ("segments:0",))
    found = bind(graph)
    assert (found.input, found.text_inputs, found.per_image) == ("words:0", {"segments:0": "segments"}, ())


def test_a_net_of_images_and_texts_is_bound_at_its_images(graph):
    images = tf.placeholder(tf.float32, [None, 8, 8, 3], name="images")
    ids = tf.placeholder(tf.int32, [None, T], name="ids")
    maps = tf.nn.relu(tf.nn.conv2d(images, tf.ones([3, 3, 3, E]), [1, 1, 1, 1], "SAME"))
    words = tf.nn.embedding_lookup(tf.constant(table()), ids)
    both = tf.reduce_mean(maps, [1, 2]) + tf.reduce_mean(words, 1)
    tf.nn.softmax(tf.matmul(both, tf.ones([E, 2]), name="logits"))
    found = bind(graph, requested=KeyTensors(later=("ids",)))
    assert (found.input, found.token_ids) == ("images:0", "")


def test_lookups_that_are_no_tables_of_embeddings(graph):
    """Along another axis, and rows of an image by number."""
    ids = tf.placeholder(tf.int32, [None, T], name="ids")
    tf.gather(tf.constant(table()), ids, axis=1)
    tf.gather(tf.constant(np.ones([4, 5, 6], np.float32)), ids)
    from gradcam_tf1.binding.graph_index import GraphIndex

    assert token_inputs(GraphIndex(graph)) == []


def test_candidates_name_the_ids():
    found = find_candidates(imported(frozen(NETS["convolution"])))
    assert (found.input[0].name, found.input[0].why) == ("ids:0", "token ids, embedded as 'embedding_lookup:0'")
    assert [item.name for item in found.layer] == ["features:0"]


def test_a_map_of_a_line_after_a_transpose_is_not_guessed(graph):
    """[N, F, 1, T] has F positions if its last axis is taken for the channels."""
    ids = tf.placeholder(tf.int32, [None, T], name="ids")
    words = tf.nn.embedding_lookup(tf.constant(table()), ids)[..., tf.newaxis]
    kernels = (np.random.RandomState(n).randn(1, E, 1, 4).astype(np.float32) for n in (1, 2))
    turned = [tf.transpose(tf.nn.conv2d(words, kernel, [1, 1, 1, 1], "VALID"), [0, 3, 2, 1]) for kernel in kernels]
    pooled = tf.reduce_max(tf.add(*turned, name="sum"), axis=[2, 3])
    tf.nn.softmax(tf.matmul(pooled, tf.ones([4, 2]), name="logits"))
    assert bind(graph).layer == "embedding_lookup:0"
