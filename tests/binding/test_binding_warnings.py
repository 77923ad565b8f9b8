"""Warnings, fixed batch sizes, pixel values that the graph shows, and the JSON report."""

from __future__ import annotations

import json

import numpy as np
import pytest
from binding_graphs import batch_norm, classifier, conv, conv_relu, dense, images, pooled, two_layers, weights
from counted_calls import calls

from gradcam_tf1.binding.bind_graph import bind
from gradcam_tf1.binding.json_report import binding_report
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import KeyTensors


def classify(features, channels=8):
    return tf.nn.softmax(dense(pooled(features), 5, channels))


def only_warning(graph, **options):
    (warning,) = bind(graph, **options).warnings
    return warning


def test_a_plain_net_has_no_warnings(graph):
    classifier(images())
    assert bind(graph).warnings == ()


def test_fused_batch_norm_in_training_mode(graph):
    classify(tf.nn.relu(batch_norm(conv(images(), 8), 8, training=True)))
    assert "batch norm in training mode (1 ops, first 'bn')" in only_warning(graph)


def test_written_batch_norm_in_training_mode(graph):
    x = conv(images(), 8)
    mean, variance = tf.nn.moments(x, [0, 1, 2])
    classify(tf.nn.relu(tf.nn.batch_normalization(x, mean, variance, weights(8), weights(8), 1e-3)))
    assert "batch norm in training mode" in only_warning(graph)


def test_the_mean_of_several_nets_is_not_one(graph):
    members = [
        dense(pooled(conv(images(name="x") if k == 0 else graph.get_tensor_by_name("x:0"), 8)), 5, 8) for k in (0, 1)
    ]
    tf.nn.softmax(tf.reduce_mean(tf.stack(members), 0))
    binding = bind(graph)
    assert (len(binding.layer.split(" + ")), binding.warnings) == (2, ())


def test_layer_norm_is_not_one(graph):
    x = conv(images(), 8)
    mean, variance = tf.nn.moments(x, [1, 2, 3], keep_dims=True)
    classify(tf.nn.relu((x - mean) * tf.rsqrt(variance + 1e-3)))
    assert bind(graph).warnings == ()


def test_layer_norm_by_the_fused_op_is_not_one(graph):
    x = conv(images(), 8)
    folded = tf.reshape(x, [1, -1, 16, 128])
    y = tf.nn.fused_batch_norm(folded, tf.ones([128]), tf.zeros([128]), is_training=True)[0]
    classify(tf.nn.relu(tf.reshape(y, [-1, 16, 16, 8])))
    assert not any("batch norm" in warning for warning in bind(graph).warnings)


def test_active_dropout(graph):
    classify(tf.nn.dropout(two_layers(images()), rate=0.5))
    assert "dropout or noise is on at inference" in only_warning(graph)


def test_baked_batch_size_of_the_input(graph):
    classifier(images(4, 16, 16, 3))
    binding = bind(graph)
    assert binding.batch_size == 4
    assert "batch size 4 is baked" in binding.warnings[0]


@pytest.mark.parametrize(("shape", "batch"), [([1, 2048], 1), ([-1, 2048], None), ([2, -1], 2)])
def test_baked_batch_size_of_a_reshape(graph, shape, batch):
    flat = tf.reshape(two_layers(images()), shape)
    tf.nn.softmax(dense(tf.ensure_shape(flat, [None, 2048]), 5, 2048))
    assert bind(graph).batch_size == batch


@pytest.mark.parametrize(
    ("time_major", "rows", "steps", "batch"),
    [
        (True, [-1, 8], [16, -1, 8], None),  # the number of steps is none of images
        (True, [32, 8], [16, 2, 8], 2),
        (False, [-1, 8], [-1, 16, 8], None),
        (False, [32, 8], [2, 16, 8], 2),  # the rows of all images are none of them either
    ],
)
def test_steps_and_rows_are_no_baked_batch(graph, time_major, rows, steps, batch):
    """Oracle: whether the graph runs with this number of images."""
    x = images()
    columns = tf.reduce_mean(two_layers(x), 1)
    turned = tf.transpose(columns, [1, 0, 2]) if time_major else columns
    scores = tf.reshape(tf.tanh(tf.reshape(turned, rows)), steps)
    logits = dense(tf.reduce_max(scores, 0 if time_major else 1), 5, 8)
    assert bind(graph).batch_size == batch
    with tf.Session() as session:
        assert session.run(logits, {x: np.ones([batch or 3, 16, 16, 3])}).shape == (batch or 3, 5)


