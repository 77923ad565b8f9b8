"""Exported files: a process that imports only TensorFlow loads them, of this version and of the other one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gradcam_tf1 import GradCamGraph
from gradcam_tf1.errors import ExportError, OptionError
from gradcam_tf1.nets.demo import DEMO_CLASSES, demo_model
from gradcam_tf1.tf_runtime import saved_model_message

ROOT = Path(__file__).resolve().parents[2]
PYTHONS = sorted({str(path) for path in ROOT.glob(".venv-tf[12]/bin/python")} | {sys.executable})

STRANGER = """
import json, sys
import numpy as np
import tensorflow
tf = tensorflow.compat.v1
folder, given = sys.argv[1:]
given = np.load(given)
found = {}
with tf.Graph().as_default(), tf.Session() as sess:
    meta = tf.saved_model.loader.load(sess, ["serve"], folder + "/model")
    for name, signature in meta.signature_def.items():
        feed = {signature.inputs["images"].name: given["images"]}
        if "class_ids" in signature.inputs:
            feed[signature.inputs["class_ids"].name] = given["class_ids"]
        outputs = sess.run({key: info.name for key, info in signature.outputs.items()}, feed)
        found.update({name + " " + key: value for key, value in outputs.items()})
    (labels,) = tf.get_collection("saved_model_assets") or [None]
with tf.Graph().as_default() as graph, tf.Session() as sess:
    with open(folder + "/frozen/model.pb", "rb") as file:
        tf.import_graph_def(tf.GraphDef.FromString(file.read()), name="")
    with open(folder + "/bytes/small.png", "rb") as file:
        data = file.read()
    tensors = json.load(open(folder + "/frozen/export.json"))
    outputs = {key: row["tensor"] for key, row in tensors["outputs"].items()}
    found.update({"bytes " + key: value for key, value in sess.run(outputs, {"image_bytes:0": [data]}).items()})
if tensorflow.__version__[0] == "2":
    loaded = tensorflow.saved_model.load(folder + "/model").signatures["serving_default"]
    for key, value in loaded(images=tensorflow.constant(given["images"])).items():
        found["eager " + key] = value.numpy()
