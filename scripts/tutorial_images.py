#!/usr/bin/env python
"""Draw docs/images/tutorial/*.jpg: what the steps of the tutorial write, for its first scene.

.venv-tf1/bin/python scripts/tutorial_images.py [FOLDER]
"""

from __future__ import annotations

import os
import sys

import matplotlib
import numpy as np
from PIL import Image

from gradcam_tf1 import GradCamGraph, Top, Worst, classes_figure, layers_figure, methods_figure, read_image
from gradcam_tf1.nets.demo import DEMO_CLASSES, DEMO_PRESET, demo_model, demo_scenes

SCENE = 0
WIDTH, QUALITY = 900, 80


def save_figure(figure: matplotlib.figure.Figure, path: str) -> None:
    """Write a figure as a JPEG, at most WIDTH pixels wide."""
    figure.canvas.draw()
    save(np.asarray(figure.canvas.buffer_rgba())[:, :, :3], path)


def save(image: np.ndarray, path: str) -> None:
    """Write uint8 RGB [H, W, 3] as a JPEG, at most WIDTH pixels wide."""
    drawn = Image.fromarray(np.ascontiguousarray(image))
    drawn.thumbnail((WIDTH, WIDTH), Image.LANCZOS)
    drawn.save(path, quality=QUALITY, optimize=True)


def main(folder: str = "docs/images/tutorial") -> None:
    """Write the images of the tutorial."""
    os.makedirs(folder, exist_ok=True)
    photo = read_image(demo_scenes()[SCENE].path)
    with GradCamGraph(demo_model(), preset=DEMO_PRESET, labels=DEMO_CLASSES) as net:
        save(photo, f"{folder}/photo.jpg")
        save(net.explain(photo, "star").map("gradcam").overlay(), f"{folder}/star.jpg")
        save(net.explain(photo, "crescent").map("gradcam").overlay(), f"{folder}/crescent.jpg")
        save_figure(classes_figure(net.explain(photo, [Top(3), Worst()]), photo), f"{folder}/classes.jpg")
        layers = net.explain(photo, "star", "layercam", layers=[-4, -3, -2, -1])
        save_figure(layers_figure(layers, photo), f"{folder}/layers.jpg")
        names = ["gradcam", "guided_gradcam", "integrated_gradients", "occlusion"]
        save_figure(methods_figure(net.explain(photo, "star", names), photo), f"{folder}/methods.jpg")
    with GradCamGraph(demo_model(), preset="raw", labels=DEMO_CLASSES) as net:
        save(net.explain(photo).map("gradcam").overlay(), f"{folder}/wrong-values.jpg")


if __name__ == "__main__":
    main(*sys.argv[1:])
