"""A subclass that prepares the pixel values and names the key tensors.

python examples/subclass_hooks.py [PHOTOS [OUT]]
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from gradcam_tf1 import GradCamGraph, KeyTensors, Results
from gradcam_tf1.nets.demo import DEMO_CLASSES, demo_model, demo_scenes

SCENES = str(Path(demo_scenes()[0].path).parent)


class DemoNet(GradCamGraph):
    def preprocess(self, images: np.ndarray) -> np.ndarray:
        return images / 127.5 - 1.0

    def fetch_key_tensors(self) -> KeyTensors:
        return KeyTensors(input="input:0", logits="logits/BiasAdd:0", layer="conv5/Relu:0")


def main(photos: str = SCENES, out: str = "out/subclass") -> Results:
    with DemoNet(demo_model(), len(DEMO_CLASSES), labels=DEMO_CLASSES) as net:
        results = net.visualize_imgs(photos, out, targets=["star", "ring"])
    for result in results:
        print(result.relative, {label: round(score, 2) for label, score in zip(result.labels, result.scores)})
    return results


if __name__ == "__main__":
    main(*sys.argv[1:])
