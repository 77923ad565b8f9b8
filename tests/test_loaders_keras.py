"""Keras files and models: same answers as Keras gives, and Keras's own state as it was."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest
from loader_nets import IMAGES, logits_of

from gradcam_tf1 import tf_runtime as runtime
from gradcam_tf1.errors import ModelFileError
from gradcam_tf1.loaders import load
from gradcam_tf1.loaders.keras_config import translate
from gradcam_tf1.tf_runtime import tf


def small_model(sequential=False, extra=()):
    """conv, batch norm, relu, pooling, dropout, dense with softmax."""
    keras = runtime.keras()
    stack = [
        keras.layers.Conv2D(4, 3, padding="same", name="conv", input_shape=(12, 10, 3)),
        keras.layers.BatchNormalization(name="norm"),
        keras.layers.Activation("relu", name="act"),
        *extra,
        keras.layers.GlobalAveragePooling2D(name="pool"),
        keras.layers.Dropout(0.5, name="drop"),
        keras.layers.Dense(3, activation="softmax", name="probs"),
    ]
    if sequential:
        return keras.models.Sequential(stack)
    images = tensor = keras.layers.Input((12, 10, 3), name="images")
    for layer in stack:
        tensor = layer(tensor)
    return keras.models.Model(images, tensor)


def set_random_weights(model):
    draw = np.random.RandomState(3)
    model.set_weights([draw.uniform(0.2, 0.5, w.shape).astype(w.dtype) for w in model.get_weights()])


def saved_model(path, **options):
    """A Keras file made in a graph of its own, and what Keras predicts for the pictures."""
    graph = tf.Graph()
    with graph.as_default(), tf.Session(graph=graph).as_default():
        model = small_model(**options)
        set_random_weights(model)
        wanted = model.predict(IMAGES)
        model.save(str(path))
    return wanted


def config_of(path):
    with h5py.File(str(path), "r") as file:
        text = file.attrs["model_config"]
    return json.loads(text.decode() if isinstance(text, bytes) else text)


def rewrite_config(path, change):
    config = config_of(path)
    change(config)
    with h5py.File(str(path), "a") as file:
        file.attrs["model_config"] = json.dumps(config).encode()


@pytest.mark.parametrize("sequential", [False, True])
def test_file_gives_what_keras_predicts(sequential, tmp_path):
    wanted = saved_model(tmp_path / "net.h5", sequential=sequential)
    model = load(tmp_path / "net.h5")
    assert model.kind == "Keras h5"
    got = logits_of(model, input_name=model.inputs[0], logits=model.outputs[0])
    np.testing.assert_allclose(got, wanted, atol=1e-6)
    names = {node.name for node in model.graph_def.node}
    assert {"conv/Conv2D", "probs/BiasAdd", "probs/Softmax"} <= names
    assert not [
        name for name in names if "learning_phase" in name or "Initializer" in name or name.startswith("Placeholder")
    ]


def test_users_own_keras_state_is_left_alone(tmp_path):
    saved_model(tmp_path / "net.h5")
    keras = runtime.keras()
    graph = tf.Graph()
    with graph.as_default(), tf.Session(graph=graph).as_default() as session:
        model = small_model()
        set_random_weights(model)
        wanted = model.predict(IMAGES)
        phase = keras.backend.learning_phase()
        count = len(graph.get_operations())
        load(tmp_path / "net.h5")
        assert len(graph.get_operations()) == count
        assert keras.backend.learning_phase() is phase
        assert tf.get_default_session() is session
        np.testing.assert_array_equal(model.predict(IMAGES), wanted)


def test_live_model_of_a_graph(tmp_path):
    graph = tf.Graph()
    with graph.as_default(), tf.Session(graph=graph).as_default():
        model = small_model()
        set_random_weights(model)
        wanted = model.predict(IMAGES)
        count = len(graph.get_operations())
        loaded = load(model)
        assert len(graph.get_operations()) == count
    assert (loaded.kind, loaded.inputs, loaded.outputs) == ("Keras model", ("images:0",), ("probs/Softmax:0",))
    np.testing.assert_allclose(logits_of(loaded, logits="probs/Softmax:0"), wanted, atol=1e-6)


def test_live_model_in_keras_own_session():
    if runtime.IS_TF2:
        pytest.skip("Keras keeps a session of its own on TensorFlow 1 only")
    model = small_model()
    set_random_weights(model)
    wanted = model.predict(IMAGES)
    loaded = load(model)
    np.testing.assert_allclose(
        logits_of(loaded, input_name=model.inputs[0].name, logits=model.outputs[0].name), wanted, atol=1e-6
    )


def test_live_model_of_an_eager_program():
    if not runtime.IS_TF2:
        pytest.skip("needs eager execution")
    model = small_model()
    set_random_weights(model)
    wanted = model.predict(IMAGES, verbose=0)
    loaded = load(model)
    got = logits_of(loaded, input_name=loaded.inputs[0], logits=loaded.outputs[0])
    np.testing.assert_allclose(got, wanted, atol=1e-6)


def test_configuration_of_a_newer_keras(tmp_path):
    """The words that TF 2.4 and later write, put into a file of this version."""
    wanted = saved_model(tmp_path / "net.h5")

    def newer(config):
        config["class_name"] = "Functional"
        for layer in config["config"]["layers"]:
            inner = layer["config"]
            layer["module"], layer["registered_name"] = "os", "system"
            if layer["class_name"] == "InputLayer":
                inner["batch_shape"] = inner.pop("batch_input_shape")
                inner["ragged"] = False
            else:
                inner["dtype"] = {"class_name": "Policy", "config": {"name": "mixed_float16"}}
            if layer["class_name"] == "Conv2D":
                inner["groups"] = 1
                inner["kernel_initializer"] = {"class_name": "HeNormal", "config": {"seed": None}}
                inner["kernel_regularizer"] = {"class_name": "L2", "config": {"l2": 0.1}}
            if layer["class_name"] == "GlobalAveragePooling2D":
                inner["keepdims"] = False
            if layer["class_name"].startswith("BatchNormalization"):
                layer["class_name"] = "SyncBatchNormalization"
                inner["synchronized"] = False

    rewrite_config(tmp_path / "net.h5", newer)
    model = load(tmp_path / "net.h5")
    np.testing.assert_allclose(logits_of(model, logits="probs/Softmax:0"), wanted, atol=1e-6)
    assert any("mixed_float16" in note for note in model.notes)


def test_file_of_keras_3(tmp_path):
    """The same net in the words of Keras 3: calls by history, policies, functions as objects, one tensor unwrapped."""
    wanted = saved_model(tmp_path / "net.h5")

    def tensor(history):
        return {"class_name": "__keras_tensor__", "config": {"shape": [None, 3], "keras_history": history}}

    def keras_3(config):
        config["class_name"] = "Functional"
        inner = config["config"]
        inner["input_layers"], inner["output_layers"] = inner["input_layers"][0], inner["output_layers"][0]
        for layer in inner["layers"]:
            calls = layer["inbound_nodes"]
            layer["inbound_nodes"] = [
                {"args": [tensor(call[0][:3])], "kwargs": {"mask": None, "training": False}} for call in calls
            ]
            policy = {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float32"}}
            layer["config"]["dtype"] = policy if calls else "float32"
            if layer["config"].get("activation") == "relu":
                layer["config"]["activation"] = {"module": "builtins", "class_name": "function", "config": "relu"}
            if layer["class_name"] == "Dense":
                layer["config"]["quantization_config"] = None

    rewrite_config(tmp_path / "net.h5", keras_3)
    model = load(tmp_path / "net.h5")
    np.testing.assert_allclose(logits_of(model, logits="probs/Softmax:0"), wanted, atol=1e-6)


def test_file_written_by_the_keras_3_of_tensorflow_2(tmp_path):
    keras = pytest.importorskip("keras", reason="TensorFlow 1 has no Keras 3")
    images = keras.layers.Input((12, 10, 3), name="images")
    conv = keras.layers.Conv2D(4, 3, padding="same", name="conv")(images)
    norm = keras.layers.LeakyReLU(0.3, name="leaky")(keras.layers.BatchNormalization(name="norm")(conv))
    both = keras.layers.Concatenate(name="both")([keras.layers.Add(name="add")([norm, conv]), conv])
    pooled = keras.layers.GlobalAveragePooling2D(name="pool")(keras.layers.Activation("relu6", name="six")(both))
    model = keras.Model(images, keras.layers.Dense(3, activation="softmax", name="probs")(pooled))
    set_random_weights(model)
    wanted = np.asarray(model(IMAGES, training=False))
    model.save(str(tmp_path / "net.h5"))
    loaded = load(tmp_path / "net.h5")
    np.testing.assert_allclose(logits_of(loaded, logits="probs/Softmax:0"), wanted, atol=1e-6)
    live = load(model)
    np.testing.assert_allclose(logits_of(live, input_name=live.inputs[0], logits=live.outputs[0]), wanted, atol=1e-6)


def test_translation_keeps_what_has_a_meaning():
    kept = translate({"groups": 2, "strides": [1, 1], "kernel_constraint": None, "name": "a"}, [], older=True)
    assert kept == {"groups": 2, "strides": [1, 1], "name": "a"}


def test_relu6_and_swish_by_name(tmp_path):
    wanted = saved_model(tmp_path / "net.h5")

    def renamed(config):
        next(layer for layer in config["config"]["layers"] if layer["config"]["name"] == "act")["config"][
            "activation"
        ] = "relu6"

    rewrite_config(tmp_path / "net.h5", renamed)
    model = load(tmp_path / "net.h5")
    assert "act/Relu6" in {node.name for node in model.graph_def.node}
    np.testing.assert_allclose(logits_of(model, logits="probs/Softmax:0"), wanted, atol=1e-6)


def test_lambda_layers_are_refused_before_anything_is_read(tmp_path):
    saved_model(tmp_path / "net.h5")
    code = {"name": "double", "function": ["4wEAAAAAAAAA\n", None, None], "function_type": "lambda"}
    rewrite_config(
        tmp_path / "net.h5",
        lambda config: config["config"]["layers"][3].update(class_name="Lambda", name="double", config=code),
    )
    with pytest.raises(ModelFileError, match=r"net\.h5: layer 'double' is a Lambda, that is program code"):
        load(tmp_path / "net.h5")


def test_a_lambda_hidden_in_a_nested_net_is_refused(tmp_path):
    saved_model(tmp_path / "net.h5")
    inner = {"class_name": "Lambda", "config": {"name": "hidden", "function": ["4wEAAA==", None, None]}}
    rewrite_config(tmp_path / "net.h5", lambda config: config["config"]["layers"][1]["config"].update(layer=inner))
    with pytest.raises(ModelFileError, match="layer 'hidden' is a Lambda"):
        load(tmp_path / "net.h5")


def test_weights_only(tmp_path):
    with tf.Graph().as_default() as graph, tf.Session(graph=graph).as_default():
        small_model().save_weights(str(tmp_path / "w.h5"))
    with pytest.raises(ModelFileError, match=r"w\.h5 holds weights only, without the architecture \(found: .*conv"):
        load(tmp_path / "w.h5")


def test_layers_of_the_users_own(tmp_path):
    saved_model(tmp_path / "net.h5")
    rewrite_config(tmp_path / "net.h5", lambda config: config["config"]["layers"][3].update(class_name="MyBlur"))
    with pytest.raises(ModelFileError, match=r"no layer class 'MyBlur'; .*pass the live model object"):
        load(tmp_path / "net.h5")


def test_arguments_this_keras_does_not_know(tmp_path):
    saved_model(tmp_path / "net.h5")
    rewrite_config(tmp_path / "net.h5", lambda config: config["config"]["layers"][1]["config"].update(magic=7))
    with pytest.raises(ModelFileError, match=r"net\.h5: Keras cannot rebuild the net: .*magic"):
        load(tmp_path / "net.h5")


def test_single_ops_as_layers(tmp_path):
    keras = runtime.keras()
    with tf.Graph().as_default() as graph, tf.Session(graph=graph).as_default():
        images = keras.layers.Input((12, 10, 3), name="images")
        tensor = keras.layers.Conv2D(4, 3, name="conv")(tf.multiply(images, 2.0))
        model = keras.models.Model(images, keras.layers.GlobalAveragePooling2D()(tensor))
        wanted = model.predict(IMAGES)
        model.save(str(tmp_path / "net.h5"))
    loaded = load(tmp_path / "net.h5")
    np.testing.assert_allclose(logits_of(loaded, logits=loaded.outputs[0]), wanted, atol=1e-6)


def test_weights_that_do_not_fit(tmp_path):
    saved_model(tmp_path / "net.h5")
    rewrite_config(tmp_path / "net.h5", lambda config: config["config"]["layers"][1]["config"].update(filters=5))
    with pytest.raises(
        ModelFileError, match=r"net\.h5: .*(do not fit its architecture|the graph wants \(3, 3, 3, 5\))"
    ):
        load(tmp_path / "net.h5")


def test_damaged_architecture(tmp_path):
    saved_model(tmp_path / "net.h5")
    for text, message in ((b'{"class_name": "Mod', "damaged JSON"), (b'["layers"]', "no Keras model")):
        with h5py.File(str(tmp_path / "net.h5"), "a") as file:
            file.attrs["model_config"] = text
        with pytest.raises(ModelFileError, match=message):
            load(tmp_path / "net.h5")


def test_architecture_of_other_make(tmp_path):
    saved_model(tmp_path / "net.h5")
    calls = [{"args": [{"class_name": "__keras_tensor__"}]}]
    rewrite_config(tmp_path / "net.h5", lambda config: config["config"]["layers"][1].update(inbound_nodes=calls))
    with pytest.raises(ModelFileError, match=r"not written as Keras writes it \(KeyError"):
        load(tmp_path / "net.h5")


def test_no_input_shape(tmp_path):
    saved_model(tmp_path / "net.h5", sequential=True)

    def forget(config):
        layers = config["config"]["layers"]
        layers[:] = [layer for layer in layers if layer["class_name"] != "InputLayer"]
        layers[0]["config"].pop("batch_input_shape", None)
        config["config"].pop("build_input_shape", None)

    rewrite_config(tmp_path / "net.h5", forget)
    with pytest.raises(ModelFileError, match="does not say its input shape"):
        load(tmp_path / "net.h5")


def test_live_model_that_cannot_be_traced():
    if not runtime.IS_TF2:
        pytest.skip("needs eager execution")
    keras = runtime.keras()

    class Moody(keras.layers.Layer):
        broken = False

        def call(self, tensor):
            if self.broken:
                raise ValueError("not today")
            return tensor

    layer = Moody()
    model = small_model(extra=[layer])
    layer.broken = True
    with pytest.raises(ModelFileError, match="the Keras model cannot be traced: .*not today"):
        load(model)


def test_unbuilt_live_model():
    keras = runtime.keras()
    with pytest.raises(ModelFileError, match="does not know its input shape yet"):
        load(keras.models.Sequential([keras.layers.Dense(2)]))


def test_truncated_file(tmp_path):
    saved_model(tmp_path / "net.h5")
    whole = (tmp_path / "net.h5").read_bytes()
    (tmp_path / "net.h5").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelFileError, match=r"net\.h5 is damaged: HDF5 cannot open it"):
        load(tmp_path / "net.h5")
