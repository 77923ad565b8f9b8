"""The axes of classes and images in the scores: maps equal those of the plain layout."""

from __future__ import annotations

import numpy as np
import pytest
from binding_graphs import bound, conv, conv_relu, dense, pooled, weights
from head_nets import IMAGES, answers, assert_same, logits, opened, score_map, trunk, values_of

from gradcam_tf1.binding.bind_graph import bind
from gradcam_tf1.targets import Anchor, Region
from gradcam_tf1.tf_runtime import tf

FIRST = [0, 3, 1, 2]


def segmentation():
    tf.nn.softmax(score_map(2), name="prob")


def segmentation_put_out_with_channels_first():
    tf.transpose(score_map(2), FIRST, name="out")


def enlarged_and_turned():
    tf.transpose(tf.image.resize_bilinear(score_map(2), [8, 8]), FIRST, name="out")


def softmax_over_axis_one():
    tf.nn.softmax(tf.transpose(score_map(2), FIRST), axis=1, name="prob")


def written_softmax_over_axis_one():
    scores = tf.transpose(score_map(2), FIRST)
    exp = tf.exp(scores - tf.reduce_max(scores, 1, keepdims=True))
    tf.divide(exp, tf.reduce_sum(exp, 1, keepdims=True), name="prob")


def turned_there_and_back():
    turned = tf.nn.bias_add(tf.transpose(score_map(2), FIRST), tf.zeros([2]), data_format="NCHW")
    tf.nn.softmax(tf.transpose(turned, [0, 2, 3, 1]), name="prob")


def one_row_per_pixel_of_an_enlarged_map():
    """A common road segmentation net: every pixel is a row, like an image."""
    tf.nn.softmax(tf.reshape(tf.image.resize_bilinear(score_map(2), [8, 8]), [-1, 2]), name="prob")


def one_step_per_pixel_of_an_enlarged_map():
    tf.nn.softmax(tf.reshape(tf.image.resize_bilinear(score_map(2), [8, 8]), [-1, 64, 2]), name="prob")


@pytest.mark.parametrize(
    "build",
    [
        one_step_per_pixel_of_an_enlarged_map,
        segmentation_put_out_with_channels_first,
        enlarged_and_turned,
        softmax_over_axis_one,
        written_softmax_over_axis_one,
        turned_there_and_back,
        one_row_per_pixel_of_an_enlarged_map,
    ],
)
def test_the_class_axis_is_followed_through_transposes(build):
    ours, plain = answers(build, [0, 1, Region(1)]), answers(segmentation, [0, 1, Region(1)])
    assert ours["classes"] == 2
    assert_same(ours, plain)


def test_a_large_image_has_its_classes_and_not_its_width(graph):
    x = tf.placeholder(tf.float32, [1, 513, 513, 3], name="input")
    large = tf.image.resize_bilinear(conv(conv_relu(x, 4), 2, 1, 4, name="logits"), [513, 513])
    out = tf.transpose(large, FIRST, name="out")
    assert out.shape.as_list() == [1, 2, 513, 513]
    binding = bind(graph)
    assert (binding.classes, binding.logits) == (2, "logits/BiasAdd:0")


def test_channels_first_scores_named_by_the_user():
    assert_same(answers(segmentation_put_out_with_channels_first, logits="out:0"), answers(segmentation))


def test_channels_first_probabilities_beside_channels_last_scores():
    """Two outputs of rank 4, each with its own order of axes."""

    def build():
        tf.transpose(tf.nn.softmax(score_map(2)), FIRST, name="prob")

    ours, plain = answers(build), answers(segmentation)
    np.testing.assert_allclose(ours["probabilities"], plain["probabilities"], rtol=1e-5)
    assert_same(ours, plain)


# several rows per image


def anchors():
    tf.nn.softmax(tf.reshape(score_map(6), [-1, 48, 2]), name="prob")


def anchors_in_the_axis_of_images():
    tf.reshape(tf.nn.softmax(tf.reshape(score_map(6), [-1, 2], name="rows")), [1, -1], name="out")


def anchors_alone_in_the_axis_of_images():
    tf.nn.softmax(tf.reshape(score_map(6), [-1, 2], name="rows"), name="prob")


def anchors_of_a_map_of_unknown_size():
    x = tf.placeholder(tf.float32, [None, None, None, 3], name="input")
    tf.nn.softmax(tf.reshape(conv(trunk(x), 6, 1, 8, "head"), [-1, 2], name="rows"), name="prob")


@pytest.mark.parametrize(
    "build",
    [anchors_alone_in_the_axis_of_images, anchors_of_a_map_of_unknown_size],
)
def test_anchors_in_the_axis_of_images(build):
    targets = [0, 1, Anchor(1, index=7), Anchor(0, best=3)]
    ours = answers(build, targets)
    assert_same(ours, answers(anchors, targets))
    assert ours["scores"].shape == (3, 4)
    np.testing.assert_allclose(ours["probabilities"], answers(anchors, targets)["probabilities"], rtol=1e-5)


def test_anchors_that_are_flattened_again_with_one_image():
    targets = [1, Anchor(1, index=7)]
    ours = answers(anchors_in_the_axis_of_images, targets, IMAGES[:1])
    assert_same(ours, answers(anchors, targets, IMAGES[:1]))


def test_anchors_of_one_kind_are_no_images_either():
    def rows():
        tf.reshape(tf.nn.softmax(tf.reshape(score_map(2), [-1, 2])), [1, -1], name="out")

    def plain():
        tf.nn.softmax(tf.reshape(score_map(2), [-1, 16, 2]), name="prob")

    targets = [1, Anchor(1, index=7)]
    assert_same(answers(rows, targets, IMAGES[:1]), answers(plain, targets, IMAGES[:1]))


