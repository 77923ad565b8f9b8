"""Batch norm in training mode mixes the images of a batch: copies of one image would influence each other."""

from __future__ import annotations

import numpy as np
import pytest

from gradcam_tf1.errors import GradientError
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.methods import METHODS, IteratedMethod, method
from gradcam_tf1.tf_runtime import tf

PHOTOS = np.random.RandomState(1).randint(0, 255, (1, 8, 8, 3)).astype(np.uint8)
KERNEL, DENSE = (np.random.RandomState(0).randn(*shape).astype(np.float32) for shape in ((3, 3, 3, 4), (4, 3)))


def net(training=True, fused=False, **how):
    """Conv - batch norm - ReLU - mean - dense."""
    graph = tf.Graph()
    with graph.as_default():
        x = tf.placeholder(tf.float32, [None, 8, 8, 3], name="x")
        a = tf.nn.conv2d(x / 255, KERNEL, [1, 1, 1, 1], "SAME", name="conv")
        ones, zeros = tf.constant(np.ones(4, np.float32)), tf.constant(np.zeros(4, np.float32))
        if fused:
            moved = {} if training else {"mean": zeros, "variance": ones}
            a = tf.nn.fused_batch_norm(a, ones, zeros, is_training=training, name="bn", **moved)[0]
        elif training:
            mean, variance = tf.nn.moments(a, [0, 1, 2], name="bn")
            a = tf.nn.batch_normalization(a, mean, variance, zeros, ones, 1e-3)
        tf.matmul(tf.reduce_mean(tf.nn.relu(a, name="feat") ** 2, [1, 2]), DENSE, name="logits")
    return GradCamGraph(graph.as_graph_def(), input="x", logits="logits", layer="feat", preset="raw", **how)


@pytest.fixture(scope="module")
def mixed():
    with net() as opened:
        yield opened


ITERATED = {name: method for name, method in METHODS.items() if isinstance(method, IteratedMethod)}
COPYING = [name for name, method in ITERATED.items() if method.copies and name != "cameras"]  # the net has one size


@pytest.mark.parametrize("method", COPYING)
def test_methods_that_run_changed_copies_together_are_refused(mixed, method):
    message = rf"{method} puts changed copies of an image into one batch, and 'bn/mean' mixes .*batch_size=1"
    with pytest.raises(GradientError, match=message):
        mixed.explain(PHOTOS, 1, method)
    usable, reasons = mixed.usable_methods([method, "gradcam"])
    assert (usable, list(reasons)) == (["gradcam"], [method])


def test_what_runs_the_image_as_it_is_answers(mixed):
    names = ["gradcam", "gradient", "guided_backprop", "eigencam", "fullgrad", "hirescam"]
    assert mixed.usable_methods(names)[0] == names
    assert mixed.binding.mixing == "bn/mean"
    found = mixed.explain(PHOTOS, 1, names)
    assert all(np.abs(found[name]).max() > 0 for name in names)


@pytest.mark.parametrize("fused", [True, False])
def test_with_one_image_in_a_batch_the_steps_have_scores_of_their_own(fused):
    """Completeness: the map sums to the difference of the scores of the image and of black, each run by itself."""
    with net(fused=fused, batch_size=1) as opened:
        found = opened.explain(PHOTOS, 1, method("integrated_gradients", steps=200))
        scores = [opened.explain(each, 1).scores[0, 0] for each in (PHOTOS, PHOTOS * 0)]
    np.testing.assert_allclose(found["integrated_gradients"].sum(), scores[0] - scores[1], rtol=0.02)


def test_batch_norm_for_inference_is_none_of_it():
    with net(training=False, fused=True) as opened:
        assert opened.usable_methods(COPYING)[0] == COPYING
        assert opened.binding.mixing == ""
