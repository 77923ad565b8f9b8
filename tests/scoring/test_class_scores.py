"""Whatever shape the logits have, [N, C] comes out; and what cannot be class scores is refused."""

from __future__ import annotations

import numpy as np
import pytest

from gradcam_tf1.errors import BindingError, GradientError
from gradcam_tf1.scoring.class_scores import class_probabilities, logit_scores, negative_scores, positive_scores
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import Binding

VALUES = np.arange(24, dtype=np.float32)


def evaluate(build, head, **binding):
    graph = tf.Graph()
    with graph.as_default():
        build()
        scores = head(Binding("x:0", "logits:0", "a:0", **binding))
        with tf.Session(graph=graph) as sess:
            return sess.run(scores)


def placed(shape, dtype=np.float32):
    return lambda: tf.constant(VALUES.astype(dtype).reshape(shape), name="logits")


@pytest.mark.parametrize(
    ("shape", "binding", "expected"),
    [
        ((6, 4), {"classes": 4}, VALUES.reshape(6, 4)),
        ((24,), {"classes": 24, "has_batch_axis": False}, VALUES[None]),
        ((6, 4), {"classes": 4, "has_batch_axis": False}, VALUES.reshape(6, 4).max(0)[None]),
        ((6, 1, 1, 4), {"classes": 4, "has_batch_axis": False}, VALUES.reshape(6, 4).max(0)[None]),
        ((24,), {"classes": 1}, np.stack([-VALUES, VALUES], 1)),
        ((24, 1), {"classes": 1}, np.stack([-VALUES, VALUES], 1)),
        ((2, 3, 4), {"classes": 4}, VALUES.reshape(2, 3, 4).max(1)),
        ((2, 1, 3, 4), {"classes": 4}, VALUES.reshape(2, 1, 3, 4).mean((1, 2))),
        ((2, 4, 1, 3), {"classes": 4}, VALUES.reshape(2, 4, 1, 3).mean((2, 3))),
    ],
)
def test_scores_per_class(shape, binding, expected):
    np.testing.assert_allclose(evaluate(placed(shape), logit_scores, **binding), expected)


def test_a_lone_sigmoid_is_the_probability_of_class_one():
    def build():
        tf.constant([[0.25], [1.0]], name="prob")

    probabilities = evaluate(build, class_probabilities, classes=1, probabilities="prob:0")
    np.testing.assert_allclose(probabilities, [[0.75, 0.25], [0, 1]])


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (placed((1, 2, 3, 2, 2)), "rank 1 to 4"),
        (lambda: tf.placeholder(tf.float32, None, name="logits"), "rank 1 to 4"),
        (placed((6, 4), np.int32), "is int32; class scores are floats"),
    ],
)
def test_tensors_that_are_no_class_scores_are_refused(build, message):
    with pytest.raises(BindingError, match=message):
        evaluate(build, logit_scores)


KERNEL = np.array([[1.0, -2.0], [-3.0, 4.0], [5.0, -6.0]], np.float32)
HIDDEN = np.array([[1.0, 2.0, 3.0]], np.float32)


def dense():
    tf.nn.bias_add(tf.matmul(HIDDEN, KERNEL), [7.0, 8.0], name="logits")


def dense_by_hand_with_the_bias_first():
    tf.identity(tf.constant([7.0, 8.0]) + tf.matmul(HIDDEN, KERNEL), name="logits")


def dense_transposed():
    tf.add(tf.matmul(HIDDEN, KERNEL.T.copy(), transpose_b=True), [7.0, 8.0], name="logits")


def one_by_one_convolution_averaged():
    maps = tf.nn.conv2d(np.tile(HIDDEN[None, None], (1, 2, 2, 1)), KERNEL[None, None], [1, 1, 1, 1], "SAME")
    pooled = tf.nn.avg_pool(tf.nn.bias_add(maps, [7.0, 8.0]), [1, 2, 2, 1], [1, 1, 1, 1], "VALID")
    tf.reshape(tf.squeeze(pooled, [1, 2]), [-1, 2], name="logits")


@pytest.mark.parametrize(
    "build", [dense, dense_by_hand_with_the_bias_first, dense_transposed, one_by_one_convolution_averaged]
)
def test_the_split_adds_up_to_the_logit_without_its_bias(build):
    plus = evaluate(build, positive_scores, classes=2)
    minus = evaluate(build, negative_scores, classes=2)
    np.testing.assert_allclose(plus, HIDDEN @ np.maximum(KERNEL, 0))
    np.testing.assert_allclose(minus, HIDDEN @ np.maximum(-KERNEL, 0))
    np.testing.assert_allclose(plus - minus + [7, 8], evaluate(build, logit_scores, classes=2))


def test_a_head_that_is_not_linear_cannot_be_split():
    def build():
        tf.identity(tf.nn.relu(tf.matmul(HIDDEN, KERNEL), name="bent"), name="logits")

    with pytest.raises(GradientError, match=r"came to 'bent' \(Relu\)"):
        evaluate(build, positive_scores, classes=2)
