"""Small GraphDefs to be damaged and mended, and what they compute."""

from __future__ import annotations

import numpy as np

from gradcam_tf1.tf_runtime import tf

FLOAT = 1
X = np.float32([[1, -2, 3]])


def make(build):
    """The GraphDef of what `build` makes from a placeholder x [?, 3]."""
    with tf.Graph().as_default() as graph:
        build(tf.placeholder(tf.float32, [None, 3], "x"))
    return graph.as_graph_def()


def small():
    return make(lambda x: tf.matmul(tf.nn.relu(x, name="act"), tf.constant(np.eye(3, dtype=np.float32)), name="out"))


def node_of(graph_def, name):
    return next(node for node in graph_def.node if node.name == name)


def run(graph_def, fetch="out:0", feed=None):
    with tf.Graph().as_default() as graph, tf.Session(graph=graph) as session:
        tf.import_graph_def(graph_def, name="")
        return session.run(fetch, {"x:0": X} if feed is None else feed)
