"""The older style of subclass: `fetch_key_tensors` assigns attributes, `visualize_imgs` returns the predicted classes.

python examples/old_style.py [PHOTOS [OUT]]
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from gradcam_tf1 import GradCamGraph
from gradcam_tf1.nets.demo import DEMO_CLASSES, demo_model, demo_scenes

SCENES = str(Path(demo_scenes()[0].path).parent)


class DemoNet(GradCamGraph):
    def __init__(self, model_path, nb_classes):
        super().__init__(model_path, nb_classes)
        self.half = 127.5  # set after the base constructor; the hooks run later

    def preprocess(self, imgs):
        return imgs / self.half - 1.0

    def fetch_key_tensors(self):
        self.X = self.sess.graph.get_tensor_by_name("input:0")
        self.logit = self.sess.graph.get_tensor_by_name("logits/BiasAdd:0")
        self.layer = self.sess.graph.get_tensor_by_name("conv5/Relu:0")
        self.feed_dict = {}


def main(photos: str = SCENES, out: str = "out/old_style") -> np.ndarray:
    predicted = DemoNet(demo_model(), len(DEMO_CLASSES)).visualize_imgs(photos, out)
    for class_id, name in enumerate(DEMO_CLASSES):
        print(f"{name}: {np.sum(predicted == class_id)} of {len(predicted)} images")
    return predicted


if __name__ == "__main__":
    main(*sys.argv[1:])
