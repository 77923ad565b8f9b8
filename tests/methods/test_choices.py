"""A method with its options, wherever a method name is taken."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from pixel_nets import random_images
from small_nets import SmallNet

from gradcam_tf1.errors import OptionError
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.methods import METHODS, choose_methods, method


def test_a_choice_reads_as_it_is_written():
    assert repr(method("rise", masks=500, cells=5)) == "method('rise', cells=5, masks=500)"
    assert repr(method("gradcam")) == "method('gradcam')"


def test_choices_are_equal_and_hash_by_name_and_options():
    assert method("rise", masks=500, p=0.5) == method("rise", p=0.5, masks=500)
    assert method("rise", masks=500) != method("rise", masks=501)
    assert method("rise") != "rise"
    assert len({method("rise", masks=500), method("rise", masks=500), method("rise")}) == 2
    black = np.zeros((2, 2, 3))
    assert method("rise", baseline=black) == method("rise", baseline=black.copy())
    assert method("rise", baseline=black) != method("rise", baseline=black + 1)
    assert method("rise", baseline=black) != method("rise", baseline="black")
    with pytest.raises(TypeError, match="unhashable"):
        hash(method("rise", baseline=black))


def test_a_choice_survives_pickling():
    choice = method("rise", masks=500)
    assert pickle.loads(pickle.dumps(choice)) == choice  # noqa: S301


@pytest.mark.parametrize(
    ("given", "chosen"),
    [
        ("gradcam", {"gradcam": {}}),
        (method("rise", masks=9), {"rise": {"masks": 9}}),
        (["hirescam", "gradcam", "hirescam"], {"hirescam": {}, "gradcam": {}}),
        (("positive", "positive_negative"), {"positive": {}, "negative": {}}),
        (["gradcam", method("rise", masks=9)], {"gradcam": {}, "rise": {"masks": 9}}),
        ([method("rise", masks=9), method("rise", masks=9)], {"rise": {"masks": 9}}),
        ([method("rise", masks=4000), "rise"], {"rise": {"masks": 4000}}),  # the default, written out
        ({"gradcam": {}, "rise": {"masks": 9}}, {"gradcam": {}, "rise": {"masks": 9}}),
    ],
    ids=str,
)
def test_what_people_write_becomes_names_and_options(given, chosen):
    assert choose_methods(given) == chosen
    assert list(choose_methods(given)) == list(chosen)
    assert choose_methods(choose_methods(given)) == chosen


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("gradcamm", "no method 'gradcamm'; possible: gradcam, hirescam, .*, positive_negative"),
        ([], "no method is given; possible: gradcam, hirescam, "),
        (5, "methods are 5; give a name or a list of these: gradcam, "),
        ([5], "no method 5; possible: gradcam, "),
        (["rise", method("rise", masks=9)], "rise is given twice with different options"),
        ([method("rise", masks=8), method("rise", masks=9)], "rise is given twice with different options"),
        ({"rise": 5}, "or method -> its options"),
        ({"rise": {"mask": 5}}, "rise does not take 'mask'; it takes masks=4000, cells=7, p=0.5, seed=0, baseline='ze"),
    ],
    ids=str,
)
def test_what_cannot_be_chosen_is_said(given, message):
    with pytest.raises(OptionError, match=message):
        choose_methods(given)


def test_a_choice_checks_its_options_when_it_is_made():
    with pytest.raises(OptionError, match="rise.masks is a whole number at least 2.*, not 1; its default is 4000"):
        method("rise", masks=1)
    with pytest.raises(OptionError, match="positive does not take 'masks'; it takes no options"):
        method("positive_negative", masks=500)
    with pytest.raises(OptionError, match="no method 'risk'"):
        method("risk")


@pytest.mark.parametrize("name", METHODS)
def test_every_default_is_within_its_bounds(name):
    row = METHODS[name]
    defaults = {option.name: option.default for option in row.options}
    assert choose_methods(method(name, **defaults)) == {name: defaults}
    assert row.filled({}) == defaults


def test_choices_go_through_the_front_door():
    net = SmallNet("flat")
    options = {"integrated_gradients": {"steps": 3}, "finercam": {"rivals": 1, "gamma": 1.0}}
    choices = [method(name, **values) for name, values in options.items()]
    with GradCamGraph(net.graph().as_graph_def(), preset="raw", logits="logits", layer="features") as front:
        images = random_images(1, (8, 12))
        chosen = front.explain(images, [1], ["gradcam", *choices])
        told = front.explain(images, [1], {"gradcam": {}, **options})
        default = front.explain(images, [1], list(options))
    for name in options:
        np.testing.assert_array_equal(chosen[name], told[name])
        assert np.abs(chosen[name] - default[name]).max() > 1e-4
