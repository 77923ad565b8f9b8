"""A graph that splits its batch over devices is bound to its first replica, a complete net."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest
from branch_nets import Net, conv, member, opened, placeholder, rgb
from replica_nets import SPLITS, by_slice, by_split, single, towers

from gradcam_tf1.binding.bind_graph import bind
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import KeyTensors


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("softmax", ["inside", "after"])
def test_bound_to_the_first(graph, split, softmax):
    towers(split, softmax=softmax)
    binding = bind(graph)
    assert walk_of(graph, binding.input) == "replica_0/"
    assert (binding.logits, binding.layer) == ("replica_0/dense_net/BiasAdd:0", "replica_0/net/Relu:0")
    assert "splits its batch over 2 replicas" in binding.reasons["input"]
    assert (binding.image_size, binding.channels, binding.batch_size) == ((16, 16), 3, None)
    assert not [w for w in binding.warnings if "activation" in w]


def walk_of(graph, name):
    """Return the scope of the first convolution after a tensor."""
    users = [op.name for op in graph.get_tensor_by_name(name).consumers() if op.type == "Conv2D"]
    return users[0].split("net1")[0] if len(users) == 1 else users


@lru_cache(maxsize=None)
def net_alone():
    return opened(single)


@pytest.mark.parametrize("split", SPLITS)
def test_answers_are_those_of_the_net_alone(split):
    """Scores are equal for any number of images, also for fewer images than replicas."""
    net = opened(lambda: towers(split, 3))
    for count in (1, 2, 5):
        found, alone = (each.explain(rgb(count), [0, 2], ["gradcam", "gradient"]) for each in (net, net_alone()))
        np.testing.assert_array_equal(found.predicted, alone.predicted)
        np.testing.assert_allclose(found.scores, alone.scores, rtol=1e-5)
        for method in ("gradcam", "gradient"):
            np.testing.assert_allclose(found[method], alone[method], rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("names", [{"logits": "joined"}, {"input": "input"}, {"input": "input", "logits": "joined"}])
def test_named_ends_are_those_of_the_first(graph, names):
    towers(by_split)
    binding = bind(graph, requested=KeyTensors(**names))
    assert (binding.logits, binding.layer) == ("replica_0/dense_net/BiasAdd:0", "replica_0/net/Relu:0")


def test_the_output_that_the_file_declares(graph):
    towers(by_slice)
    binding = bind(graph, declared_inputs=["input:0"], declared_outputs=["joined:0"])
    assert (binding.logits, binding.probabilities) == ("replica_0/dense_net/BiasAdd:0", "replica_0/Softmax:0")


def test_losses_in_each_tower(graph):
    """In a training graph nothing is joined, and each tower has its own loss."""
    labels = tf.split(tf.placeholder(tf.int32, [None], name="labels"), 2)
    for n, part in enumerate(tf.split(placeholder(), 2)):
        with tf.name_scope(f"tower_{n}"):
            scores = member(part, "net", seed=3)
            tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels[n], logits=scores)
    binding = bind(graph)
    assert (binding.input, binding.layer, binding.logits) == (
        "split_1:0",
        "tower_0/net/Relu:0",
        "tower_0/dense_net/BiasAdd:0",
    )


def test_what_is_done_before_the_split_is_said(graph):
    def start():
        return placeholder() / 255.0

    towers(by_split, start=start)
    binding = bind(graph)
    assert binding.input == "split:0"
    assert any("after 'truediv', which changes values" in warning for warning in binding.warnings)


def test_images_of_bytes_that_are_cast_before_the_split(graph):
    towers(by_split, start=lambda: tf.cast(tf.placeholder(tf.uint8, [None, 16, 16, 3], name="input"), tf.float32))
    binding = bind(graph)
    assert (binding.input, binding.dtype) == ("split:0", "float32")


def test_halves_of_a_batch_that_meet_in_one_score_are_no_replicas(graph):
    """A siamese net on pairs in one batch: both halves determine the score."""
    first, second = [member(part, f"net{n}", seed=3) for n, part in enumerate(tf.split(placeholder(), 2))]
    tf.abs(first - second, name="logits")
    assert bind(graph, requested=KeyTensors(logits="logits")).input == "input:0"


def test_parts_of_an_image_are_no_replicas(graph):
    """Left and right half, colour by colour: the split is not along the image axis."""
    x = placeholder()
    halves = [conv(half, 4, f"half{n}") for n, half in enumerate(tf.split(x, 2, axis=2))]
    tf.nn.softmax(member(tf.concat(halves, 2), "net", seed=1))
    assert bind(graph).input == "input:0"


@pytest.mark.parametrize("split", SPLITS)
def test_the_first_replica_alone_in_a_frozen_graph(split):
    """A graph frozen at the output of one replica lacks the other parts and the concat."""
    with tf.Graph().as_default() as graph:
        towers(split)
    kept = tf.graph_util.extract_sub_graph(graph.as_graph_def(), ["replica_0/Softmax"])
    with tf.Graph().as_default() as alone:
        tf.import_graph_def(kept, name="")
    found, expected = (net.explain(rgb(3), [0]) for net in (Net(alone), net_alone()))
    assert len(found.predicted) == 3
    np.testing.assert_allclose(found["gradcam"], expected["gradcam"], rtol=1e-4, atol=1e-7)


def test_parts_cut_behind_a_layer_are_no_replicas(graph):
    """The features of a batch are split; the images are fed before the split."""
    first = tf.split(conv(placeholder(), 4, "shared"), 2)[0]
    tf.nn.softmax(member(first, "net", seed=1))
    assert bind(graph).input == "input:0"


def test_a_net_that_also_looks_at_the_whole_batch_is_no_replica(graph):
    x = placeholder()
    half = tf.split(x, 2)[0] - tf.reduce_mean(x, 0, keepdims=True)
    tf.nn.softmax(member(half, "net", seed=1))
    assert bind(graph).input == "input:0"


def test_a_crop_or_a_copy_is_no_part_of_the_batch(graph):
    x = placeholder()
    x = tf.slice(tf.slice(x, [0, 1, 1, 0], [-1, 14, 14, 3]), [0, 0, 0, 0], tf.concat([tf.shape(x)[:1], [14, 14, 3]], 0))
    tf.nn.softmax(member(x[:, ::2], "net", seed=1))
    assert bind(graph).input == "input:0"
