"""The best five classes of each image are those of the net's own scores, whatever their shape."""

from __future__ import annotations

import numpy as np
import pytest
from head_nets import IMAGES, logits, opened, score_map, values_of

from gradcam_tf1 import GradCamGraph, Noise, Top
from gradcam_tf1.engine.explain_options import ExplainOptions
from gradcam_tf1.nets.demo import DEMO_CLASSES, DEMO_PRESET, demo_model, demo_scenes
from gradcam_tf1.tf_runtime import tf


def many_classes():
    tf.nn.softmax(tf.identity(logits(9), name="scores"), name="probabilities")


def one_logit():
    tf.sigmoid(tf.identity(logits(1), name="scores"), name="probabilities")


def positions():
    tf.identity(score_map(6), name="scores")


def masked():
    scores = logits(6)
    tf.identity(scores + tf.constant([0, -np.inf, 0, -np.inf, 0, 0], tf.float32), name="masked")


def nan_of_white():
    """The scores of a white image are NaN."""
    scores = logits(9)
    brightness = tf.reduce_mean(tf.get_default_graph().get_tensor_by_name("input:0"), [1, 2, 3])
    tf.nn.softmax(scores + 0 * tf.sqrt(0.9 - brightness)[:, tf.newaxis], name="probabilities")


def checked(found, scores, probabilities=None):
    """Compare with scores [N, C] that the net itself computed."""
    for n, top in enumerate(found.top):
        order = np.argsort(-scores[n], kind="stable")[:5]
        order = [class_id for class_id in order if np.isfinite(scores[n, class_id])]
        assert [each.class_id for each in top] == order
        np.testing.assert_allclose([each.score for each in top], scores[n, order], rtol=1e-4, atol=1e-6)
        if probabilities is None:
            assert {each.probability for each in top} == {None}
        else:
            np.testing.assert_allclose([each.probability for each in top], probabilities[n, order], rtol=1e-4)
        assert top[0].class_id == found.predicted[n]


def test_of_nine_classes_the_best_five():
    scores, probabilities = values_of(many_classes, ["scores:0", "probabilities:0"])
    with opened(many_classes) as net:
        checked(net.explain(IMAGES), scores, probabilities)
        checked(net.explain(IMAGES, Top(2), options=ExplainOptions(noise=Noise(samples=2))), scores, probabilities)
        checked(net.explain(IMAGES, options=ExplainOptions(aug_smooth=True)), scores, probabilities)


def test_one_logit_stands_for_two_classes():
    score, probability = values_of(one_logit, ["scores:0", "probabilities:0"])
    with opened(one_logit) as net:
        both = (np.concatenate([-score, score], 1), np.concatenate([1 - probability, probability], 1))
        checked(net.explain(IMAGES), *both)


def test_positions_are_averaged_as_for_their_targets():
    (scores,) = values_of(positions, ["scores:0"])
    with opened(positions) as net:
        checked(net.explain(IMAGES), scores.mean(axis=(1, 2)))


def test_masked_classes_are_left_out():
    (scores,) = values_of(masked, ["masked:0"])
    with opened(masked, logits="masked") as net:
        found = net.explain(IMAGES)
    assert {len(top) for top in found.top} == {4}
    checked(found, scores)


def test_an_image_without_an_answer_has_no_classes():
    white = np.full_like(IMAGES[:1], 255)
    with opened(nan_of_white) as net:
        found = net.explain(np.concatenate([IMAGES[:1], white]))
    assert [bool(failure) for failure in found.failures] == [False, True]
    assert [len(top) for top in found.top] == [5, 0]


@pytest.mark.parametrize("labels", [None, DEMO_CLASSES])
def test_labels_are_those_of_the_targets(labels):
    with GradCamGraph(demo_model(), preset=DEMO_PRESET, labels=labels) as net:
        found = net.explain(demo_scenes()[0].path, Top(5))
    for t, each in enumerate(found.top[0]):
        map = found.map("gradcam", t=t)
        assert (each.class_id, each.label, each.score, each.probability) == (
            *(map.class_id, map.label, map.score, map.probability),
        )
