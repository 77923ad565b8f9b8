"""Keras files whose architecture needs more than their weights are refused before memory is taken."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest
from strange_keras import conv, edit, edit_input, head, refused, save

from gradcam_tf1 import tf_runtime as runtime
from gradcam_tf1.loaders import load

WEIGHTS = {
    "dense": (lambda k: [conv(k), k.Flatten(), k.Dense(5, name="x")], {"units": 10**9}),
    "convolution": (lambda k: [conv(k, name="x"), *head(k)], {"filters": 2**31 - 1}),
    "kernel": (lambda k: [conv(k, name="x", padding="same"), *head(k)], {"kernel_size": [30000, 30000]}),
    "depthwise": (lambda k: [conv(k), k.DepthwiseConv2D(3, name="x"), *head(k)], {"depth_multiplier": 10**8}),
    "separable": (lambda k: [conv(k), k.SeparableConv2D(4, 3, name="x"), *head(k)], {"depth_multiplier": 10**8}),
    "transposed": (lambda k: [conv(k), k.Conv2DTranspose(4, 3, name="x"), *head(k)], {"filters": 10**9}),
    "embedding": (lambda k: [k.Embedding(9, 4, input_length=5, name="x"), *head(k)], {"input_dim": 10**10}),
    "lstm": (lambda k: [k.LSTM(4, input_shape=(5, 3), name="x"), k.Dense(5)], {"units": 50000}),
    "gru": (lambda k: [k.GRU(4, input_shape=(5, 3), name="x"), k.Dense(5)], {"units": 50000}),
    "normalisation": (lambda k: [conv(k, name="x"), k.BatchNormalization(), *head(k)], {"filters": 10**8}),
    "in a wrapper": (
        lambda k: [k.TimeDistributed(k.Dense(4, name="x"), input_shape=(5, 3)), *head(k)],
        {"units": 10**9},
    ),
    "nested": (
        lambda k: [runtime.keras().models.Sequential([conv(k, name="x")]), *head(k)],
        {"filters": 10**9},
    ),
}


def edited(folder, build, changes):
    """A Keras file whose layer 'x' has other options than it was saved with."""
    path = save(folder / "net.h5", build)
    edit(path, "x", **changes)
    return path


@pytest.mark.parametrize("kind", sorted(WEIGHTS))
def test_weights_that_the_file_does_not_hold(kind, tmp_path):
    path = edited(tmp_path, *WEIGHTS[kind])
    refused(path, r"its architecture does not fit its weights: it needs [\d,]+ numbers, the largest is '.*'")


SIZES = {
    "repeated": (lambda k: [k.Dense(4, input_shape=(3,)), k.RepeatVector(3, name="x"), k.LSTM(4)], {"n": 2**32}),
    "enlarged": (lambda k: [conv(k), k.UpSampling2D(2, name="x"), *head(k)], {"size": [10**5, 10**5]}),
    "padded": (lambda k: [conv(k), k.ZeroPadding2D(2, name="x"), *head(k)], {"padding": [[10**5, 10**5], [1, 1]]}),
    "reshaped": (lambda k: [conv(k), k.Reshape((10, 8, 4), name="x"), *head(k)], {"target_shape": [10**5, 10**5, 4]}),
}


@pytest.mark.parametrize("kind", sorted(SIZES))
def test_tensors_that_no_machine_holds(kind, tmp_path):
    path = edited(tmp_path, *SIZES[kind])
    refused(path, r"the layer 'x' has \[.*\] in its configuration, more than the 2,147,483,648 numbers")


def test_images_that_no_machine_holds(tmp_path):
    path = save(tmp_path / "net.h5", lambda k: [conv(k), *head(k)])
    edit_input(path, [None, 10**6, 10**6, 3])
    refused(path, "in its configuration, more than the 2,147,483,648 numbers")


def test_small_ones_still_load(tmp_path):
    for number, build in enumerate((WEIGHTS["nested"][0], WEIGHTS["in a wrapper"][0], SIZES["padded"][0])):
        assert load(save(tmp_path / f"{number}.h5", build)).outputs


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("[" * 100_000, "damaged JSON"),
        ('{"a":' * 3000 + "1" + "}" * 3000, "(damaged JSON|not a Keras model)"),
        ('{"class_name": "Sequential", "config": ' + '{"layer": ' * 700 + "1" + "}" * 701, "net.h5"),
        ('{"class_name": "Sequential", "config": {"n": ' + "9" * 100_000 + "}}", "a number of 100000 digits"),
        ("not at all", "damaged JSON"),
    ],
)
def test_texts_that_are_no_architecture(text, match, tmp_path):
    path = save(tmp_path / "net.h5", lambda k: [conv(k), *head(k)])
    with h5py.File(str(path), "a") as file:
        del file.attrs["model_config"]
        file.create_dataset("spare", data=np.zeros(1))
        if len(text) < 60_000:
            file.attrs["model_config"] = text.encode()
        else:  # large attributes need the newer layout
            file.attrs.create("model_config", text.encode(), dtype=h5py.special_dtype(vlen=bytes))
    refused(path, match)


@pytest.mark.parametrize(
    ("count", "match"),
    [
        (6000, r"its architecture has 6,00\d layers; 5,000 are allowed"),
        (600, r"its architecture has 60\d layers in one Sequential; 500 are allowed"),
    ],
)
def test_more_layers_than_are_allowed(count, match, tmp_path):
    path = save(tmp_path / "net.h5", lambda k: [conv(k), *head(k)])
    with h5py.File(str(path), "a") as file:
        text = file.attrs["model_config"]
        config = json.loads(text.decode() if isinstance(text, bytes) else text)
        del file.attrs["model_config"]
        relu = {"class_name": "ReLU", "config": {}}
        config["config"]["layers"] += [relu] * count
        text = json.dumps(config).encode()
        file.attrs.create("model_config", text, dtype=h5py.special_dtype(vlen=bytes))
    refused(path, match)
