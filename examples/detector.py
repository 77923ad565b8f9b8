"""A detector, before non-maximum suppression: what does the best anchor of a class look at, and a certain anchor?

python examples/detector.py [MODEL.pb PHOTO CLASS_ID [PRESET]]
"""

from __future__ import annotations

import sys

import numpy as np
import tensorflow.compat.v1 as tf

from gradcam_tf1 import Anchor, Explanation, GradCamGraph
from gradcam_tf1.nets.demo import DEMO_CLASSES, demo_model, demo_scenes


def small_net() -> tf.GraphDef:
    """Build a detector from the demo net's weights: class scores of one anchor at each of 12 x 16 positions."""
    with open(demo_model(), "rb") as file, tf.Graph().as_default() as graph:
        tf.import_graph_def(tf.GraphDef.FromString(file.read()), name="")
        features, weights = (graph.get_tensor_by_name(name) for name in ("conv5/Relu:0", "logits/weights:0"))
        near = tf.nn.avg_pool2d(features, 3, 1, "SAME")  # what an anchor sees
        scores = tf.reshape(tf.tensordot(near, weights, axes=1), [-1, 12 * 16, len(DEMO_CLASSES)], name="class_scores")
        tf.nn.sigmoid(scores, name="class_probabilities")
        return graph.as_graph_def()


def main(model: str = "", photo: str = "", class_id: str = "", preset: str = "inception") -> Explanation:
    if model:
        net, photos, targets = GradCamGraph(model, preset=preset), [photo], [[Anchor(int(class_id), best=1)]]
    else:
        net = GradCamGraph(small_net(), logits="class_scores", preset=preset, labels=DEMO_CLASSES)
        photos = [scene.path for scene in demo_scenes()]
        # the best anchor of a class, and anchor 100, which looks at row 6, column 4, whatever is there
        targets = [[Anchor(min(scene.boxes), best=1), Anchor(min(scene.boxes), index=100)] for scene in demo_scenes()]
    with net:
        # Grad-CAM averages the gradient over all positions, so that all anchors of a class would have one map
        explanation = net.explain(photos, targets, methods="hirescam")
    for map in explanation:
        heat = map.placed()
        peak = np.unravel_index(np.argmax(heat), heat.shape)
        print(f"image {map.n}, {map.label} {map.about}: score {map.score:.1f}, {map.status}, highest at {peak}")
    return explanation


if __name__ == "__main__":
    main(*sys.argv[1:])
