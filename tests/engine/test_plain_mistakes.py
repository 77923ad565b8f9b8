"""Plain mistakes of people who use the interface: each is refused in a sentence that says what to give."""

from __future__ import annotations

import re
from unittest import mock

import numpy as np
import pytest

from gradcam_tf1.drawing.image_figures import classes_figure
from gradcam_tf1.errors import BindingError, GradCamError, OptionError, SelectionError, TargetError
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.images.image_files import read_image
from gradcam_tf1.loaders import load
from gradcam_tf1.methods import METHODS, IteratedMethod, LayerMethod, NumpyMethod, Option, PixelMethod, method, register
from gradcam_tf1.nets.demo import DEMO_PRESET, demo_model, demo_scenes
from gradcam_tf1.run.run_options import RunOptions
from gradcam_tf1.targets import Anchor
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import KeyTensors

PHOTO = read_image(demo_scenes()[0].path)


@pytest.fixture
def own_methods():
    with mock.patch.dict(METHODS):
        yield


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            LayerMethod("mine", "s", "p", lambda a, g: a),
            r"compute of mine returned shape .*12, 16, 64\); a map",
        ),
        (LayerMethod("mine", "s", "p", lambda a, g: None), "compute of mine returned None; it returns a tf.Tensor"),
        (LayerMethod("mine", "s", "p", lambda a, g: tf.reduce_sum(a)), "compute of mine returned shape"),
        (
            NumpyMethod("mine", "s", "p", lambda a, g: a),
            r"mine returned shape \[12, 16, 64\]; .* \[12, 16\]",
        ),
        (NumpyMethod("mine", "s", "p", lambda a, g: None), r"compute of mine returned shape \[\]"),
        (PixelMethod("mine", "s", "p", compute=lambda x, g: g[:, :5]), "compute of mine returned shape"),
        (
            IteratedMethod("mine", "s", "p", lambda probe, layer: np.ones((3, 3)), runs=lambda probe, layer: 1),
            r"compute of mine returned \(3, 3\); it returns an array with one map for each of 1 targets",
        ),
    ],
    ids=["layer", "none", "scalar", "numpy", "numpy none", "pixel", "iterated"],
)
@pytest.mark.usefixtures("own_methods")
def test_a_registered_method_returns_maps_of_the_right_shape(row, message):
    register(row)
    with GradCamGraph(demo_model(), preset=DEMO_PRESET) as net, pytest.raises(GradCamError) as refused:
        net.explain(PHOTO, methods="mine")
    assert re.search(message, str(refused.value)), str(refused.value)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (LayerMethod("mine", "s", "p", 3), "compute of mine is a function, not 3"),
        (LayerMethod("mine", "s", "p", abs, head="nope"), "no score 'nope' for mine; possible: logit"),
        (LayerMethod("mine", "s", "p", abs, options=("power",)), "options of mine are a tuple of Option"),
        (
            LayerMethod("mine", "s", "p", abs, options=(Option("n", 0, low=1),)),
            "mine.n is a whole number at least 1",
        ),
    ],
)
@pytest.mark.usefixtures("own_methods")
def test_a_row_is_checked_when_it_is_registered(row, message):
    with pytest.raises(OptionError, match=message):
        register(row)
    assert "mine" not in METHODS


@pytest.mark.parametrize(
    ("inputs", "more", "message"),
    [
        (PHOTO.tolist(), {}, r"an image is a list; give an array, np.asarray\(image\)"),
        (PHOTO, {"layers": []}, "no layer is given; give a name or a count such as -1"),
    ],
    ids=["list", "layers"],
)
def test_what_is_explained_is_checked(inputs, more, message):
    with GradCamGraph(demo_model(), preset=DEMO_PRESET) as net, pytest.raises(OptionError, match=message):
        net.explain(inputs, **more)


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        ({"ring": 1}, r"targets are \{'ring': 1\}; give a class, a target, or a list of these"),
        (Anchor(0, best=3, index=2), r"Anchor\(best=3, index=2\): give one of them"),
    ],
    ids=["dict", "anchor"],
)
def test_a_target_says_one_thing(targets, message):
    with GradCamGraph(demo_model(), preset=DEMO_PRESET) as net, pytest.raises(TargetError, match=message):
        net.explain(PHOTO, targets)


@pytest.mark.parametrize("baseline", [float("nan"), float("inf")])
def test_a_baseline_is_finite(baseline):
    chosen = method("integrated_gradients", steps=2, baseline=baseline)
    with GradCamGraph(demo_model(), preset=DEMO_PRESET) as net, pytest.raises(
        OptionError, match="the baseline is NaN or"
    ):
        net.explain(PHOTO, methods=chosen)


