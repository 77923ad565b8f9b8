#!/usr/bin/env python
"""Draw docs/images/demo.png: demo scenes, and where the demo net looks when asked for one kind of object or another.

.venv-tf1/bin/python scripts/readme_image.py [OUT.png]
"""

from __future__ import annotations

import sys
from typing import List

import cv2
import numpy as np

from gradcam_tf1 import GradCamGraph
from gradcam_tf1.drawing.overlay import guided_image, normalize, overlay, write_png
from gradcam_tf1.images.image_files import read_image
from gradcam_tf1.nets.demo import DEMO_CLASSES, DEMO_PRESET, Scene, demo_model, demo_scenes

HEIGHT, GAP, TITLE = 240, 8, 26


def chosen() -> List[Scene]:
    """Two scenes of one shape: the one with a star and a ring, and of the others the one with most objects."""
    wide = [scene for scene in demo_scenes() if scene.size == (HEIGHT, 320)]
    return sorted(wide, key=lambda scene: (not {"star", "ring"} <= set(scene.boxes), -len(scene.boxes)))[:2]


def asked(scene: Scene) -> List[str]:
    """Two of its objects, star and ring before others."""
    return sorted(scene.boxes, key=lambda name: (name not in ("star", "ring"), name != "star", name))[:2]


def titled(image: np.ndarray, title: str) -> np.ndarray:
    tile = np.full((TITLE + HEIGHT, image.shape[1], 3), 255, np.uint8)
    cv2.putText(tile, title, (2, TITLE - 8), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (40, 40, 40), 1, cv2.LINE_AA)
    tile[TITLE:] = image
    return tile


def row(net: GradCamGraph, scene: Scene) -> np.ndarray:
    image = read_image(scene.path)
    names = asked(scene)
    explanation = net.explain([image], names, ["gradcam", "guided_gradcam"])
    tiles = [titled(image, "the image")]
    for t, name in enumerate(names):
        tiles.append(titled(overlay(image, normalize(explanation.map("gradcam", 0, t).placed())), f"asked for: {name}"))
    tiles.append(titled(guided_image(explanation.map("guided_gradcam", 0, 0).placed()), f"guided Grad-CAM: {names[0]}"))
    gap = np.full((TITLE + HEIGHT, GAP, 3), 255, np.uint8)
    return np.concatenate([part for tile in tiles for part in (tile, gap)][:-1], axis=1)


def main(out: str = "docs/images/demo.png") -> None:
    with GradCamGraph(demo_model(), preset=DEMO_PRESET, labels=DEMO_CLASSES) as net:
        write_png(out, np.concatenate([row(net, scene) for scene in chosen()]))


if __name__ == "__main__":
    main(*sys.argv[1:])
