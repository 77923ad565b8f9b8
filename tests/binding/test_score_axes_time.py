"""Steps of a sequence belong to one image, wherever the time axis lies."""

from __future__ import annotations

import pytest
from binding_graphs import dense, weights
from head_nets import answers, assert_same, trunk

from gradcam_tf1.binding.bind_graph import bind
from gradcam_tf1.targets import Anchor
from gradcam_tf1.tf_runtime import tf


def steps():
    """One step per column: [N, 4, 5]."""
    columns = tf.reduce_mean(trunk(), 1)
    return tf.nn.bias_add(tf.reshape(tf.matmul(tf.reshape(columns, [-1, 8]), weights(8, 5)), [-1, 4, 5]), weights(5))


def by_image():
    tf.nn.softmax(tf.identity(steps(), name="steps"), name="prob")


def time_distributed():
    """Keras: the layer takes rows of all images; its output is reshaped back and then activated."""
    columns = tf.reshape(tf.reduce_mean(trunk(), 1), [-1, 8])
    rows = tf.nn.bias_add(tf.matmul(columns, weights(8, 5)), weights(5))
    tf.nn.softmax(tf.reshape(rows, [-1, 4, 5]), name="prob")


def decoded(time_major, log_of_softmax=False):
    """CTC expects time first."""
    scores = steps()
    if time_major:
        scores = tf.transpose(scores, [1, 0, 2], name="time_major")
    if log_of_softmax:
        scores = tf.log(tf.transpose(tf.nn.softmax(scores), [1, 0, 2]) + 1e-7)
    lengths = tf.fill([tf.shape(scores)[1]], 4)
    paths, _ = tf.nn.ctc_greedy_decoder(scores, lengths)
    tf.sparse.to_dense(paths[0], default_value=-1, name="text")


def made_with_the_time_in_front():
    """The layer itself is time-major, as after dynamic_rnn(time_major=True)."""
    columns = tf.transpose(tf.reduce_mean(trunk(), 1), [1, 0, 2])
    rows = tf.matmul(tf.reshape(columns, [-1, 8]), weights(8, 5))
    scores = tf.nn.bias_add(tf.reshape(rows, [4, -1, 5]), weights(5), name="scores")
    beams, _ = tf.nn.ctc_beam_search_decoder(scores, tf.fill([tf.shape(scores)[1]], 4))
    tf.sparse.to_dense(beams[0], default_value=-1, name="text")


def without_bias():
    """Dense without bias on [N, T, F] with unknown T: a product of sides counts its rows."""
    columns = tf.reduce_mean(trunk(), 1)
    columns = tf.reshape(columns, [-1, tf.shape(columns)[1], 8])
    scores = tf.tensordot(columns, weights(8, 5), 1, name="head")
    time_first = tf.transpose(scores, [1, 0, 2], name="time_major")
    tf.nn.ctc_greedy_decoder(time_first, tf.fill([tf.shape(time_first)[1]], 4))


def zero_bias():
    """The same with the bias of `steps` left out."""
    columns = tf.reduce_mean(trunk(), 1)
    scores = tf.reshape(tf.matmul(tf.reshape(columns, [-1, 8]), weights(8, 5)), [-1, 4, 5])
    tf.nn.softmax(tf.nn.bias_add(scores, tf.zeros([5])), name="prob")


def test_a_dense_layer_without_bias_has_steps_of_images():
    targets = [0, 4, Anchor(3, index=2)]
    ours = answers(without_bias, targets)
    assert ours["binding"].score_axes in ("nac", "anc")
    assert_same(ours, answers(zero_bias, targets))


@pytest.mark.parametrize(
    "build",
    [
        time_distributed,
        lambda: decoded(True),
        lambda: decoded(False, log_of_softmax=True),
        made_with_the_time_in_front,
    ],
    ids=["time distributed", "ctc", "ctc of log softmax", "time in front"],
)
def test_steps_are_of_an_image_and_not_images(build):
    targets = [0, 4, Anchor(3, index=2)]
    assert_same(answers(build, targets), answers(by_image, targets))


def test_ctc_loss_shows_the_scores():
    def build():
        scores = tf.transpose(steps(), [1, 0, 2])
        labels = tf.sparse.placeholder(tf.int32, name="labels")
        tf.reduce_mean(tf.nn.ctc_loss(labels, scores, tf.fill([tf.shape(scores)[1]], 4)), name="loss")

    ours = answers(build, [0, 4])
    assert "CTC" in ours["binding"].reasons["logits"]
    assert_same(ours, answers(by_image, [0, 4]))


def test_rows_of_a_dense_layer_over_time_are_not_images(graph):
    """Rows in time order, [T N, C], as the output."""
    columns = tf.transpose(tf.reduce_mean(trunk(), 1), [1, 0, 2])
    dense(tf.reshape(columns, [-1, 8]), 5, 8, name="rows")
    binding = bind(graph)
    assert (binding.score_axes, binding.classes) == ("sc", 5)


def test_step_after_step_in_one_axis_has_the_same_maps():
    def build():
        columns = tf.transpose(tf.reduce_mean(trunk(), 1), [1, 0, 2])
        rows = tf.nn.bias_add(tf.matmul(tf.reshape(columns, [-1, 8]), weights(8, 5)), weights(5))
        tf.nn.softmax(rows, name="prob")

    targets = [0, Anchor(3, index=2)]
    assert_same(answers(build, targets), answers(by_image, targets))
