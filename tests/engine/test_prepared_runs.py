"""A prepared run gives what `tf.Session.run` gives: the same numbers, and the same errors."""

from __future__ import annotations

import numpy as np
import pytest

from gradcam_tf1.engine.prepared_runs import PreparedRuns
from gradcam_tf1.tf_runtime import tf, unfinalized


class CountingSession(tf.Session):
    """A session that knows how often `run` was called."""

    runs = 0

    def run(self, *args, **kwargs):
        self.runs += 1
        return super().run(*args, **kwargs)


@pytest.fixture
def net():
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 3], "x")
        words = tf.placeholder(tf.string, [None], "words")
        tf.exp(x, "y")
        tf.strings.length(words, "lengths")
        tf.reshape(x, [2, 3], "two_rows")
    graph.finalize()
    with CountingSession(graph=graph) as sess:
        yield graph, sess


def tensors(graph, *names):
    return [graph.get_tensor_by_name(f"{name}:0") for name in names]


@pytest.mark.parametrize("rows", [1, 4, 2])
def test_numbers_and_words_are_those_of_the_session(net, rows):
    graph, sess = net
    x, words, y, lengths = tensors(graph, "x", "words", "y", "lengths")
    run = PreparedRuns(sess)
    for scale in (1, 2):
        feed = {x: (scale * np.arange(3 * rows).reshape(rows, 3)).tolist(), words: [b"a", "bcd"]}
        found, told = run([y, lengths], feed), tf.Session.run(sess, [y, lengths], feed)
        assert [value.dtype for value in found] == [np.float32, np.int32]
        for ours, theirs in zip(found, told):
            np.testing.assert_array_equal(ours, theirs)
    assert sess.runs == 0  # the session's own way was never needed


@pytest.mark.parametrize("value", [np.zeros((2, 4)), np.zeros(3), np.zeros((1, 2, 3))])
def test_a_value_of_another_shape_is_refused_although_the_op_would_take_it(net, value):
    graph, sess = net
    x, y = tensors(graph, "x", "y")
    run = PreparedRuns(sess)
    run([y], {x: np.zeros((2, 3))})
    with pytest.raises(ValueError, match="Cannot feed value of shape"):
        run([y], {x: value})


def test_what_is_no_number_is_refused(net):
    graph, sess = net
    x, y = tensors(graph, "x", "y")
    with pytest.raises(ValueError, match="could not convert string to float"):
        PreparedRuns(sess)([y], {x: [["a", "b", "c"]]})


def test_an_error_names_its_op_and_the_next_run_works(net):
    graph, sess = net
    x, reshaped = tensors(graph, "x", "two_rows")
    run = PreparedRuns(sess)
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        run([reshaped], {x: np.zeros((5, 3))})
    assert caught.value.op.name == "two_rows"
    np.testing.assert_array_equal(run([reshaped], {x: np.ones((2, 3))})[0], np.ones((2, 3)))


def test_ops_that_come_later(net):
    graph, sess = net
    x, y = tensors(graph, "x", "y")
    run, feed = PreparedRuns(sess), {x: np.ones((2, 3))}
    before = run([y], feed)[0]
    with unfinalized(graph):
        doubled = 2 * y
    np.testing.assert_array_equal(run([y, doubled], feed)[1], 2 * before)
    np.testing.assert_array_equal(run([y], feed)[0], before)
    assert sess.runs == 0


def test_a_closed_session_says_so(net):
    graph, sess = net
    x, y = tensors(graph, "x", "y")
    run = PreparedRuns(sess)
    run([y], {x: np.ones((2, 3))})
    sess.close()
    with pytest.raises(RuntimeError, match="closed Session"):
        run([y], {x: np.ones((2, 3))})
