"""Hints in error messages work as typed, with the user's files in place of the examples."""

from __future__ import annotations

import json
import re

import h5py
import numpy as np
import pytest
from binding_graphs import classifier, dense, images, pooled, two_layers
from command_line import command, manifest
from further_nets import noise, siamese
from PIL import Image

from gradcam_tf1.engine.explain_options import ExplainOptions
from gradcam_tf1.errors import ModelFileError, OptionError
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.images.preprocessing import PRESETS, find_preset
from gradcam_tf1.loaders import load
from gradcam_tf1.tf_runtime import IS_TF2, tf


def scores_with(shape, dtype, use):
    """Build a net with an input 'extra'; `use` makes one number of it, or one number per image."""

    def build():
        extra = tf.placeholder(dtype, shape, name="extra")
        features = pooled(two_layers(images()))
        tf.nn.softmax(dense(features * use(extra), 5, 8, name="logits"))

    return build


def total(extra):
    """A number per image."""
    number = tf.cast(extra, tf.float32)
    return tf.reduce_sum(tf.reshape(number, [tf.shape(number)[0], -1]), axis=1, keepdims=True)


NETS = {
    "a number": scores_with([], tf.float32, lambda extra: extra),
    "a rate of half precision": scores_with([], tf.float16, lambda extra: tf.cast(extra, tf.float32)),
    "of unknown shape": scores_with(None, tf.float32, lambda extra: tf.reshape(extra, [])),
    "numbers of each image": scores_with([None, 2], tf.float32, total),
    "an integer of each image": scores_with([None], tf.int64, total),
    "a matrix of open sides": scores_with([None, None], tf.float32, total),
    "a switch of each image": scores_with([None, 1], tf.bool, total),
    "a switch": scores_with([], tf.bool, lambda extra: tf.cast(extra, tf.float32)),
    "a word": scores_with([], tf.string, lambda extra: tf.cast(tf.strings.length(extra), tf.float32)),
    "words": scores_with([None, None], tf.string, lambda extra: total(tf.strings.length(extra))),
    "a second image": scores_with([None, 16, 16, 3], tf.float32, total),
    "a small gray image": scores_with([None, 8, 8, 1], tf.uint8, total),
}


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    for name, pixels in zip(("a.png", "b.png", "c.png"), noise(3)):
        Image.fromarray(pixels).save(str(tmp_path / "photos" / name))
    Image.fromarray(noise(1, seed=5)[0]).save("image.png")
    return tmp_path


def save(build):
    with tf.Graph().as_default() as graph:
        build()
    with open("model.pb", "wb") as file:
        file.write(graph.as_graph_def().SerializeToString())
    return graph.as_graph_def()


def run(*options, code=0, preset="raw"):
    start = ("run", "model.pb", "photos", "--out", "out", "--preset", preset, "--method", "gradcam")
    return command(*start, *options, code=code)


@pytest.mark.parametrize("kind", sorted(NETS))
def test_the_feed_that_an_error_asks_for(place, kind):
    graph_def = save(NETS[kind])
    channel = "gray-raw" if "gray" in kind else "raw"
    text = run(code=2)
    flag, value = re.search(r"for example (--feed) (extra:0=\S+) \(in", text).groups()
    if channel == "raw":
        run(flag, value)
        assert [line["status"] for line in manifest("out")] == ["ok"] * 3
    python = re.search(r"\(in Python: (\w+)=({'extra:0': .*?})\)", text)
    where, given = python.group(1), {"extra:0": _python(python.group(2).partition(": ")[2][:-1])}
    options = {"preset": "raw", "feed": given if where == "feed" else None}
    with GradCamGraph(load(graph_def), **options) as net:
        if where == "feed":
            assert np.isfinite(net.explain(noise(3), 1, methods="gradcam").scores).all()
        elif channel == "raw":
            assert not net.visualize_imgs(
                "photos", "again", methods="gradcam", options=ExplainOptions(inputs=given)
            ).failed


def _python(text):
    import ast

    return ast.literal_eval(text)


def test_values_from_a_table_that_an_error_asks_for(place):
    save(NETS["numbers of each image"])
    assert "with --feed-file values.csv" in run(code=2)
    (place / "values.csv").write_text("file,extra\na.png,1\nb.png,2\nc.png,3\n")
    run("--feed-file", "values.csv")


