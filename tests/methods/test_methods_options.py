"""Options of methods: which are taken, and that they go through the front door."""

from __future__ import annotations

import numpy as np
import pytest
from flat_options import chosen
from pixel_nets import explain
from small_nets import SmallNet

from gradcam_tf1.engine.explain_options import ExplainOptions
from gradcam_tf1.errors import OptionError
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.methods import METHODS, method
from gradcam_tf1.methods.noise import Noise
from gradcam_tf1.methods.options import check_options


def test_options_that_a_method_does_not_take_are_an_error():
    rows = [METHODS["smoothgrad"], METHODS["gradcam"]]
    check_options({"smoothgrad": {"samples": 3}}, rows)
    with pytest.raises(OptionError, match="smoothgrad does not take 'steps'; it takes samples=25, level=0.15, seed=0"):
        check_options({"smoothgrad": {"samples": 3, "steps": 3}}, rows)
    with pytest.raises(OptionError, match="gradcam does not take 'steps'; it takes no options"):
        check_options({"gradcam": {"steps": 3}}, rows)
    with pytest.raises(
        OptionError, match="options for 'xrai', which was not asked for; asked for: smoothgrad, gradcam"
    ):
        check_options({"xrai": {}}, rows)


def test_options_and_noise_go_through_the_front_door():
    net = SmallNet("flat")
    pixels = np.random.RandomState(9).uniform(0, 255, (1, 8, 12, 3)).astype(np.float32)
    images = (pixels / 127.5 - 1).astype(np.float32)
    options = {"integrated_gradients": {"steps": 3, "baseline": "white"}}
    with GradCamGraph(net.graph().as_graph_def(), preset="inception", logits="logits", layer="features") as front:
        found = front.explain(pixels, [1], chosen("integrated_gradients", options))
        noisy = front.explain(pixels, [1], ["gradcam"], options=ExplainOptions(noise=Noise(samples=3)))
        with pytest.raises(
            OptionError, match="integrated_gradients does not take 'step'; it takes baseline='black', ste"
        ):
            front.explain(pixels, [1], method("integrated_gradients", step=3))
    how = {"pixels": pixels, "options": options}
    expected = explain(net.graph(), net.binding(), images, [1], ["integrated_gradients"], **how)["maps"]
    np.testing.assert_allclose(found["integrated_gradients"], expected["integrated_gradients", ""], atol=1e-5)
    expected = explain(net.graph(), net.binding(), images, [1], ["gradcam"], Noise(samples=3))["maps"]
    np.testing.assert_allclose(noisy["gradcam"], expected["gradcam", "features:0"], atol=1e-5)


@pytest.mark.parametrize(
    ("method", "option", "value", "told"),
    [
        (
            "integrated_gradients",
            "steps",
            "many",
            "integrated_gradients.steps is a whole number, not 'many'; its default",
        ),
        ("integrated_gradients", "steps", 1.5, "integrated_gradients.steps is a whole number, not 1.5"),
        ("smoothgrad", "samples", True, "smoothgrad.samples is a whole number, not True"),
        ("smoothgrad", "level", "high", "smoothgrad.level is a number, not 'high'"),
    ],
)
def test_a_value_of_another_kind_is_refused_in_a_sentence(method, option, value, told):
    with pytest.raises(OptionError, match=told):
        check_options({method: {option: value}}, [METHODS[method]])


def test_numbers_of_numpy_and_whole_floats_options_are_fine():
    given = {"steps": np.int64(3)}
    check_options({"integrated_gradients": given, "smoothgrad": {"level": 1}}, list(METHODS.values()))


@pytest.mark.parametrize("options", ["x", {"rise": 5}])
def test_options_are_methods_with_theirs(options):
    with pytest.raises(OptionError, match="give method -> its options"):
        check_options(options, [METHODS["rise"]])
