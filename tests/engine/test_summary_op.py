"""The symbolic overlay equals the drawn one."""

from __future__ import annotations

import numpy as np
import pytest

from gradcam_tf1 import Contrast, GradCamGraph, OptionError, Preprocessing, Style, method
from gradcam_tf1.nets.demo import DEMO_CLASSES, demo_model, demo_scenes
from gradcam_tf1.tf_runtime import tf

SIZE, DEFAULT = (96, 128), Style()


@pytest.fixture(scope="module")
def images(net):
    """Scenes at the input's size in whole numbers, so that nothing is lost on the way through the net's input."""
    fitted = [net.fit_image(scene.path).pixels for scene in demo_scenes()[:3]]
    return [np.rint(pixels).astype(np.uint8) for pixels in fitted]


def fed(net, images):
    return {net.binding.input: net.preprocess(np.stack(images).astype(np.float32))}


def assert_equal(net, images, target, method_, layer=None, style=DEFAULT, **given):
    drawn = net.sess.run(net.summary_op(target, method_, layer, style=style, **given), fed(net, images))
    assert drawn.dtype == np.uint8
    explanation = net.explain(images, target, method_, layer)
    for n, map in enumerate(explanation):
        expected = map.overlay(style)
        assert np.abs(drawn[n].astype(int) - expected).max() <= 1, (n, map)
    return drawn, explanation


@pytest.mark.parametrize("style", ["overlay", "blend", "gray-background"])
@pytest.mark.parametrize("colormap", ["jet", "viridis", "diverging"])
def test_every_symbolic_style(net, images, style, colormap):
    drawn, _ = assert_equal(net, images, "ring", "gradcam", style=Style(colormap, 0.7, style=style))
    assert np.abs(drawn[0].astype(int) - images[0]).max() > 60


@pytest.mark.parametrize("name", ["hirescam", "layercam", "gradcampp", "elementwise", "negative", "counterfactual"])
@pytest.mark.parametrize("layer", [-1, -4])
def test_methods_and_layers(net, images, name, layer):
    for colormap in ("turbo", "diverging"):
        assert_equal(net, images, None, name, layer, Style(colormap))


def test_options_of_a_method(net, images):
    assert_equal(net, images, 2, method("finercam"))


def test_an_empty_map_leaves_the_photograph(net, images):
    black = [np.zeros((*SIZE, 3), np.uint8), images[0]]
    for style in ("overlay", "blend", "gray-background"):
        drawn, explanation = assert_equal(net, black, "heart", "gradcam", style=Style(style=style))
        assert "empty" in [map.status for map in explanation]
        for image, shown, map in zip(black, drawn, explanation):
            assert map.status == "ok" or np.array_equal(shown, image)


@pytest.mark.parametrize(
    "preset", [Preprocessing("own", 1 / 255, (0.4, 0.5, 0.6), (0.2, 0.3, 0.4), order="bgr"), "raw", "caffe"]
)
def test_photographs_are_computed_back_from_the_input(images, preset):
    with GradCamGraph(demo_model(), preset=preset) as net:
        assert_equal(net, images, 1, "gradcam")


def test_photographs_of_a_tensor_for_a_net_with_its_own_preprocessing(images):
    class Own(GradCamGraph):
        def preprocess(self, values):
            return np.tanh(values / 100 - 1)

    with Own(demo_model()) as net:
        with pytest.raises(OptionError, match="photographs cannot be computed back .*; give images, a uint8 tensor"):
            net.summary_op()
        with net.adding_ops():
            photographs = tf.placeholder(tf.uint8, [None, *SIZE, 3])
        drawn = net.sess.run(net.summary_op(1, images=photographs), {**fed(net, images), photographs: np.stack(images)})
        for n, map in enumerate(net.explain(images, 1)):
            assert np.abs(drawn[n].astype(int) - map.overlay()).max() <= 1
        with pytest.raises(OptionError, match=r"images is a uint8 tensor \[N, H, W, 3\] of net.graph"):
            net.summary_op(images=np.zeros((1, *SIZE, 3), np.uint8).astype(float))


def test_the_same_request_is_the_same_tensor_and_ops_of_the_user_can_follow(images):
    with GradCamGraph(demo_model(), preset="inception", labels=DEMO_CLASSES) as net:
        overlay = net.summary_op("ring")
        count = len(net.graph.get_operations())
        assert net.summary_op(1) is overlay
        assert len(net.graph.get_operations()) == count
        assert net.graph.finalized
        with net.adding_ops():
            summary = tf.summary.image("map", overlay, max_outputs=1)
        assert net.graph.finalized
        message = tf.Summary.FromString(net.sess.run(summary, fed(net, images)))
        assert [value.image.height for value in message.value] == [SIZE[0]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"style": Style(style="contour")}, "style 'contour' has no symbolic form; possible: overlay, blend, gray-"),
        ({"style": Style(style="mask-only")}, "style 'mask-only' has no symbolic form"),
        ({"style": Style(box=0.15)}, "a box has no symbolic form"),
        ({"method": "rise"}, "rise is not made of ops of the graph alone; possible for summary_op: gradcam"),
        ({"method": ["gradcam", "layercam"]}, "give one method, not 2"),
        ({"layer": [-1, -2]}, "give one layer, not 2"),
        ({"layer": "auto"}, "summary_op draws a single layer of a net of images; 'auto' is none"),
        ({"target": Contrast(0, 1)}, "needs values for each image; summary_op takes a class, or None"),
    ],
)
def test_what_has_no_symbolic_form(net, options, message):
    with pytest.raises(OptionError, match=message):
        net.summary_op(**options)


def test_layers_together_are_refused(graph):
    images = tf.placeholder(tf.float32, [None, 8, 8, 3])
    left, right = (
        tf.nn.relu(tf.nn.conv2d(images, tf.ones([3, 3, 3, 4]), strides=1, padding="SAME"), name=name)
        for name in ("left", "right")
    )
    tf.matmul(tf.reduce_mean(tf.concat([left, right], 3), [1, 2]), tf.ones([8, 2]), name="logits")
    message = "summary_op draws a single layer of a net of images; 'left:0 . right:0'"
    with GradCamGraph(graph, preset="raw") as net, pytest.raises(OptionError, match=message):
        net.summary_op(0, layer="left + right")


def test_free_sizes_are_refused(graph):
    images = tf.placeholder(tf.float32, [None, None, None, 3])
    features = tf.nn.relu(tf.nn.conv2d(images, tf.ones([3, 3, 3, 4]), strides=1, padding="SAME"))
    tf.matmul(tf.reduce_mean(features, [1, 2]), tf.ones([4, 2]), name="logits")
    with GradCamGraph(graph, preset="raw") as net, pytest.raises(OptionError, match="needs fixed sides"):
        net.summary_op(0)


def test_the_number_of_classes_must_be_in_the_graph(graph):
    images = tf.placeholder(tf.float32, [None, 8, 8, 3])
    features = tf.nn.relu(tf.nn.conv2d(images, tf.ones([3, 3, 3, 4]), strides=1, padding="SAME"))
    weights = tf.placeholder_with_default(np.ones((4, 2), np.float32), [4, None])
    tf.matmul(tf.reduce_mean(features, [1, 2]), weights, name="logits")
    with GradCamGraph(graph, preset="raw") as net, pytest.raises(OptionError, match="does not say how many classes"):
        net.summary_op(0)