def test_the_second_image_of_a_siamese_net(place):
    with open("model.pb", "wb") as file:
        file.write(siamese().SerializeToString())
    hint = re.search(r"--feed (right:0=@image.png) ", run(code=2)).group(1)
    run("--feed", hint)
    text = run("--feed", "left:0=@image.png", "--input", "left", code=2)
    assert "'left:0' takes the images" in text
    assert "name another input" in text
    run("--feed", "left:0=@image.png", "--input", "right")


def test_inputs_that_an_error_tells_to_name(place):
    def build():
        x = tf.image.decode_png(tf.placeholder(tf.string, [], name="bytes"), channels=3, name="decoded")
        classifier(tf.expand_dims(tf.cast(x, tf.float32), 0))

    save(build)
    name = re.search(r"its decoded images, '([^']+)'", run("--input", "bytes", code=2)).group(1)
    run("--input", name)

    def rows():
        classifier(tf.reshape(images(None, 256, name="x"), [-1, 16, 16, 1], name="image"), inputs=1)

    save(rows)
    name = re.search(r"name '([^']+)', where", run("--input", "x", code=2)).group(1)
    run("--input", name, preset="gray-raw")


@pytest.mark.parametrize("option", ["--input", "--logits", "--layer"])
def test_candidates_that_an_error_lists(place, option):
    save(lambda: classifier(images()))
    name = re.search(rf"candidates are .*?{option} '([^']+)'", run(option, "nothing-like-it", code=2)).group(1)
    run(option, name)


def test_outputs_that_an_error_lists(place):
    save(lambda: classifier(images()))
    number = re.search(r"the model has \d+: (\d+) '", run("--output", "7", code=2)).group(1)
    run("--output", number)


@pytest.mark.parametrize(
    ("preset", "wanted"),
    [
        ("gray-inception", "inception"),
        ("gray-zero-one", "zero-one"),
        ("gray-raw", "raw"),
        ("gray-mean-zero-one", "zero-one"),
        ("gray-mean-raw", "raw"),
    ],
)
def test_the_preset_to_use_for_a_net_of_other_channels(place, preset, wanted):
    save(lambda: classifier(images()))
    text = run(preset=preset, code=2)
    assert re.search(r"use the preset ([\w-]+),", text).group(1) == wanted
    run(preset=wanted)
    gray = np.full((1, 2, 2, 3), 77, np.uint8)
    np.testing.assert_allclose(PRESETS[wanted](gray)[..., :1], PRESETS[preset](gray), rtol=1e-5)
    save(lambda: classifier(images(None, 16, 16, 1), inputs=1))
    back = re.search(r"use the preset ([\w-]+),", run(preset=wanted, code=2)).group(1)
    run(preset=back)


def test_no_preset_is_named_where_none_makes_the_same_values():
    with pytest.raises(OptionError, match=r"this preprocessing makes 3 \(.*\); presets for it: gray-inception, "):
        find_preset("caffe").check_channels(1)


def test_the_way_a_keras_3_file_is_given(tmp_path):
    zipped = tmp_path / "model.keras"
    if not IS_TF2:
        import zipfile

        with zipfile.ZipFile(str(zipped), "w") as archive:
            mean = {"class_name": "Mean", "name": "mean", "config": {"name": "mean"}}
            config = {"class_name": "Sequential", "config": {"name": "outer", "layers": [mean]}}
            archive.writestr("config.json", json.dumps(config))
            h5py.File(str(tmp_path / "empty.h5"), "w").close()
            archive.write(str(tmp_path / "empty.h5"), "model.weights.h5")
    else:
        import keras

        given = keras.Input((16, 16, 3))
        features = keras.layers.Conv2D(4, 3, activation="relu")(given)
        keras.Model(given, keras.layers.Dense(3)(keras.ops.mean(features, axis=(1, 2)))).save(str(zipped))
    with pytest.raises(
        ModelFileError, match=r"model.keras: this Keras has no layer class 'Mean'; .*in Python"
    ) as caught:
        load(str(zipped))
    text = str(caught.value)
    for code in ("model = keras.models.load_model(PATH)", "GradCamGraph(model)", "model.export(FOLDER)"):
        assert code in text
    if IS_TF2:
        model = keras.models.load_model(str(zipped))
        model.export(str(tmp_path / "folder"), verbose=False)
        scores = []
        for source in (model, str(tmp_path / "folder")):
            with GradCamGraph(source, preset="raw") as net:
                scores.append(net.explain(noise(2), [0, 1, 2]).scores)
        np.testing.assert_allclose(scores[0], model.predict(noise(2).astype("float32"), verbose=0), rtol=1e-4)
        np.testing.assert_allclose(scores[1], scores[0], rtol=1e-4)
