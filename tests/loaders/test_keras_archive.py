"""`.keras` files that Keras 2 (tf_keras 2.21) and 3 (3.15) wrote, with the scores of the Keras that wrote them."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from gradcam_tf1 import tf_runtime as runtime
from gradcam_tf1.errors import ModelFileError
from gradcam_tf1.loaders import load
from gradcam_tf1.tf_runtime import tf

DATA = Path(__file__).parent.parent / "data"
SCORES = [
    [0.7832164764404297, 0.09060259908437729, 0.1261810064315796],
    [0.795896589756012, 0.08475480228662491, 0.11934860050678253],
]
FILES = ["keras2.keras", "keras3.keras"]


def scores_of(path):
    model = load(str(path))
    images = np.random.RandomState(0).rand(2, 8, 8, 3).astype(np.float32)
    with tf.Graph().as_default() as graph, tf.Session(graph=graph) as session:
        tf.import_graph_def(model.graph_def, name="")
        return session.run(model.outputs[0], {model.inputs[0]: images})


def rewritten(path, target, change=None, compression=zipfile.ZIP_STORED, without=()):
    """A copy of a file whose configuration was changed."""
    with zipfile.ZipFile(str(path)) as source, zipfile.ZipFile(str(target), "w", compression) as copy:
        for name in source.namelist():
            data = source.read(name)
            if name == "config.json" and change is not None:
                config = json.loads(data.decode("utf-8"))
                change(config)
                data = json.dumps(config).encode("utf-8")
            if name not in without:
                copy.writestr(name, data)
    return target


@pytest.mark.parametrize("name", FILES)
def test_the_scores_are_those_of_the_writer(name):
    np.testing.assert_allclose(scores_of(DATA / name), SCORES, atol=2e-6)


NESTED = [  # a model called twice and a Sequential as layers, RandomFlip; attention with positional and named tensors
    [[0.32970190048217773, 0.32483571767807007, 0.3454624116420746], [0.32996654510498047, 0.32458642125, 0.345446974]],
    [[0.6068609356880188, 0.20248198509216309, 0.19065718352794647], [0.60771661996, 0.20207175612, 0.19021156430]],
]


@pytest.mark.parametrize("form", ["keras", "h5"])
@pytest.mark.parametrize(("number", "name"), enumerate(["keras3_nested", "keras3_attention"]))
def test_calls_of_keras_3_are_those_of_keras_2(number, name, form):
    if name == "keras3_attention" and not runtime.IS_TF2:
        pytest.skip("the Keras of TensorFlow 1.15 has no attention")
    np.testing.assert_allclose(scores_of(DATA / f"{name}.{form}"), NESTED[number], atol=2e-6)


def test_a_call_that_nobody_makes_is_refused_and_not_awaited(tmp_path):
    def waiting(config):
        reference = layer_of(config, "Subtract")["inbound_nodes"][0]["args"][0][0]["config"]["keras_history"]
        assert reference[0] == "body"
        reference[1] = 7

    with pytest.raises(ModelFileError, match="'subtract' takes a tensor that no layer makes"):
        load(str(rewritten(DATA / "keras3_nested.keras", tmp_path / "net.keras", waiting)))


def layer_of(config, name):
    return next(layer for layer in config["config"]["layers"] if layer["class_name"] == name)


def widened(config):
    layer_of(config, "DepthwiseConv2D")["config"]["kernel_size"] = [2, 2]


def without_bias(config):
    layer_of(config, "Dense")["config"]["use_bias"] = False


def with_code(config):
    layer_of(config, "Dropout").update(class_name="Lambda", config={"name": "dropout", "function": "x"})


REFUSED = {
    widened: r"layer 'depthwise_conv2d' \(DepthwiseConv2D\) has weights \[\(2, 2, 4, 1\), .*holds \[\(3, 3, 4, 1\)",
    without_bias: r"layer 'dense' \(Dense\) has weights|'layers/dense/vars/1' in its weights belongs to no layer",
    with_code: r"is a Lambda \(program code inside the file\), which is not run.*; or in Python",
}


@pytest.mark.parametrize("change", list(REFUSED), ids=lambda change: change.__name__)
@pytest.mark.parametrize("name", FILES)
def test_what_does_not_fit_is_refused(name, change, tmp_path):
    with pytest.raises(ModelFileError, match=REFUSED[change]):
        load(str(rewritten(DATA / name, tmp_path / "net.keras", change)))


def test_a_compressed_or_cut_file_is_refused(tmp_path):
    whole = DATA / "keras3.keras"
    packed = rewritten(whole, tmp_path / "packed.keras", compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(ModelFileError, match=r"config.json is compressed, as Keras never does"):
        load(str(packed))
    cut = tmp_path / "cut.keras"
    shutil.copy(str(whole), str(cut))
    data = cut.read_bytes()
    cut.write_bytes(data[:200] + data[900:])
    with pytest.raises(ModelFileError, match="is damaged"):
        load(str(cut))