def test_squeezed_batch_axis_is_baked(graph):
    x = tf.squeeze(two_layers(images()), [0])
    classify(tf.expand_dims(x, 0))
    assert bind(graph).batch_size == 1


def test_squeeze_inside_a_loop_is_no_baked_batch(graph):
    x = tf.raw_ops.Enter(data=images(), frame_name="loop")
    x = tf.raw_ops.Exit(data=tf.expand_dims(tf.squeeze(x, [0]), 0))
    classifier(tf.reshape(x, [-1, 16, 16, 3]))
    assert bind(graph).batch_size is None


def test_no_gradient_to_the_layer_names_the_op(graph):
    features = two_layers(images())
    tf.nn.softmax(dense(tf.stop_gradient(pooled(features), name="frozen"), 5, 8))
    assert "no gradient leads from the logits to the layer: 'frozen' (StopGradient)" in only_warning(graph)


def test_no_gradient_to_the_pixels_only(graph):
    x = tf.stop_gradient(images(), name="frozen")
    classifier(x)
    assert "no gradient leads from the logits to the pixels: 'frozen' (StopGradient)" in only_warning(graph)


def test_no_gradient_through_a_loop(graph):
    x = tf.raw_ops.Exit(data=tf.nn.relu(tf.raw_ops.Enter(data=images(), frame_name="loop")), name="left")
    classifier(x)
    assert "no gradient leads from the logits to the pixels: 'left' (Exit)" in only_warning(graph)


def test_a_side_path_without_gradient_is_no_warning(graph):
    x = two_layers(images())
    classify(x + tf.stop_gradient(x))
    assert bind(graph).warnings == ()


def test_layer_with_one_position(graph):
    x = conv_relu(two_layers(images()), 6, 16, 8, name="fc6", padding="VALID")
    tf.nn.softmax(tf.squeeze(conv(x, 5, 1, 6, name="fc7"), [1, 2]))
    assert bind(graph).warnings == ()
    assert "'fc6/Relu:0' has one position" in only_warning(graph, requested=KeyTensors(layer="fc6/Relu"))


# pixel values


def preset(graph):
    return bind(graph).preprocessing


def test_no_sign_no_preset(graph):
    classifier(images())
    binding = bind(graph)
    assert binding.preprocessing is None
    assert "does not show" in binding.reasons["preprocessing"]


def test_large_means_red_first(graph):
    classifier(images() - tf.constant([123.68, 116.78, 103.94]))
    assert preset(graph) == "raw"


def test_large_means_blue_first(graph):
    classifier(images() - tf.constant([103.94, 116.78, 123.68]))
    assert preset(graph) == "raw-bgr"


SWAPS = {
    "split": lambda x: tf.concat(tf.split(x, 3, axis=3)[::-1], 3),
    "unstack": lambda x: tf.stack(tf.unstack(x, axis=3)[::-1], 3),
    "reverse": lambda x: tf.reverse(x, [3]),
    "slice": lambda x: x[..., ::-1],
    "gather": lambda x: tf.gather(x, [2, 1, 0], axis=3),
}


@pytest.mark.parametrize("how", sorted(SWAPS))
def test_colours_swapped_in_the_graph(graph, how):
    classifier(SWAPS[how](images()) - tf.constant([103.94, 116.78, 123.68]))
    assert preset(graph) == "raw"


def test_bgr_swap_with_single_channel_means(graph):
    """As in TF-1 VGG code: subtract a mean from each channel, and join the channels blue first."""
    red, green, blue = tf.split(images(), 3, axis=3)
    classifier(tf.concat([blue - 103.94, green - 116.78, red - 123.68], 3))
    assert preset(graph) == "raw"


@pytest.mark.parametrize(
    "scaled", [lambda x: x / 255.0, lambda x: x * (2 / 255.0) - 1.0, lambda x: (x - 127.5) / 128.0]
)
def test_small_scales(graph, scaled):
    classifier(scaled(images()))
    assert preset(graph) == "raw"


