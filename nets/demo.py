"""The embedded demo net and its scenes. No TensorFlow here.

The net detects which of seven kinds of object are in an image: five convolutions with batch norm and ReLU, global
average pooling, one dense layer, one sigmoid for each kind. `train_demo` trained it on the presence of kinds alone.

Tensors: `input:0` [N, 96, 128, 3], `conv5/Relu:0` [N, 12, 16, 64], `logits/BiasAdd:0` and `probabilities:0` [N, 7].
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Dict, List, Tuple

from gradcam_tf1.nets.scenes import KINDS, Box

DEMO_CLASSES: Tuple[str, ...] = KINDS
DEMO_PRESET = "inception"

_FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "demo")


@dataclass(frozen=True)
class Scene:
    """One image with known objects.

    Attributes
    ----------
    path : str
        A PNG file.
    size : (int, int)
        Height and width in pixels.
    boxes : dict
        Class name -> (top, left, bottom, right) in pixels, bottom and right exclusive; at most one object of a class.
    """

    path: str
    size: Tuple[int, int]
    boxes: Dict[str, Box]


def demo_model() -> str:
    """Return the path of the demo net, a frozen graph."""
    return os.path.join(_FOLDER, "demo_net.pb")


def demo_scenes() -> List[Scene]:
    """Return the scenes that come with the demo net, in the order of their names; each has two to four objects."""
    with open(os.path.join(_FOLDER, "scenes.json"), encoding="utf-8") as stream:
        records = json.load(stream)
    return [
        Scene(
            path=os.path.join(_FOLDER, "scenes", name),
            size=(record["size"][0], record["size"][1]),
            boxes={kind: tuple(box) for kind, box in record["boxes"].items()},
        )
        for name, record in sorted(records.items())
    ]
