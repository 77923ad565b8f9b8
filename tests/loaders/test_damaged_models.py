"""Wrong, damaged and hostile files: one error that names the file and says what was expected."""

from __future__ import annotations

import json
import os
import pickle
import random
import zipfile

import numpy as np
import pytest
from loader_nets import (
    IMAGES,
    INPUT,
    LOGITS,
    build_net,
    freeze,
    logits_of,
    net_session,
    save_checkpoint,
    save_saved_model,
)

from gradcam_tf1.errors import ModelFileError
from gradcam_tf1.loaders import load
from gradcam_tf1.loaders.frozen import read_message
from gradcam_tf1.tf_runtime import tf


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with the net as frozen.pb, model.ckpt-7.* and export/, its checkpoint's prefix, and its logits."""
    folder = tmp_path_factory.mktemp("made")
    with net_session() as session:
        (folder / "frozen.pb").write_bytes(freeze(session).SerializeToString())
        save_checkpoint(session, folder)
        save_saved_model(session, folder / "export")
        return folder, session.run(LOGITS, {INPUT: IMAGES})


def onnx_bytes():
    """ir_version 7, producer "x", graph {name "g"}, opset {version 13}."""
    return b"\x08\x07\x12\x01x\x3a\x03\x12\x01g\x42\x02\x10\x0d"


WRONG = {
    "empty.pb": (b"", r"empty\.pb is empty \(0 bytes\)"),
    "text.pb": (b"this is not a model\n", r"text\.pb is a text file of no known kind; expected a frozen graph"),
    "page.pb": (b"<!DOCTYPE html><html>", "is an HTML or XML page"),
    "lfs.pb": (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7\n", "is a Git LFS pointer"),
    "config.json": (json.dumps({"a": 1}).encode(), "is a JSON text"),
    "gzip.pb": (b"\x1f\x8b\x08\x00\x00\x00", "is a gzip archive"),
    "weights.npy": (b"\x93NUMPY\x01\x00", "is a numpy array"),
    "weights.pkl": (pickle.dumps({"a": 1}, protocol=2), "is a Python pickle"),
    "photo.pb": (b"\xff\xd8\xff\xe0\x00\x10JFIF", "is a JPEG image"),
    "net.tflite": (b"\x1c\x00\x00\x00TFL3\x14\x00", "is a TensorFlow Lite model"),
    "net.onnx": (onnx_bytes(), r"net\.onnx: .*(needed to convert it|no nodes or no outputs)"),
    "zeros.pb": (b"\x00" * 100, r"zeros\.pb is truncated, damaged or not a TensorFlow file"),
    "model.ckpt": (b"\x00\x01\x02", r"model\.ckpt is truncated, damaged or not a TensorFlow file"),
    "other.pb": (b"\x0a\x03abc\x12\x03abc", r"other\.pb is a binary file of no known kind"),
    "version.pb": (b"\x22\x02\x08\x26", r"version\.pb: the graph has no nodes"),
    "number.pb": (b"\x08" + b"\xff" * 12, "not a TensorFlow file"),
    "cut_number.pb": (b"\x08\xff", "not a TensorFlow file"),
    "nodes.pbtxt": (b'node { name: "a" op: ', r"nodes\.pbtxt is damaged: it does not parse as a GraphDef"),
    "deep.pbtxt": (
        b'node { name: "a" }\nx ' + b"{ x " * 5000,
        r"deep\.pbtxt is damaged: it does not parse as a GraphDef",
    ),
    "empty_nodes.pbtxt": (b"versions { producer: 38 }", r"empty_nodes\.pbtxt: the graph has no nodes"),
    "broken.h5": (b"\x89HDF\r\n\x1a\n" + b"\x00" * 50, r"broken\.h5 is damaged: HDF5 cannot open it"),
}


@pytest.mark.parametrize("name", sorted(WRONG))
def test_wrong_files(name, tmp_path):
    content, message = WRONG[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelFileError, match=message):
        load(tmp_path / name)


def test_random_bytes_never_pass(tmp_path):
    draw = random.Random(0)
    path = tmp_path / "noise.pb"
    for size in list(range(1, 60)) * 5 + [10000] * 20:
        path.write_bytes(bytes(draw.randrange(256) for _ in range(size)))
        with pytest.raises(ModelFileError, match=r"noise\.pb"):
            load(path)


def test_every_truncation_of_a_frozen_graph_is_an_error(made, tmp_path):
    whole = (made[0] / "frozen.pb").read_bytes()
    path = tmp_path / "cut.pb"
    for size in list(range(1, 400, 7)) + list(range(400, len(whole), 501)):
        path.write_bytes(whole[:size])
        with pytest.raises(ModelFileError, match=r"cut\.pb"):
            load(path)


def test_flipped_bytes_of_a_frozen_graph_never_escape_as_other_errors(made, tmp_path):
    whole = (made[0] / "frozen.pb").read_bytes()
    draw = random.Random(1)
    path = tmp_path / "flipped.pb"
    refused = 0
    for _ in range(150):
        damaged = bytearray(whole)
        damaged[draw.randrange(3000)] = draw.randrange(256)
        path.write_bytes(bytes(damaged))
        try:
            load(path)
        except ModelFileError as error:
            refused += "flipped.pb" in str(error)
    assert refused > 10


def test_zip_archive(tmp_path):
    with zipfile.ZipFile(str(tmp_path / "net.pb"), "w") as archive:
        archive.writestr("a", "b")
    with pytest.raises(ModelFileError, match=r"net\.pb is a zip archive"):
        load(tmp_path / "net.pb")


def test_nothing_there(tmp_path):
    with pytest.raises(ModelFileError, match=r"nowhere: no such file or folder, and no checkpoint"):
        load(tmp_path / "nowhere")


def test_folder_without_a_model(tmp_path):
    (tmp_path / "readme.txt").write_text("hello")
    with pytest.raises(ModelFileError, match=r"is a folder without a model \(it holds: readme\.txt\); expected"):
        load(tmp_path)


def test_folder_that_holds_versions_of_a_saved_model(made, tmp_path):
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "saved_model.pb").write_bytes(b"")
    with pytest.raises(ModelFileError, match=r"one of its folders with a SavedModel: 1"):
        load(tmp_path)


