"""Keras files of a few kB whose layers would take Keras minutes or gigabytes to build are refused."""

from __future__ import annotations

import numpy as np
import pytest
from strange_keras import change, conv, edit, head, refused, save

from gradcam_tf1 import tf_runtime as runtime
from gradcam_tf1.engine.graph_import import import_graph
from gradcam_tf1.loaders import keras_costly, load
from gradcam_tf1.loaders.keras_sizes import count_calls
from gradcam_tf1.tf_runtime import tf


def local(layers, **options):
    if not hasattr(layers, "LocallyConnected2D"):
        pytest.skip("this Keras has none")
    return layers.LocallyConnected2D(1, 1, name="x", **options)


@pytest.mark.parametrize(
    ("implementation", "match"),
    [
        (1, "'x' its architecture has 160,000 positions with weights of their own; 4,096 are allowed"),
        (2, "has 25,600,000,000 pairs of positions with weights of their own; 8,388,608 are allowed"),
        (3, "has 640,000 connections with weights of their own; 262,144 are allowed"),
    ],
)
def test_positions_that_follow_from_the_layers_before(implementation, match, tmp_path):
    """8 x 8 images of 4 channels, enlarged to 400 x 400."""
    path = save(
        tmp_path / "net.h5",
        lambda k: [
            k.Conv2D(4, 1, input_shape=(8, 8, 3)),
            k.UpSampling2D(1, name="up"),
            local(k, implementation=implementation),
            k.GlobalMaxPooling2D(),
        ],
    )
    assert load(path).outputs
    edit(path, "up", size=[50, 50])
    refused(path, match)


def test_positions_of_a_layer_that_is_called_again_and_again(tmp_path, monkeypatch):
    """20 calls of 64 positions: the graph gets ops for all of them."""
    monkeypatch.setitem(keras_costly._LIMITS, "positions with weights of their own", 200)

    def build(path):
        keras = runtime.keras()
        with tf.Graph().as_default() as graph, tf.Session(graph=graph).as_default():
            x = keras.layers.Input((8, 8, 1))
            shared = local(keras.layers)
            keras.models.Model(x, keras.layers.Flatten()(shared(shared(x)))).save(str(path))
        return path

    path = build(tmp_path / "net.h5")
    assert load(path).outputs

    def again(config):
        layer = next(layer for layer in config["config"]["layers"] if layer["name"] == "x")
        layer["inbound_nodes"] = [layer["inbound_nodes"][0]] * 20

    change(path, again)
    refused(path, "has 256 positions with weights of their own; 200 are allowed")


@pytest.mark.parametrize("kind", ["UpSampling1D", "UpSampling3D"])
def test_repeated_positions(kind, tmp_path):
    """Keras splits the tensor into positions and concatenates each as often as it is repeated."""
    shape = (500, 3) if kind == "UpSampling1D" else (500, 1, 1, 3)
    path = save(
        tmp_path / "net.h5",
        lambda k: [k.Dense(2, input_shape=shape), getattr(k, kind)(2, name="x"), k.Flatten(), k.Dense(2)],
    )
    assert load(path).outputs
    edit(path, "x", size=1000 if kind == "UpSampling1D" else [1000, 1, 1])
    refused(path, r"has 500,\d+ positions that are repeated one by one; 65,536 are allowed")


@pytest.mark.parametrize("kind", ["SimpleRNN", "LSTM", "GRU"])
def test_unrolled_layers_are_computed_as_loops(kind, tmp_path):
    """The numbers equal those of Keras; the graph does not grow with the steps, for any layer."""
    keras = runtime.keras()
    images = np.random.RandomState(0).rand(2, 5, 3).astype(np.float32)
    path = str(tmp_path / "net.h5")
    with tf.Graph().as_default() as graph, tf.Session(graph=graph).as_default():
        layers = [
            keras.layers.Dense(3, input_shape=(5, 3)),
            keras.layers.UpSampling1D(2, name="up"),
            getattr(keras.layers, kind)(4, name="x", unroll=True),
            keras.layers.Dense(5),
        ]
        model = keras.models.Sequential(layers)
        wanted = model.predict(images)
        model.save(path)
    loaded = load(path)
    with tf.Session(graph=import_graph(loaded.graph_def, path)) as session:
        found = session.run(loaded.outputs[0], {loaded.inputs[0]: images})
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)
    edit(path, "up", size=100)
    assert len(load(path).graph_def.node) < len(loaded.graph_def.node) + 600  # of repeating the positions


def test_many_cells(tmp_path):
    path = save(
        tmp_path / "net.h5",
        lambda k: [k.RNN(k.StackedRNNCells([k.LSTMCell(2)]), input_shape=(5, 3), name="x"), *head(k)],
    )
    assert load(path).outputs

    def more(config):
        layer = next(one for one in config["config"]["layers"] if one["config"].get("cell"))
        cells = layer["config"]["cell"]["config"]["cells"]
        cells += [{"class_name": "LSTMCell", "config": {"name": f"c{i}", "units": 1}} for i in range(2000)]

    change(path, more)
    refused(path, r"has 200,\d+ calls of layers, where a recurrent one counts as 100; 10,000 are allowed")


def net(layers, calls=1):
    return {"class_name": "Functional", "config": {"layers": layers}, "inbound_nodes": [[]] * calls}


def wrapped(layer):
    return {"class_name": "Bidirectional", "config": {"layer": layer}}


def test_calls_of_nets_in_nets_multiply():
    """Counted by hand: building a net calls each of its layers once, and each call of it calls them again."""
    leaf = {"class_name": "Dense", "config": {}, "inbound_nodes": [[]] * 3}
    assert count_calls(net([leaf])).made == 3
    inner = net([leaf, leaf], calls=10)
    assert count_calls(net([inner])) == (6 + 10 * 7, 10 * 7 + 1)
    assert count_calls(net([wrapped({"class_name": "LSTM", "config": {}})])).made == 202
    deep = leaf
    for _ in range(9):
        deep = net([deep], calls=10)
    assert count_calls(deep).made > 3 * 10**8
    twice = leaf
    for _ in range(30):
        twice = wrapped(twice)
    assert count_calls(net([twice])).made > 2**29


def test_nets_in_nets_that_call_each_other_are_refused(tmp_path):
    path = save(tmp_path / "net.h5", lambda k: [runtime.keras().models.Sequential([conv(k, name="x")]), *head(k)])

    def deeper(config):
        part = config["config"]["layers"]
        place = next(i for i, layer in enumerate(part) if "layers" in layer["config"])
        for _ in range(15):
            part[place] = wrapped(part[place])

    change(path, deeper)
    refused(path, r"calls of layers, where a recurrent one counts as 100; 10,000 are allowed")
