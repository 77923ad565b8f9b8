"""The page of the doctor: on nets that work, on those that do not, and on what is no net."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from array_nets import ArrayNet
from clip_nets import clip_graph
from command_line import command
from further_nets import siamese
from image_folders import copy_scenes

from gradcam_tf1.diagnosis.machine import machine
from gradcam_tf1.nets.demo import demo_model
from gradcam_tf1.tf_runtime import tf


def doctor(*words, code=0):
    said = command("doctor", *words, code=code)
    assert "Traceback" not in said
    assert ("\n  yes: " in said) == (code == 0)
    return said


def next_command(said):
    (line,) = [line for line in said.splitlines() if line.strip().startswith("gradcam-tf1 ")]
    return shlex.split(line)[1:]


def saved(path, build):
    with tf.Graph().as_default() as graph:
        build()
    path.write_bytes(graph.as_graph_def().SerializeToString())
    return path


def net(kernel=None, gradient=True):
    x = tf.placeholder(tf.float32, [None, 8, 8, 3], name="input")
    kernel = np.random.RandomState(0).randn(3, 3, 3, 4) if kernel is None else kernel
    features = tf.nn.relu(tf.nn.conv2d(x, kernel.astype(np.float32), [1, 1, 1, 1], "SAME", name="conv"))
    means = tf.reduce_mean(features, [1, 2])
    tf.matmul(means if gradient else tf.round(means), np.eye(4, 3, dtype=np.float32), name="logits")


def test_a_net_and_its_photos(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    copy_scenes(tmp_path / "photos", *(f"{number}.png" for number in range(6)))
    said = doctor(demo_model(), "photos")
    assert [line[3:] for line in said.splitlines() if line.startswith("== ")] == [
        "machine", "model", "weights", "methods", "presets", "trial", "result",
    ]  # fmt: skip
    for part in (
        "TensorFlow",
        "--layer could also be conv4/Relu:0",
        "84,727 numbers",
        "65 work: gradcam",
        "1   inception",
    ):
        assert part in said
    typed = next_command(said)
    assert typed[-2:] == ["--preset", "inception"]
    command(*typed, "--method", "gradcam")


def test_a_net_without_photos(tmp_path):
    said = doctor(demo_model())
    assert "4 images of noise with x/255, RGB" in said
    copy_scenes(tmp_path, "a.png")
    words = next_command(said)
    assert words[0] == "presets"
    command(*[tmp_path if word == "IMAGES" else word for word in words])


def test_few_photos_do_not_choose_a_preset(tmp_path):
    copy_scenes(tmp_path, "a.png")
    assert next_command(doctor(demo_model(), tmp_path))[-1] == "MORE_IMAGES"


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("text.pb", b"this is no graph", "16 bytes"),
        ("empty.pb", b"", "0 bytes"),
        ("image.pb", b"\x89PNG\r\n\x1a\n", "a PNG image"),
        ("cut.h5", b"\x89HDF\r\n\x1a\n123", "cut.h5"),
    ],
)
def test_what_is_no_model_gets_a_page(tmp_path, name, data, message):
    (tmp_path / name).write_bytes(data)
    said = doctor(tmp_path / name, code=2)
    assert message in said
    assert "no: it cannot be opened" in said
    assert "\n  ! " in said


def test_what_is_not_there_gets_a_page(tmp_path):
    (tmp_path / "model.pbtxt").write_text("")
    said = doctor(tmp_path / "model.pb", code=2)
    assert "names that begin alike: model.pbtxt" in said
    assert "a folder with nothing in it" in " ".join(doctor(str(_made(tmp_path / "folder")), code=2).split())
    assert "a reference net needs its weights" in doctor("vgg16", code=2)


def _made(folder):
    folder.mkdir()
    return folder


def test_labels_that_are_not_there_are_the_reason(tmp_path):
    said = doctor(demo_model(), "--labels", tmp_path / "none.txt", code=2)
    assert "none.txt' cannot be opened" in " ".join(said.split())
    assert "no: it cannot be opened with these options; the reason is above" in said


def test_a_damaged_file_gets_a_page(tmp_path):
    data = Path(demo_model()).read_bytes()
    (tmp_path / "net.pb").write_bytes(data[: len(data) // 2])
    assert "no: it cannot be opened" in doctor(tmp_path / "net.pb", code=2)


def test_weights_that_are_nan_or_zero(tmp_path):
    kernel = np.full((3, 3, 3, 4), np.nan)
    said = doctor(saved(tmp_path / "nan.pb", lambda: net(kernel)), code=2)
    assert "NaN or infinite weights in 'conv/filter:0' (108 of 108)" in said
    assert "the scores of 4 of 4 are not finite" in said
    copy_scenes(tmp_path / "photos", *(f"{number}.png" for number in range(6)))
    said = command("presets", tmp_path / "nan.pb", tmp_path / "photos")
    assert "not finite under the first preprocessing, so that nothing was compared" in said
    assert "cannot be told from" not in said
    assert f"go on with: gradcam-tf1 doctor {tmp_path / 'nan.pb'} {tmp_path / 'photos'}" in said
    said = doctor(saved(tmp_path / "zero.pb", lambda: net(np.zeros((3, 3, 3, 4)))))
    assert "only zeros in 'conv/filter:0'" in said


def test_saturation_is_said(tmp_path):
    said = doctor(saved(tmp_path / "large.pb", lambda: net(np.random.RandomState(0).randn(3, 3, 3, 4) * 1e6)))
    assert re.search(r"6\d work", said)


def test_a_net_without_gradient_names_the_methods_that_work(tmp_path):
    said = doctor(saved(tmp_path / "rounded.pb", lambda: net(gradient=False)))
    assert "not gradcam" in said
    words = next_command(said)
    assert words[0] == "presets"


def test_a_net_that_is_not_bound_lists_what_is_possible(tmp_path):
    path = tmp_path / "pair.pb"
    path.write_bytes(siamese("before", "after").SerializeToString())
    said = doctor(path, code=2)
    assert "--feed" in said
    assert "no: an input has no value, or one that does not fit; give it as the line with ! says" in said
    assert "inputs that --input can name" in said
    said = doctor(demo_model(), "--input", "probabilities:0", code=2)
    assert "no: its tensors were not found; name them with the options above" in said


def test_alternatives_are_tensors_that_can_be_chosen(tmp_path):
    def build():
        net()
        truth = tf.placeholder(tf.float32, [None, 3], name="truth")
        saved_values = tf.placeholder(tf.float32, [None, 3], name="saved_values")
        tf.losses.softmax_cross_entropy(truth, tf.get_default_graph().get_tensor_by_name("logits:0"))
        assert saved_values is not None

    said = doctor(saved(tmp_path / "trained.pb", build))
    assert "--input could also be" not in said
    assert "saved_values" not in said


def test_signals_and_clips(tmp_path):
    (tmp_path / "ecg.pb").write_bytes(ArrayNet((11,)).graph().SerializeToString())
    said = doctor(tmp_path / "ecg.pb")
    assert ": not for signals" in said
    assert next_command(said)[:2] == ["run", str(tmp_path / "ecg.pb")]
    (tmp_path / "clip.pb").write_bytes(clip_graph().as_graph_def().SerializeToString())
    assert next_command(doctor(tmp_path / "clip.pb"))[-2:] == ["--preset", "PRESET"]


def test_the_machine_names_versions():
    assert tf.__version__ in machine()[0]
