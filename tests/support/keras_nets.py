"""A small Keras net, its file, and changes to the configuration in that file."""

from __future__ import annotations

import json

import h5py
import numpy as np
from loader_nets import IMAGES

from gradcam_tf1 import tf_runtime as runtime
from gradcam_tf1.tf_runtime import tf


def small_model(sequential=False, extra=(), activation="relu"):
    """conv, batch norm, activation, pooling, dropout, dense with softmax."""
    keras = runtime.keras()
    stack = [
        keras.layers.Conv2D(4, 3, padding="same", name="conv", input_shape=(12, 10, 3)),
        keras.layers.BatchNormalization(name="norm"),
        keras.layers.Activation(activation, name="act"),
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


def saved_model(path, images=IMAGES, **options):
    """A Keras file made in a graph of its own, and what Keras predicts for the images."""
    graph = tf.Graph()
    with graph.as_default(), tf.Session(graph=graph).as_default():
        model = small_model(**options)
        set_random_weights(model)
        wanted = model.predict(images)
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
