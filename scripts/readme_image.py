#!/usr/bin/env python
"""Draw docs/images/demo.png: one scene and where the demo net looks for each object in it.

.venv-tf1/bin/python scripts/readme_image.py [OUT.png]
"""

from __future__ import annotations

import sys

import cv2
import numpy as np
from PIL import Image

from gradcam_tf1 import GradCamGraph, read_image
from gradcam_tf1.nets.demo import DEMO_CLASSES, DEMO_PRESET, demo_model, demo_scenes

SCENE = 8
GAP, TITLE, COLUMNS = 8, 28, 3


def titled(image: np.ndarray, title: str) -> np.ndarray:
    """Return the image under its title, with a gap on the right: uint8 [TITLE + H, W + GAP, 3]."""
    tile = np.full((TITLE + image.shape[0], image.shape[1] + GAP, 3), 255, np.uint8)
    cv2.putText(tile, title, (2, TITLE - 9), cv2.FONT_HERSHEY_SIMPLEX, 0.55, (40, 40, 40), 1, cv2.LINE_AA)
    tile[TITLE:, :-GAP] = image
    return tile


def main(out: str = "docs/images/demo.png") -> None:
    """Write the image of the README: the scene, Grad-CAM of each object, Guided Grad-CAM of the first."""
    scene = demo_scenes()[SCENE]
    with GradCamGraph(demo_model(), preset=DEMO_PRESET, labels=DEMO_CLASSES) as net:
        explanation = net.explain(scene.path, sorted(scene.boxes), ["gradcam", "guided_gradcam"])
    maps = [map for map in explanation if map.method == "gradcam"]
    guided = explanation.map("guided_gradcam")
    tiles = [titled(read_image(scene.path), "the image")]
    tiles += [titled(map.overlay(), f"Grad-CAM: {map.label}") for map in maps]
    tiles.append(titled(guided.overlay(), f"Guided Grad-CAM: {guided.label}"))
    rows = [np.concatenate(tiles[first : first + COLUMNS], axis=1) for first in range(0, len(tiles), COLUMNS)]
    Image.fromarray(np.concatenate(rows)[:, :-GAP]).save(out, optimize=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
