"""A live session: a net that was just built or trained is copied and explained, and is not changed.

python examples/from_session.py
"""

from __future__ import annotations

import tensorflow.compat.v1 as tf

from gradcam_tf1 import Explanation, GradCamGraph
from gradcam_tf1.nets.demo import demo_scenes


def small_net() -> tf.Tensor:
    """Build two convolutions, global average pooling and a dense layer with variables; return the scores [N, 4]."""
    features = tf.placeholder(tf.float32, [None, 64, 64, 3], name="pixels")
    for index, (inputs, outputs) in enumerate([(3, 8), (8, 16)], 1):
        kernel = tf.get_variable(f"kernel{index}", [3, 3, inputs, outputs])
        features = tf.nn.relu(tf.nn.conv2d(features, kernel, [1, 2, 2, 1], "SAME"), name=f"relu{index}")
    return tf.matmul(tf.reduce_mean(features, axis=[1, 2]), tf.get_variable("dense", [16, 4]), name="scores")


def main() -> Explanation:
    images = [scene.path for scene in demo_scenes()[:2]]
    with tf.Graph().as_default() as graph, tf.Session() as session:
        small_net()
        session.run(tf.global_variables_initializer())  # ... and training, in real life
        operations = len(graph.get_operations())
        with GradCamGraph(session, preset="zero-one") as net:
            explanation = net.explain(images, targets=[0, 3])
        print(f"{len(graph.get_operations()) - operations} ops were added to your graph")
    for map in explanation:
        print(f"image {map.n}: class {map.class_id} scores {map.score:.3f}, map {map.placed().shape}, {map.status}")
    return explanation


if __name__ == "__main__":
    main()
