"""A frozen GraphDef into a private graph, under the gradient override that makes guided ReLU possible."""

from __future__ import annotations

from typing import Any

from gradcam_tf1.errors import ModelFileError
from gradcam_tf1.guided import override_map
from gradcam_tf1.tf_runtime import tf


def import_graph(graph_def: Any, source: str) -> tf.Graph:
    """Import into a new tf.Graph; the names stay as they are.

    Args: graph_def: frozen and cleaned up (see `loaders`). source: the model's name, for messages.
    Raises: ModelFileError with TensorFlow's reason where the graph cannot be built on this runtime.
    """
    graph = tf.Graph()
    with graph.as_default(), override_map(graph):
        try:
            tf.import_graph_def(graph_def, name="")
        except (ValueError, TypeError, tf.errors.OpError) as error:
            reason = str(error).splitlines()[0]
            message = f"'{source}': TensorFlow {tf.__version__} cannot build this graph: {reason}"
            raise ModelFileError(message) from error
    return graph
