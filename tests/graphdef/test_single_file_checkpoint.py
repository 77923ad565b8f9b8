"""Single-file (V1) checkpoints: TensorFlow does not open one whose sizes do not fit."""

from __future__ import annotations

import numpy as np
import pytest
from loader_nets import net_session
from table_files import table

from gradcam_tf1 import tf_runtime as runtime
from gradcam_tf1.errors import ModelFileError, WeightsError
from gradcam_tf1.graphdef.checkpoint_index import entries
from gradcam_tf1.graphdef.single_file_checkpoint import check_single_file
from gradcam_tf1.loaders import load
from gradcam_tf1.nets.vgg_weights import read_weights
from gradcam_tf1.tf_runtime import tf

SAVED = {
    "float": np.arange(6, dtype=np.float32).reshape(1, 2, 3),
    "double": np.arange(3, dtype=np.float64),
    "whole": np.int32(7),
    "long": np.arange(70, dtype=np.int64).reshape(70, 1),
    "yes": np.array([True, False]),
    "bytes": np.arange(4, dtype=np.uint8),
    "complex": np.array([1 + 2j, 3], np.complex64),
    "text": np.array([b"a", b"bc"]),
}


def write(path, values):
    with tf.Graph().as_default() as graph, tf.Session(graph=graph) as session:
        variables = [tf.Variable(value, name=name) for name, value in values.items()]
        session.run(tf.global_variables_initializer())
        saver = tf.train.Saver(variables, write_version=tf.train.SaverDef.V1)
        return saver.save(session, str(path), write_state=False)


def test_every_type_is_counted_as_tensorflow_stores_it(tmp_path):
    path = write(tmp_path / "a.ckpt", SAVED)
    check_single_file(path)
    reader = tf.train.load_checkpoint(path)
    assert reader.get_variable_to_shape_map() == {name: list(np.shape(value)) for name, value in SAVED.items()}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    folder = tmp_path_factory.mktemp("single")
    with net_session() as session, session.graph.as_default():
        saver = tf.train.Saver(write_version=tf.train.SaverDef.V1)
        path = saver.save(session, str(folder / "net.ckpt"), write_state=False)
    with open(path, "rb") as file:
        return path, file.read()


def meta(change):
    """A change to what the list says of the variable conv/gamma, 8 numbers."""

    def changed(items):
        slices = runtime.saved_slices_message().FromString(items[b""])
        change(next(tensor for tensor in slices.meta.tensor if tensor.name == "conv/gamma"))
        items[b""] = slices.SerializeToString()

    return changed


def numbers(change):
    def changed(items):
        slices = runtime.saved_slices_message().FromString(items[GAMMA])
        change(slices.data.data)
        items[GAMMA] = slices.SerializeToString()

    return changed


GAMMA = b"\x00conv/gamma\x00\x01\x01\x01\x80\x7f"
DAMAGED = {
    "negative": (meta(lambda v: setattr(v.shape.dim[0], "size", -5)), r"no definite shape \(\[-5\]\)"),
    "giant": (meta(lambda v: setattr(v.shape.dim[0], "size", 2**62)), "more than the 2 GB"),
    "no type": (meta(lambda v: setattr(v, "type", 250)), "has no dtype that this TensorFlow knows"),
    "larger": (meta(lambda v: setattr(v.shape.dim[0], "size", 80)), "needs 80 numbers of float32, the file holds 8"),
    "other type": (meta(lambda v: setattr(v, "type", 2)), "needs 8 numbers of float64, the file holds 0"),
    "fewer": (
        numbers(lambda n: n.float_val.__delitem__(slice(3, None))),
        "needs 8 numbers of float32, the file holds 3",
    ),
    "parts": (meta(lambda v: v.slice[0].extent[0].__setattr__("start", 2)), "stored in parts, .*SaverDef.V2"),
    "no part": (meta(lambda v: v.ClearField("slice")), "'conv/gamma' is stored in parts"),
    "missing": (lambda items: items.pop(GAMMA), "the numbers of 'conv/gamma' are missing"),
    "unknown": (lambda items: items.update({GAMMA + b"\x80\x7f": items[GAMMA]}), "'conv/gamma', which its list"),
    "no list": (lambda items: items.pop(b""), "numbers of 'conv/beta', which its list of variables lacks"),
    "no message": (lambda items: items.update({GAMMA: b"\xff\xff"}), "it cannot be read as a checkpoint"),
}


@pytest.mark.parametrize("damage", sorted(DAMAGED))
def test_damage_with_right_checksums(damage, checkpoint):
    path, data = checkpoint
    change, message = DAMAGED[damage]
    items = dict(entries(data))
    change(items)
    with open(path, "wb") as file:
        file.write(table(sorted(items.items())))
    with pytest.raises(ModelFileError, match=rf"net\.ckpt is damaged: .*{message}"):
        load(path)


def test_the_whole_file_is_loaded(checkpoint):
    path, data = checkpoint
    with open(path, "wb") as file:
        file.write(table(list(entries(data))))
    load(path)
    with open(path, "wb") as file:
        file.write(data[:50])
    with pytest.raises(ModelFileError, match="it cannot be read as a checkpoint"):
        check_single_file(path)


def test_weights_of_slim(tmp_path):
    path = write(tmp_path / "vgg.ckpt", {"vgg_a/conv1/weights": np.zeros((3, 3, 3, 4), np.float32)})
    with open(path, "rb") as file:
        items = dict(entries(file.read()))
    del items[b""]
    with open(path, "wb") as file:
        file.write(table(sorted(items.items())))
    with pytest.raises(WeightsError, match="vgg.ckpt is damaged: it has numbers of 'vgg_a/conv1/weights'"):
        read_weights(path, 11)
