"""Averages over gradients in an exported graph: the numbers of `explain`, at hardly more bytes than the gradient."""

from __future__ import annotations

import numpy as np
import pytest
from small_nets import SmallNet
from test_exported_numbers import assert_equal, exported_run
from test_other_nets import checked, conv, head

from gradcam_tf1 import GradCamGraph, method
from gradcam_tf1.errors import ExportError, GradientError
from gradcam_tf1.export.export_request import ExportRequest
from gradcam_tf1.export.exported_graph import exported_graph
from gradcam_tf1.export.numpy_noise_ops import standard_normals
from gradcam_tf1.export.spelt_out import spelt_out
from gradcam_tf1.nets.demo import demo_model
from gradcam_tf1.tf_runtime import tf

INTEGRATED = [
    method("integrated_gradients", steps=4),
    method("integrated_gradients", steps=3, rule="gauss-legendre", baseline="white"),
    method("integrated_gradients", steps=2, baseline=100.0),
    method("integrated_gradients", steps=1, baseline="zero"),
]
SMOOTHED = [
    method("smoothgrad", samples=3),
    method("squaregrad", samples=2, seed=5),
    method("vargrad", samples=4, level=0.3),
]


@pytest.fixture(scope="module")
def net():
    with GradCamGraph(SmallNet().graph(), preset="inception") as opened:
        yield opened


@pytest.fixture(scope="module")
def images():
    return np.random.RandomState(3).randint(0, 256, (5, 8, 12, 3)).astype(np.uint8)


@pytest.mark.parametrize("choice", INTEGRATED + SMOOTHED, ids=str)
def test_the_numbers_of_explain(net, images, choice):
    assert_equal(net, images, exported_run(net, images, method=choice), choice)


def test_a_path_keeps_the_class_of_its_image(net, images):
    """Given by their ids, not the top classes; those of top classes are seen above."""
    choice = INTEGRATED[0]
    found = exported_run(net, images, [0, 1, 0, 1, 1], method=choice)
    assert_equal(net, images, found, choice, [[0], [1], [0], [1], [1]])
    assert found["class_ids"].tolist() == [0, 1, 0, 1, 1]


def test_a_real_architecture():
    """Batch norm, max pools and a dense layer, in the form for inference."""
    pixels = np.random.RandomState(3).randint(0, 256, (2, 96, 128, 3)).astype(np.uint8)
    with GradCamGraph(demo_model(), preset="inception") as net:
        for choice in (INTEGRATED[0], SMOOTHED[0]):
            assert_equal(net, pixels, exported_run(net, pixels, method=choice), choice)


@pytest.mark.parametrize(("seed", "count"), [(0, 1), (3, 4097), (2**32 - 1, 700)])
def test_the_random_numbers_of_numpy(seed, count):
    with tf.Graph().as_default() as graph, tf.Session(graph=graph) as sess:
        found = sess.run(standard_normals(seed, count))
    wanted = np.random.RandomState(seed).standard_normal(count)
    assert found.shape == (count,)
    assert np.abs(found - wanted).max() <= 1e-14


def test_neither_weights_nor_noise_are_in_the_file_twice(graph):
    features = conv(tf.placeholder(tf.float32, [None, 32, 32, 3]), 64, 1)
    head(conv(conv(features, 256, 2, stride=4), 512, 3), 10)  # 5.3 MB
    with GradCamGraph(graph, preset="raw") as net:
        plain = exported_graph(net, ExportRequest("gradient")).graph_def
        weights = plain.ByteSize()
        assert weights > 5_000_000
        for name in ("integrated_gradients", "smoothgrad"):
            assert exported_graph(net, ExportRequest(name)).graph_def.ByteSize() - weights <= 0.01 * weights


@pytest.mark.parametrize("channels_first", [False, True])
def test_other_layouts(channels_first):
    with GradCamGraph(SmallNet().graph(channels_first=channels_first), preset="zero-one") as net:
        checked(net, method=INTEGRATED[0], guided=True)
        checked(net, method=SMOOTHED[0])


def test_whole_numbers_and_a_baked_batch(graph):
    images = tf.placeholder(tf.uint8, [2, 8, 8, 3])
    head(conv(tf.cast(images, tf.float32) / 255.0, 4, 1), 3)
    with GradCamGraph(graph, preset="raw") as net:
        assert checked(net, method=INTEGRATED[0]).inputs["images"].shape == (2, 8, 8, 3)
        checked(net, method=SMOOTHED[0])


@pytest.mark.parametrize("baseline", ["mean", np.zeros((8, 12, 3))], ids=["mean", "image"])
def test_a_baseline_of_many_colours(net, baseline):
    with pytest.raises(ExportError, match="takes a baseline of one colour, and .* give 'black', 'white', 'zero' or a"):
        exported_graph(net, ExportRequest(method("integrated_gradients", baseline=baseline)))


def test_a_net_that_mixes_its_images(graph):
    features = conv(tf.placeholder(tf.float32, [None, 8, 8, 3]), 4, 1)
    normed, _, _ = tf.nn.fused_batch_norm(features, tf.ones([4]), tf.zeros([4]), is_training=True)
    head(tf.nn.relu(normed), 3)
    with GradCamGraph(graph, preset="raw") as net, pytest.raises(GradientError, match="mixes the images of a batch"):
        exported_graph(net, ExportRequest("smoothgrad"))


def test_formats_without_gradients_in_loops(net):
    exported = exported_graph(net, ExportRequest(INTEGRATED[3]))
    with pytest.raises(ExportError, match="gradients in a loop have no form in TFLite; export 'gradient', or use the"):
        spelt_out(exported, "TFLite")


def test_other_paths_are_refused_by_name(net):
    for name in ("blur_ig", "guided_ig"):
        with pytest.raises(ExportError, match=f"{name} is not made of ops of the graph alone .* integrated_gradients"):
            exported_graph(net, ExportRequest(name))
