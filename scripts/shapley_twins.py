#!/usr/bin/env python
"""Make tests/data/shapley_twins.npz: what captum and shap say of two small nets, for DeepLIFT and gradient Shapley.

They want torch, so they have an environment of their own:

    python3.11 -m venv /tmp/twins
    /tmp/twins/bin/pip install torch captum shap
    /tmp/twins/bin/python scripts/shapley_twins.py [FILE]

tests/methods/test_shapley_twins.py compares our maps with the stored ones. Images and weights come from numpy's
RandomState, whose numbers are the same everywhere, and are float64 in torch.
"""

from __future__ import annotations

import sys
from importlib.metadata import version
from typing import Dict

import numpy as np
import shap
import torch
from captum.attr import DeepLift, DeepLiftShap, GradientShap, IntegratedGradients
from torch import nn

SIDES, CHANNELS, HIDDEN, CLASSES = (8, 6), 3, 6, 4
CLASS, BASELINES, SAMPLES, SEED = 2, 3, 60, 11


def drawn(seed: int = SEED) -> Dict[str, np.ndarray]:
    """Return an image and baselines, channels last, and the weights of both nets as TensorFlow has them."""
    random = np.random.RandomState(seed)
    return {
        "image": random.uniform(-1, 1, (*SIDES, CHANNELS)),
        "baselines": random.uniform(-1, 1, (BASELINES, *SIDES, CHANNELS)),
        "kernel": random.standard_normal((3, 3, CHANNELS, HIDDEN)) * 0.4,
        "bias": random.standard_normal(HIDDEN) * 0.2,
        "inner": random.standard_normal((3, 3, HIDDEN, HIDDEN)) * 0.3,
        "dense": random.standard_normal((HIDDEN, CLASSES)),
        "offset": random.standard_normal(CLASSES),
    }


class Net(nn.Module):
    """Convolution, activation, pool, convolution, activation, mean, dense: logits of images [N, C, H, W]."""

    def __init__(self, values: Dict[str, np.ndarray], activation: nn.Module, pool: nn.Module, last: nn.Module) -> None:
        super().__init__()
        self.first = nn.Conv2d(CHANNELS, HIDDEN, 3, padding=1)
        self.second = nn.Conv2d(HIDDEN, HIDDEN, 3, padding=1)
        self.activation, self.pool, self.last = activation, pool, last
        self.mean = nn.AdaptiveAvgPool2d(1)
        self.flat = nn.Flatten()
        self.dense = nn.Linear(HIDDEN, CLASSES)
        with torch.no_grad():
            self.first.weight.copy_(torch.tensor(values["kernel"].transpose(3, 2, 0, 1)))
            self.first.bias.copy_(torch.tensor(values["bias"]))
            self.second.weight.copy_(torch.tensor(values["inner"].transpose(3, 2, 0, 1)))
            self.second.bias.copy_(torch.tensor(values["bias"]))
            self.dense.weight.copy_(torch.tensor(values["dense"].T))
            self.dense.bias.copy_(torch.tensor(values["offset"]))
        self.double()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return float64 [N, CLASSES]."""
        features = self.pool(self.activation(self.first(images)))
        return self.dense(self.flat(self.mean(self.last(self.second(features)))))


def first(array: np.ndarray) -> torch.Tensor:
    """Return images with their channels first."""
    return torch.tensor(np.moveaxis(array, -1, 1)).double()


def last(tensor: torch.Tensor) -> np.ndarray:
    """Return the map of the only image with its channels last."""
    return np.moveaxis(np.asarray(tensor.detach() if hasattr(tensor, "detach") else tensor)[0], 0, -1)


class Tail(nn.Module):
    """What follows the pool of a net."""

    def __init__(self, net: Net) -> None:
        super().__init__()
        self.parts = nn.Sequential(net.second, net.last, net.mean, net.flat, net.dense)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return float64 [N, CLASSES]."""
        return self.parts(features)


def deep_explainer(net: nn.Module, image: torch.Tensor, starts: torch.Tensor) -> np.ndarray:
    """Return the map of shap's DeepExplainer."""
    return last(shap.DeepExplainer(net, starts).shap_values(image)[..., CLASS])


def liftcam(net: Net, image: torch.Tensor) -> np.ndarray:
    """Return sum_k w_k A_k, w_k the sum of captum's DeepLIFT of channel k against features of zero."""
    features = net.pool(net.activation(net.first(image))).detach()
    parts = DeepLift(Tail(net)).attribute(features, torch.zeros_like(features), target=CLASS)
    return (parts.sum((2, 3), keepdim=True) * features).sum(1)[0].detach().numpy()


def main() -> None:
    """Write the file."""
    values = drawn()
    image, starts = first(values["image"][np.newaxis]), first(values["baselines"])
    # captum 0.9 hands on too little or too much at a maximum pool: its sum is off by factors. shap's adds up.
    rectified = Net(values, nn.ReLU(), nn.MaxPool2d(2, 2), nn.ReLU()).eval()
    averaged = Net(values, nn.ReLU(), nn.AvgPool2d(2, 2), nn.ReLU()).eval()
    smooth = Net(values, nn.ELU(), nn.AvgPool2d(2, 2), nn.Sigmoid()).eval()
    found = {"versions": np.array([f"{name} {version(name)}" for name in ("captum", "shap", "torch")])}
    for name, net in (("averaged", averaged), ("smooth", smooth)):
        found[f"captum_deeplift_{name}"] = last(DeepLift(net).attribute(image, starts[:1], target=CLASS))
        found[f"captum_deepshap_{name}"] = last(DeepLiftShap(net).attribute(image, starts, target=CLASS))
        found[f"captum_liftcam_{name}"] = liftcam(net, image)
    for name, net in (("rectified", rectified), ("averaged", averaged), ("smooth", smooth)):
        found[f"shap_deeplift_{name}"] = deep_explainer(net, image, starts[:1])
        found[f"shap_deepshap_{name}"] = deep_explainer(net, image, starts)
    paths = [IntegratedGradients(smooth).attribute(image, start[None], target=CLASS, n_steps=400) for start in starts]
    found["captum_paths"] = last(sum(paths) / len(paths))
    for name, deviation in (("plain", 0.0), ("noisy", 1.5)):
        torch.manual_seed(0)
        average = GradientShap(smooth).attribute(image, starts, target=CLASS, n_samples=20000, stdevs=deviation)
        found[f"captum_gradient_shap_{name}"] = last(average)
    np.savez_compressed(sys.argv[1] if len(sys.argv) > 1 else "tests/data/shapley_twins.npz", **found)


if __name__ == "__main__":
    main()
