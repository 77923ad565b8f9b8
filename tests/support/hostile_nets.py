"""Small nets of a stranger: with an op that touches files, or with a function."""

from __future__ import annotations

import numpy as np

from gradcam_tf1.errors import GradCamError
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.tf_runtime import tf

IMAGE = np.random.RandomState(0).randint(0, 256, (8, 8, 3)).astype(np.uint8)


def hostile_graph(make, secret, target, as_data):
    """A small net that needs the hostile op: for its values, or only to have been run before them."""
    with tf.Graph().as_default() as graph:
        images = tf.placeholder(tf.float32, [None, 8, 8, 3], "images")
        op = make(str(secret), str(target))
        op = op[0] if isinstance(op, (list, tuple)) else op
        with tf.control_dependencies([op]):
            pixels = tf.identity(images)
        if as_data and isinstance(op, tf.Tensor):
            pixels = pixels * tf.reduce_sum(tf.cast(op, tf.float32))
        kernel = tf.constant(np.random.RandomState(1).randn(3, 3, 3, 4).astype(np.float32))
        features = tf.nn.relu(tf.nn.conv2d(pixels, kernel, [1, 1, 1, 1], "SAME"), name="features")
        weights = tf.constant(np.random.RandomState(2).randn(4, 5).astype(np.float32))
        tf.matmul(tf.reduce_mean(features, [1, 2]), weights, name="logits")
    return graph.as_graph_def()


def outcome(graph_def):
    """The map, or the error by name."""
    try:
        with GradCamGraph(graph_def, preset="zero-one") as net:
            return net.explain([IMAGE]).maps["gradcam", net.binding.layer].tobytes()
    except GradCamError as error:
        return str(error)


def function_graph():
    """images -> f(images) -> conv -> logits, where f is a function x -> x."""
    graph_def = hostile_graph(lambda *_: tf.no_op(), "", "", False)
    made = graph_def.library.function.add()
    made.signature.name = "f"
    made.signature.input_arg.add(name="x", type=1)
    made.signature.output_arg.add(name="y", type=1)
    made.node_def.add(name="n", op="Identity", input=["x"]).attr["T"].type = 1
    made.ret["y"] = "n:output:0"
    node = next(node for node in graph_def.node if node.op == "Identity")
    node.op = "PartitionedCall"
    node.attr.clear()
    node.attr["Tin"].list.type.append(1)
    node.attr["Tout"].list.type.append(1)
    node.attr["f"].func.name = "f"
    return graph_def


def plain():
    return hostile_graph(lambda *_: tf.no_op(name="nothing"), "", "", False)
