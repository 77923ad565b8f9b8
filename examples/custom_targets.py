"""Targets: the top class, a class id, names for all images, or a list for each image.

python examples/custom_targets.py
"""

from __future__ import annotations

import numpy as np

from gradcam_tf1 import Contrast, GradCamGraph
from gradcam_tf1.nets.demo import DEMO_CLASSES, demo_model, demo_scenes


def main() -> float:
    """Explain two objects of every scene; return the share of maps that peak inside the right box."""
    scenes = demo_scenes()
    images = [scene.path for scene in scenes]
    rows = [sorted(scene.boxes)[:2] for scene in scenes]
    with GradCamGraph(demo_model(), preset="inception", labels=DEMO_CLASSES) as net:
        print("top class of each image:", [map.label for map in net.explain(images)])
        print("score of class 2:", np.round(net.explain(images, targets=2).scores[:, 0], 1))
        print("star, not ring:", np.round(net.explain(images, targets=Contrast("star", "ring")).scores[:, 0], 1))
        explanation = net.explain(images, targets=rows)  # one row per image

    hits = []
    for map in explanation:
        cam = map.placed()
        row, column = np.unravel_index(np.argmax(cam), cam.shape)
        top, left, bottom, right = scenes[map.n].boxes[map.label]
        hits.append(top <= row < bottom and left <= column < right)
    print(f"{sum(hits)} of {len(hits)} maps peak inside the box of the explained object")
    return float(np.mean(hits))


if __name__ == "__main__":
    main()
