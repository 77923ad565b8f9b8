"""Keras files that are changed after they were saved, and the proof that they are refused before they cost anything."""

from __future__ import annotations

import json
import time

import h5py
import pytest

from gradcam_tf1 import tf_runtime as runtime
from gradcam_tf1.errors import ModelFileError
from gradcam_tf1.loaders import load
from gradcam_tf1.tf_runtime import tf

resource = pytest.importorskip("resource")
LITTLE = 400  # MB
IMAGE = (12, 10, 3)


def save(path, build):
    """A file of the layers that `build` makes of the module keras.layers."""
    keras = runtime.keras()
    with tf.Graph().as_default() as graph, tf.Session(graph=graph).as_default():
        keras.models.Sequential(build(keras.layers)).save(str(path))
    return path


def named(config, name):
    """The configuration of a layer, nested or not."""
    if isinstance(config, dict):
        if config.get("name") == name and "layers" not in config:
            return config
        config = list(config.values())
    found = [named(value, name) for value in config] if isinstance(config, list) else []
    return next(filter(None, found), None)


def edit(path, name, **changes):
    change(path, lambda config: named(config, name).update(changes))


def edit_input(path, shape):
    """Keras 1.15 has it in the first layer, later ones in a layer of its own."""

    def of(config):
        for layer in config["config"]["layers"]:
            if "batch_input_shape" in layer["config"]:
                layer["config"]["batch_input_shape"] = shape

    change(path, of)


def change(path, how):
    with h5py.File(str(path), "a") as file:
        text = file.attrs["model_config"]
        config = json.loads(text.decode() if isinstance(text, bytes) else text)
        how(config)
        file.attrs["model_config"] = json.dumps(config).encode()


def conv(layers, **options):
    return layers.Conv2D(4, 3, input_shape=IMAGE, **options)


def refused(path, match):
    """It is refused, soon, and the process has not grown."""
    before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    with pytest.raises(ModelFileError, match=match):
        load(path)
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10 < LITTLE
    assert time.process_time() - started < 20


def head(layers):
    return [layers.Flatten(), layers.Dense(5)]
