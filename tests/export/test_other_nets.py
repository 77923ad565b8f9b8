"""Exports of nets of other kinds: channels first, one logit, baked batches, feeds, two layers, signals, free sizes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from array_nets import ArrayNet
from clip_nets import clip_graph
from loop_nets import KINDS, build
from small_nets import SmallNet
from test_exported_numbers import exported_run

from gradcam_tf1 import ExplainOptions, GradCamGraph
from gradcam_tf1.errors import ExportError, FeedError
from gradcam_tf1.export.export_request import ExportRequest
from gradcam_tf1.export.exported_graph import exported_graph
from gradcam_tf1.export.self_check import check_export
from gradcam_tf1.tf_runtime import tf


def checked(net, **request):
    """An exported graph after its comparison with the net."""
    asked = ExportRequest(**request)
    exported = exported_graph(net, asked)
    assert check_export(net, exported, asked) <= 1e-5
    return exported


def conv(x, channels, seed, stride=1, name=None):
    kernel = np.random.RandomState(seed).randn(3, 3, int(x.shape[-1]), channels).astype(np.float32)
    return tf.nn.relu(tf.nn.conv2d(x, kernel, strides=stride, padding="SAME"), name=name)


def head(features, classes, seed=9, name="logits"):
    kernel = np.random.RandomState(seed).randn(int(features.shape[-1]), classes).astype(np.float32)
    return tf.matmul(tf.reduce_mean(features, [1, 2]), kernel, name=name)


@pytest.mark.parametrize("sides", [(11,), (3, 4, 5)])
def test_signals_and_volumes_as_the_net_takes_them(sides, tmp_path):
    (tmp_path / "net.pb").write_bytes(ArrayNet(sides).graph().SerializeToString())
    with GradCamGraph(str(tmp_path / "net.pb")) as net:
        exported = checked(net, guided=True)
        assert exported.results["heat_map"].shape == (None, *sides)
        assert "overlay" not in exported.results
        with pytest.raises(ExportError, match="encoded images cannot be the input of a model that takes signals"):
            exported_graph(net, ExportRequest(input_bytes=True))


def test_clips():
    with GradCamGraph(clip_graph()) as net:
        assert checked(net).results["heat_map"].shape == (None, 4, 6, 8)


@pytest.mark.parametrize("preset", ["zero-one", None])
def test_channels_first(preset):
    with GradCamGraph(SmallNet().graph(channels_first=True), preset=preset) as net:
        exported = checked(net, guided=True)
        assert exported.inputs["images"].shape == ((None, 8, 12, 3) if preset else (None, 3, 8, 12))


def test_one_logit_and_one_image_at_a_time(graph):
    image = tf.placeholder(tf.float32, [8, 8, 3])
    tf.squeeze(head(conv(image[tf.newaxis], 4, 1), 1, name="dense"), [0], name="logits")
    with GradCamGraph(graph, preset="raw", logits="logits:0") as net:
        exported = checked(net)
        assert exported.inputs["images"].shape == (1, 8, 8, 3)
        assert exported.results["logits"].shape[-1] == 2
        assert "the graph fixes its batch size: the model takes 1 at a time" in exported.notes


def test_a_baked_batch_size(graph):
    head(conv(tf.placeholder(tf.float32, [2, 8, 8, 3]), 4, 1), 3)
    with GradCamGraph(graph, preset="raw") as net:
        assert checked(net).inputs["images"].shape == (2, 8, 8, 3)


def test_feeds_are_baked_in_and_those_of_each_image_are_inputs(graph):
    images = tf.placeholder(tf.float32, [None, 8, 8, 3], name="images")
    keep = tf.placeholder(tf.float32, [], name="keep_prob")
    age = tf.placeholder(tf.float32, [None, 4], name="patient/age")
    pooled = tf.nn.dropout(tf.reduce_mean(conv(images, 4, 1), [1, 2]), keep) + age
    tf.matmul(pooled, tf.constant(np.random.RandomState(2).randn(4, 3).astype(np.float32)), name="logits")
    ages = np.float32([[1, 2, 3, 4], [0, 0, 9, 0]])
    with GradCamGraph(graph, preset="raw", feed={"patient/age:0": ages[:1]}) as net:
        assert list(checked(net).inputs) == ["images"]
    pixels = np.random.RandomState(0).randint(0, 256, (2, 8, 8, 3)).astype(np.float32)
    with GradCamGraph(graph, preset="raw", feed={"patient/age:0": None}) as net:
        explanation = net.explain(pixels, options=ExplainOptions(inputs={"patient/age:0": ages}))
        exported = exported_graph(net, ExportRequest())
        assert exported.inputs["patient_age"].shape == (None, 4)
        with tf.Graph().as_default() as fresh, tf.Session(graph=fresh) as sess:
            tf.import_graph_def(exported.graph_def, name="")
            fed = {exported.inputs["images"].name: pixels, exported.inputs["patient_age"].name: ages}
            found = sess.run(exported.outputs, fed)
    assert np.allclose(found["scores"], explanation.scores[:, 0], rtol=1e-5)
    for map in explanation:
        assert np.allclose(map.values, found["cam"][map.n], rtol=1e-5, atol=1e-6)


def test_layers_whose_maps_are_added_up(graph):
    images = tf.placeholder(tf.float32, [None, 8, 8, 3])
    left, right = conv(images, 4, 1, name="left"), conv(images, 4, 2, stride=2, name="right")
    kernel = np.random.RandomState(2).randn(8, 3).astype(np.float32)
    pooled = [tf.reduce_mean(each, [1, 2]) for each in (left, right)]
    tf.matmul(tf.concat(pooled, 1), kernel, name="logits")
    pixels = np.random.RandomState(0).randint(0, 256, (2, 8, 8, 3)).astype(np.uint8)
    with GradCamGraph(graph, preset="raw") as net:
        for name in ("gradcam", "hirescam"):
            assert checked(net, layer="left + right", method=name).results["cam"].shape == (None, 8, 8)
        found = exported_run(net, pixels, layer="left + right")
        for map in net.explain(list(pixels), layers="left + right"):
            assert np.abs(map.overlay().astype(int) - found["overlay"][map.n]).max() <= 1


def test_a_net_of_any_size_needs_one(graph):
    head(conv(tf.placeholder(tf.float32, [None, None, None, 3]), 4, 1), 3)
    with GradCamGraph(graph, preset="raw") as net, pytest.raises(ExportError, match="takes any size, and an exported"):
        exported_graph(net, ExportRequest())
    with GradCamGraph(graph, preset="raw", size=(10, 14)) as net:
        assert checked(net).results["heat_map"].shape == (None, 10, 14)


def test_a_net_with_random_numbers_is_refused(graph):
    images = tf.placeholder(tf.float32, [None, 8, 8, 3])
    head(conv(images + tf.random.normal(tf.shape(images), stddev=50.0), 4, 1), 3)
    with GradCamGraph(graph, preset="raw") as net, pytest.raises(ExportError, match="does the net use random numbers"):
        checked(net)


def test_a_placeholder_without_a_value_is_named(graph):
    images = tf.placeholder(tf.float32, [None, 8, 8, 3])
    head(conv(images, 4, 1) * tf.placeholder(tf.float32, [], name="strength"), 3)
    with GradCamGraph(graph, preset="raw") as net, pytest.raises(FeedError, match="strength"):
        exported_graph(net, ExportRequest())


def test_weights_that_are_nan_are_refused(graph):
    images = tf.placeholder(tf.float32, [None, 8, 8, 3])
    tf.matmul(tf.reduce_mean(conv(images, 4, 1), [1, 2]), tf.constant(np.nan, tf.float32, [4, 3]), name="logits")
    with GradCamGraph(graph, preset="raw") as net, pytest.raises(ExportError, match="the weights hold NaN"):
        exported_graph(net, ExportRequest())


@pytest.mark.parametrize("kind", ["recurrent", "nested", "branching", "within_branch"])
def test_gradients_through_loops_and_conditionals(kind):
    with GradCamGraph(build(KINDS[kind]).frozen, preset="raw", layer="features:0") as net:
        checked(net)


def test_a_graph_that_does_not_run_is_refused_in_a_sentence(graph):
    head(conv(tf.placeholder(tf.float32, [None, 8, 8, 3]), 4, 1), 3)
    with GradCamGraph(graph, preset="raw") as net:
        asked = ExportRequest()
        exported = exported_graph(net, asked)
        with tf.Graph().as_default() as broken:
            tf.import_graph_def(exported.graph_def, name="")
            _, never = tf.raw_ops.Switch(data=tf.zeros([1]), pred=tf.constant(False))
        spec = exported.results["cam"]._replace(name=never.name)
        exported = replace(exported, graph_def=broken.as_graph_def(), results={**exported.results, "cam": spec})
        with pytest.raises(ExportError, match="the exported graph does not run, so that nothing was written"):
            check_export(net, exported, asked)
