"""Keras files, SavedModels and checkpoint indexes of unknown origin; what --trust-model changes."""

from __future__ import annotations

import json
import struct

import h5py
import numpy as np
import pytest
from loader_nets import IMAGES, logits_of, net_session, save_checkpoint
from table_files import block, table, varint

from gradcam_tf1 import tf_runtime as runtime
from gradcam_tf1.errors import ModelFileError, WeightsError
from gradcam_tf1.graphdef.checkpoint_index import check_index, entries
from gradcam_tf1.images.crc32c import masked
from gradcam_tf1.loaders import load
from gradcam_tf1.loaders.keras_classes import REFUSED, is_harmless
from gradcam_tf1.nets.vgg_weights import read_weights
from gradcam_tf1.tf_runtime import tf

# Keras


def keras_file(path, layer=None):
    """Save conv, an optional layer, pooling and dense with Keras; return what Keras predicts."""
    keras = runtime.keras()
    with tf.Graph().as_default() as graph, tf.Session(graph=graph).as_default():
        conv = keras.layers.Conv2D(4, 3, name="conv", input_shape=(12, 10, 3))
        stack = [conv, *([layer(keras.layers)] if layer else []), keras.layers.GlobalAveragePooling2D(name="pool")]
        model = keras.models.Sequential([*stack, keras.layers.Dense(3, name="dense")])
        wanted = model.predict(IMAGES)
        model.save(str(path))
    return wanted


def activation(layers):
    return layers.Activation("relu", name="act")


def change_layer(path, index, **entry):
    with h5py.File(str(path), "a") as file:
        text = file.attrs["model_config"]
        config = json.loads(text.decode() if isinstance(text, bytes) else text)
        layers = config["config"]["layers"]
        named = next(layer for layer in layers if layer["config"].get("name") == index)
        named.update(entry)
        file.attrs["model_config"] = json.dumps(config).encode()


def test_every_layer_of_this_keras_was_judged():
    keras = runtime.keras()
    names = [name for name in dir(keras.layers) if isinstance(getattr(keras.layers, name), type)]
    assert len(names) > 80
    abstract = {"Layer", "Wrapper", "AbstractRNNCell"}
    assert [name for name in names if not is_harmless(name) and name not in REFUSED and name not in abstract] == []
    assert not [name for name in REFUSED if is_harmless(name)]


def test_a_lambda_is_run_on_trust_only(tmp_path):
    path = tmp_path / "net.h5"
    canary = str(tmp_path / "canary")
    # the code makes a file when it is run
    wanted = keras_file(
        path, lambda layers: layers.Lambda(lambda x: [open(canary, "w").close(), x * 2][1], name="double")
    )
    (tmp_path / "canary").unlink()
    with pytest.raises(ModelFileError, match="layer 'double' is a Lambda .program code .*--trust-model"):
        load(path)
    assert not (tmp_path / "canary").exists()
    model = load(path, trust_model=True)
    assert (tmp_path / "canary").exists()
    np.testing.assert_allclose(logits_of(model, IMAGES, model.inputs[0], model.outputs[0]), wanted, rtol=1e-5)


@pytest.mark.parametrize("name", ["TFOpLambda", "SlicingOpLambda"])
def test_functions_by_name_are_not_called(name, tmp_path):
    """Keras would call any function of TensorFlow, even gfile.rmtree."""
    path, victim = tmp_path / "net.h5", tmp_path / "victim"
    victim.mkdir()
    keras_file(path, activation)
    config = {"name": "act", "function": "io.gfile.rmtree"}
    change_layer(path, "act", class_name=name, config=config, inbound_nodes=[["conv", 0, 0, {"path": str(victim)}]])
    with pytest.raises(ModelFileError, match=f"layer 'act' is a {name} .a call of any function"):
        load(path)
    inner = {"class_name": name, "config": config}
    change_layer(path, "act", class_name="TimeDistributed", config={"name": "act", "layer": inner})
    with pytest.raises(ModelFileError, match=f"layer 'act' is a {name}"):
        load(path)
    assert victim.is_dir()


def op_layer(path, **node):
    keras_file(path, activation)
    config = {"name": "act", "trainable": False, "dtype": "float32", "node_def": node, "constants": {}}
    change_layer(path, "act", class_name="TensorFlowOpLayer", config=config)


def test_single_ops_that_touch_files(tmp_path):
    op_layer(tmp_path / "net.h5", name="act", op="ReadFile", input=["conv"])
    with pytest.raises(ModelFileError, match="layer 'act' is the op ReadFile, which touches files or runs code"):
        load(tmp_path / "net.h5")


