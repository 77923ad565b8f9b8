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
from gradcam_tf1.methods import choose_methods, method
from gradcam_tf1.methods.noise import Noise


def test_options_that_a_method_does_not_take_are_an_error():
    assert choose_methods([method("smoothgrad", samples=3), "gradcam"]) == {"smoothgrad": {"samples": 3}, "gradcam": {}}
    with pytest.raises(OptionError, match="smoothgrad does not take 'steps'; it takes samples=25, level=0.15, seed=0"):
        method("smoothgrad", samples=3, steps=3)
    with pytest.raises(OptionError, match="gradcam does not take 'steps'; it takes no options"):
        method("gradcam", steps=3)


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
    expected = explain(net.graph(), net.binding(), images, [1], ["integrated_gradients"], **how).maps
    np.testing.assert_allclose(found["integrated_gradients"], expected["integrated_gradients", ""], atol=1e-5)
    expected = explain(net.graph(), net.binding(), images, [1], ["gradcam"], Noise(samples=3)).maps
    np.testing.assert_allclose(noisy["gradcam"], expected["gradcam", "features:0"], atol=1e-5)


@pytest.mark.parametrize(
    ("name", "option", "value", "told"),
    [
        (
            "integrated_gradients",
            "steps",
            "many",
            "integrated_gradients.steps is a whole number at least 1 and at most 1000000, not 'many'; its default",
        ),
        (
            "integrated_gradients",
            "steps",
            1.5,
            "integrated_gradients.steps is a whole number at least 1.*, not 1.5",
        ),
        (
            "smoothgrad",
            "samples",
            True,
            "smoothgrad.samples is a whole number at least 1.*, not True",
        ),
        ("smoothgrad", "level", "high", "smoothgrad.level is a number at least 0.*, not 'high'"),
    ],
)
def test_a_value_of_another_kind_is_refused_in_a_sentence(name, option, value, told):
    with pytest.raises(OptionError, match=told):
        choose_methods({name: {option: value}})


def test_numbers_of_numpy_and_whole_floats_options_are_fine():
    given = {"integrated_gradients": {"steps": np.int64(3)}, "smoothgrad": {"level": 1}}
    assert choose_methods(given) == given


@pytest.mark.parametrize("options", [{"rise": 5}, {"rise": ["masks", 5]}])
def test_options_are_methods_with_theirs(options):
    with pytest.raises(OptionError, match="or method -> its options"):
        choose_methods(options)


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        ("lime", {"samples": 10**12}, "lime.samples is .* at most 1000000, not 1000000000000"),
        ("kernelshap", {"samples": 10**12}, "kernelshap.samples is .* at most 1000000"),
        ("hsic", {"samples": 10**12}, "hsic.samples is .* at most 100000,"),
        ("sobol", {"samples": 10**12}, "sobol.samples is .* at most 1000000"),
        ("shapley_sampling", {"permutations": 10**12}, "shapley_sampling.permutations is .* at most 1000000"),
        ("rise", {"masks": 10**12}, "rise.masks is .* at most 1000000"),
        ("integrated_gradients", {"steps": 10**12}, "integrated_gradients.steps is .* at most 1000000"),
        ("lime", {"count": 10**12}, "lime.count is .* at most 10000,"),
        ("lrp_gamma", {"gamma": 1e38}, "lrp_gamma.gamma is .* at most 1000000, not 1e.38"),
        ("finercam", {"gamma": 1e38}, "finercam.gamma is .* at most 1000000, not 1e.38"),
        ("opticam", {"rate": 1e300}, "opticam.rate is .* at most 1000, not 1e.300"),
        ("smoothgrad", {"level": 1e300}, "smoothgrad.level is .* at most 1000000, not 1e.300"),
        ("smoothgrad", {"seed": -1}, "smoothgrad.seed is .* at most 4294967295, not -1"),
    ],
)
def test_what_would_not_end_or_overflow_is_refused_at_once(name, options, told):
    with pytest.raises(OptionError, match=told):
        method(name, **options)
