"""Option records refuse what cannot be when they are made, and the command line offers what they declare."""

from __future__ import annotations

from dataclasses import fields

import click
import pytest

from gradcam_tf1.cli import main
from gradcam_tf1.engine.explain_options import ExplainOptions
from gradcam_tf1.errors import OptionError
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.methods.noise import Noise
from gradcam_tf1.nets.demo import DEMO_PRESET, demo_model, demo_scenes
from gradcam_tf1.run.run_options import RunOptions
from gradcam_tf1.types import KeyTensors


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"noise": "gauss"}, "no noise 'gauss'; possible: smoothgrad, squaregrad, vargrad"),
        ({"noise": 0.1}, "noise is a Noise or one of"),
        ({"aug_smooth": "yes"}, "aug_smooth is True or False, not 'yes'"),
        ({"eigen_smooth": 1}, "eigen_smooth is True or False, not 1"),
        ({"fuse": "sum"}, "fuse is one of mean, max, product, layercam, polycam, or None, not 'sum'"),
        ({"inputs": [1, 2]}, "inputs maps tensors to one row per image"),
        ({"progress": "bar"}, "progress is a function"),
    ],
)
def test_explain_options_are_checked(given, message):
    with pytest.raises(OptionError, match=message):
        ExplainOptions(**given)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"naming": "random"}, "naming"),
        ({"figures": "pie"}, "no figure 'pie'; possible: "),
        ({"threads": 0}, "threads"),
        ({"threads": 1.5}, "threads is a whole number, not 1.5"),
        ({"batch_size": 0}, "batch_size is at least 1, not 0"),
        ({"resume": "no"}, "resume is True or False, not 'no'"),
        ({"on_error": "ignore"}, "on_error is skip or stop, not 'ignore'"),
        ({"timeout": 0}, "timeout is a number of seconds above 0, at most 1000000, not 0"),
        ({"stop": True}, "stop is a function, not True"),
        ({"progress": "bar"}, "progress is a function, not 'bar'"),
    ],
)
def test_run_options_are_checked(given, message):
    with pytest.raises(OptionError, match=message):
        RunOptions(**given)


def test_a_noise_is_made_of_its_name():
    assert ExplainOptions(noise="vargrad").noise == Noise("vargrad")


def test_declared_options_are_options_of_the_command_line():
    run = main.commands["run"]
    offered = {option.name: option for option in run.params if isinstance(option, click.Option)}
    declared = [item for item in fields(ExplainOptions) if "help" in item.metadata]
    assert {item.name for item in declared} == {"noise", "aug_smooth", "eigen_smooth", "fuse"}
    for item in declared:
        assert offered[item.name].help == item.metadata["help"]
        choices = getattr(offered[item.name].type, "choices", ())
        assert tuple(choices) == item.metadata["choices"]


def test_records_of_another_kind_are_refused():
    scene = demo_scenes()[0].path
    with GradCamGraph(demo_model(), preset=DEMO_PRESET) as net:
        with pytest.raises(OptionError, match=r"options is \{'rise': .*give options=ExplainOptions"):
            net.explain(scene, options={"rise": {"masks": 3}})
        with pytest.raises(OptionError, match=r"give run=RunOptions\("):
            net.visualize_imgs(scene, "unused", run={"threads": 1})
        with pytest.raises(TypeError, match="unexpected keyword argument 'raw'"):
            net.visualize_imgs(scene, "unused", raw=True)


def test_tensors_are_given_once():
    with pytest.raises(OptionError, match="layer is given twice: as layer= and in tensors="):
        GradCamGraph(demo_model(), tensors=KeyTensors(layer=-1), layer=-2)
    with pytest.raises(OptionError, match=r"feed is given twice"):
        GradCamGraph(demo_model(), tensors=KeyTensors(feed={"a:0": 1}), feed={"b:0": 1})
    with pytest.raises(OptionError, match=r"give tensors=KeyTensors\("):
        GradCamGraph(demo_model(), tensors={"layer": -1})
    with GradCamGraph(demo_model(), tensors=KeyTensors(layer=-2), preset=DEMO_PRESET) as net:
        assert net.binding.layer == "conv4/Relu:0"


@pytest.mark.parametrize("devices", [0, [1], {"/cpu:0": 1}])
def test_devices_are_names(devices):
    with pytest.raises(OptionError, match="devices are names such as '/gpu:0'"):
        GradCamGraph(demo_model(), devices=devices)