@pytest.mark.parametrize("source", [None, 3, {"a": 1}, object()])
def test_objects_that_are_no_model(source):
    with pytest.raises(ModelFileError, match="is not a model; expected a frozen graph"):
        load(source)


def test_saved_model_in_the_place_of_a_frozen_graph(made, tmp_path):
    """A renamed saved_model.pb with its variables: the content counts."""
    folder, wanted = made
    os.symlink(str(folder / "export" / "variables"), str(tmp_path / "variables"))
    (tmp_path / "frozen.pb").write_bytes((folder / "export" / "saved_model.pb").read_bytes())
    model = load(tmp_path / "frozen.pb")
    assert model.kind == "SavedModel"
    np.testing.assert_array_equal(logits_of(model), wanted)


def test_saved_model_without_its_variables(made, tmp_path):
    (tmp_path / "saved_model.pb").write_bytes((made[0] / "export" / "saved_model.pb").read_bytes())
    with pytest.raises(ModelFileError, match=r"variables\.index is missing \(found: nothing\)"):
        load(tmp_path)


@pytest.mark.parametrize("give_file", [True, False])
def test_frozen_graph_named_saved_model(give_file, made, tmp_path):
    (tmp_path / "saved_model.pb").write_bytes((made[0] / "frozen.pb").read_bytes())
    model = load(tmp_path / "saved_model.pb" if give_file else tmp_path)
    assert model.kind == "frozen graph"
    np.testing.assert_array_equal(logits_of(model), made[1])


