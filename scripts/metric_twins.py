#!/usr/bin/env python
"""Make tests/data/metric_twins.npz: what quantus, captum and pytorch-grad-cam say of a small net's maps.

They want packages that ours does without (torch; another build of OpenCV), so they have an environment of their own:

    python3.11 -m venv /tmp/twins
    /tmp/twins/bin/pip install torch captum quantus==0.6.0
    /tmp/twins/bin/pip install --no-deps grad-cam
    /tmp/twins/bin/python scripts/metric_twins.py [FILE]

tests/metrics/test_metric_twins.py compares our functions with the stored numbers. Images, maps and random numbers come
from numpy's RandomState, whose numbers are the same everywhere.
"""

from __future__ import annotations

import importlib.util
import sys
import types
from importlib.metadata import version
from typing import Dict

import numpy as np
import quantus
import torch
from captum.metrics import infidelity, sensitivity_max

GRAY, COLOUR = (12, 12, 1), (10, 12, 3)  # [H, W, C]; quantus takes each channel of a pixel for a pixel of its own
CLASS, SEED = 1, 7
RUNS, SUBSET, STEP = 40, 18, 4
PERTURBATIONS, NOISE, RADIUS = 30, 0.2, 0.1
PERCENTILES = (10, 20, 30, 40, 50, 60, 70, 80, 90)


