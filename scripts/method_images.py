#!/usr/bin/env python
"""Draw docs/images/methods/*.jpg: one scene of the demo net, explained with each method.

.venv-tf1/bin/python scripts/method_images.py [FOLDER]

Each image is the map on the scene, for the class of OBJECT; `scene.jpg` is the scene itself.
"""

from __future__ import annotations

import os
import sys
from typing import Any, List

import numpy as np
from PIL import Image

from gradcam_tf1 import METHODS, GradCamGraph, method, read_image
from gradcam_tf1.nets.demo import DEMO_CLASSES, DEMO_PRESET, demo_model, demo_scenes

SCENE, OBJECT = 2, "cross"
WIDTH, QUALITY = 220, 80
# By default the noise is stronger. This small net never saw noise, and stronger noise drowns its gradient.
OPTIONS = {name: {"level": 0.03} for name in ("smoothgrad", "squaregrad", "vargrad")}


def choices() -> List[Any]:
    """Return every method, with its options."""
    return [method(name, **OPTIONS.get(name, {})) for name in METHODS]


def save(image: np.ndarray, path: str) -> None:
    """Write uint8 RGB [H, W, 3] as a JPEG of WIDTH pixels."""
    height = round(image.shape[0] * WIDTH / image.shape[1])
    Image.fromarray(image).resize((WIDTH, height), Image.LANCZOS).save(path, quality=QUALITY, optimize=True)


def main(folder: str = "docs/images/methods") -> None:
    """Write the image of each method."""
    os.makedirs(folder, exist_ok=True)
    scene = demo_scenes()[SCENE]
    save(read_image(scene.path), os.path.join(folder, "scene.jpg"))
    with GradCamGraph(demo_model(), preset=DEMO_PRESET, labels=DEMO_CLASSES) as net:
        explanation = net.explain(scene.path, OBJECT, choices())
    for map in explanation:
        save(map.overlay(), os.path.join(folder, f"{map.method}.jpg"))


if __name__ == "__main__":
    main(*sys.argv[1:])
