"""Real nets: a loaded graph computes the same as TensorFlow's own loaders."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
from loader_nets import logits_of

from gradcam_tf1 import tf_runtime as runtime
from gradcam_tf1.loaders import load
from gradcam_tf1.tf_runtime import tf

NETS = [
    "mobilenet_v1_0.25_224",
    "mobilenet_v1_0.25_128_2018",
    "mobilenet_v1_0.75_224_w8",
    "keras_mobilenet_0.75_sm",
    "squeezenet_v1.0_dc",
    "retrained_caltech256",
    "catdog_customvision",
    "deeplab_dm05",
    "mtcnn_blaueck",
    "face_mask_aizoo",
    "faced_corrector",
    "gtsrb_andrewwalker",
    "dogscats_strikingloo",
    "emotion_mini_xception",
    "vww_96",
]


def read_frozen(path, session):
    graph_def = tf.GraphDef.FromString(path.read_bytes())
    tf.import_graph_def(graph_def, name="")


def read_checkpoint(path, session):
    tf.train.import_meta_graph(str(path) + ".meta", clear_devices=True).restore(session, str(path))


def read_saved_model(path, session):
    tf.saved_model.loader.load(session, ["serve"], str(path))


def read_keras(path, session):
    runtime.set_inference_phase()
    runtime.keras().models.load_model(str(path), compile=False)


READERS = {"pb": read_frozen, "ckpt": read_checkpoint, "sm": read_saved_model, "h5": read_keras}


def image(net, folder):
    draw = np.random.RandomState(0)
    size = [1, *net["size"]]
    if net.get("nobatch"):  # a detector: its later stages run only if it finds something
        return cv2.imread(str(folder / net["photo"])).astype(np.float32)
    if net.get("dtype") == "uint8":
        return draw.randint(0, 256, size).astype(np.uint8)
    return draw.uniform(-1, 1, size).astype(np.float32)


@pytest.mark.parametrize("name", NETS)
def test_real_nets_compute_what_they_should(name, models_dir):
    net = json.loads((models_dir / "models.json").read_text())[name]
    if name == "vww_96" and not runtime.IS_TF2:
        pytest.skip("tf.keras 1.15 cannot read this file itself; compared on the other runtime")
    graph = tf.Graph()
    with graph.as_default(), tf.Session(graph=graph).as_default() as session:
        READERS[net["kind"]](models_dir / net["path"], session)
        feed = {net["input"]: image(net, models_dir), **net.get("feed", {})}
        wanted = session.run([net["logits"], net["conv"]], feed)
    model = load(models_dir / net["path"])
    got = logits_of(model, feed[net["input"]], net["input"], [net["logits"], net["conv"]], net.get("feed"))
    for ours, theirs in zip(got, wanted):
        assert ours.size
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5 * np.abs(theirs).max())


def test_keras_file_of_a_newer_version(models_dir):
    """A file of TF 2.4 on which both runtimes must agree, so the expected numbers are literal."""
    net = json.loads((models_dir / "models.json").read_text())["vww_96"]
    model = load(models_dir / net["path"])
    assert (model.inputs, model.outputs) == (("input_1:0",), ("dense/Softmax:0",))
    logits = logits_of(model, np.full((1, 96, 96, 3), 0.5, np.float32), net["input"], net["logits"])
    np.testing.assert_allclose(logits, [[1.66762, -1.63135]], atol=1e-4)