class Net(torch.nn.Module):
    """Logits tanh(x w1) w2 of images [N, C, H, W], x flattened as [H, W, C]; float64 inside."""

    def __init__(self, w1: np.ndarray, w2: np.ndarray) -> None:
        super().__init__()
        self.w1, self.w2 = (torch.nn.Parameter(torch.from_numpy(each), requires_grad=False) for each in (w1, w2))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return float64 [N, 3]."""
        flat = images.double().permute(0, 2, 3, 1).reshape(len(images), -1)
        return torch.tanh(flat @ self.w1) @ self.w2


def drawn(shape: tuple, seed: int) -> Dict[str, np.ndarray]:
    """Return an image, a signed map without equal values, and the weights of a net."""
    random = np.random.RandomState(seed)
    return {
        "image": random.uniform(-1, 1, shape).astype(np.float32),
        "map": random.standard_normal(shape[:2]),
        "w1": random.standard_normal((int(np.prod(shape)), 5)) / 8,
        "w2": random.standard_normal((5, 3)) * 2,
    }


def batch(image: np.ndarray) -> np.ndarray:
    """Return [1, C, H, W] of [H, W, C]."""
    return np.ascontiguousarray(image.transpose(2, 0, 1)[np.newaxis])


def of_quantus(given: Dict[str, np.ndarray]) -> Dict[str, np.ndarray]:
    """Return what quantus says of the gray image."""
    net = Net(given["w1"], given["w2"]).eval()
    arguments = {
        "model": net,
        "x_batch": batch(given["image"]),
        "y_batch": np.array([CLASS]),
        "softmax": True,
        "channel_first": True,
    }
    plain = {"abs": False, "normalise": False, "perturb_baseline": 0.0, "disable_warnings": True}

    def maps() -> np.ndarray:  # they are changed in place
        return given["map"][np.newaxis, np.newaxis].copy()

    flipping = quantus.PixelFlipping(features_in_step=STEP, **plain)(a_batch=maps(), **arguments)
    correlation = quantus.FaithfulnessCorrelation(nr_runs=RUNS, subset_size=SUBSET, **plain)
    np.random.seed(SEED)
    faithfulness = correlation(a_batch=maps(), **arguments)
    compact = {"abs": True, "normalise": False, "disable_warnings": True}
    return {
        "quantus_flipping": np.array(flipping[0]),
        "quantus_faithfulness": np.array(faithfulness[0]),
        "quantus_complexity": np.array(quantus.Complexity(**compact)(a_batch=maps(), **arguments)[0]),
        "quantus_sparseness": np.array(quantus.Sparseness(**compact)(a_batch=maps(), **arguments)[0]),
    }


def of_captum(given: Dict[str, np.ndarray]) -> Dict[str, np.ndarray]:
    """Return what captum says of the colour image, of gaussian and of uniform noise."""
    net = Net(given["w1"], given["w2"])
    image = torch.from_numpy(batch(given["image"])).double()
    span = float(np.ptp(given["image"]))
    shape = (PERTURBATIONS, *given["image"].shape)

    def probabilities(images: torch.Tensor) -> torch.Tensor:
        return torch.softmax(net(images), dim=1)[:, CLASS]

    def gaussian(images: torch.Tensor) -> tuple:
        noise = np.random.RandomState(SEED).normal(0, NOISE * span, shape).transpose(0, 3, 1, 2)
        moved = (images.numpy() - noise).astype(np.float32)
        return torch.from_numpy(noise.copy()), torch.from_numpy(moved)

    def uniform(images: torch.Tensor) -> torch.Tensor:
        noise = np.random.RandomState(SEED).uniform(-RADIUS * span, RADIUS * span, shape).transpose(0, 3, 1, 2)
        return torch.from_numpy((images.numpy() + noise).astype(np.float32))

    def gradients(images: tuple) -> tuple:
        images = (images[0] if isinstance(images, tuple) else images).double().requires_grad_()
        with torch.enable_grad():
            return (torch.autograd.grad(probabilities(images).sum(), images)[0].sum(dim=1),)

    attributions = torch.from_numpy(np.repeat(given["map"][np.newaxis, np.newaxis], 3, axis=1))
    more = {"n_perturb_samples": PERTURBATIONS, "max_examples_per_batch": PERTURBATIONS}
    return {
        "captum_infidelity": infidelity(probabilities, gaussian, image, attributions, **more).numpy()[0],
        "captum_infidelity_scaled": infidelity(
            probabilities, gaussian, image, attributions, normalize=True, **more
        ).numpy()[0],
        "captum_sensitivity_max": sensitivity_max(gradients, image, uniform, **more).numpy()[0],
    }


def of_gradcam(given: Dict[str, np.ndarray]) -> Dict[str, np.ndarray]:
    """Return the scores of pytorch-grad-cam's ROAD without noise, and two imputed images."""
    package = types.ModuleType("pytorch_grad_cam")  # its own __init__ imports torchvision
    package.__path__ = list(importlib.util.find_spec("pytorch_grad_cam").submodule_search_locations)
    sys.modules["pytorch_grad_cam"] = package
    from pytorch_grad_cam.metrics import perturbation_confidence as confidence
    from pytorch_grad_cam.metrics.road import NoisyLinearImputer

    net = Net(given["w1"], given["w2"])
    image = torch.from_numpy(batch(given["image"]))
    found: Dict[str, np.ndarray] = {}
    for name, order in (
        ("morf", confidence.RemoveMostRelevantFirst),
        ("lerf", confidence.RemoveLeastRelevantFirst),
    ):
        scores, images = [], []
        for percentile in PERCENTILES:
            measure = confidence.PerturbationConfidenceMetric(order(percentile, NoisyLinearImputer(noise=0)))
            score, imputed = measure(
                image,
                given["map"][np.newaxis],
                [lambda logits: torch.softmax(logits, dim=0)[CLASS]],
                net,
                return_visualization=True,
                return_diff=False,
            )
            scores.append(float(score[0]))
            images.append(imputed[0].numpy().transpose(1, 2, 0))
        found[f"gradcam_road_{name}"] = np.array(scores[::-1])  # the percentile is what is kept
        found[f"gradcam_half_{name}"] = images[4]
    return found


def main(path: str = "tests/data/metric_twins.npz") -> None:
    """Write the arrays."""
    gray, colour = drawn(GRAY, 1), drawn(COLOUR, 2)
    names = ("quantus", "captum", "grad-cam", "torch", "numpy", "scipy")
    np.savez_compressed(
        path,
        versions=np.array([f"{name} {version(name)}" for name in names]),
        **{f"gray_{name}": value for name, value in gray.items()},
        **{f"colour_{name}": value for name, value in colour.items()},
        **of_quantus(gray),
        **of_captum(colour),
        **of_gradcam(colour),
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
