"""Scores and probabilities named by the user or the file, and the errors if there are none."""

from __future__ import annotations

import numpy as np
import pytest
from binding_graphs import bound, classifier, conv_relu, dense, images, pooled, two_layers

from gradcam_tf1.binding.bind_graph import bind
from gradcam_tf1.errors import BindingError
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import KeyTensors


def test_declared_outputs_go_first(graph):
    x = pooled(two_layers(images()))
    tf.nn.softmax(dense(x, 5, 8, name="a"), name="a_prob")
    tf.nn.softmax(dense(x, 7, 8, name="b"), name="b_prob")
    assert bound(graph, declared_outputs=("a_prob:0",)) == ("a/BiasAdd:0", "a_prob:0")
    assert bound(graph, declared_outputs=("b_prob:0",)) == ("b/BiasAdd:0", "b_prob:0")


def test_declared_classes_and_probabilities(graph):
    prob = classifier(images())
    classes = tf.argmax(prob, 1, name="classes")
    assert bound(graph, declared_outputs=(classes.name, prob.name)) == ("dense/BiasAdd:0", "prob:0")
    assert bound(graph, declared_outputs=(classes.name,)) == ("dense/BiasAdd:0", "prob:0")


# named by the user


def test_softmax_bound_as_score_is_walked_back_and_said(graph):
    tf.identity(tf.reshape(classifier(images()), [-1, 5]), name="output")
    binding = bind(graph, requested=KeyTensors(logits="output"))
    assert (binding.logits, binding.probabilities) == ("dense/BiasAdd:0", "prob:0")
    assert any("softmax 'output:0' bound as score; using 'dense/BiasAdd:0'" in w for w in binding.warnings)


def test_sigmoid_bound_as_score_is_walked_back(graph):
    tf.nn.sigmoid(dense(pooled(two_layers(images())), 1, 8), name="prob")
    assert bound(graph, requested=KeyTensors(logits="prob:0")) == ("dense/BiasAdd:0", "prob:0")


def test_named_tensors_are_used(graph):
    prob = classifier(images())
    binding = bind(graph, requested=KeyTensors(logits=graph.get_tensor_by_name("dense/MatMul:0"), probabilities=prob))
    assert (binding.logits, binding.probabilities) == ("dense/MatMul:0", "prob:0")
    assert binding.reasons["logits"] == binding.reasons["probabilities"] == "named by the user"


def test_named_logits_must_be_floats_with_classes(graph):
    tf.argmax(classifier(images()), 1, name="classes")
    tf.shape(graph.get_tensor_by_name("input:0"), name="sides")
    with pytest.raises(BindingError, match="'sides:0' is int32 of shape .*; class scores are floats"):
        bind(graph, requested=KeyTensors(logits="sides"))
    with pytest.raises(BindingError, match="'classes:0' is int64; probabilities are floats"):
        bind(graph, requested=KeyTensors(probabilities="classes"))


def test_images_that_lead_nowhere(graph):
    conv_relu(tf.zeros([1, 16, 16, 3]), 4, name="of_constants")
    tf.argmax(images(), 1)
    with pytest.raises(BindingError, match="no image input found"):
        bind(graph)
    with pytest.raises(BindingError, match="no class scores found: .*image inputs found: input:0"):
        bind(graph, requested=KeyTensors(input="input"))


_RESCALED = {
    "log2": lambda prob: tf.log(prob) / np.log(np.float32(2)),
    "log10": lambda prob: 10.0 * tf.log(prob) / tf.log(10.0),
    "surprise": lambda prob: -tf.log(prob),
    "shifted": lambda prob: tf.log1p(prob - 1.0),
    "percent": lambda prob: 100.0 * prob,
    "others": lambda prob: 1.0 - prob,
    "odds": lambda prob: tf.log(prob) - tf.log(1.0 - prob),
    "root": lambda prob: tf.sqrt(prob),
    "log_sigmoid": lambda prob: -tf.log(tf.sigmoid(prob.op.inputs[0])),
}


@pytest.mark.parametrize("kind", sorted(_RESCALED))
def test_rescaled_probabilities_bound_as_score_are_walked_back(graph, kind):
    tf.identity(_RESCALED[kind](classifier(images())), name="output")
    binding = bind(graph, requested=KeyTensors(logits="output"))
    assert binding.logits == "dense/BiasAdd:0"
    assert any("rescaled" in w and "'output:0' bound as score; using 'dense/BiasAdd:0'" in w for w in binding.warnings)
    assert bound(graph, declared_outputs=("output:0",))[0] == "dense/BiasAdd:0"


def test_scores_and_bounded_regressions_times_a_number_stay_as_named(graph):
    scores = classifier(images()).op.inputs[0]
    tf.identity(scores / 0.7, name="tempered")
    tf.identity(100.0 * tf.sigmoid(scores), name="bounded")
    for name in ("tempered:0", "bounded:0"):
        assert bound(graph, requested=KeyTensors(logits=name))[0] == name
