"""Values for the placeholders besides the images."""

from __future__ import annotations

import numpy as np
import pytest
from binding_graphs import batch_norm, branches, classifier, conv_relu, dense, images, pooled, two_layers

from gradcam_tf1.binding.bind_graph import bind
from gradcam_tf1.errors import BindingError
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import KeyTensors


def classify(features):
    return tf.nn.softmax(dense(pooled(features), 5, 8))


def norm_by(training, x):
    return branches(training, x, lambda y: batch_norm(y, 8, training=True), lambda y: batch_norm(y, 8))


def feeds(graph, **feed):
    return bind(graph, requested=KeyTensors(feed=feed)).feeds


def runs(graph):
    """Compute the scores of two images with nothing but the bound feeds."""
    binding = bind(graph)
    with tf.Session(graph=graph) as sess:
        first, second = (
            sess.run(binding.logits, {binding.input: np.ones([2, 16, 16, 3]), **binding.feeds}) for _ in range(2)
        )
    np.testing.assert_array_equal(first, second)  # no dropout is on
    return binding


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("is_training", False),
        ("phase_train", False),
        ("keras_learning_phase", False),
        ("model/training", False),
        ("use_dropout", False),
        ("is_inference", True),
        ("test_mode", True),
        ("eval", True),
        ("train_or_eval", False),
        ("is_training/Placeholder", False),
    ],
)
def test_switches_by_name(graph, name, value):
    switch = tf.placeholder(tf.bool, [], name=name)
    training = tf.logical_not(switch) if value else switch
    classify(norm_by(training, two_layers(images())))
    binding = runs(graph)
    assert binding.feeds == {f"{name}:0": value}
    assert f"{name}:0 = {value} (training switch)" in binding.reasons["feeds"]
    assert binding.warnings == ()


def test_switch_without_a_name_goes_by_its_use(graph):
    classify(norm_by(tf.identity(tf.placeholder(tf.bool, name="Placeholder_7")), two_layers(images())))
    assert runs(graph).feeds == {"Placeholder_7:0": False}


@pytest.mark.parametrize("dtype", ["int32", "float32"])
def test_learning_phase_as_a_number(graph, dtype):
    phase = tf.placeholder(dtype, [], name="keras_learning_phase")
    classify(norm_by(tf.equal(phase, 1), two_layers(images())))
    binding = runs(graph)
    assert binding.feeds == {"keras_learning_phase:0": 0}
    assert binding.warnings == ()


@pytest.mark.parametrize("default", [True, False])
def test_switch_with_a_default_is_turned_off_all_the_same(graph, default):
    training = tf.placeholder_with_default(default, [], name="training")
    classify(norm_by(training, two_layers(images())))
    assert runs(graph).feeds == {"training:0": False}


def test_switch_that_a_person_turned_on(graph):
    classify(norm_by(tf.placeholder(tf.bool, [], name="training"), two_layers(images())))
    binding = bind(graph, requested=KeyTensors(feed={"training": True}))
    assert binding.feeds == {"training:0": True}
    assert any("batch norm in training mode" in warning for warning in binding.warnings)


@pytest.mark.parametrize("name", ["Placeholder_2", "keep_prob", "p"])
def test_dropout_of_old_by_its_use(graph, name):
    keep = tf.placeholder(tf.float32, name=name)
    x = two_layers(images())
    random = tf.floor(keep + tf.random_uniform(tf.shape(x)))
    classify(tf.div(x, keep) * random)
    assert runs(graph).feeds == {f"{name}:0": 1.0}


@pytest.mark.parametrize(("argument", "value"), [("keep_prob", 1.0), ("rate", 0.0)])
def test_dropout_of_this_runtime_by_its_use(graph, argument, value):
    p = tf.placeholder(tf.float32, [], name="Placeholder_2")
    classify(tf.nn.dropout(two_layers(images()), **{argument: p}))
    binding = runs(graph)
    assert binding.feeds == {"Placeholder_2:0": value}
    assert binding.warnings == ()  # random numbers are in the graph, but they do nothing
    assert "judging by its use" in binding.reasons["feeds"]
    on = bind(graph, requested=KeyTensors(feed={"Placeholder_2": 0.5}))
    assert any("dropout or noise is on" in warning for warning in on.warnings)


def test_dropout_by_one_minus_a_rate(graph):
    rate = tf.placeholder(tf.float32, [], name="Placeholder_2")
    classify(tf.nn.dropout(two_layers(images()), keep_prob=1.0 - rate))
    assert runs(graph).feeds == {"Placeholder_2:0": 0.0}


