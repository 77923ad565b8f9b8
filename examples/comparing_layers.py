"""Comparing layers: the deepest maps are the most certain and the coarsest; which layer points best at the objects?

python examples/comparing_layers.py [OUT.png]
"""

from __future__ import annotations

import sys
from typing import Dict

import numpy as np

from gradcam_tf1 import GradCamGraph, layers_figure, read_image, save_figure
from gradcam_tf1.nets.demo import DEMO_CLASSES, demo_model, demo_scenes


def main(out: str = "layers.png") -> Dict[str, float]:
    """Return for each layer the mean share of the map that lies inside the box of the explained object."""
    scenes = demo_scenes()
    targets = [sorted(scene.boxes)[:2] for scene in scenes]
    with GradCamGraph(demo_model(), preset="inception", labels=DEMO_CLASSES) as net:
        layers = [layer.name for layer in net.binding.layers if layer.counted]
        explanation = net.explain([scene.path for scene in scenes], targets, layers=layers)

    shares: Dict[str, list] = {layer: [] for layer in layers}
    for map in explanation:
        heat = map.placed()
        top, left, bottom, right = scenes[map.n].boxes[map.label]
        if map.status == "ok":
            shares[map.layer].append(heat[top:bottom, left:right].sum() / heat.sum())
    means = {layer: float(np.mean(values)) for layer, values in shares.items()}
    for layer, share in means.items():
        size = " x ".join(str(side) for side in explanation.map("gradcam", layer=layer).values.shape)
        print(f"{layer:16} {size:8} {share:.0%} of the map inside the box")
    save_figure(layers_figure(explanation, read_image(scenes[0].path)), out)
    return means


if __name__ == "__main__":
    main(*sys.argv[1:])
