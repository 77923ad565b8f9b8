"""A frozen graph and a folder of images, without a subclass: the key tensors are found.

python examples/frozen_graph_folder.py [MODEL.pb [PHOTOS [OUT [PRESET]]]]
"""

from __future__ import annotations

import sys
from pathlib import Path

from gradcam_tf1 import GradCamGraph, Results
from gradcam_tf1.nets.demo import demo_model, demo_scenes

SCENES = str(Path(demo_scenes()[0].path).parent)


def main(
    model: str = demo_model(), photos: str = SCENES, out: str = "out/folder", preset: str = "inception"
) -> Results:
    with GradCamGraph(model, preset=preset) as net:
        print(f"input {net.binding.input}, logits {net.binding.logits}, layer {net.binding.layer}")
        results = net.visualize_imgs(photos, out, methods=["gradcam", "guided_gradcam"])
    for result in results:
        if result.ok:
            print(f"{result.relative}: class {result.predicted}, score {result.scores[0]:.2f}")
        else:
            print(f"{result.relative}: {result.error}")
    return results


if __name__ == "__main__":
    main(*sys.argv[1:])
