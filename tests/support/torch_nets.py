"""Nets of torch: residual ones with batch norm and depthwise ones, as small as their architecture allows."""

from __future__ import annotations

import torch
from torch import nn


def conv_norm(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> list:
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return [conv, nn.BatchNorm2d(outputs)]


class Residual(nn.Module):
    """A block of a ResNet: two convolutions beside a short cut."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(*conv_norm(inputs, outputs, 3, stride), nn.ReLU(), *conv_norm(outputs, outputs, 3))
        plain = stride == 1 and inputs == outputs
        self.short = nn.Identity() if plain else nn.Sequential(*conv_norm(inputs, outputs, 1, stride))
        self.relu = nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.relu(self.body(x) + self.short(x))


class ResidualNet(nn.Module):
    """A ResNet of three blocks; its last feature map comes from `last`."""

    def __init__(self, classes: int = 10, width: int = 8) -> None:
        super().__init__()
        self.stem = nn.Sequential(*conv_norm(3, width, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
        self.blocks = nn.Sequential(Residual(width, width, 1), Residual(width, 2 * width, 2))
        self.last = Residual(2 * width, 4 * width, 2)
        self.pool, self.head = nn.AdaptiveAvgPool2d(1), nn.Linear(4 * width, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.flatten(self.pool(self.last(self.blocks(self.stem(x)))), 1))


def inverted(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    """A block of a MobileNet v2: wide, depthwise, narrow."""
    wide = 2 * inputs
    return nn.Sequential(
        *conv_norm(inputs, wide, 1),
        nn.ReLU6(),
        *conv_norm(wide, wide, 3, stride, groups=wide),
        nn.ReLU6(),
        *conv_norm(wide, outputs, 1),
    )


class DepthwiseNet(nn.Module):
    """A MobileNet v2 of two blocks; its last feature map comes from `last`."""

    def __init__(self, classes: int = 7) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*conv_norm(3, 8, 3, 2), nn.ReLU6(), inverted(8, 12, 2), inverted(12, 16, 2))
        self.last = nn.Sequential(*conv_norm(16, 32, 1), nn.ReLU6())
        self.head = nn.Sequential(nn.Dropout(0.2), nn.Linear(32, classes))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.last(self.blocks(x)).mean([2, 3]))


def drawn(net: nn.Module, seed: int = 0) -> nn.Module:
    """The net in inference mode, with random weights and batch norms that matter."""
    torch.manual_seed(seed)
    for part in net.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.normal_(0, 0.3)
            part.running_var.uniform_(0.5, 1.5)
            part.weight.data.uniform_(0.5, 1.5)
            part.bias.data.normal_(0, 0.2)
        elif isinstance(part, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
            nn.init.kaiming_normal_(part.weight)
            if part.bias is not None:
                nn.init.normal_(part.bias, 0, 0.2)
    return net.eval()
