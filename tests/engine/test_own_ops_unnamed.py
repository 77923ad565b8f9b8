"""Messages name the net's tensors, not the ops that this toolkit adds; and what they say to type works."""

from __future__ import annotations

import numpy as np
import pytest
from binding_graphs import conv_relu, dense, images, pooled

from gradcam_tf1.errors import RunError
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.tf_runtime import tf

PHOTOS = np.random.RandomState(3).rand(5, 8, 8, 3).astype(np.float32)


def tower(x, number):
    with tf.name_scope(f"tower_{number}"):
        return dense(pooled(conv_relu(x, 4)), 3, 4)


@pytest.fixture
def every_second(graph):
    """Towers for the images 0, 2, 4 and 1, 3."""
    x = images(None, 8, 8, 3, name="x")
    count = tf.shape(x)[0]
    towers = [tower(tf.identity(x[n::2], name=f"part_{n}"), n) for n in (0, 1)]
    tf.dynamic_stitch([tf.range(0, count, 2), tf.range(1, count, 2)], towers, name="joined")
    return graph.as_graph_def()


@pytest.mark.filterwarnings("ignore:the image has")  # prepared values
def test_a_layer_of_one_tower_is_named_and_the_cure_works(every_second):
    with GradCamGraph(every_second, preset="raw") as net, pytest.raises(RunError) as refused:
        net.explain(PHOTOS, targets=[1])
    assert "gradcam_tf1/" not in str(refused.value)
    assert "'tower_0/conv/Relu:0' came out as [3, 8, 8] for 5 images" in str(refused.value)
    assert "the input, logits and layer of one of the parts (--input, --logits, --layer)" in str(refused.value)
    named = {"input": "part_0", "logits": "tower_0/dense/BiasAdd", "layer": "tower_0/conv/Relu"}
    with GradCamGraph(every_second, preset="raw") as whole, GradCamGraph(every_second, preset="raw", **named) as one:
        wanted = whole.explain(PHOTOS, targets=[1], methods=["gradient"])
        found = one.explain(PHOTOS, targets=[1], methods=["gradient", "gradcam"])
    np.testing.assert_allclose(found.scores, wanted.scores, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(found["gradient"], wanted["gradient"], rtol=1e-4, atol=1e-8)
    assert found["gradcam"].shape[:2] == (5, 1)


@pytest.mark.filterwarnings("ignore:the image has")  # prepared values
def test_scores_with_other_rows_than_images_are_named(graph):
    x = images(None, 8, 8, 3, name="x")
    rows = dense(pooled(conv_relu(x, 4)), 3, 4)
    tf.concat([rows, rows], 0, name="doubled")
    with GradCamGraph(graph.as_graph_def(), preset="raw", logits="doubled") as net, pytest.raises(RunError) as refused:
        net.explain(PHOTOS, targets=[1])
    assert "gradcam_tf1/" not in str(refused.value)
    assert "'doubled:0'" in str(refused.value)
    assert "one row per image" in str(refused.value)
