"""Which methods the command line runs, with which options, and what of that reaches the maps."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import click
import numpy as np
import pytest
from command_line import command, manifest, parameters

from gradcam_tf1.cli.method_options import make_explain_options, make_methods
from gradcam_tf1.engine.explain_options import ExplainOptions
from gradcam_tf1.errors import OptionError
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.images.image_files import read_image
from gradcam_tf1.methods import method
from gradcam_tf1.methods.noise import Noise
from gradcam_tf1.nets.demo import DEMO_PRESET, demo_model, demo_scenes

SCENE = demo_scenes()[0].path


def parsed(*options):
    return parameters("model.pb", "photos", "--out", "out", *options)


def methods(*options):
    return make_methods(parsed(*options))


def explain_options(*options):
    return make_explain_options(parsed(*options))


def test_options_come_to_methods():
    assert methods() is None
    assert methods("--no-pooling") == ["hirescam", "guided_gradcam"]
    assert methods("--method", "fem", "--guided") == ["fem", "guided_backprop", "guided_gradcam"]
    options = ["--method", "rise", "--set", "rise.masks=500", "--method", "kpcacam", "--set", "kpcacam.kernel=rbf"]
    assert methods(*options, "--set", "rise.p=0.25") == [
        method("rise", masks=500, p=0.25),
        method("kpcacam", kernel="rbf"),
    ]


def test_names_may_stand_between_commas():
    assert methods("--method", "fem, rise", "--method", "fem,cam") == ["fem", "rise", "cam"]
    with pytest.raises(click.BadParameter, match="',' is not one of 'gradcam'"):
        parsed("--method", ",")


def test_options_come_to_explain_options():
    assert explain_options() == ExplainOptions()
    smooth = ("--fuse", "max", "--aug-smooth", "--eigen-smooth")
    assert explain_options(*smooth) == ExplainOptions(fuse="max", aug_smooth=True, eigen_smooth=True)
    assert explain_options("--noise", "vargrad", "--noise-samples", "3").noise == Noise("vargrad", 3)


def test_a_level_without_noise_is_refused():
    with pytest.raises(OptionError, match="need --noise, one of smoothgrad, squaregrad, vargrad"):
        explain_options("--noise-level", "0.3")


def run(tmp_path, *options, code=0):
    shutil.copy(SCENE, str(tmp_path / "a.png"))
    words = ["run", demo_model(), str(tmp_path / "a.png"), "--out", str(tmp_path / "out"), "--preset", "inception"]
    return command(*words, "--no-heatmaps", "--raw", *options, code=code)


def test_they_reach_the_maps_the_manifest_and_the_settings(tmp_path):
    run(tmp_path, *("--method", "integrated_gradients", "--method", "gradcam", "--set", "integrated_gradients.steps=5"))
    (line,) = manifest(tmp_path / "out")
    with GradCamGraph(demo_model(), preset=DEMO_PRESET) as net:
        expected = net.explain(read_image(SCENE), methods=[method("integrated_gradients", steps=5), "gradcam"])
    for map in line["targets"][0]["maps"]:
        with np.load(str(tmp_path / "out" / map["files"]["raw"])) as raw:
            np.testing.assert_allclose(raw["map"], expected[map["method"]][0, 0], atol=1e-5)
    assert line["targets"][0]["maps"][0]["notes"]
    settings = json.loads(Path(tmp_path, "out", "run.json").read_text())
    assert settings["options"] == {"integrated_gradients": {"steps": 5}}


def test_noise_reaches_the_maps(tmp_path):
    run(tmp_path, "--method", "gradcam", "--noise", "smoothgrad", "--noise-samples", "2", "--noise-level", "0.2")
    (line,) = manifest(tmp_path / "out")
    assert line["targets"][0]["maps"][0]["notes"] == ["smoothgrad of 2 noisy copies, level 0.2, seed 0"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--set", "steps=5"], "'steps=5': write METHOD.OPTION=VALUE"),
        (["--set", "rise.masks"], "'rise.masks': write METHOD.OPTION=VALUE"),
        (["--set", "rise.masks=5"], "'rise' is not among the methods; add --method rise"),
        (["--method", "fem", "--set", "fem.steps=5"], "fem does not take 'steps'; it takes sigmas=2.0"),
        (["--noise", "gauss"], "'gauss' is not one of"),
        (["--fuse", "mean"], "give more than one layer"),
    ],
)
def test_wrong_values_are_named(tmp_path, options, message):
    assert message in run(tmp_path, *options, code=2)
