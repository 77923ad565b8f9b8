"""Which class to ask for: the top one, an id, names for all images, or a list for each image.

python examples/custom_targets.py
"""

from __future__ import annotations

import numpy as np

from gradcam_tf1 import GradCamGraph
from gradcam_tf1.images.image_files import read_image
from gradcam_tf1.nets.demo import DEMO_CLASSES, demo_model, demo_scenes


def main() -> float:
    """Ask every scene for two of the objects in it; returns the share of maps that peak inside the right box."""
    scenes = demo_scenes()
    images = [read_image(scene.path) for scene in scenes]
    wanted = [sorted(scene.boxes)[:2] for scene in scenes]
    with GradCamGraph(demo_model(), preset="inception", labels=DEMO_CLASSES) as net:
        print("top class of each image:", [DEMO_CLASSES[k] for k in net.explain(images).predicted])
        print("score of class 2 everywhere:", np.round(net.explain(images, targets=2).scores[:, 0], 1))
        explanation = net.explain(images, targets=wanted)  # one row per image

    hits = []
    for n, (scene, names) in enumerate(zip(scenes, wanted)):
        for t, name in enumerate(names):
            cam = explanation.map("gradcam", n, t).placed()
            row, column = np.unravel_index(np.argmax(cam), cam.shape)
            top, left, bottom, right = scene.boxes[name]
            hits.append(top <= row < bottom and left <= column < right)
    print(f"{sum(hits)} of {len(hits)} maps peak inside the box of the object that was asked for")
    return float(np.mean(hits))


if __name__ == "__main__":
    main()
