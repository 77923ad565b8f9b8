"""Plain mistakes in Python: one sentence each, from our own errors, where the mistake is made."""

from __future__ import annotations

import numpy as np
import pytest
from flat_options import grouped

from gradcam_tf1 import GradCamError, GradCamGraph, Noise, OptionError
from gradcam_tf1.engine.explain_options import ExplainOptions
from gradcam_tf1.nets.demo import demo_model, demo_scenes
from gradcam_tf1.run.run_options import RunOptions
from gradcam_tf1.tf_runtime import tf


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"batch_size": 0}, "batch_size is the number of images per run, at least 1, not 0"),
        ({"batch_size": -3}, "batch_size .* not -3"),
        ({"batch_size": 2.5}, "batch_size .* not 2.5"),
        ({"batch_size": True}, "batch_size .* not True"),
        ({"size": 0}, "size is 0; give pixels: 224, or"),
        ({"size": "96"}, "size is '96'; give pixels"),
        ({"size": (96,)}, r"size is \(96,\); give pixels"),
        ({"size": (96, -1)}, "size is"),
        ({"fit": "squeeze"}, "unknown fit 'squeeze'; possible: stretch"),
        ({"fit": None}, "unknown fit None; possible: stretch"),
        ({"labels": "nowhere.txt"}, "label file 'nowhere.txt' cannot be opened"),
        ({"labels": 7}, "labels are 7; give the path"),
        ({"labels": ["a", None]}, "give the path of a label file, or a list"),
        ({"preset": "torchvision"}, "unknown preprocessing 'torchvision'; possible"),
        ({"preset": 5}, "preset is 5; give a Preprocessing, or a name"),
        ({"nb_classes": 0}, "nb_classes is the number of classes, at least 1, not 0"),
        ({"nb_classes": "six"}, "nb_classes is the number of classes, at least 1, not 'six'"),
    ],
)
def test_the_constructor_checks_its_arguments(wrong, told):
    with pytest.raises(OptionError, match=told):
        GradCamGraph(demo_model(), **wrong)


def test_one_number_is_a_square_size(photo_net):
    photo = np.full((40, 60, 3), 90, np.uint8)
    with photo_net(size=96) as one, photo_net(size=(96, 96)) as two:
        assert one.fit_image(photo).pixels.shape == (96, 96, 3)
        np.testing.assert_array_equal(one.explain(photo)["gradcam"], two.explain(photo)["gradcam"])


@pytest.fixture
def photo_net():
    """Makes a net of free size."""
    random = np.random.RandomState(0)
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, None, None, 3], name="input")
        features = tf.nn.relu(tf.nn.conv2d(x, random.randn(3, 3, 3, 4).astype(np.float32), [1, 4, 4, 1], "SAME"))
        tf.matmul(tf.reduce_mean(features, [1, 2]), random.randn(4, 5).astype(np.float32), name="logits")
    return lambda **options: GradCamGraph(graph.as_graph_def(), preset="inception", **options)


class TestNoise:
    def test_a_name_means_the_usual_noise(self, net):
        path = demo_scenes()[0].path
        named = net.explain(path, options=ExplainOptions(noise="smoothgrad"))["gradcam"]
        np.testing.assert_array_equal(
            named, net.explain(path, options=ExplainOptions(noise=Noise("smoothgrad")))["gradcam"]
        )
        assert not np.array_equal(named, net.explain(path)["gradcam"])

    def test_a_name_works_in_a_run_and_is_the_same_setting_as_the_record(self, net, out):
        path = demo_scenes()[0].path
        net.visualize_imgs(path, out, methods="gradcam", options=ExplainOptions(noise="vargrad"))
        assert (
            len(
                net.visualize_imgs(
                    path,
                    out,
                    methods="gradcam",
                    options=ExplainOptions(noise=Noise("vargrad")),
                    run=RunOptions(resume=True),
                )
            )
            == 1
        )

    @pytest.mark.parametrize("noise", ["smooth", 0.2, True])
    def test_another_word_is_refused(self, net, noise):
        with pytest.raises(OptionError, match="possible: smoothgrad|one of smoothgrad"):
            net.explain(demo_scenes()[0].path, options=ExplainOptions(noise=noise))


class TestIndexes:
    def test_an_explanation_says_what_it_holds(self, net):
        found = net.explain([demo_scenes()[0].path] * 2, [0, 1, 2])
        assert found.map("gradcam", -1, 2).placed().shape == found.map("gradcam", 1, -1).placed().shape
        with pytest.raises(GradCamError, match="there is no image 2: images are numbered 0 to 1 here"):
            found.map("gradcam", 2).placed()
        with pytest.raises(GradCamError, match="there is no target 3: targets are numbered 0 to 2 here"):
            found.map("gradcam", 0, 3).placed()
        with pytest.raises(GradCamError, match=r"no maps of 'hirescam'; computed: \[\('gradcam'"):
            found["hirescam"]

    def test_these_are_still_the_errors_that_python_code_expects(self, net):
        found = net.explain(demo_scenes()[0].path)
        for kind in (IndexError, KeyError, ValueError):
            with pytest.raises(kind, match=r"^there is no image 5"):
                found.map("gradcam", 5).placed()


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"n_images": "a"}, "n_images is a whole number, not 'a'"),
        ({"batch_size": 1.5}, "batch_size is a whole number, not 1.5"),
        ({"threads": "2"}, "threads is a whole number, not '2'"),
        ({"box": "a"}, "the box share, of the map's maximum, is at least 0 and below 1, not 'a'"),
        ({"methods": 5}, "methods are 5; give a name or a list"),
        ({"options": "x"}, "options is 'x'; give options=ExplainOptions"),
        ({"methods": {"gradcam": {"steps": 1}}}, "gradcam does not take 'steps'"),
        ({"inputs": 5}, "inputs maps tensors to one row per image, or is the path of a table, not 5"),
    ],
)
def test_a_run_checks_its_options_before_anything_is_written(net, tmp_path, wrong, told):
    def run():
        net.visualize_imgs(demo_scenes()[0].path, str(tmp_path / "out"), **grouped(**wrong))

    with pytest.raises(OptionError, match=told):
        run()
    assert not (tmp_path / "out").exists()


def test_the_output_folder_is_a_path_to_a_folder(net, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OptionError, match="the output folder is a path, not None"):
        net.visualize_imgs(demo_scenes()[0].path, None)
    with pytest.raises(OptionError, match="is not a folder; choose another"):
        net.visualize_imgs(demo_scenes()[0].path, str(tmp_path / "file"))
    with pytest.raises(OptionError, match="file' is not a folder, so .*deep/out' cannot be made; choose another"):
        net.visualize_imgs(demo_scenes()[0].path, str(tmp_path / "file" / "deep" / "out"))
    for name in ("x" * 300, "a\0b"):
        with pytest.raises(OptionError, match="cannot be made .*; choose another output folder"):
            net.visualize_imgs(demo_scenes()[0].path, str(tmp_path / name))


@pytest.mark.parametrize("wrong", [{"methods": None}, {"options": 3}, {"inputs": 5}])
def test_explain_checks_its_arguments(net, wrong):
    with pytest.raises(OptionError):
        net.explain(demo_scenes()[0].path, **grouped(**wrong))
