"""A live session: the net that was just built or trained is copied and explained, and stays as it is.

python examples/from_session.py
"""

from __future__ import annotations

import numpy as np

from gradcam_tf1 import Explanation, GradCamGraph
from gradcam_tf1.images.image_files import read_image
from gradcam_tf1.nets.demo import demo_scenes
from gradcam_tf1.tf_runtime import tf


def small_net() -> tf.Tensor:
    """Two convolutions, global average pooling, one dense layer, with trainable variables; class scores [N, 4]."""
    features = tf.placeholder(tf.float32, [None, 64, 64, 3], name="pixels")
    for index, (inputs, outputs) in enumerate([(3, 8), (8, 16)], 1):
        kernel = tf.get_variable(f"kernel{index}", [3, 3, inputs, outputs])
        features = tf.nn.relu(tf.nn.conv2d(features, kernel, [1, 2, 2, 1], "SAME"), name=f"relu{index}")
    return tf.matmul(tf.reduce_mean(features, axis=[1, 2]), tf.get_variable("dense", [16, 4]), name="scores")


def main() -> Explanation:
    images = [read_image(scene.path) for scene in demo_scenes()[:2]]
    with tf.Graph().as_default() as graph, tf.Session() as session:
        small_net()
        session.run(tf.global_variables_initializer())  # ... and training, in real life
        operations = len(graph.get_operations())
        with GradCamGraph(session, preset="zero-one") as net:
            explanation = net.explain(images, targets=[0, 3])
        print(f"{len(graph.get_operations()) - operations} ops were added to your graph")
    for n, image in enumerate(images):
        cam = explanation.map("gradcam", n, t=1).placed()  # class 3, on the original image
        row, column = np.unravel_index(np.argmax(cam), cam.shape)
        print(f"image {image.shape[:2]}: class 3 scores {explanation.scores[n, 1]:.3f}, peak at ({row}, {column})")
    return explanation


if __name__ == "__main__":
    main()
