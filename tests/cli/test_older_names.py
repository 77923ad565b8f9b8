"""Options as older tools spell them, several counted layers, and methods that a net does not allow."""

from __future__ import annotations

import numpy as np
import pytest
from command_line import SCENES, command, manifest, maps, run
from image_folders import copy_scenes

from gradcam_tf1 import GradCam, GradCamGraph
from gradcam_tf1.cli.older_names import translated
from gradcam_tf1.images.image_files import read_image
from gradcam_tf1.nets.demo import DEMO_PRESET, demo_model
from gradcam_tf1.tf_runtime import tf


@pytest.fixture
def photos(tmp_path):
    return copy_scenes(tmp_path / "photos", "a.png")


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("--backcount 1 3 4 x", "--backcount 1 --backcount 3 --backcount 4 x"),
        ("--backcount=2 -3 --out 4", "--backcount=2 --backcount -3 --out 4"),
        ("--backcount 1 --backcount 2", "--backcount 1 --backcount 2"),
        ("-backcount 1 3 x", "--backcount 1 --backcount 3 x"),
        ("m --images_path p --save_dir o", "m p --out o"),
        ("m --images_path=p --save-dir=o", "m p --out=o"),
        ("-last_layer a --select-output 1", "--logits a --output 1"),
        ("--imageNet_labels l --no_pooling", "--labels l --no-pooling"),
        ("-- --save_dir 3", "-- --save_dir 3"),
        ("--layer -3 --class 3 4", "--layer -3 --class 3 4"),
        ("--backcount", "--backcount "),
    ],
)
def test_translations(words, wanted):
    assert " ".join(translated(words.split())) == wanted


def test_backcount_of_several_numbers_means_several_layers(photos, tmp_path):
    for number, options in enumerate(
        (["--backcount", 1, 3, 4], ["--backcount", 1, "--backcount", -3, "--backcount=4"])
    ):
        run(photos, tmp_path / str(number), "--method", "gradcam", *options)
        layers = [map["layer"] for map in maps(tmp_path / str(number))]
        assert layers == ["conv5/Relu:0", "conv3/Relu:0", "conv2/Relu:0"]


def test_a_command_of_older_tools_does_what_ours_does(photos, tmp_path, labels):
    old, new = tmp_path / "old", tmp_path / "new"
    ends = ("--last-layer", "logits/BiasAdd", "--layer_name", "conv4/Relu", "--imageNet_labels", labels)
    command("run", demo_model(), "--images_path", photos, "--save_dir", old, "--preset", DEMO_PRESET, *ends, "--guided")
    ours = ("--logits", "logits/BiasAdd", "--layer", "conv4/Relu", "--labels", labels)
    methods = ("gradcam", "guided_gradcam", "guided_backprop")
    run(photos, new, *ours, *(word for name in methods for word in ("--method", name)))
    for first, second in zip(manifest(old), manifest(new)):
        assert {**first, "source": ""} == {**second, "source": ""}
    assert {map["method"] for map in maps(old)} == set(methods)


def test_separate_positive_and_negative(photos, tmp_path):
    run(photos, tmp_path / "out", "--separate_negative_positive")
    assert {map["method"] for map in maps(tmp_path / "out")} == {"gradcam", "guided_gradcam", "positive", "negative"}


def test_indexed_names_come_with_the_image_itself(photos, tmp_path):
    copy_scenes(photos, "b.png", "c.png")
    out = tmp_path / "out"
    run(photos, out, "--naming", "indexed", "--method", "gradcam", "--no-heatmaps")
    assert [line["figures"] for line in manifest(out)] == [{"original": f"oim_{n}.png"} for n in range(3)]
    for n, line in enumerate(manifest(out)):
        np.testing.assert_array_equal(read_image(str(out / f"oim_{n}.png")), read_image(line["source"]))
    assert not list(out.glob("oim_*class*"))


def test_the_older_names_in_python(tmp_path):
    assert GradCam is GradCamGraph
    with GradCam(demo_model(), preset=DEMO_PRESET) as net:
        results = net.visualize_folder(SCENES[0].path, str(tmp_path / "out"), methods="gradcam")
    assert results[0].ok


@pytest.fixture(scope="module")
def without_activation(tmp_path_factory):
    """A net in which no rule for activations finds one."""
    random = np.random.RandomState(0)
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 8, 8, 3], name="input")
        features = tf.nn.conv2d(x, random.randn(3, 3, 3, 4).astype(np.float32), [1, 1, 1, 1], "SAME", name="features")
        tf.matmul(tf.reduce_mean(tf.tanh(features), [1, 2]), random.randn(4, 3).astype(np.float32), name="logits")
    path = tmp_path_factory.mktemp("net") / "tanh.pb"
    path.write_bytes(graph.as_graph_def().SerializeToString())
    return path


class TestMethodsThatANetDoesNotAllow:
    def test_one_among_several_is_left_out_with_its_reason_and_exit_code_1(self, photos, tmp_path, without_activation):
        out = tmp_path / "out"
        chosen = ("--method", "gradcam", "--method", "guided_backprop", "--preset", "raw")
        told = run(photos, out, *chosen, code=1, preset=(), model=without_activation)
        assert "guided_backprop was left out: no activation between" in told
        assert {map["method"] for map in maps(out)} == {"gradcam"}
        quiet = run(photos, tmp_path / "quiet", *chosen, "-q", code=1, preset=(), model=without_activation)
        assert quiet.startswith("guided_backprop was left out: no activation between")
        with GradCamGraph(str(without_activation), preset="raw") as net:
            results = net.visualize_imgs(str(photos), str(tmp_path / "py"), methods=["gradcam", "guided_backprop"])
            assert "no activation between" in results.left_out["guided_backprop"]

    def test_alone_it_is_refused_before_anything_is_written(self, photos, tmp_path, without_activation):
        out = tmp_path / "out"
        chosen = ("--method", "guided_backprop", "--preset", "raw")
        told = run(photos, out, *chosen, code=2, preset=(), model=without_activation)
        assert "no activation between" in told
        assert not out.exists()

    def test_a_default_one_is_left_out_with_a_warning_and_exit_code_0(self, photos, tmp_path, without_activation):
        told = run(photos, tmp_path / "out", code=0, preset=("--preset", "raw"), model=without_activation)
        assert "guided_gradcam was left out" in told

    def test_methods_that_ask_for_gradients_only_while_they_run_are_left_out_too(self, photos, tmp_path):
        random = np.random.RandomState(0)
        with tf.Graph().as_default() as graph:
            x = tf.placeholder(tf.float32, [None, 8, 8, 3], name="input")
            features = tf.nn.relu(tf.nn.conv2d(x, random.randn(3, 3, 3, 4).astype(np.float32), [1, 1, 1, 1], "SAME"))
            stopped = tf.round(tf.reduce_mean(features, [1, 2]))  # no gradient
            tf.matmul(stopped, random.randn(4, 3).astype(np.float32), name="logits")
        model = tmp_path / "rounded.pb"
        model.write_bytes(graph.as_graph_def().SerializeToString())
        out = tmp_path / "out"
        methods = ("ablationcam", "integrated_gradients", "smoothgradcampp", "xrai")
        asked = (word for name in methods for word in ("--method", name))
        told = run(photos, out, *asked, "--preset", "raw", code=1, preset=(), model=model)
        for name in methods[1:]:
            assert f"{name} was left out: the gradient from" in told
        assert {map["method"] for map in maps(out)} == {"ablationcam"}
