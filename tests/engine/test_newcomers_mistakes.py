"""Mistakes of newcomers end in one sentence, not in an error of Python or TensorFlow."""

from __future__ import annotations

import re
from unittest import mock

import click
import numpy as np
import pytest
from device_nets import cpus

from gradcam_tf1 import METHODS, GradCamGraph, PerImage, method
from gradcam_tf1.cli.method_options import method_name
from gradcam_tf1.errors import ClosedError, OptionError, RunError
from gradcam_tf1.nets.demo import demo_model, demo_scenes
from gradcam_tf1.tf_runtime import tf

SCENE = demo_scenes()[0].path


@pytest.mark.parametrize("config", [{"allow_growth": True}, "cpu", 3])
def test_a_configuration_is_a_config_proto(config):
    with pytest.raises(OptionError, match=f"config is {re.escape(repr(config))}; give a tf.ConfigProto, or None"):
        GradCamGraph(demo_model(), config=config)


@pytest.mark.parametrize("output", [True, 1.0, ["logits"]])
def test_an_output_is_a_name_or_a_number(output):
    with pytest.raises(OptionError, match=f"output is {re.escape(repr(output))}; give the name of an output, or its"):
        GradCamGraph(demo_model(), output=output, config=cpus())


def test_an_output_may_be_a_number_of_numpy():
    with GradCamGraph(demo_model(), output=np.int64(0), config=cpus()) as net:
        assert net.binding.logits == "logits/BiasAdd:0"


def test_files_and_folders_that_are_not_there(net, tmp_path):
    with pytest.raises(OptionError, match="'nope.csv' cannot be read: No such file or directory; give a CSV file"):
        net.visualize_imgs(SCENE, str(tmp_path / "out"), targets=PerImage("nope.csv"))
    with pytest.raises(OptionError, match='the output folder is ""; give a folder, which is made if absent, or "."'):
        net.visualize_imgs(SCENE, "")


def test_a_closed_net_answers_nothing():
    net = GradCamGraph(demo_model(), config=cpus())
    assert net.usable_methods("gradcam") == (["gradcam"], {})
    net.close()
    with pytest.raises(ClosedError, match="the net is closed; open it again"):
        net.usable_methods("gradcam")


@pytest.mark.parametrize("baseline", [-1, 255.5, np.full((96, 128, 3), 256.0)])
def test_a_baseline_has_the_values_of_images(net, baseline):
    with pytest.raises(
        OptionError, match=r"the baseline of occlusion has values \S+ to \S+; give a gray level or image"
    ):
        net.explain(SCENE, methods=method("occlusion", baseline=baseline, window=48))


def test_a_baseline_of_stored_values_may_be_any():
    with GradCamGraph(demo_model(), preset="raw", config=cpus()) as net:
        stored = np.random.RandomState(0).randn(96, 128, 3).astype(np.float32)
        assert net.explain(stored, methods=method("occlusion", baseline=-1.0, window=48))


def test_a_net_of_one_size_that_looks_free_says_how_to_give_it():
    """Like DeepLab, which pads every image to its own size."""
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, None, None, 3], name="input")
        below, right = 16 - tf.shape(x)[1], 16 - tf.shape(x)[2]
        padded = tf.pad(x, [[0, 0], [0, below], [0, right], [0, 0]])
        kernel = np.random.RandomState(0).randn(3, 3, 3, 4).astype(np.float32)
        features = tf.nn.relu(tf.nn.conv2d(padded, kernel, [1, 1, 1, 1], "SAME"))
        tf.matmul(tf.reduce_mean(features, [1, 2]), np.eye(4, 3, dtype=np.float32), name="logits")
    large = np.zeros((1, 20, 20, 3), np.uint8)
    message = r"if the net was made for one size of images, give it: size=\(height, width\), --size HEIGHTxWIDTH"
    with GradCamGraph(graph.as_graph_def(), preset="raw", config=cpus()) as net, pytest.raises(RunError, match=message):
        net.explain(large)
    with GradCamGraph(graph.as_graph_def(), preset="raw", size=16, config=cpus()) as net:
        assert net.explain(large).failures == ("",)


def test_methods_that_a_program_registered_are_choices_too():
    with pytest.raises(click.BadParameter, match="'mine' is not one of"):
        method_name("mine")
    with mock.patch.dict(METHODS, {"mine": METHODS["gradcam"]}):
        assert method_name("mine") == "mine"
