"""Relevance and multipliers through a learning phase of Switch and Merge: as in the net without its training half."""

from __future__ import annotations

import numpy as np
import pytest
from loop_nets import loops_of_ops

from gradcam_tf1.errors import GradientError
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.methods import METHODS
from gradcam_tf1.tf_runtime import tf

IMAGE = np.random.RandomState(1).randint(0, 255, (12, 12, 3)).astype(np.uint8)
NAMES = [name for name in METHODS if name.startswith("lrp_")]
NAMES += ["deep_taylor", "relevance_cam", "deeplift", "deepshap", "liftcam"]


def frozen(switched):
    random = np.random.RandomState(0)

    def weight(*shape):
        return (random.randn(*shape) * 0.3).astype(np.float32)

    def dropped(values):
        if not switched:
            return values
        return tf.cond(phase, lambda: tf.nn.dropout(values, rate=0.5), lambda: tf.identity(values))

    def normed(values):
        """As batch norm in Keras: with the statistics of the batch in training."""
        scale, offset, mean, variance = 1 + weight(5), weight(5), weight(5), 1 + np.abs(weight(5))

        def as_learned():
            return tf.nn.fused_batch_norm(values, scale, offset, mean, variance, 1e-3, is_training=False)[0]

        if not switched:
            return as_learned()
        return tf.cond(phase, lambda: tf.nn.fused_batch_norm(values, scale, offset, epsilon=1e-3)[0], as_learned)

    with loops_of_ops(), tf.Graph().as_default() as graph:
        images = tf.placeholder(tf.float32, [None, 12, 12, 3], name="images")
        phase = tf.placeholder_with_default(False, [], name="keras_learning_phase")
        conv = tf.nn.conv2d(images, weight(3, 3, 3, 5), 1, "SAME")
        found = dropped(tf.nn.relu(normed(tf.nn.bias_add(conv, weight(5)))))
        found = tf.nn.relu(tf.nn.conv2d(found, weight(3, 3, 5, 6), 1, "SAME"), name="last")
        found = dropped(tf.reduce_mean(found, [1, 2]))
        tf.nn.bias_add(tf.matmul(found, weight(6, 4)), weight(4), name="logits")
        return graph.as_graph_def()


@pytest.fixture(scope="module")
def nets():
    with GradCamGraph(frozen(False), preset="inception", layer="last") as without, GradCamGraph(
        frozen(True), preset="inception", layer="last"
    ) as switched:
        yield without, switched


@pytest.mark.parametrize("name", NAMES)
def test_the_branch_that_is_taken_hands_everything_down(name, nets):
    wanted, found = (next(iter(net.explain(IMAGE, 1, name).maps.values())) for net in nets)
    assert np.abs(wanted).max() > 0
    np.testing.assert_allclose(found, wanted, atol=1e-6 * np.abs(wanted).max())


@pytest.mark.parametrize(
    ("name", "message"), [("lrp_epsilon", "relevance stops at"), ("deeplift", "deeplift puts changed copies")]
)
def test_a_net_that_is_fed_its_training_half_is_refused(name, message):
    """There batch norm depends on the other images of the batch."""
    with GradCamGraph(
        frozen(True), preset="inception", layer="last", feed={"keras_learning_phase:0": True}
    ) as net, pytest.raises(GradientError, match=f"{message} .*FusedBatchNorm"):
        net.explain(IMAGE, 1, name)
