"""An Estimator on TensorFlow 1.15: its training graph is fed by a data set and has batch norm and dropout on."""

from __future__ import annotations

import os

import numpy as np
import pytest
from event_files import images_of
from training_nets import NotingNet, batches, for_inference, opened, photos, scores, training_net

from gradcam_tf1 import GradCamGraph, GradCamHook, GradCamSaverListener, TrainingMaps, load
from gradcam_tf1.tf_runtime import tf


def model_fn(features, labels, mode):
    if mode == tf.estimator.ModeKeys.PREDICT:
        return tf.estimator.EstimatorSpec(mode, predictions=scores(features, False))
    train = training_net(features, labels, True)
    loss = tf.reduce_mean(tf.get_default_graph().get_tensor_by_name("logits:0"))
    return tf.estimator.EstimatorSpec(mode, loss=loss, train_op=train)


def assert_same(explanation, checkpoint):
    with GradCamGraph(load(checkpoint, build=for_inference), preset="zero-one") as fresh:
        other = fresh.explain(photos(), methods=["gradcam", "gradient"])
    for key, values in explanation.maps.items():
        np.testing.assert_allclose(values, other.maps[key], atol=1e-5 * np.abs(other.maps[key]).max())
    np.testing.assert_allclose(explanation.scores, other.scores, rtol=1e-5, atol=1e-6)


def test_hook_and_listener_of_an_estimator(tmp_path):
    if not hasattr(tf, "estimator"):
        pytest.skip("this TensorFlow has no Estimator")
    folder = str(tmp_path)
    config = tf.estimator.RunConfig(folder, save_checkpoints_steps=2, log_step_count_steps=1000)
    estimator = tf.estimator.Estimator(model_fn, config=config)

    def maps(**options):
        return TrainingMaps(
            photos(), NotingNet, build=for_inference, methods=["gradcam", "gradient"], on_error="stop", **options
        )

    hook, listener = (
        GradCamHook(maps(logdir=os.path.join(folder, "own")), every_n_steps=3),
        GradCamSaverListener(maps()),
    )
    for _ in range(2):  # each call of train has a graph of its own
        opened.clear()
        estimator.train(batches, steps=4, hooks=[hook], saving_listeners=[listener])
    steps = {step for shown in images_of(folder).values() for step, _ in shown}
    assert steps == {0, 2, 4, 6, 8}
    by_listener = opened[0] if len(opened[0].made) == 3 else opened[1]
    for step, explanation in zip((4, 6, 8), by_listener.made):
        assert_same(explanation, os.path.join(folder, f"model.ckpt-{step}"))
    assert {step for shown in images_of(os.path.join(folder, "own")).values() for step, _ in shown} == {1, 4, 5, 8}
    files = [name for name in os.listdir(folder) if "tfevents" in name]
    assert len(files) == 1  # TensorBoard 1.15 reads one file of a folder at a time
