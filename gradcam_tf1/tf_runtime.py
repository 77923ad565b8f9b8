"""The only place that knows which TensorFlow is running, and the only home of private TensorFlow names.

Everywhere else: `from gradcam_tf1.tf_runtime import tf`.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import Iterator

import tensorflow.compat.v1 as tf

IS_TF2: bool = int(tf.__version__.split(".")[0]) >= 2


@contextmanager
def unfinalized(graph: tf.Graph) -> Iterator[tf.Graph]:
    """Open a graph of ours for new ops, make it the default graph, and finalize it again on the way out.

    There is no public way back from `Graph.finalize`; both runtimes have this method under this name, and
    `tf.train` itself uses it. Without it a layer or method that is asked for later would need a second graph.
    """
    graph._unsafe_unfinalize()
    try:
        with graph.as_default():
            yield graph
    finally:
        graph.finalize()


__all__ = ["IS_TF2", "tf", "unfinalized"]
