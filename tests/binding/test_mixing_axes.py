"""Only statistics over the image axis mix images, wherever it lies; scores of single images are the oracle."""

from __future__ import annotations

import numpy as np
import pytest
from binding_graphs import conv_relu, dense, images, pooled

from gradcam_tf1.binding.bind_graph import bind
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.methods import method
from gradcam_tf1.tf_runtime import tf

PHOTOS = np.random.RandomState(3).rand(3, 8, 8, 3).astype(np.float32) * 2 - 1


def time_major(maps):
    """One step per column: [T, N, K]."""
    return tf.transpose(tf.reduce_mean(maps, 1), [1, 0, 2])


def normalised(x, axes, scale=None):
    mean, variance = tf.nn.moments(x, axes, keep_dims=True)
    return tf.nn.batch_normalization(x, mean, variance, None, scale, 1e-3)


def weighed(steps):
    """Weigh each step by the mean over time."""
    return tf.reduce_max(steps * tf.sigmoid(tf.reduce_mean(steps, 0, keepdims=True)), 0)


def turned(maps):
    """Means over the positions of a map with images in the second axis."""
    return tf.reduce_mean(tf.transpose(maps, [1, 0, 2, 3]), [0, 2])


def normalised_in_second_axis(maps):
    return tf.transpose(normalised(tf.transpose(maps, [1, 0, 2, 3]), [1]), [1, 0, 2, 3])


def deviation(rows):
    """The deviation between the images of the batch, repeated for each: [N, 1]."""
    far = tf.sqrt(tf.reduce_mean(tf.square(rows - tf.reduce_mean(rows, 0))))
    return rows[:, :1] * 0 + far


ALONE = {
    "mean over time": lambda a: tf.reduce_mean(time_major(a), 0),
    "mean over time of a loop": lambda a: tf.reduce_mean(tf.scan(lambda h, s: tf.tanh(h + s), time_major(a)), 0),
    "mean of a turned map": turned,
    "weighed by the mean over time": lambda a: weighed(time_major(a)),
    "layer norm over time and features": lambda a: tf.reduce_max(normalised(time_major(a), [0, 2]), 0),
    "mean over time of rows": lambda a: tf.reduce_mean(
        tf.reshape(tf.tanh(tf.reshape(time_major(a), [-1, 4])), [8, -1, 4]), 0
    ),
    "mean of the nets of an ensemble": lambda a: tf.reduce_mean(tf.stack([pooled(a), pooled(a * a)]), 0),
}
TOGETHER = {
    "batch norm": lambda a: pooled(normalised(a, [0, 1, 2], tf.ones([4]))),
    "batch norm of features": lambda a: normalised(pooled(a), [0]),
    "batch norm, time in front": lambda a: tf.reduce_max(normalised(time_major(a), [0, 1]), 0),
    "batch norm of rows, time in front": lambda a: tf.reduce_max(
        tf.reshape(normalised(tf.reshape(time_major(a), [-1, 4]), [0]), [8, -1, 4]), 0
    ),
    "batch norm of a turned map": lambda a: turned(normalised_in_second_axis(a)),
    "centred by the batch": lambda a: pooled(a) - tf.reduce_mean(pooled(a), 0),
    "deviation in the batch": lambda a: tf.concat([pooled(a)[:, :3], deviation(pooled(a))], 1),
}


def net(build):
    x = images(None, 8, 8, 3, name="x")
    return x, dense(build(conv_relu(x, 4)), 3, 4, name="logits")


@pytest.mark.parametrize("kind", [*ALONE, *TOGETHER])
def test_what_mixes_images_is_told_by_their_scores_alone(graph, kind):
    x, logits = net({**ALONE, **TOGETHER}[kind])
    binding = bind(graph)
    with tf.Session() as session:
        together = session.run(logits, {x: PHOTOS})
        alone = np.concatenate([session.run(logits, {x: photo[None]}) for photo in PHOTOS])
    mixes = bool(np.abs(together - alone).max() > 1e-4)
    assert mixes == (kind in TOGETHER)
    assert bool(binding.mixing) == mixes
    assert any("batch norm" in warning for warning in binding.warnings) == mixes
    assert binding.batch_size is None


@pytest.mark.filterwarnings("ignore:the image has")  # prepared values
def test_copies_of_an_image_with_a_mean_over_time_keep_their_scores(graph):
    """Completeness along the path from black to the image, with all its steps in one batch."""
    net(ALONE["mean over time"])
    with GradCamGraph(graph.as_graph_def(), preset="raw") as opened:
        found = opened.explain(PHOTOS, targets=[1], methods=method("integrated_gradients", steps=100))
        black = opened.explain(PHOTOS * 0, targets=[1]).scores
    rise = (found.scores - black)[:, 0]
    np.testing.assert_allclose(found["integrated_gradients"][:, 0].sum((1, 2)).reshape(3, -1).sum(1), rise, rtol=0.02)