@pytest.mark.parametrize(("name", "value"), [("dropout_keep", 1.0), ("drop_rate", 0.0), ("block/dropout_rate", 0.0)])
def test_dropout_by_name_where_its_use_is_hidden(graph, name, value):
    p = tf.placeholder(tf.float32, [], name=name)
    classify(two_layers(images()) * (1.0 + 0.0 * tf.sqrt(p)))
    assert runs(graph).feeds == {f"{name}:0": value}


def test_batch_size_of_its_own_is_one_and_said(graph):
    size = tf.placeholder(tf.int32, [], name="batch_size")
    features = tf.reshape(two_layers(images()), tf.stack([size, 16, 16, 8]))
    classify(features)
    binding = bind(graph)
    assert (binding.feeds, binding.batch_size) == ({"batch_size:0": 1}, 1)


def test_default_is_kept(graph):
    factor = tf.placeholder_with_default(2.0, [], name="temperature")
    classify(two_layers(images()) * factor)
    binding = runs(graph)
    assert binding.feeds == {}
    assert "temperature:0 keeps its default" in binding.reasons["feeds"]


def test_labels_and_learning_rates_off_the_way_are_left_alone(graph):
    prob = classify(two_layers(images()))
    labels = tf.placeholder(tf.float32, [None, 5], name="labels")
    tf.placeholder(tf.float32, [], name="learning_rate") * tf.reduce_mean(tf.square(prob - labels))
    assert runs(graph).feeds == {}


def test_given_values_win_and_are_typed(graph):
    keep = tf.placeholder(tf.float32, [], name="keep_prob")
    scale = tf.placeholder(tf.float32, [8], name="scale")
    classify(tf.nn.dropout(two_layers(images()), keep_prob=keep) * scale)
    found = bind(graph, requested=KeyTensors(feed={keep: 1, "scale": [1] * 8})).feeds
    assert found["keep_prob:0"] == 1.0
    assert found["scale:0"].dtype == np.float32


def test_text_of_a_bool(graph):
    classify(norm_by(tf.placeholder(tf.bool, [], name="training"), two_layers(images())))
    assert feeds(graph, training="False") == {"training:0": False}
    assert feeds(graph, training="1") == {"training:0": True}
    with pytest.raises(BindingError, match="feed 'perhaps' for 'training:0' is not bool"):
        feeds(graph, training="perhaps")


# errors


def test_unknown_placeholder_is_asked_for(graph):
    threshold = tf.placeholder(tf.float32, name="threshold")
    anchors = tf.placeholder(tf.float32, [4, 2], name="anchors")
    classify(two_layers(images()) * threshold + tf.reduce_sum(anchors))
    with pytest.raises(BindingError) as error:
        bind(graph)
    text = str(error.value)
    assert "'threshold:0' (float32, shape unknown), 'anchors:0' (float32, shape (4, 2))" in text
    assert "--feed threshold:0=1" in text


def test_unfed_pipeline_is_asked_for(graph):
    queue = tf.FIFOQueue(1, [tf.float32], [[8]], name="queue")
    classify(two_layers(images()) + queue.dequeue(name="noise"))
    with pytest.raises(BindingError, match=r"'noise:0' \(float32, shape \(8,\)\)"):
        bind(graph)


def test_placeholder_behind_a_control_edge_is_asked_for(graph):
    check = tf.Assert(tf.placeholder(tf.float32, [], name="limit") > 0, ["limit"])
    with tf.control_dependencies([check]):
        x = tf.identity(two_layers(images()))
    classify(x)
    with pytest.raises(BindingError, match="'limit:0'"):
        bind(graph)


def test_feed_of_an_unknown_name(graph):
    tf.placeholder(tf.float32, name="keep_prob")
    classifier(images())
    with pytest.raises(
        BindingError, match="no tensor 'keep_probs' in the graph; outputs found: 'prob:0'.*'keep_prob:0'"
    ):
        feeds(graph, keep_probs=1.0)


def test_feed_of_a_wrong_kind_or_shape(graph):
    scale = tf.placeholder(tf.float32, [8], name="scale")
    classify(two_layers(images()) * scale)
    with pytest.raises(BindingError, match="feed 'many' for 'scale:0' is not float32"):
        feeds(graph, scale="many")
    with pytest.raises(BindingError, match=r"feed for 'scale:0' has shape \(2,\), the tensor \(8,\)"):
        feeds(graph, scale=[1, 2])


def test_feed_of_the_images_themselves(graph):
    classify(conv_relu(images(), 8))
    with pytest.raises(BindingError, match="'input:0' takes the images and cannot be fed by hand"):
        bind(graph, requested=KeyTensors(feed={"input": np.zeros([1, 16, 16, 3])}))
