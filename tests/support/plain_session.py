"""The demo net in a tf.Session of its own, without any of this toolkit: what its numbers are compared with."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any, Callable, Iterator

from gradcam_tf1.nets.demo import demo_model
from gradcam_tf1.tf_runtime import tf


@contextmanager
def plain_demo(*tensors: str) -> Iterator[Callable[[Any], Any]]:
    """A function: images [M, 96, 128, 3] as the net takes them -> the values of these tensors."""
    graph_def = tf.GraphDef()
    with open(demo_model(), "rb") as stream:
        graph_def.ParseFromString(stream.read())
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(graph_def, name="")
    with tf.Session(graph=graph) as sess:
        yield lambda images: sess.run(list(tensors), {"input:0": images})
