"""ONNX files come in: numbers of onnxruntime, layouts, batches, and files that are refused as data."""

from __future__ import annotations

import os
import sys

import numpy as np
import pytest

pytest.importorskip("onnx2tf")

import onnx
import onnxruntime
from onnx import helper
from onnx_files import ACROSS, conv_net, net, weight

from gradcam_tf1 import GradCamGraph
from gradcam_tf1.errors import ModelFileError
from gradcam_tf1.loaders import load, onnx_worker
from gradcam_tf1.loaders.onnx_inputs import read_onnx
from gradcam_tf1.tf_runtime import tf

RNG = np.random.default_rng(2)


@pytest.fixture
def convert(tmp_path, monkeypatch):
    """The conversion in this process, which has TensorFlow already: file, sides -> answer and frozen graph."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PATH", os.path.dirname(sys.executable), prepend=os.pathsep)  # onnx2tf calls onnxsim

    def run(path, sides=None):
        answer = onnx_worker.convert({"path": str(path), "sides": sides})
        return answer, tf.GraphDef.FromString((folder / "frozen.pb").read_bytes())

    return run


def computed(answer, graph_def, images):
    with tf.Graph().as_default(), tf.Session() as sess:
        tf.import_graph_def(graph_def, name="")
        return sess.run(answer["outputs"][0], {answer["inputs"][0]: images})


def expected(path, images):
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"]).run(None, {"images": images})[0]


def test_a_file_is_loaded_in_a_process_of_its_own_and_takes_any_batch(tmp_path):
    path = conv_net(tmp_path / "net.onnx", ["batch", 3, 24, 20])
    images = RNG.integers(0, 256, (5, 24, 20, 3)).astype(np.uint8)
    with GradCamGraph(str(path), preset="zero-one") as graph:
        assert (graph.model.kind, graph.binding.preprocessing) == ("ONNX", None)
        assert graph.binding.image_size == (24, 20)
        found = graph.explain(list(images), targets=2)
    across = (images / np.float32(255)).transpose(0, 3, 1, 2)
    np.testing.assert_allclose(found.scores[:, 0], expected(path, across)[:, 2], rtol=1e-4)
    assert found["gradcam"].shape == (5, 1, 24, 20)


def test_channels_that_lie_last_in_the_file_stay_there(convert, tmp_path):
    first = [
        helper.make_node("Sub", ["images", "mean"], ["centred"], "centre"),
        helper.make_node("Transpose", ["centred"], ["turned"], "turn", perm=ACROSS),
    ]
    nodes = [*first, helper.make_node("Conv", ["turned", "kernel"], ["features"], "conv")]
    nodes.append(helper.make_node("GlobalAveragePool", ["features"], ["mean4"], "pool"))
    nodes.append(helper.make_node("Flatten", ["mean4"], ["logits"], "flatten"))
    path = tmp_path / "nhwc.onnx"
    onnx.save(net(nodes, ["n", 24, 20, 3], [weight("mean", 3), weight("kernel", 6, 3, 3, 3)], ["n", 6]), str(path))
    answer, graph_def = convert(path)
    images = RNG.standard_normal((2, 24, 20, 3)).astype(np.float32)
    np.testing.assert_allclose(computed(answer, graph_def, images), expected(path, images), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("sides", [(3, 24, 20), (3, 33, 18)])
def test_open_sides_are_given(convert, tmp_path, sides):
    path = conv_net(tmp_path / "open.onnx", ["batch", 3, "height", "width"])
    answer, graph_def = convert(path, sides)
    images = RNG.standard_normal((2, *sides)).astype(np.float32)
    found = computed(answer, graph_def, images.transpose(0, 2, 3, 1))
    np.testing.assert_allclose(found, expected(path, images), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("sides", "message"),
    [
        (
            None,
            r"is \[batch, 3, height, 20\] and leaves sides open.*--input-shape 3,224,20 or input_shape=\(3, 224, 20\)",
        ),
        ((3, 24), r"input_shape is \(3, 24\), but its input 'images' is \[batch, 3, height, 20\]"),
        ((3, 24, 21), r"input_shape is \(3, 24, 21\), but"),
    ],
)
def test_sides_that_do_not_fit_are_refused(convert, tmp_path, sides, message):
    path = conv_net(tmp_path / "open.onnx", ["batch", 3, "height", 20])
    with pytest.raises(ModelFileError, match=message):
        convert(path, sides)


def test_a_fixed_batch_stays_and_its_maps_are_made_one_by_one(tmp_path):
    path = conv_net(tmp_path / "one.onnx", [1, 3, 24, 20])
    images = RNG.integers(0, 256, (3, 24, 20, 3)).astype(np.uint8)
    with GradCamGraph(str(path), preset="zero-one") as graph:
        scores = graph.explain(list(images), targets=1).scores[:, 0]
    across = (images / np.float32(255)).transpose(0, 3, 1, 2)
    np.testing.assert_allclose(scores, [expected(path, each[None])[0, 1] for each in across], rtol=1e-4)


def test_weights_beside_the_file_are_read(convert, tmp_path):
    inside = tmp_path / "inside"
    inside.mkdir()
    data = {"save_as_external_data": True, "location": "weights.bin", "size_threshold": 0}
    path = conv_net(inside / "net.onnx", ["n", 3, 24, 20], **data)
    assert (inside / "weights.bin").exists()
    answer, _ = convert(path)
    assert answer["difference"] < 1e-5


@pytest.mark.parametrize("location", ["../weights.bin", "link.bin", "/etc/passwd", "sub/../../weights.bin", "C:x"])
def test_weights_outside_the_folder_are_refused(tmp_path, location):
    inside = tmp_path / "inside"
    inside.mkdir()
    data = {"save_as_external_data": True, "location": "weights.bin", "size_threshold": 0}
    path = conv_net(inside / "net.onnx", ["n", 3, 24, 20], **data)
    os.rename(inside / "weights.bin", tmp_path / "weights.bin")
    os.symlink(tmp_path / "weights.bin", inside / "link.bin")
    model = onnx.load(str(path), load_external_data=False)
    for tensor in model.graph.initializer:
        next(entry for entry in tensor.external_data if entry.key == "location").value = location
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelFileError, match="which is not in the folder of the file"):
        read_onnx(str(path), str(tmp_path / "copy.onnx"))


def test_missing_weights_are_named(tmp_path):
    data = {"save_as_external_data": True, "location": "weights.bin", "size_threshold": 0}
    path = conv_net(tmp_path / "net.onnx", ["n", 3, 24, 20], **data)
    os.remove(tmp_path / "weights.bin")
    with pytest.raises(ModelFileError, match=r"'weights.bin', which is missing beside it"):
        read_onnx(str(path), str(tmp_path / "copy.onnx"))


def test_ops_of_no_standard_are_refused(tmp_path):
    first = [helper.make_node("Quake", ["images"], ["shaken"], "quake", domain="my.own")]
    path = conv_net(tmp_path / "own.onnx", ["n", 3, 24, 20], first, "shaken")
    with pytest.raises(ModelFileError, match="the node 'quake' is a 'Quake' of the domain 'my.own'"):
        read_onnx(str(path), str(tmp_path / "copy.onnx"))


def test_a_weight_of_an_impossible_size_is_refused(tmp_path):
    path = conv_net(tmp_path / "net.onnx", ["n", 3, 24, 20])
    model = onnx.load(str(path))
    model.graph.initializer[0].dims[0] = 2**40
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelFileError, match="'kernel' has the shape .* which cannot be right"):
        read_onnx(str(path), str(tmp_path / "copy.onnx"))


def test_a_truncated_file_is_damaged(convert, tmp_path):
    path = conv_net(tmp_path / "net.onnx", ["n", 3, 24, 20])
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(ModelFileError, match="damaged"):
        convert(path)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((3, 4), r"the output 'logits' differs from onnxruntime's by .* 0.0001 is allowed"),
        ((3, 5), r"'logits' is \(3, 5\) in onnxruntime and \(3, 4\) in the converted"),
    ],
)
def test_a_graph_that_computes_something_else_is_refused(convert, tmp_path, monkeypatch, shape, message):
    monkeypatch.setattr(onnx_worker, "_expected", lambda images: {"logits": np.ones(shape, np.float32)})
    with pytest.raises(ModelFileError, match=message):
        convert(conv_net(tmp_path / "net.onnx", ["n", 3, 24, 20]))


def test_a_refusal_reaches_the_caller_with_the_name_of_the_file(tmp_path):
    path = conv_net(tmp_path / "open.onnx", ["batch", 3, "height", "width"])
    with pytest.raises(ModelFileError, match=r"open.onnx: its input 'images' is \[batch, 3, height, width\]"):
        load(str(path))
