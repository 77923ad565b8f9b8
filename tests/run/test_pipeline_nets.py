"""Folders through nets of every kind: of any size, failing, without ReLUs or gradients, bound in the older style."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from image_folders import copy_scenes, write_noise

from gradcam_tf1.drawing.style import Style
from gradcam_tf1.errors import GradientError, RunError
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.images.image_files import read_image
from gradcam_tf1.nets.demo import DEMO_CLASSES, demo_model, demo_scenes
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import KeyTensors


@pytest.fixture
def photos(tmp_path):
    """Three scenes in a folder and a subfolder."""
    return copy_scenes(tmp_path / "photos", "a.png", "b.png", "sub/c.png")


def free_size_graph():
    """A net of any size: 5x5 VALID convolution, ReLU, mean over the positions, dense."""
    random = np.random.RandomState(0)
    graph = tf.Graph()
    with graph.as_default():
        x = tf.placeholder(tf.float32, [None, None, None, 3], name="input")
        kernel = random.randn(5, 5, 3, 4).astype(np.float32)
        features = tf.nn.relu(tf.nn.conv2d(x, kernel, [1, 2, 2, 1], "VALID"), name="features")
        dense = tf.matmul(tf.reduce_mean(features, [1, 2]), random.randn(4, 3).astype(np.float32))
        tf.nn.softmax(tf.identity(dense, name="logits"), name="prob")
    return graph.as_graph_def()


def test_images_of_different_sizes_in_a_net_of_any_size(out, tmp_path):
    sizes = [(40, 60), (60, 40), (40, 60), (1, 60), (64, 64)]
    write_noise(tmp_path, {f"{i}.png": size for i, size in enumerate(sizes)}, seed=1)
    paths = [str(tmp_path / f"{i}.png") for i in range(5)]
    with GradCamGraph(free_size_graph(), preset="inception") as net:
        results = net.visualize_imgs(paths, out, style=Style(raw=True))
        assert [result.ok for result in results] == [True, True, True, False, True]
        assert "the fitted image has 1x60 pixels, try another size" in results[3].error
        for path, result in zip(paths, results):
            if result.ok:
                alone = net.explain(read_image(path))
                assert alone.predicted[0] == result
                with np.load(result.maps[0].files["raw"]) as raw:
                    np.testing.assert_allclose(raw["map"], alone["gradcam"][0, 0], atol=1e-5)


def test_a_net_of_fixed_size_that_cannot_run_is_not_the_images_fault(photos, out):
    graph = tf.Graph()
    with graph.as_default():
        x = tf.placeholder(tf.float32, [None, 8, 8, 3], name="input")
        features = tf.nn.relu(tf.nn.conv2d(x, np.ones((3, 3, 3, 2), np.float32), [1, 1, 1, 1], "SAME"))
        check = tf.debugging.assert_greater(x, 5.0, message="never so")
        with tf.control_dependencies([check]):
            tf.nn.softmax(tf.matmul(tf.reduce_mean(features, [1, 2]), np.ones((2, 3), np.float32), name="logits"))
    with GradCamGraph(graph.as_graph_def(), preset="inception", logits="logits") as net, pytest.raises(
        RunError, match="never so"
    ):
        net.visualize_imgs(str(photos), out)


class NoRelu(GradCamGraph):
    """A net whose activations are not ReLUs: guided methods do not work on it."""

    def fetch_key_tensors(self):
        return KeyTensors(logits="logits:0", layer="features:0")


def tanh_graph():
    random = np.random.RandomState(0)
    graph = tf.Graph()
    with graph.as_default():
        x = tf.placeholder(tf.float32, [None, 8, 8, 3], name="input")
        kernel = random.randn(3, 3, 3, 4).astype(np.float32)
        features = tf.tanh(tf.nn.conv2d(x, kernel, [1, 1, 1, 1], "SAME"), name="features")
        tf.matmul(tf.reduce_mean(features, [1, 2]), random.randn(4, 3).astype(np.float32), name="logits")
    return graph.as_graph_def()


def test_default_methods_that_a_net_does_not_allow_are_left_out_and_named(photos, out):
    with NoRelu(tanh_graph(), preset="inception") as net:
        results = net.visualize_imgs(str(photos), out)
        assert {record.method for result in results for record in result.maps} == {"gradcam"}
        assert len(results.warnings) == 1
        assert results.warnings[0].startswith("guided_gradcam was left out: ")
        assert json.loads(Path(out, "run.json").read_text())["warnings"] == list(results.warnings)
        with pytest.raises(GradientError, match=r"(?i)relu"):
            net.visualize_imgs(str(photos), out, methods=["guided_gradcam"])


def test_without_any_gradient_the_reason_is_given(photos, out):
    graph = tf.Graph()
    with graph.as_default():
        x = tf.placeholder(tf.float32, [None, 8, 8, 3], name="input")
        features = tf.nn.relu(tf.nn.conv2d(x, np.ones((3, 3, 3, 2), np.float32), [1, 1, 1, 1], "SAME"), name="features")
        stopped = tf.stop_gradient(features, name="wall")
        tf.matmul(tf.reduce_mean(stopped, [1, 2]), np.ones((2, 3), np.float32), name="logits")
    with NoRelu(graph.as_graph_def(), preset="inception") as net, pytest.raises(
        GradientError, match="features:0.*wall"
    ):
        net.visualize_imgs(str(photos), out)


class OlderStyle(GradCamGraph):
    """As scripts of this kind were written: attributes are assigned, nothing is returned."""

    def fetch_key_tensors(self):
        tensor = self.sess.graph.get_tensor_by_name
        self.X, self.logit, self.layer = tensor("input:0"), tensor("logits/BiasAdd:0"), tensor("conv5/Relu:0")
        self.feed_dict = {}

    def preprocess(self, images):
        return images / 127.5 - 1.0


def test_the_older_style_gets_an_array_of_predicted_classes(net, photos, out):
    predicted = OlderStyle(demo_model(), len(DEMO_CLASSES)).visualize_imgs(str(photos), out)
    ids = [int(class_id) for class_id in net.visualize_imgs(str(photos), out + "2")]
    assert np.asarray(predicted).tolist() == ids
    assert DEMO_CLASSES[predicted[0]] in demo_scenes()[0].boxes
    assert (predicted == predicted[0]).tolist() == [class_id == ids[0] for class_id in ids]


def test_the_lit_animal_of_a_real_photograph(models_dir, out):
    """A photograph of 640x480 with a dog above a cat: asked for one of them, the peak lies on it."""
    with GradCamGraph(
        str(models_dir / "pb/mobilenet_v1_0.75_224/quantized_graph.pb"),
        preset="inception",
        labels=str(models_dir / "labels/mobilenet_v1_labels_1001.txt"),
    ) as net:
        names = ("cat_dog.jpg", "zebra.jpeg", "n02510455_giant_panda.JPEG")
        paths = [str(models_dir / "photos" / name) for name in names]
        asked = [["bull mastiff", "tabby"], ["zebra"], ["giant panda"]]
        results = net.visualize_imgs(paths, out, targets=asked, methods="gradcam")
    assert [int(result) for result in results] == [result.class_ids[0] for result in results]
    dog, cat = (target.maps[0].peak for target in results[0].targets)
    for (row, column), (top, left, bottom, right) in ((dog, (20, 220, 310, 480)), (cat, (240, 120, 480, 580))):
        assert top <= row < bottom
        assert left <= column < right
