"""The callback of Keras: in graph programs and in eager ones, the maps of an epoch are those of the model then."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from event_files import images_of
from training_nets import NotingNet, opened, photos

from gradcam_tf1 import GradCamCallback, GradCamGraph, OptionError, TrainingMaps
from gradcam_tf1.tf_runtime import keras, tf

ROOT = Path(__file__).resolve().parent.parent.parent


def small_model(package):
    layers = package.layers
    model = package.Sequential(
        [
            layers.Conv2D(8, 3, padding="same", input_shape=(16, 16, 3)),
            layers.BatchNormalization(momentum=0.5),
            layers.Activation("relu"),
            layers.Conv2D(8, 3, activation="relu", padding="same"),
            layers.GlobalAveragePooling2D(),
            layers.Dropout(0.5),
            layers.Dense(3),
        ]
    )
    model.compile("adam", "mse")
    return model


class Freshly(NotingNet):
    """Explains the same by a net that is opened anew on the model."""

    def explain(self, *args, **options):
        made = super().explain(*args, **options)
        with GradCamGraph(model_of[0], preset="zero-one") as fresh:
            others.append(fresh.explain(*args, **options))
        return made


model_of, others = [None], []


def assert_followed(package, folder):
    """Train two epochs; each step has its own maps, those of a net opened anew."""
    rng = np.random.RandomState(0)
    model_of[0] = model = small_model(package)
    opened.clear()
    others.clear()
    maps = TrainingMaps(photos(), Freshly, methods=["gradcam", "guided_backprop"], logdir=folder, on_error="stop")
    x, y = rng.uniform(0, 1, (16, 16, 16, 3)).astype(np.float32), rng.uniform(0, 9, (16, 3))
    callback = GradCamCallback(maps, every_n_epochs=1)
    model.fit(x, y, epochs=2, batch_size=4, verbose=0, callbacks=[callback])
    (net,) = opened
    assert len(net.made) == len(others) == 2
    for made, other in zip(net.made, others):
        for key, values in made.maps.items():
            np.testing.assert_allclose(values, other.maps[key], atol=1e-5 * np.abs(other.maps[key]).max())
        np.testing.assert_allclose(made.scores, other.scores, rtol=1e-5, atol=1e-6)
    assert np.abs(net.made[0].scores - net.made[1].scores).max() > 1e-3
    found = images_of(folder)
    assert sum(len(shown) for shown in found.values()) == 2 * 2 * len(photos())
    assert {step for shown in found.values() for step, _ in shown} == {1, 2}
    return model, callback, (x, y)


def test_a_model_of_a_graph_program(tmp_path):
    with tf.Graph().as_default() as graph, tf.Session().as_default():
        model, _, data = assert_followed(keras(), str(tmp_path / "epochs"))
        names = [op.name for op in graph.get_operations()]
        maps = TrainingMaps(photos(), logdir=str(tmp_path / "batches"), net=NotingNet, on_error="stop")
        callback = GradCamCallback(maps, every_n_batches=3)
        assert isinstance(callback, keras().callbacks.Callback)
        model.fit(*data, epochs=2, batch_size=4, verbose=0, callbacks=[callback])
        assert [op.name for op in graph.get_operations()] == names
    found = images_of(str(tmp_path / "batches"))
    assert {step for shown in found.values() for step, _ in shown} == {3, 6}


EAGER = """
    import sys
    sys.path[:0] = [{support!r}, {here!r}]
    import tensorflow as tf
    if tf.__version__.startswith("1."):
        tf.compat.v1.enable_eager_execution()
        packages = [tf.keras]
    else:
        import keras, tf_keras
        packages = [tf_keras, keras]
    from test_keras_callback import assert_followed
    assert tf.executing_eagerly()
    for package in packages:
        assert_followed(package, {folder!r} + "/" + package.__name__)
"""


@pytest.mark.programs
def test_models_of_an_eager_program(tmp_path):
    """Of tf.keras on TensorFlow 1.15; of tf_keras and Keras 3 on TensorFlow 2."""
    here = ROOT / "tests"
    code = EAGER.format(support=str(here / "support"), here=str(here / "training"), folder=str(tmp_path))
    command = [sys.executable, "-c", textwrap.dedent(code)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout


def test_what_the_callback_refuses(tmp_path):
    with pytest.raises(OptionError, match=r"logdir is missing: .*give TrainingMaps\(logdir=...\)"):
        GradCamCallback(TrainingMaps(photos()), every_n_epochs=1)
    maps = TrainingMaps(photos(), logdir=str(tmp_path), build=lambda: None)
    with pytest.raises(OptionError, match="build is for sessions; a Keras model is explained in inference mode"):
        GradCamCallback(maps, every_n_epochs=1)
    with pytest.raises(OptionError, match="give one of every_n_epochs or every_n_batches, not none"):
        GradCamCallback(maps)
