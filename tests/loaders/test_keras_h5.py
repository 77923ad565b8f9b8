"""Keras files of every version give what Keras predicts."""

from __future__ import annotations

import numpy as np
import pytest
from keras_nets import rewrite_config, saved_model, set_random_weights
from loader_nets import IMAGES, logits_of

from gradcam_tf1 import tf_runtime as runtime
from gradcam_tf1.loaders import load
from gradcam_tf1.loaders.keras_config import translate
from gradcam_tf1.tf_runtime import tf


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


def test_configuration_of_a_newer_keras(tmp_path):
    """Put keys of TF 2.4 and later into a file of this version."""
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
    """The same net with the keys of Keras 3: calls by history, policies, functions as objects, one tensor unwrapped."""
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


@pytest.mark.parametrize(
    ("name", "activation", "op"), [("relu6", tf.nn.relu6, "Relu6"), ("swish", tf.nn.swish, "Sigmoid")]
)
def test_relu6_and_swish_by_name(tmp_path, name, activation, op):
    images = 3 * IMAGES  # far enough above 6
    relu = saved_model(tmp_path / "net.h5", images)
    wanted = saved_model(tmp_path / "other.h5", images, activation=activation)
    assert np.abs(relu - wanted).max() > 1e-3

    def renamed(config):
        (act,) = (layer for layer in config["config"]["layers"] if layer["config"]["name"] == "act")
        act["config"]["activation"] = name

    rewrite_config(tmp_path / "net.h5", renamed)
    model = load(tmp_path / "net.h5")
    assert op in {node.op for node in model.graph_def.node if node.name.startswith("act/")}
    np.testing.assert_allclose(logits_of(model, images, logits="probs/Softmax:0"), wanted, atol=1e-6)


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