def test_something_else_named_saved_model(tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(b"plain words")
    with pytest.raises(ModelFileError, match=r"saved_model\.pb is a text file of no known kind; expected a SavedModel"):
        load(tmp_path)


def copy_checkpoint(folder, target, skip=()):
    for path in folder.glob("model.ckpt-7*"):
        if path.suffix not in skip and not any(word in path.name for word in skip):
            (target / path.name).write_bytes(path.read_bytes())
    return target / "model.ckpt-7"


def test_missing_data_shard(made, tmp_path):
    prefix = copy_checkpoint(made[0], tmp_path, skip=["data"])
    for source in (prefix, tmp_path, str(prefix) + ".meta", str(prefix) + ".index"):
        with pytest.raises(ModelFileError, match=r"data-00000-of-00001 is missing \(found: model\.ckpt-7\.index"):
            load(source)


def test_missing_index(made, tmp_path):
    prefix = copy_checkpoint(made[0], tmp_path, skip=[".index"])
    with pytest.raises(ModelFileError, match=r"model\.ckpt-7\.index is missing"):
        load(str(prefix) + ".data-00000-of-00001")


def test_missing_meta(made, tmp_path):
    prefix = copy_checkpoint(made[0], tmp_path, skip=[".meta"])
    with pytest.raises(ModelFileError, match=r"has no \.meta file, so its graph is unknown; .*build=function"):
        load(prefix)


@pytest.mark.parametrize("part", ["index", "data-00000-of-00001", "meta"])
@pytest.mark.parametrize("size", [0, 40])
def test_truncated_checkpoint_files(part, size, made, tmp_path):
    prefix = copy_checkpoint(made[0], tmp_path)
    path = tmp_path / f"model.ckpt-7.{part}"
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(ModelFileError, match="model.ckpt-7"):
        load(prefix)


def test_state_file_that_names_nothing(tmp_path):
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "gone"\n')
    with pytest.raises(ModelFileError, match="names a checkpoint that is not in its folder"):
        load(tmp_path / "checkpoint")


def test_build_function_without_variables(made, tmp_path):
    with pytest.raises(ModelFileError, match="made no variables in the default graph"):
        load(made[0] / "model.ckpt-7", build=lambda: tf.placeholder(tf.float32))


def test_build_function_with_another_shape(made):
    def build():
        tf.matmul(tf.placeholder(tf.float32, [None, 9]), tf.get_variable("head/weights", [9, 4]))

    with pytest.raises(ModelFileError, match=r"'head/weights' has shape \(240, 4\), the graph expects \(9, 4\)"):
        load(made[0] / "model.ckpt-7", build=build)


def test_variable_that_is_not_in_the_checkpoint(made):
    """A variable that the net does not use becomes a placeholder with a note; an error names it if it is used."""

    def build():
        _, logits = build_net()
        tf.add(logits, tf.get_variable("extra", [4]), name="more")

    model = load(made[0] / "model.ckpt-7", build=build)
    np.testing.assert_array_equal(logits_of(model), made[1])
    assert model.notes == ("variables without a value became placeholders (1): extra",)
    more = logits_of(model, logits="more:0", feed={"extra:0": np.ones(4, np.float32)})
    np.testing.assert_array_equal(more, made[1] + 1)


def test_graph_with_variables_is_not_frozen(tmp_path):
    with net_session() as session:
        tf.train.write_graph(session.graph, str(tmp_path), "graph.pbtxt")
    with pytest.raises(ModelFileError, match=r"graph\.pbtxt: the graph is not frozen: it has no values for 7 of"):
        load(tmp_path / "graph.pbtxt")


def test_file_over_two_gigabytes(tmp_path):
    with open(str(tmp_path / "huge.pb"), "wb") as file:
        file.truncate(2**31)  # a hole, it takes no space
    with pytest.raises(ModelFileError, match=r"huge\.pb is larger than 2 GB, the limit of a protobuf file"):
        read_message(str(tmp_path / "huge.pb"), tf.GraphDef)


def test_graph_over_two_gigabytes():
    class Huge(tf.Graph):
        def as_graph_def(self, *args, **options):
            raise ValueError("GraphDef cannot be larger than 2GB.")

    with pytest.raises(ModelFileError, match="live graph: the graph cannot be copied: GraphDef cannot be larger"):
        load(Huge())


def test_live_sessions_that_cannot_be_read():
    with net_session() as session:
        pass
    with pytest.raises(ModelFileError, match="cannot be read from the session: .*closed"):
        load(session)
    with pytest.raises(ModelFileError, match="the session runs another graph"):
        load((tf.Graph(), session))


def test_uninitialised_variables_stand_as_placeholders():
    with tf.Graph().as_default() as graph, tf.Session(graph=graph) as session:
        build_net()
        model = load(session)
    assert model.notes[0].startswith("variables without a value became placeholders (7): conv/kernel")