def test_single_ops_of_absurd_size(tmp_path):
    shape = {"dim": [{"size": str(2**40)}]}
    value = {"tensor": {"dtype": "DT_FLOAT", "tensorShape": shape, "floatVal": [1.0]}}
    op_layer(tmp_path / "net.h5", name="act", op="Const", attr={"value": value, "dtype": {"type": "DT_FLOAT"}})
    with pytest.raises(ModelFileError, match="more than the 2 GB"):
        load(tmp_path / "net.h5")


def test_single_ops_that_cannot_be_read(tmp_path):
    op_layer(tmp_path / "net.h5", nonsense=3)
    with pytest.raises(ModelFileError, match="layer 'act' is a single op whose definition is damaged"):
        load(tmp_path / "net.h5")


def test_a_class_that_nobody_has_judged(tmp_path, monkeypatch):
    keras_file(tmp_path / "net.h5", activation)
    monkeypatch.setattr(runtime.keras().layers, "Novelty", runtime.keras().layers.ReLU, raising=False)
    change_layer(tmp_path / "net.h5", "act", class_name="Novelty")
    with pytest.raises(ModelFileError, match="the class 'Novelty' of layer 'act' is not known to be harmless"):
        load(tmp_path / "net.h5")


# SavedModels of TensorFlow 2


def save_with_initialiser(folder, write):
    """Write a SavedModel with a table whose initialiser, which runs on loading, may write a file."""
    import tensorflow as tensorflow2
    from tensorflow.python.trackable import resource

    class Table(resource.TrackableResource):
        def _create_resource(self):
            return tensorflow2.raw_ops.MutableHashTableV2(key_dtype=tensorflow2.string, value_dtype=tensorflow2.float32)

        def _initialize(self):
            if write:
                tensorflow2.io.write_file(write, "x")

    module = tensorflow2.Module()
    module.table = Table()
    module.kernel = tensorflow2.Variable(np.float32(np.arange(12).reshape(3, 4)))

    @tensorflow2.function(input_signature=[tensorflow2.TensorSpec([None, 3], tensorflow2.float32, name="images")])
    def serve(images):
        with tensorflow2.control_dependencies([module.table.resource_handle]):
            return {"logits": tensorflow2.nn.relu(tensorflow2.matmul(images, module.kernel))}

    module.serve = serve
    tensorflow2.saved_model.save(module, str(folder), signatures={"serving_default": serve})


def test_code_that_a_saved_model_runs_while_it_is_loaded(tmp_path):
    if not runtime.IS_TF2:
        pytest.skip("flattened on TensorFlow 2 only")
    canary = tmp_path / "canary"
    save_with_initialiser(tmp_path / "bad", str(canary))
    if canary.exists():
        canary.unlink()
    with pytest.raises(ModelFileError, match=r"the op WriteFile \(node .*--trust-model"):
        load(tmp_path / "bad")
    assert not canary.exists()
    load(tmp_path / "bad", trust_model=True)
    assert canary.exists()


def test_a_circular_saved_model(tmp_path):
    if not runtime.IS_TF2:
        pytest.skip("flattened on TensorFlow 2 only")
    save_with_initialiser(tmp_path, None)
    saved = runtime.saved_model_message().FromString((tmp_path / "saved_model.pb").read_bytes())
    body = saved.meta_graphs[0].graph_def.library.function[0]
    for node in body.node_def:
        node.input.insert(0, f"{body.node_def[-1].name}:output:0")
    (tmp_path / "saved_model.pb").write_bytes(saved.SerializeToString())
    with pytest.raises(ModelFileError, match="is circular"):
        load(tmp_path)


# checkpoint indexes


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    with net_session() as session:
        prefix = save_checkpoint(session, tmp_path_factory.mktemp("checkpoint"))
    with open(prefix + ".index", "rb") as file:
        return prefix, file.read()


