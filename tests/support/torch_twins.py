"""Maps that torch's own autograd makes, to compare with; this file is also the script that writes tests/data/torch_*.

PYTHONPATH=tests/support .venv-onnx/bin/python tests/support/torch_twins.py
"""

from __future__ import annotations

from pathlib import Path
from typing import Dict

import numpy as np
import torch
from torch import nn
from torch_nets import DepthwiseNet, ResidualNet, drawn

DATA = Path(__file__).resolve().parent.parent / "data"
SIDES = (64, 48)  # height and width differ, or a map that lies on its side would pass
STEPS = 6
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# With other seeds a value before a ReLU may be 0 up to rounding, and its gate differs between two programs.
STORED = {"torch_residual": (ResidualNet, 0), "torch_depthwise": (DepthwiseNet, 1)}


def photographs(count: int = 2, sides: tuple = SIDES) -> np.ndarray:
    """Random images with large shapes, uint8 [N, H, W, 3]."""
    rng = np.random.default_rng(5)
    coarse = rng.integers(0, 256, (count, sides[0] // 8, sides[1] // 8, 3))
    fine = rng.integers(-40, 41, (count, *sides, 3))
    return np.clip(coarse.repeat(8, axis=1).repeat(8, axis=2) + fine, 0, 255).astype(np.uint8)


def as_input(images: np.ndarray) -> torch.Tensor:
    """The preset "torch", channels first."""
    values = (images.astype(np.float32) / 255 - np.float32(MEAN)) / np.float32(STD)
    return torch.tensor(values.transpose(0, 3, 1, 2))


def pixel_grads(net: nn.Module, x: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
    x = x.detach().requires_grad_()
    return torch.autograd.grad(net(x).gather(1, ids[:, None]).sum(), x)[0]


def gradcam(net: nn.Module, layer: nn.Module, x: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
    kept = []
    hook = layer.register_forward_hook(lambda _module, _inputs, output: kept.append(output))
    score = net(x).gather(1, ids[:, None]).sum()
    hook.remove()
    grads = torch.autograd.grad(score, kept[0])[0]
    return torch.relu((grads.mean((2, 3), keepdim=True) * kept[0]).sum(1))


def guided_backprop(net: nn.Module, x: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
    """The gradient, of which each ReLU lets only the positive part in; its own gradient closes the other gate."""
    relus = [part for part in net.modules() if isinstance(part, (nn.ReLU, nn.ReLU6))]
    hooks = [part.register_full_backward_pre_hook(lambda _module, grads: (grads[0].clamp(min=0),)) for part in relus]
    guided = pixel_grads(net, x, ids)
    for hook in hooks:
        hook.remove()
    return guided


def integrated_gradients(net: nn.Module, x: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
    """From black, by the midpoint rule."""
    start = as_input(np.zeros(x.permute(0, 2, 3, 1).shape, np.uint8))
    points = [(step + 0.5) / STEPS for step in range(STEPS)]
    return (x - start) * sum(pixel_grads(net, start + point * (x - start), ids) for point in points) / STEPS


def twins(net: nn.Module, images: np.ndarray, layer: nn.Module) -> Dict[str, np.ndarray]:
    """What the net computes and the maps of its top classes, channels last."""
    x = as_input(images)
    logits = net(x).detach()
    ids = logits.argmax(1)
    maps = {
        "guided_backprop": guided_backprop(net, x, ids).permute(0, 2, 3, 1),
        "integrated_gradients": integrated_gradients(net, x, ids).permute(0, 2, 3, 1),
        "gradcam": gradcam(net, layer, x, ids),
    }
    arrays = {name: value.detach().numpy() for name, value in maps.items()}
    return {"images": images, "logits": logits.numpy(), "class_ids": ids.numpy(), **arrays}


def main() -> None:
    from gradcam_tf1.loaders import load

    for name, (kind, seed) in STORED.items():
        net = drawn(kind(), seed)
        model = load(net, input_shape=(3, *SIDES))
        (DATA / f"{name}.pb").write_bytes(model.graph_def.SerializeToString())
        np.savez_compressed(DATA / f"{name}.npz", **twins(net, photographs(), net.last))


if __name__ == "__main__":
    main()