assert not any(name.startswith("gradcam") for name in sys.modules)
np.savez(folder + "/found.npz", labels=str(labels), **found)
"""


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    """A SavedModel, a frozen graph that takes bytes, and what `explain` says."""
    folder = tmp_path_factory.mktemp("exports")
    images = np.random.RandomState(2).randint(0, 256, (3, 96, 128, 3)).astype(np.float32)
    (folder / "bytes").mkdir()
    Image.fromarray(images[0].astype(np.uint8)).resize((50, 70)).save(folder / "bytes" / "small.png")
    np.savez(folder / "given.npz", images=images, class_ids=np.int32([4, 5, 6]))
    np.save(folder / "images.npy", images)
    with GradCamGraph(demo_model(), preset="inception", labels=DEMO_CLASSES) as net:
        net.export(str(folder / "model"), guided=True)
        net.export(str(folder / "frozen"), format="frozen", input_bytes=True)
        methods = ["gradcam", "guided_backprop", "guided_gradcam"]
        wanted = {
            "serving_default": net.explain(images, None, methods),
            "class_ids": net.explain(images, [[4], [5], [6]], methods),
            "bytes": net.explain([str(folder / "bytes" / "small.png")], None, ["gradcam"]),
        }
        wanted["eager"] = wanted["serving_default"]
    return folder, wanted


@pytest.mark.programs
@pytest.mark.parametrize("python", PYTHONS)
def test_a_process_that_imports_only_tensorflow_gets_the_numbers_of_explain(material, python):
    folder, wanted = material
    command = [python, "-c", STRANGER, str(folder), str(folder / "given.npz")]
    done = subprocess.run(command, cwd=folder, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    found = np.load(folder / "found.npz")
    assert "labels_file" in str(found["labels"])
    compared = 0
    for signature, explanation in wanted.items():
        for map in explanation if f"{signature} cam" in found else ():
            key = "cam" if map.method == "gradcam" else map.method
            assert np.abs(map.values - found[f"{signature} {key}"][map.n]).max() <= 1e-5, (signature, map)
            assert abs(map.score - found[f"{signature} scores"][map.n]) <= 1e-4
            compared += 1
    assert compared >= 19


@pytest.mark.programs
def test_saved_model_cli_shows_and_runs_it(material):
    folder, wanted = material
    tool = str(Path(sys.executable).parent / "saved_model_cli")
    run = [tool, "run", "--dir", str(folder / "model"), "--tag_set", "serve", "--signature_def", "serving_default"]
    run += ["--inputs", f"images={folder / 'images.npy'}", "--outdir", str(folder / "run")]
    text = subprocess.run([tool, "show", "--dir", str(folder / "model"), "--all"], stdout=subprocess.PIPE, check=True)
    for word in ("'serving_default'", "'class_ids'", "'heat_map'", "(-1, 96, 128, 3)"):
        assert word in text.stdout.decode()
    subprocess.run(run, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    found = np.load(folder / "run" / "cam.npy")
    assert np.abs(found - next(iter(wanted["serving_default"].maps.values()))[:, 0]).max() <= 1e-5


def test_the_files(material):
    folder, _ = material
    for name, files in (
        ("model", ["assets", "assets/labels.txt", "export.json", "saved_model.pb"]),
        ("frozen", ["export.json", "labels.txt", "model.pb"]),
    ):
        assert sorted(str(path.relative_to(folder / name)) for path in (folder / name).rglob("*")) == files
    assert (folder / "model" / "assets" / "labels.txt").read_text().split("\n")[:-1] == list(DEMO_CLASSES)
    facts = json.loads((folder / "frozen" / "export.json").read_text())
    assert facts["inputs"]["image_bytes"] == {"tensor": "image_bytes:0", "dtype": "string", "shape": [None]}
    (meta,) = saved_model_message().FromString((folder / "model" / "saved_model.pb").read_bytes()).meta_graphs
    nodes = [*meta.graph_def.node, *(node for each in meta.graph_def.library.function for node in each.node_def)]
    assert not [node.name for node in nodes if any(name.startswith("_") for name in node.attr) or node.device]
    assert not {node.op for node in nodes} & {"PyFunc", "EagerPyFunc", "VarHandleOp", "VariableV2"}


def test_a_plain_export_of_a_large_net_is_hardly_larger_than_the_net(tmp_path):
    """What is added depends on the head and the size of the input, not on the weights: 1 % of a net of 2 MB."""
    with GradCamGraph(demo_model(), preset="inception") as net:
        net.export(str(tmp_path), format="frozen")
    assert (tmp_path / "model.pb").stat().st_size - Path(demo_model()).stat().st_size <= 20_000


def test_the_output_folder(tmp_path):
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "notes.txt").write_text("mine")
    with GradCamGraph(demo_model(), preset="inception") as net:
        with pytest.raises(OptionError, match=r"holds 'notes.txt', which no earlier export wrote; choose a new or an"):
            net.export(str(foreign))
        again = tmp_path / "again"
        net.export(str(again))
        net.export(str(again), format="frozen")
        assert sorted(path.name for path in again.rglob("*")) == ["export.json", "model.pb"]
        with pytest.raises(ExportError):
            net.export(str(again), format="onnx", input_bytes=True)
        (again / "notes.txt").write_text("mine")
        with pytest.raises(OptionError, match="holds 'notes.txt'"):
            net.export(str(again))
        assert sorted(path.name for path in again.rglob("*")) == ["export.json", "model.pb", "notes.txt"]
        (again / "notes.txt").unlink()
        with pytest.raises(OptionError, match=r"notes.txt' is not a folder; choose another"):
            net.export(str(foreign / "notes.txt"))
        new = tmp_path / "new"
        with pytest.raises(ExportError):
            net.export(str(new), format="onnx", input_bytes=True)
        assert not new.exists()
        (again / "export.json").write_text('{"tool": "gradcam_tf1", "files": ["../foreign/notes.txt"]}')
        with pytest.raises(OptionError, match="holds 'model.pb'"):
            net.export(str(again))
        with pytest.raises(OptionError, match="unknown format 'tar'; possible: saved_model, frozen"):
            net.export(str(tmp_path / "tar"), format="tar")
    assert (foreign / "notes.txt").read_text() == "mine"
    assert not (tmp_path / "tar").exists()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"method": "rise"}, ExportError, "rise is not made of ops of the graph alone .it runs the net many times"),
        (
            {"method": "deep_taylor"},
            ExportError,
            "deep_taylor is not made .* .its rules and their range",
        ),
        ({"method": "eigencam"}, ExportError, "its maps are made in numpy.; possible for export: gradcam, hirescam"),
        ({"method": ["gradcam", "cam"]}, OptionError, "an exported model has one method, not 2"),
        ({"layer": [-1, -2]}, OptionError, "an exported model has one layer, not 2"),
        ({"layer": "auto"}, ExportError, "layer 'auto' is another one for each class"),
        ({"score": "loss"}, OptionError, "unknown score 'loss'; possible: logit, probability"),
        ({"guided": 1}, OptionError, "guided is True or False, not 1"),
    ],
)
def test_what_cannot_be_exported(tmp_path, options, error, message):
    with GradCamGraph(demo_model(), preset="inception") as net, pytest.raises(error, match=message):
        net.export(str(tmp_path / "out"), **options)
    assert not (tmp_path / "out").exists()
