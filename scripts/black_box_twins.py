#!/usr/bin/env python
"""Make tests/data/black_box_twins.npz: what shap, captum, lime and xplique say of a small function.

They want packages that ours does without, so they have an environment of their own:

    python3.11 -m venv /tmp/twins
    /tmp/twins/bin/pip install torch shap captum lime tensorflow xplique
    /tmp/twins/bin/python scripts/black_box_twins.py [FILE]

tests/methods/test_black_box_twins.py compares our methods with the stored numbers. The function has eight inputs, which
all act together; hidden inputs are 0. Random numbers come from numpy's RandomState, whose numbers are the same
everywhere.
"""

from __future__ import annotations

import sys
from importlib.metadata import version
from typing import Callable, Dict

import numpy as np
import shap
import torch
from captum._utils.models.linear_model import SkLearnRidge
from captum.attr import KernelShap, LimeBase, ShapleyValueSampling
from lime.lime_base import LimeBase as LimePackage
from xplique.attributions.global_sensitivity_analysis.hsic_estimators import BinaryEstimator
from xplique.attributions.global_sensitivity_analysis.sobol_estimators import JansenEstimator

PLAYERS, SEED = 8, 0
SAMPLES, WIDTH, RIDGE = 80, 0.25, 1.0
DESIGNS = 24
MANY = 4000


def drawn() -> Dict[str, np.ndarray]:
    """Return the inputs, the weights of tanh(x w1) w2, and masks for LIME, Sobol and HSIC."""
    random = np.random.RandomState(SEED)
    return {
        "x": random.uniform(0.5, 1.5, PLAYERS).astype(np.float32),
        "w1": random.standard_normal((PLAYERS, 6)).astype(np.float32),
        "w2": random.standard_normal(6).astype(np.float32),
        "lime_shown": np.concatenate([np.ones((1, PLAYERS)), random.random_sample((SAMPLES - 1, PLAYERS)) < 0.6]),
        "first": random.random_sample((DESIGNS, PLAYERS)),
        "second": random.random_sample((DESIGNS, PLAYERS)),
        "hsic_shown": (random.random_sample((SAMPLES, PLAYERS)) < 0.5).astype(np.float64),
    }


def function_of(given: Dict[str, np.ndarray]) -> Callable[[np.ndarray], np.ndarray]:
    """Return x [M, P] -> float64 [M]."""
    w1, w2 = given["w1"].astype(np.float64), given["w2"].astype(np.float64)
    return lambda values: np.tanh(np.asarray(values, np.float64) @ w1) @ w2


def of_shap(given: Dict[str, np.ndarray]) -> Dict[str, np.ndarray]:
    """Return KernelExplainer with all sets, which is exact."""
    explainer = shap.KernelExplainer(function_of(given), np.zeros((1, PLAYERS)))
    values = explainer.shap_values(given["x"][np.newaxis].astype(np.float64), nsamples=2**PLAYERS, l1_reg=False)
    return {"shap_exact": np.asarray(values)[0]}


def of_captum(given: Dict[str, np.ndarray]) -> Dict[str, np.ndarray]:
    """Return Shapley values by chance, with many samples, and LIME on given masks."""
    w1, w2 = (torch.from_numpy(given[name].astype(np.float64)) for name in ("w1", "w2"))
    x = torch.from_numpy(given["x"].astype(np.float64))[None]

    def forward(values: torch.Tensor) -> torch.Tensor:
        return torch.tanh(values @ w1) @ w2

    torch.manual_seed(SEED)
    np.random.seed(SEED)
    sampled = ShapleyValueSampling(forward).attribute(x, n_samples=MANY, perturbations_per_eval=64)
    fitted = KernelShap(forward).attribute(x, n_samples=MANY, perturbations_per_eval=64)

    def masks(*_given: object, **_more: object):
        for row in given["lime_shown"]:
            yield torch.from_numpy(row)[None]

    def nearness(_original: object, _changed: object, mask: torch.Tensor, **_more: object) -> torch.Tensor:
        distance = 1 - torch.nn.functional.cosine_similarity(mask, torch.ones_like(mask))
        return torch.exp(-((distance / WIDTH) ** 2))

    lime = LimeBase(
        forward,
        SkLearnRidge(alpha=RIDGE, fit_intercept=True),
        nearness,
        masks,
        perturb_interpretable_space=True,
        from_interp_rep_transform=lambda mask, original, **_more: mask * original,
        to_interp_rep_transform=None,
    )
    slopes = lime.attribute(x, n_samples=SAMPLES)
    found = {"captum_sampling": sampled, "captum_kernelshap": fitted, "captum_lime": slopes}
    return {name: value.detach().numpy()[0].astype(np.float64) for name, value in found.items()}


def of_lime(given: Dict[str, np.ndarray]) -> Dict[str, np.ndarray]:
    """Return the regression of the authors' package, on the same masks."""
    shown = given["lime_shown"]
    scores = function_of(given)(shown * given["x"])
    distances = 1 - np.sqrt(shown.mean(axis=1))
    base = LimePackage(lambda distance: np.exp(-((distance / WIDTH) ** 2)), random_state=SEED)
    found = base.explain_instance_with_data(
        shown, scores[:, np.newaxis], distances, 0, PLAYERS, feature_selection="none"
    )[1]
    return {"lime": np.array([slope for _, slope in sorted(found)])}


def of_xplique(given: Dict[str, np.ndarray]) -> Dict[str, np.ndarray]:
    """Return Jansen's indices and HSIC of given masks. Its HSIC is 1 / N times the trace, and its width the median."""
    function = function_of(given)
    first, second = given["first"], given["second"]
    rows = [first, second]
    for player in range(PLAYERS):
        changed = first.copy()
        changed[:, player] = second[:, player]
        rows.append(changed)
    masks = np.concatenate(rows).astype(np.float32).reshape((-1, PLAYERS, 1))
    scores = function(masks[..., 0] * given["x"]).astype(np.float32)
    jansen = JansenEstimator()(masks, scores, DESIGNS)
    shown = given["hsic_shown"].astype(np.float32)
    outputs = function(shown * given["x"]).astype(np.float32)
    distances = np.abs(outputs[:, np.newaxis] - outputs)[np.triu_indices(SAMPLES, 1)]
    kernel = np.exp(-((outputs[:, np.newaxis] - outputs) ** 2) / (2 * np.median(distances) ** 2))
    hsic = BinaryEstimator().estimator(shown.reshape((SAMPLES, PLAYERS, 1, 1)), kernel, PLAYERS, SAMPLES)
    return {"xplique_jansen": np.ravel(jansen), "xplique_hsic": np.ravel(hsic)}


def main(path: str = "tests/data/black_box_twins.npz") -> None:
    """Write the arrays."""
    given = drawn()
    names = ("shap", "captum", "lime", "xplique", "numpy")
    np.savez_compressed(
        path,
        versions=np.array([f"{name} {version(name)}" for name in names]),
        **given,
        **of_shap(given),
        **of_captum(given),
        **of_lime(given),
        **of_xplique(given),
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