def test_the_index_is_read_as_tensorflow_reads_it(checkpoint):
    prefix, data = checkpoint
    with open(prefix + ".index", "wb") as file:
        file.write(table(list(entries(data))))
    shapes = tf.train.load_checkpoint(prefix).get_variable_to_shape_map()
    message = runtime.bundle_entry_message()
    found = {
        key.decode(): [dim.size for dim in message.FromString(value).shape.dim] for key, value in entries(data) if key
    }
    assert found == shapes
    load(prefix)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda entry: setattr(entry.shape.dim[0], "size", -5), r"no definite shape \(\[-5\]\)"),
        (lambda entry: setattr(entry.shape.dim[0], "size", 2**62), "more than the 2 GB"),
        (lambda entry: setattr(entry, "dtype", 250), "has no dtype that this TensorFlow knows"),
        (lambda entry: setattr(entry, "offset", -8), "should lie at byte -8 of data file 0"),
        (lambda entry: setattr(entry, "shard_id", 77), "of data file 77, 32 bytes long; there are 1 data files"),
        (lambda entry: setattr(entry, "size", 2**40), "1099511627776 bytes long"),
        (
            lambda entry: setattr(entry, "offset", 2**20),
            "data-00000-of-00001 has .* bytes, the variable .* ends at byte",
        ),
    ],
)
def test_absurd_entries_of_an_index(change, message, checkpoint):
    """TensorFlow 1.15 ends the program on the first and the third of these."""
    prefix, data = checkpoint
    items = dict(entries(data))
    entry = runtime.bundle_entry_message().FromString(items[b"conv/gamma"])
    change(entry)
    items[b"conv/gamma"] = entry.SerializeToString()
    with open(prefix + ".index", "wb") as file:
        file.write(table(sorted(items.items())))
    with pytest.raises(ModelFileError, match=message):
        load(prefix)


@pytest.mark.parametrize("length", [0, 7, 60, 200])
def test_an_index_that_is_cut(length, checkpoint, tmp_path):
    (tmp_path / "cut.index").write_bytes(checkpoint[1][:length])
    with pytest.raises(ModelFileError, match="it cannot be read as the index of a checkpoint"):
        check_index(str(tmp_path / "cut.index"), [])


def index_with(name, data, tmp_path):
    path = tmp_path / name
    path.write_bytes(data)
    return str(path)


def test_indexes_with_blocks_that_cannot_be(checkpoint, tmp_path):
    good = table(list(entries(checkpoint[1])))
    start = len(good) - 48
    after = bytearray(good)
    after[start : start + 8] = varint(0) + varint(1) + varint(2**30) + b"\x05"
    with pytest.raises(ModelFileError, match="a block of 5 bytes at 1073741824"):
        check_index(index_with("after.index", bytes(after), tmp_path), [])
    packed = good.replace(b"\0" + struct.pack("<I", masked(block([])[:-4])), b"\1abcd")
    packed = packed[:start].replace(struct.pack("<II", 0, 1) + b"\0", struct.pack("<II", 0, 1) + b"\1") + packed[start:]
    with pytest.raises(ModelFileError, match="it is compressed, and TensorFlow never writes it so"):
        check_index(index_with("packed.index", packed, tmp_path), [])
    long = block([(b"a", b"")])
    long = long.replace(varint(0) + varint(1) + varint(0), varint(0) + varint(1) + varint(99), 1)
    places = [0, 0, 0, len(long) - 5]
    footer = b"".join(map(varint, places)).ljust(40, b"\0") + bytes.fromhex("57fb808b247547db")
    with pytest.raises(ModelFileError, match="an entry of 100 bytes at 3"):
        check_index(index_with("long.index", long + footer, tmp_path), [])


def test_absurd_entries_in_weights_of_slim(checkpoint, tmp_path):
    entry = runtime.bundle_entry_message()(dtype=1)
    entry.shape.dim.add().size = -1
    header = runtime.bundle_header_message()(num_shards=1).SerializeToString()
    index_with("vgg.ckpt.index", table([(b"", header), (b"vgg_a/conv1/weights", entry.SerializeToString())]), tmp_path)
    index_with("vgg.ckpt.data-00000-of-00001", b"", tmp_path)
    with pytest.raises(WeightsError, match="the variable 'vgg_a/conv1/weights' has no definite shape"):
        read_weights(str(tmp_path / "vgg.ckpt"), 11)


def test_restore_ops_that_make_no_sense(checkpoint):
    prefix, data = checkpoint
    with open(prefix + ".index", "wb") as file:
        file.write(data)
    with open(prefix + ".meta", "rb") as file:
        kept = file.read()
    meta = tf.MetaGraphDef.FromString(kept)
    slices = next(node for node in meta.graph_def.node if node.name == "save/RestoreV2/shape_and_slices")
    slices.attr["value"].tensor.string_val[0] = b"3 4 x,y"
    with open(prefix + ".meta", "wb") as file:
        file.write(meta.SerializeToString())
    try:
        with pytest.raises(ModelFileError, match="its restore ops are damaged: invalid literal"):
            load(prefix)
    finally:
        with open(prefix + ".meta", "wb") as file:
            file.write(kept)
