"""Relevance against zennit and innvestigate on the same weights, and against what is known of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from relevance_nets import relevance_in, twin_net
from relevance_weights import twin_images

from gradcam_tf1.gradients.relevance import Composite
from gradcam_tf1.gradients.relevance_rules import Settings

STORED = np.load(Path(__file__).resolve().parents[1] / "data" / "relevance_twins.npz")

ZENNIT = {
    "epsilon": Composite("epsilon", "epsilon"),
    "epsilon_large": Composite("epsilon", "epsilon", "same", Settings(epsilon=0.1)),
    "gamma": Composite("gamma", "gamma"),
    "alpha_beta": Composite("alpha_beta", "alpha_beta"),
    "zplus": Composite("zplus", "zplus"),
    "epsilon_plus_flat": Composite("zplus", "epsilon", "flat"),
    "epsilon_alpha2_beta1": Composite("alpha_beta", "epsilon"),
    "epsilon_gamma_box": Composite("gamma", "epsilon", "zb"),
    "w2": Composite("epsilon", "epsilon", "w2"),
    "deep_taylor": Composite("zplus", "zplus", "zb"),
}
INNVESTIGATE = {
    "epsilon": Composite("epsilon", "epsilon", "same", Settings(epsilon=1e-7)),
    "z": Composite("epsilon", "epsilon", "same", Settings(epsilon=1e-7)),
    "alpha_2_beta_1": Composite("alpha_beta", "alpha_beta"),
    "alpha_1_beta_0": Composite("zplus", "zplus"),
    "sequential_preset_a_flat": Composite("zplus", "epsilon", "flat", Settings(epsilon=0.1)),
}


@pytest.mark.parametrize("spelt_out", [False, True])
@pytest.mark.parametrize("name", ZENNIT)
def test_every_composite_is_that_of_zennit(name, spelt_out):
    found = relevance_in(twin_net(spelt_out), twin_images(), ZENNIT[name], bounds=(-3, 3))[0]
    expected = STORED[f"zennit_{name}"]
    np.testing.assert_allclose(found, expected, atol=2e-5 * np.abs(expected).max())


@pytest.mark.parametrize("name", INNVESTIGATE)
def test_the_rules_are_those_of_innvestigate(name):
    """Without biases where it has alpha: there its sums have b+ and b- at once."""
    net = twin_net(biased=name in ("epsilon", "z"))
    found = relevance_in(net, twin_images(), INNVESTIGATE[name])[0]
    expected = STORED[f"innvestigate_{name}"]
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())
