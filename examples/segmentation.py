"""A segmentation net: why did these pixels get this class? Each class is explained where the net itself predicts it.

python examples/segmentation.py [MODEL.pb PHOTO CLASS_ID]
"""

from __future__ import annotations

import sys

import numpy as np
import tensorflow.compat.v1 as tf

from gradcam_tf1 import Explanation, GradCamGraph, Region
from gradcam_tf1.nets.demo import DEMO_CLASSES, demo_model, demo_scenes


def small_net() -> tf.GraphDef:
    """Build a segmentation net from the demo net's weights: a score for each class at each of 12 x 16 positions."""
    with open(demo_model(), "rb") as file, tf.Graph().as_default() as graph:
        tf.import_graph_def(tf.GraphDef.FromString(file.read()), name="")
        features, weights = (graph.get_tensor_by_name(name) for name in ("conv5/Relu:0", "logits/weights:0"))
        objects = tf.tensordot(features, weights, axes=1)
        background = tf.fill(tf.concat([tf.shape(objects)[:3], [1]], axis=0), 10.0)
        scores = tf.concat([objects, background], axis=3, name="scores")
        tf.argmax(scores, axis=3, name="segments")
        return graph.as_graph_def()


def main(model: str = "", photo: str = "", class_id: str = "") -> Explanation:
    if model:
        net, photos, targets = GradCamGraph(model), [photo], [[Region(int(class_id))]]
    else:
        labels = [*DEMO_CLASSES, "background"]
        net = GradCamGraph(small_net(), logits="scores", layer="conv4/Relu", preset="inception", labels=labels)
        photos = [scene.path for scene in demo_scenes()]
        targets = [[Region(kind) for kind in sorted(scene.boxes)[:2]] for scene in demo_scenes()]
    with net:
        explanation = net.explain(photos, targets)
    for map in explanation:
        heat = map.placed()
        peak = np.unravel_index(np.argmax(heat), heat.shape)
        print(f"image {map.n}, {map.label or map.class_id}: score {map.score:.1f}, {map.status}, highest at {peak}")
    return explanation


if __name__ == "__main__":
    main(*sys.argv[1:])
