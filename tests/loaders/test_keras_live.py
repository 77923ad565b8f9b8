"""Live Keras models: the scores that Keras gives, in any kind of program, and no change of its state."""

from __future__ import annotations

import numpy as np
import pytest
from keras_nets import saved_model, set_random_weights, small_model
from loader_nets import IMAGES, logits_of

from gradcam_tf1 import tf_runtime as runtime
from gradcam_tf1.errors import ModelFileError
from gradcam_tf1.loaders import load
from gradcam_tf1.tf_runtime import tf


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
    with pytest.raises(ModelFileError, match="has no input shape yet"):
        load(keras.models.Sequential([keras.layers.Dense(2)]))