def test_region_proposals_with_a_row_of_two_for_each_anchor():
    """Faster R-CNN: [1, h, w, 2 A] to [1, 2, A h, w], softmax over the two, and back."""

    def build():
        maps = tf.transpose(conv(trunk(batch=1), 6, 1, 8, "head"), FIRST)
        two = tf.transpose(tf.reshape(maps, [1, 2, -1, 4]), [0, 2, 3, 1], name="two")
        tf.reshape(tf.nn.softmax(tf.reshape(two, [-1, 2])), tf.shape(two), name="prob")

    scores = values_of(build, ["two:0"], IMAGES[:1])[0].reshape(-1, 2)
    ours = answers(build, [0, 1, Anchor(1, index=7)], IMAGES[:1])
    assert ours["classes"] == 2
    np.testing.assert_allclose(ours["scores"], [[*scores.max(0), scores[7, 1]]], rtol=1e-4)


def test_crops_of_an_image_are_rows_of_it():
    """The second stage of a detector classifies each crop; one image at a time, since their number varies."""

    def build():
        boxes = tf.constant([[0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 0.5, 0.5], [0.5, 0.0, 1.0, 0.5]])
        crops = tf.image.crop_and_resize(trunk(batch=1), boxes, [0, 0, 0], [2, 2])
        tf.nn.softmax(dense(pooled(crops), 4, 8, name="crops"), name="prob")

    scores = values_of(build, ["crops/BiasAdd:0"], IMAGES[:1])[0]
    ours = answers(build, [0, Anchor(2, index=1)], IMAGES[:1])
    np.testing.assert_allclose(ours["scores"], [[scores[:, 0].max(), scores[1, 2]]], rtol=1e-4)


# plain heads stay plain


def test_a_flattened_map_and_a_dense_layer_are_one_row_per_image(graph):
    x = tf.placeholder(tf.float32, [None, None, None, 3], name="input")
    flat = tf.reshape(trunk(x), [-1, 128])
    tf.nn.softmax(dense(flat, 5, 128), name="prob")
    assert bound(graph) == ("dense/BiasAdd:0", "prob:0")
    assert bind(graph).score_axes == "nc"


def test_one_step_of_a_sequence_is_one_row_per_image(graph):
    sequence = tf.transpose(tf.reduce_mean(trunk(), 1), [1, 0, 2])
    tf.nn.softmax(dense(sequence[-1], 5, 8), name="prob")
    assert bind(graph).score_axes == "nc"


@pytest.mark.parametrize("layout", ["last", "first"])
def test_a_pooled_map_of_unknown_size_that_is_flattened_is_one_row_of_classes(graph, layout):
    """SqueezeNet for any size: the graph does not show that pooling leaves one position, and dropout is in between."""
    x = conv(trunk(tf.placeholder(tf.float32, [None, None, None, 3], name="input")), 5, 1, 8, name="scores")
    x = tf.nn.dropout(tf.nn.avg_pool(x, [1, 4, 4, 1], [1, 4, 4, 1], "VALID"), rate=0.5)
    x = x if layout == "last" else tf.transpose(x, FIRST)
    tf.nn.softmax(tf.reshape(x, tf.stack([tf.shape(x)[0], -1])), name="prob")
    assert bind(graph).probabilities == "prob:0"


def test_scores_of_a_volume_are_averaged_over_its_positions():
    def build():
        x = tf.placeholder(tf.float32, [None, 4, 4, 4, 1], name="input")
        x = tf.nn.relu(tf.nn.conv3d(x, weights(3, 3, 3, 1, 6), [1] * 5, "SAME"), name="features")
        tf.nn.softmax(tf.nn.conv3d(x, weights(1, 1, 1, 6, 3), [1] * 5, "SAME", name="scores"), name="prob")

    arrays = np.random.RandomState(0).rand(2, 4, 4, 4, 1).astype(np.float32)
    scores = values_of(build, ["scores:0"], arrays * 255)[0]
    with opened(build) as net:
        found = net.explain(arrays, [0, 1, 2])
        assert (net.binding.score_axes, net.binding.classes) == ("npppc", 3)
    np.testing.assert_allclose(found.scores, scores.mean((1, 2, 3)), rtol=1e-4)


def test_the_axis_of_the_one_image_may_be_squeezed_away():
    def build():
        scores = dense(pooled(trunk(batch=1)), 5, 8, name="scores")
        tf.nn.softmax(tf.squeeze(scores, name="vector"), name="prob")

    ours, plain = answers(build, [0, 4], IMAGES[:2]), answers(one_image_at_a_time, [0, 4], IMAGES[:2])
    assert ours["binding"].logits == "vector:0"
    np.testing.assert_allclose(ours["probabilities"], plain["probabilities"], rtol=1e-5)
    assert_same(ours, plain)


def one_image_at_a_time():
    tf.nn.softmax(dense(pooled(trunk(batch=1)), 5, 8, name="scores"), name="prob")


def test_classes_stacked_from_single_scores(graph):
    x = pooled(trunk())
    single = [tf.squeeze(dense(x, 1, 8, name=f"class_{k}"), [1]) for k in range(3)]
    tf.nn.softmax(tf.stack(single, axis=1, name="scores"), name="prob")
    binding = bind(graph)
    assert (binding.logits, binding.classes, binding.score_axes) == ("scores:0", 3, "nc")


def test_the_binding_says_how_the_axes_are_meant():
    with opened(anchors) as net:
        assert net.binding.score_axes == "nac"
    with opened(lambda: tf.nn.softmax(logits(), name="prob")) as net:
        assert (net.binding.score_axes, net.binding.probability_axes) == ("nc", "nc")
