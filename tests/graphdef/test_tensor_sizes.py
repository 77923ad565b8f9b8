"""Tensors computed from constants: TensorFlow would compute them while it imports a graph of a few kB."""

from __future__ import annotations

import numpy as np
import pytest

from gradcam_tf1.engine.graph_import import import_graph
from gradcam_tf1.errors import ModelFileError
from gradcam_tf1.graphdef.tensor_sizes import check_made
from gradcam_tf1.tf_runtime import tf

resource = pytest.importorskip("resource")
LITTLE = 300  # MB
MANY = 2**30

# op -> what makes a tensor of n, and how n is written to have so many numbers
MADE = {
    "Fill": (lambda n: tf.fill(n, 1), lambda many: [many]),
    "Tile": (lambda n: tf.tile(tf.constant([1, 2, 3, 4]), n), lambda many: [many // 4]),
    "Tile of Tile": (lambda n: tf.tile(tf.tile(tf.constant([1, 2]), n), n), lambda many: [round((many / 2) ** 0.5)]),
    "BroadcastTo": (lambda n: tf.broadcast_to(tf.constant(1), tf.identity(n)), lambda many: [many // 2, 2]),
    "Range": (lambda n: tf.range(0, n, 1), lambda many: many),
    "LinSpace": (lambda n: tf.cast(tf.raw_ops.LinSpace(start=0.0, stop=1.0, num=n), tf.int32), lambda many: many),
}


def graph_with(kind, many):
    """Build a net with a reshape whose shape uses the largest of the computed numbers."""
    make, written = MADE[kind]
    value = np.array(written(many), np.int32)
    with tf.Graph().as_default() as graph:
        images = tf.placeholder(tf.float32, [None, 8, 8, 3], name="x")
        made = make(tf.placeholder(tf.int32, value.shape, name="n"))
        shape = tf.constant([-1, 8, 8, 3]) * tf.maximum(tf.reduce_max(made) * 0, 1)
        tf.nn.softmax(tf.reduce_mean(tf.reshape(images, shape), [1, 2]))
    graph_def = graph.as_graph_def()
    node = next(node for node in graph_def.node if node.name == "n")
    node.op = "Const"
    del node.attr["shape"]
    node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value))
    return graph_def


@pytest.mark.parametrize("kind", sorted(MADE))
def test_large_ones_are_refused_before_they_are_made(kind):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ModelFileError, match=r"'net': node '.*' .\w+. would make a tensor of 1,07\d,\d+,\d+ numbers"):
        import_graph(graph_with(kind, MANY), "net")
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10 < LITTLE


@pytest.mark.parametrize("kind", sorted(MADE))
def test_small_ones_are_imported(kind):
    assert import_graph(graph_with(kind, 32), "net").get_operations()


def test_sizes_that_are_no_numbers_are_left_to_tensorflow():
    graph_def = graph_with("Fill", 32)
    node = next(node for node in graph_def.node if node.name == "n")
    node.attr["dtype"].type = tf.string.as_datatype_enum
    node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(["a"]))
    with pytest.raises(ModelFileError, match="cannot build this graph"):
        import_graph(graph_def, "net")


def test_a_long_chain_is_gone_along_once():
    """Sizes are found in one pass over the nodes, in any order in the file."""
    with tf.Graph().as_default() as graph:
        tensor = tf.placeholder(tf.int32, [1], name="n")
        for _ in range(3000):
            tensor = tf.identity(tensor)
        tf.fill(tensor, 1, name="last")
    graph_def = graph.as_graph_def()
    node = next(node for node in graph_def.node if node.name == "n")
    node.op = "Const"
    node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto([MANY]))
    turned = tf.GraphDef()
    turned.node.extend(reversed(graph_def.node))
    with pytest.raises(ModelFileError, match="'last' .Fill. would make a tensor of 1,073,741,824 numbers"):
        check_made(turned)
