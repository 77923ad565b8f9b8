"""Retire a TensorFlow 1 model: convert its frozen graph to a SavedModel of TensorFlow 2, and prove that both agree.

Run on TensorFlow 2, which writes and reads such a SavedModel:

    python examples/retire_tf1_model.py
"""

import tensorflow as tf

from gradcam_tf1 import CompareOptions, GradCamGraph, compare_nets
from gradcam_tf1.nets.demo import DEMO_CLASSES, demo_model, demo_scenes


def convert(frozen_graph, folder):
    """The old graph as one function of images, saved as TensorFlow 2 does it."""
    graph_def = tf.compat.v1.GraphDef()
    with open(frozen_graph, "rb") as file:
        graph_def.ParseFromString(file.read())
    imported = tf.compat.v1.wrap_function(lambda: tf.compat.v1.import_graph_def(graph_def, name=""), [])
    probabilities = imported.prune("input:0", "probabilities:0")
    module = tf.Module()
    module.answer = tf.function(lambda images: {"probabilities": probabilities(images)})
    shape = probabilities.inputs[0].shape
    signature = module.answer.get_concrete_function(tf.TensorSpec(shape, tf.float32, name="images"))
    tf.saved_model.save(module, folder, signatures=signature)


def main():
    convert(demo_model(), "out/successor")
    photos = [scene.path for scene in demo_scenes()]
    with GradCamGraph(demo_model(), preset="inception", labels=DEMO_CLASSES) as old, GradCamGraph(
        "out/successor", preset="inception", labels=DEMO_CLASSES
    ) as new:
        found = compare_nets(old, new, photos, "out/comparison", options=CompareOptions(max_score_difference=0.001))
    print(found.verdict)
    print("similarity of the maps:", round(found.maps["gradcam"]["same"]["spearman"].mean, 4))
    return found


if __name__ == "__main__":
    main()
