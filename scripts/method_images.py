#!/usr/bin/env python
"""Draw docs/images/methods/*.jpg: one scene of the demo net, explained with each method.

.venv-tf1/bin/python scripts/method_images.py [FOLDER]

Each image is the map on the scene, for the class of OBJECT; `scene.jpg` is the scene itself. Methods for nets of any
size explain the demo net without the size of its input.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, Iterable, List

import numpy as np
from PIL import Image

from gradcam_tf1 import METHODS, GradCamGraph, method, read_image
from gradcam_tf1.nets.demo import DEMO_CLASSES, DEMO_PRESET, demo_model, demo_scenes
from gradcam_tf1.tf_runtime import tf

SCENE, OBJECT, SIZE = 2, "cross", (96, 128)
WIDTH, QUALITY = 220, 80
# By default the noise is stronger. This small net never saw noise, and stronger noise drowns its gradient.
OPTIONS = {name: {"level": 0.03} for name in ("smoothgrad", "squaregrad", "vargrad")}


def choices(names: Iterable[str]) -> List[Any]:
    """Return methods with their options."""
    return [method(name, **OPTIONS.get(name, {})) for name in names]


def of_any_size() -> tf.GraphDef:
    """Return the demo net without the height and width of its input."""
    graph_def = tf.GraphDef()
    graph_def.ParseFromString(Path(demo_model()).read_bytes())
    for node in graph_def.node:
        node.attr.pop("_output_shapes", None)
        if node.op == "Placeholder":
            for side in (1, 2):
                node.attr["shape"].shape.dim[side].size = -1
    return graph_def


def save(image: np.ndarray, path: str) -> None:
    """Write uint8 RGB [H, W, 3] as a JPEG of WIDTH pixels."""
    height = round(image.shape[0] * WIDTH / image.shape[1])
    Image.fromarray(image).resize((WIDTH, height), Image.LANCZOS).save(path, quality=QUALITY, optimize=True)


def main(folder: str = "docs/images/methods") -> None:
    """Write the image of each method."""
    os.makedirs(folder, exist_ok=True)
    scene = demo_scenes()[SCENE]
    save(read_image(scene.path), os.path.join(folder, "scene.jpg"))
    names = list(METHODS)
    for model in (demo_model(), of_any_size()):
        with GradCamGraph(model, preset=DEMO_PRESET, labels=DEMO_CLASSES, size=SIZE) as net:
            usable, others = net.usable_methods(names)
            for map in net.explain(scene.path, OBJECT, choices(usable)):
                save(map.overlay(), os.path.join(folder, f"{map.method}.jpg"))
        names = list(others)


if __name__ == "__main__":
    main(*sys.argv[1:])
