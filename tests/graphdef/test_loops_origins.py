"""Maps behind loops are correct from every origin: training graph, checkpoint, SavedModel, session, Keras file."""

from __future__ import annotations

import loop_nets
import numpy as np
import pytest

from gradcam_tf1 import tf_runtime as runtime
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.loaders import load
from gradcam_tf1.tf_runtime import inside, tf

ENDS = {"input": "input", "logits": "logits", "layer": "features", "preset": "raw"}


def trained_net():
    """Build the recurrent net with variables and an optimiser, whose gradients pass through the loop."""
    with loop_nets.loops_of_ops():
        loop_nets.head(loop_nets.recurrent(loop_nets.columns(), tf.Variable))
        logits = tf.get_default_graph().get_tensor_by_name("logits:0")
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=[1, 2], logits=logits))
        tf.train.AdamOptimizer(0.01).minimize(loss)


@pytest.fixture(scope="module")
def origins(tmp_path_factory):
    """Return origin -> source for GradCamGraph, and the map that TensorFlow's own gradient gives."""
    folder = tmp_path_factory.mktemp("loops")
    graph = tf.Graph()
    with inside(graph):
        trained_net()
        sess = tf.Session(graph=graph)
        sess.run(tf.global_variables_initializer())
        ends = [graph.get_tensor_by_name(f"{name}:0") for name in ("input", "features", "logits")]
        tf.train.Saver().save(sess, str(folder / "net"))
        tf.saved_model.simple_save(sess, str(folder / "saved"), {"input": ends[0]}, {"logits": ends[2]})
        frozen = tf.graph_util.convert_variables_to_constants(sess, graph.as_graph_def(), ["prob"])
        with loop_nets.loops_of_ops():
            features, grads = sess.run(
                [ends[1], tf.gradients(ends[2][:, 1], ends[1])[0]], {ends[0]: loop_nets.images()}
            )
    raw = (grads.mean((1, 2), keepdims=True) * features).sum(-1)
    models = {
        "frozen": frozen,
        "checkpoint": str(folder / "net"),
        "SavedModel": str(folder / "saved"),
        "session": sess,
    }
    yield models, np.maximum(raw, 0)
    sess.close()


@pytest.mark.parametrize("origin", ["frozen", "checkpoint", "SavedModel", "session"])
def test_a_loop_works_from_every_origin(origin, origins):
    models, wanted = origins
    assert wanted.max() > 0
    with GradCamGraph(models[origin], **ENDS) as net:
        found = net.explain(loop_nets.images(), targets=[1])["gradcam"][:, 0]
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6 * wanted.max())


def test_a_checkpoint_takes_its_loop_from_the_function_that_builds_it(origins):
    models, wanted = origins
    with GradCamGraph(load(models["checkpoint"], build=trained_net), **ENDS) as net:
        found = net.explain(loop_nets.images(), targets=[1])["gradcam"][:, 0]
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6 * wanted.max())


def keras_heads(layers):
    return {
        "lstm": [layers.LSTM(5)],
        "two-way": [layers.Bidirectional(layers.GRU(4, return_sequences=True)), layers.LSTM(3)],
        "each step": [layers.TimeDistributed(layers.Dense(5, activation="tanh")), layers.SimpleRNN(4)],
    }


@pytest.mark.parametrize("head", ["lstm", "two-way", "each step"])
def test_recurrent_heads_of_keras(head, tmp_path):
    keras, path = runtime.keras(), str(tmp_path / "net.h5")
    images = loop_nets.images() / 255
    graph = tf.Graph()
    with inside(graph), tf.Session(graph=graph).as_default() as sess:
        photos = keras.Input((8, 12, 3), name="input")
        features = keras.layers.Conv2D(4, 3, strides=2, padding="same", activation="relu", name="conv")(photos)
        x = keras.layers.Reshape((6, 16))(keras.layers.Permute((2, 1, 3))(features))
        for layer in keras_heads(keras.layers)[head]:
            x = layer(x)
        model = keras.Model(photos, keras.layers.Dense(3, name="logits")(x))
        random = np.random.RandomState(4)
        model.set_weights([random.randn(*value.shape) * 0.5 for value in model.get_weights()])
        model.save(path)
        if not runtime.IS_TF2:
            ends = [features, tf.gradients(model.output[:, 1], features)[0]]
            features, grads = sess.run(ends, {photos: images})
    if runtime.IS_TF2:  # without any graph
        copy = keras.models.load_model(path)
        both = keras.Model(copy.inputs, [copy.get_layer("conv").output, copy.output])
        with tf.GradientTape() as tape:
            features, logits = both(images)
            score = logits[:, 1]
        features, grads = features.numpy(), tape.gradient(score, features).numpy()
    wanted = (grads * features).sum(-1)
    assert np.abs(wanted).max() > 0
    with GradCamGraph(path, preset="zero-one") as net:
        found = net.explain(loop_nets.images(), targets=[1], methods="hirescam")["hirescam"][:, 0]
    np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-5 * np.abs(wanted).max())
