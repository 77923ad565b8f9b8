"""`convert`: every form of net becomes one frozen graph with the same scores, or no file."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from keras_nets import small_model
from loader_nets import IMAGES, INPUT, LOGITS, net_session

from gradcam_tf1 import tf_runtime as runtime
from gradcam_tf1.conversion import cleaned_graph as cleaned_graph_module
from gradcam_tf1.conversion import convert_net
from gradcam_tf1.conversion.cleaned_graph import cleaned_graph
from gradcam_tf1.conversion.convert_net import convert
from gradcam_tf1.errors import ConversionError, ExportError, OptionError
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.loaders import load
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import KeyTensors


def scores(path, name, images=IMAGES, tensor=INPUT):
    """What plain TensorFlow makes of a file."""
    graph_def = tf.GraphDef.FromString(Path(path).read_bytes())
    with tf.Graph().as_default() as graph, tf.Session(graph=graph) as session:
        tf.import_graph_def(graph_def, name="")
        return session.run(name, {tensor: images})


def ops(path):
    return {node.name: node.op for node in tf.GraphDef.FromString(Path(path).read_bytes()).node}


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "net.pb")


def test_a_live_session_with_a_training_graph(path):
    with net_session(training=True) as session:
        wanted = session.run(LOGITS, {INPUT: IMAGES})
        found = convert(session, path)
    np.testing.assert_allclose(scores(path, LOGITS), wanted, rtol=1e-5)
    assert (found.binding.input, found.binding.logits, found.named) == (INPUT, LOGITS, ())
    assert found.difference <= 1e-6
    assert found.size == os.path.getsize(path)
    kinds = set(ops(path).values())
    assert not [kind for kind in kinds if "Apply" in kind or "Variable" in kind or kind == "Assign"]
    assert "labels" not in ops(path)
    assert any(note.startswith("left out") for note in found.notes)
    assert os.listdir(os.path.dirname(path)) == ["net.pb"]


def test_a_live_keras_model(path):
    with tf.Graph().as_default() as graph, tf.Session(graph=graph).as_default():
        model = small_model()
        wanted = model.predict(IMAGES)
        found = convert(model, path)
    np.testing.assert_allclose(scores(path, found.binding.probabilities, tensor=found.binding.input), wanted, atol=1e-6)


def phase_net(factor=1.0):
    with tf.Graph().as_default() as graph:
        images = tf.placeholder(tf.float32, [None, 8, 8, 3], "images")
        phase = tf.placeholder(tf.bool, [], "is_training")
        kernel = np.random.RandomState(1).randn(3, 3, 3, 6).astype(np.float32)
        a = tf.nn.relu(tf.nn.conv2d(images, kernel, [1, 1, 1, 1], "SAME"))
        v = tf.reduce_mean(a, [1, 2])
        keep = tf.cond(phase, lambda: tf.nn.dropout(v, 0.5), lambda: tf.identity(v))
        weights = (factor * np.random.RandomState(2).randn(6, 4)).astype(np.float32)
        logits = tf.matmul(keep, weights, name="scores")
        tf.nn.softmax(logits, name="prob")
        tf.identity(v, name="embedding")
    return graph


def test_switches_are_fixed_and_other_outputs_kept(path):
    found = convert(phase_net().as_graph_def(), path)
    kept = ops(path)
    assert kept["is_training"] == "Const"
    assert kept["embedding"] == "Identity"
    assert kept["images"] == "Placeholder"
    assert "'is_training' is fixed to False" in found.notes
    again = scores(path, "scores:0", np.ones([2, 8, 8, 3], np.float32), "images:0")
    np.testing.assert_array_equal(again[0], again[1])  # without dropout


def test_a_net_with_dropout_on_is_refused(path):
    tensors = KeyTensors(feed={"is_training:0": True})
    with pytest.raises(ConversionError, match=r"gives other scores each time it is run.*random numbers.*--feed"):
        convert(phase_net().as_graph_def(), path, tensors=tensors)
    assert not os.path.exists(path)


def test_a_net_whose_scores_are_not_finite_is_refused(path):
    with pytest.raises(ConversionError, match=r"scores that are not finite"):
        convert(phase_net(factor=np.nan), path)
    assert not os.path.exists(path)


def test_another_answer_leaves_no_file(path, monkeypatch):
    """The check is real: a graph whose weights were spoilt on the way is not kept."""
    clean = convert_net.cleaned_graph

    def spoilt(*arguments):
        graph_def, notes = clean(*arguments)
        for node in graph_def.node:
            if (
                node.op == "Const"
                and node.attr["dtype"].type == 1
                and len(node.attr["value"].tensor.tensor_shape.dim) == 2
            ):
                values = tf.make_ndarray(node.attr["value"].tensor)
                node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(values * 1.01))
        return graph_def, notes

    monkeypatch.setattr(convert_net, "cleaned_graph", spoilt)
    with pytest.raises(ConversionError, match=r"answers random inputs differently .* and was removed"):
        convert(phase_net().as_graph_def(), path)
    assert os.listdir(os.path.dirname(path)) == []


def test_an_op_that_1_15_lacks_is_named(path):
    with GradCamGraph(phase_net().as_graph_def()) as net:
        binding = net.binding
    model = load(phase_net())
    relu = next(node for node in model.graph_def.node if node.op == "Relu")
    relu.op = "NewerRelu"
    with pytest.raises(ExportError, match=r"1\.15 cannot load .* NewerRelu \(node 'Relu'\)"):
        cleaned_graph(model, binding)


def test_names_that_have_to_be_given_are_said(path):
    found = convert(phase_net().as_graph_def(), path, tensors=KeyTensors(layer="Conv2D:0"))
    assert found.named == ("layer",)
    assert found.binding.layer == "Conv2D:0"


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_nothing_is_replaced_unasked(path, tmp_path, kind):
    if kind == "folder":
        os.mkdir(path)
    elif kind == "link":
        os.symlink(tmp_path / "nowhere", path)
    else:
        Path(path).touch()
    with pytest.raises(OptionError, match="exists already"):
        convert(phase_net().as_graph_def(), path)
    if kind == "file":
        assert os.path.getsize(path) == 0
        assert convert(phase_net().as_graph_def(), path, overwrite=True).size == os.path.getsize(path)


def test_a_missing_folder(tmp_path):
    with pytest.raises(OptionError, match="there is no folder .* make it first"):
        convert(phase_net().as_graph_def(), tmp_path / "none" / "net.pb")


def test_a_net_of_half_precision_and_a_baked_batch(path):
    with tf.Graph().as_default() as graph:
        images = tf.placeholder(tf.float32, [1, 8, 8, 3], "images")
        kernel = np.random.RandomState(1).randn(3, 3, 3, 6).astype(np.float16)
        a = tf.nn.relu(tf.nn.conv2d(tf.cast(images, tf.float16), kernel, [1, 1, 1, 1], "SAME"))
        flat = tf.reshape(a, [1, -1])
        tf.matmul(flat, np.random.RandomState(2).randn(384, 4).astype(np.float16), name="logits")
    assert convert(graph, path).binding.batch_size == 1


def test_the_source_is_not_changed(path):
    model = load(phase_net().as_graph_def())
    before = model.graph_def.SerializeToString(deterministic=True)
    convert(model, path)
    assert model.graph_def.SerializeToString(deterministic=True) == before


@pytest.mark.parametrize("name", ["a\0b.pb", "a" * 300])
def test_a_path_that_no_file_can_have_is_refused(tmp_path, name):
    with pytest.raises(OptionError, match="is a path|longer name"):
        convert(tf.GraphDef(), str(tmp_path / name))


def test_ops_that_run_on_a_gpu_only_are_named():
    graph_def = tf.GraphDef()
    for op, layout in (("Conv2D", b"NCHW"), ("Conv2D", b"NHWC"), ("BiasAdd", b"NCHW"), ("Relu", None)):
        node = graph_def.node.add(name=f"{op}{layout}", op=op)
        if layout is not None:
            node.attr["data_format"].s = layout
    before = graph_def.SerializeToString()
    (note,) = cleaned_graph_module._gpu_only(
        [node for node in graph_def.node if cleaned_graph_module._is_channels_first(node)], "their channels come first"
    )
    assert "runs 1 of its ops" in note
    assert graph_def.SerializeToString() == before


@pytest.mark.skipif(not runtime.IS_TF2, reason="TensorFlow 1.15 runs no grouped convolution on a CPU, so converts none")
def test_grouped_convolutions_run_on_a_gpu_only(path):
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 8, 8, 4], "x")
        plain = tf.nn.relu(tf.nn.conv2d(x, tf.ones([3, 3, 4, 6]), [1, 1, 1, 1], "SAME", name="plain"))
        grouped = tf.nn.relu(tf.nn.conv2d(plain, tf.ones([3, 3, 2, 6]), [1, 1, 1, 1], "SAME", name="grouped"))
        tf.matmul(tf.reduce_mean(grouped, [1, 2]), tf.ones([6, 5]), name="scores")
    (note,) = [note for note in convert(graph.as_graph_def(), path).notes if "GPU" in note]
    assert "runs 1 of its ops, such as 'grouped' (Conv2D), on a GPU only, as they are grouped convolutions" in note