@pytest.mark.parametrize(
    ("normalised", "name"),
    [
        (lambda x: (x - 0.5) * 2.0, "zero-one"),
        (lambda x: (x - tf.constant([0.485, 0.456, 0.406])) / tf.constant([0.229, 0.224, 0.225]), "zero-one"),
        (lambda x: (x - tf.constant([0.406, 0.456, 0.485])) / tf.constant([0.225, 0.224, 0.229]), "zero-one-bgr"),
        (lambda x: x * 255.0 - tf.constant([123.68, 116.78, 103.94]), "zero-one"),
    ],
)
def test_means_of_pixels_up_to_one(graph, normalised, name):
    classifier(normalised(images()))
    assert preset(graph) == name


def test_other_shifts_show_nothing(graph):
    classifier(images() * 2.0 + 3.0)
    binding = bind(graph)
    assert binding.preprocessing is None
    assert "name a preset" in binding.reasons["preprocessing"]


def test_data_norm_computed_from_constants(graph):
    """Mean and variance pass Rsqrt and Neg, as in frozen batch norms of the input."""
    scale = tf.rsqrt(tf.constant([1.0, 1.0, 1.0]) + 1e-5)
    classifier(images() * scale + tf.negative(tf.constant([104.0, 117.0, 123.0])) * scale)
    assert preset(graph) == "raw-bgr"


def test_fused_data_norm(graph):
    mean, variance = tf.constant([123.0, 117.0, 104.0]), tf.constant([3000.0, 3000.0, 3000.0])
    classifier(tf.nn.fused_batch_norm(images(), tf.ones([3]), tf.zeros([3]), mean, variance, is_training=False)[0])
    assert preset(graph) == "raw"


def test_one_channel_of_bytes(graph):
    x = images(None, 16, 16, 1, dtype=tf.uint8)
    classifier(tf.cast(x, tf.float32), inputs=1)
    assert preset(graph) == "gray-raw"


# the report


def test_report_is_json_with_the_promised_keys(graph):
    keep = tf.placeholder(tf.float32, [], name="keep_prob")
    scale = tf.placeholder(tf.float32, [8], name="scale")
    classify(tf.nn.dropout(two_layers(images()), keep_prob=keep) * scale)
    binding = bind(graph, requested=KeyTensors(feed={"scale": np.ones(8)}))
    report = json.loads(json.dumps(binding_report(binding)))
    keys = "input logits probabilities layer shared_layer layers branches feeds image_size array_shape classes warnings"
    keys += " token_ids vocabulary dtype channels batch_size background preprocessing reasons"
    assert set(report) == set(keys.split())
    assert report["feeds"] == {"keep_prob:0": 1.0, "scale:0": [1.0] * 8}
    assert report["image_size"] == [16, 16]
    assert report["array_shape"] is None
    assert report["layers"][-2:] == [
        {"name": "conv2/Conv2D:0", "shape": [None, 16, 16, 8], "op": "Conv2D", "count": None},
        {"name": "conv2/Relu:0", "shape": [None, 16, 16, 8], "op": "Relu", "count": -1},
    ]
    assert [row["count"] for row in report["layers"]] == [None, -2, None, -1]
    reasons = "input logits layer placement probabilities feeds preprocessing"
    assert set(report["reasons"]) == set(reasons.split())


def test_binding_adds_nothing_to_the_graph(graph):
    classifier(images() * tf.rsqrt(tf.constant([1.0, 1.0, 1.0])))
    graph.finalize()
    before = len(graph.get_operations())
    bind(graph)
    assert len(graph.get_operations()) == before


def test_the_cost_grows_with_the_convolutions_and_not_faster():
    counts = []

    def work(convolutions):
        with tf.Graph().as_default() as graph:
            x = conv_relu(images(), 4, name="stem")
            kernel = weights(1, 1, 4, 4)
            for _ in range(convolutions):
                x = x + tf.nn.relu(tf.nn.conv2d(x, kernel, [1, 1, 1, 1], "SAME"))
            classify(x, 4)
        return calls(lambda: counts.append(len([layer for layer in bind(graph).layers if layer.counted])))

    counts: list = []
    few, many = work(60), work(300)
    assert many < 7 * few
    assert counts == [121, 601]