def test_numbers_of_numpy_count_layers():
    with GradCamGraph(demo_model(), preset=DEMO_PRESET) as net:
        found = net.explain(PHOTO, layers=np.int64(-2))
    assert found.layers == ("conv4/Relu:0",)


def test_an_explanation_says_what_it_has():
    with GradCamGraph(demo_model(), preset=DEMO_PRESET) as net:
        found, other = net.explain(PHOTO), net.explain(PHOTO)
    assert "gradcam" in found
    assert "layercam" not in found
    assert found.map("gradcam") in list(found)
    assert found.map("gradcam") != other.map("gradcam")
    assert found != other
    assert len({found, other, found}) == 2


@pytest.mark.parametrize("style", ["contour", None, {}, PHOTO])
def test_a_style_is_a_style(style):
    with GradCamGraph(demo_model(), preset=DEMO_PRESET) as net:
        found = net.explain(PHOTO)
    with pytest.raises(OptionError, match=r"give style=Style\(...\)"):
        found.map("gradcam").overlay(style)
    with pytest.raises(OptionError, match=r"give style=Style\(...\)"):
        classes_figure(found, PHOTO, style=style)
    with pytest.raises(SelectionError, match="there is no image 5"):
        classes_figure(found, PHOTO, 5)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"timeout": "a"}, "timeout is a number of seconds above 0, at most 1000000, not 'a'"),
        ({"timeout": float("inf")}, "timeout is a number of seconds above 0"),
        ({"figures": 3}, "figures are 3; give names of these: top3-worst"),
        ({"figures": [None]}, "no figure None"),
        ({"seed": None}, "seed is a whole number, not None"),
        ({"max_pixels": None}, "max_pixels is a whole number, not None"),
        ({"max_pixels": 0}, "max_pixels is at least 1, not 0"),
        ({"n_images": 0}, "n_images is at least 1, not 0"),
    ],
)
def test_run_options_are_checked_when_they_are_made(given, message):
    with pytest.raises(OptionError, match=message):
        RunOptions(**given)


def test_a_seed_fits_the_generator():
    with pytest.raises(OptionError, match="rise.seed is a whole number at least 0 and at most"):
        method("rise", seed=2**40)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"trust_model": "yes"}, "trust_model is True or False, not 'yes'"),
        ({"moving_averages": 1}, "moving_averages is True or False, not 1"),
        ({"build": 3}, "build is a function that builds the graph, not 3"),
        ({"tag": ["serve"]}, r"tag is a string, not \['serve'\]"),
    ],
)
def test_the_options_of_load_are_checked(given, message):
    with pytest.raises(OptionError, match=message):
        load(demo_model(), **given)


class Dict(GradCamGraph):
    def fetch_key_tensors(self):
        return {"layer": "conv5/Relu:0"}


class BadFeed(GradCamGraph):
    def fetch_key_tensors(self):
        self.X, self.logit, self.feed_dict = "input:0", "logits/BiasAdd:0", 3


class Forgot(GradCamGraph):
    def __init__(self, model):
        self.path = model


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (Dict, r"fetch_key_tensors returned \{'layer': .*return KeyTensors\(...\)"),
        (BadFeed, "self.feed_dict is 3; assign a dict"),
        (Forgot, r"Forgot.__init__ did not call super\(\).__init__\(model\)"),
    ],
)
def test_slips_in_a_subclass_are_named(kind, message):
    with pytest.raises((BindingError, OptionError), match=message):
        kind(demo_model()).explain(PHOTO)


class Named(GradCamGraph):
    def fetch_key_tensors(self):
        return KeyTensors(layer="conv4/Relu:0")


def test_a_tensor_is_named_in_the_call_or_by_the_hook():
    with Named(demo_model(), preset=DEMO_PRESET, layer="conv5/Relu") as net, pytest.raises(
        BindingError, match="layer is named twice: 'conv4/Relu' by fetch_key_tensors and 'conv5/Relu'"
    ):
        net.explain(PHOTO)
    for layer in (None, "conv4/Relu"):
        with Named(demo_model(), preset=DEMO_PRESET, layer=layer) as net:
            assert net.explain(PHOTO).layers == ("conv4/Relu:0",)


@pytest.mark.parametrize("feed", [["a"], "a=3"])
def test_feed_is_a_dict(feed):
    with pytest.raises(OptionError, match="give a dict of tensors or names and their values"):
        GradCamGraph(demo_model(), feed=feed)
