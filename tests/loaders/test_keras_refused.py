"""Keras files with program code, weights that do not fit or no architecture are refused by name."""

from __future__ import annotations

import h5py
import pytest
from keras_nets import rewrite_config, saved_model, small_model

from gradcam_tf1.errors import ModelFileError
from gradcam_tf1.loaders import load
from gradcam_tf1.tf_runtime import tf


def test_lambda_layers_are_refused_before_anything_is_read(tmp_path):
    saved_model(tmp_path / "net.h5")
    code = {"name": "double", "function": ["4wEAAAAAAAAA\n", None, None], "function_type": "lambda"}
    rewrite_config(
        tmp_path / "net.h5",
        lambda config: config["config"]["layers"][3].update(class_name="Lambda", name="double", config=code),
    )
    with pytest.raises(ModelFileError, match=r"net\.h5: layer 'double' is a Lambda .program code"):
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


def test_weights_that_do_not_fit(tmp_path):
    saved_model(tmp_path / "net.h5")
    rewrite_config(tmp_path / "net.h5", lambda config: config["config"]["layers"][1]["config"].update(filters=5))
    with pytest.raises(
        ModelFileError, match=r"net\.h5: .*(do not fit its architecture|the graph expects \(3, 3, 3, 5\))"
    ):
        load(tmp_path / "net.h5")


def test_damaged_architecture(tmp_path):
    saved_model(tmp_path / "net.h5")
    for text, message in ((b'{"class_name": "Mod', "damaged JSON"), (b'["layers"]', "not a Keras model")):
        with h5py.File(str(tmp_path / "net.h5"), "a") as file:
            file.attrs["model_config"] = text
        with pytest.raises(ModelFileError, match=message):
            load(tmp_path / "net.h5")


def test_architecture_of_other_make(tmp_path):
    saved_model(tmp_path / "net.h5")
    calls = [{"args": [{"class_name": "__keras_tensor__"}]}]
    rewrite_config(tmp_path / "net.h5", lambda config: config["config"]["layers"][1].update(inbound_nodes=calls))
    with pytest.raises(ModelFileError, match=r"does not have the form of Keras \(KeyError"):
        load(tmp_path / "net.h5")


def test_no_input_shape(tmp_path):
    saved_model(tmp_path / "net.h5", sequential=True)

    def forget(config):
        layers = config["config"]["layers"]
        layers[:] = [layer for layer in layers if layer["class_name"] != "InputLayer"]
        layers[0]["config"].pop("batch_input_shape", None)
        config["config"].pop("build_input_shape", None)

    rewrite_config(tmp_path / "net.h5", forget)
    with pytest.raises(ModelFileError, match="has no input shape"):
        load(tmp_path / "net.h5")


def test_truncated_file(tmp_path):
    saved_model(tmp_path / "net.h5")
    whole = (tmp_path / "net.h5").read_bytes()
    (tmp_path / "net.h5").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelFileError, match=r"net\.h5 is damaged: HDF5 cannot open it"):
        load(tmp_path / "net.h5")
