"""A frozen GraphDef into a private graph and session, under the gradient override that guided ReLU needs."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradcam_tf1.errors import ModelFileError
from gradcam_tf1.guided import override_map
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.weights import put_weights, take_out_weights

MAX_ELEMENTS = 2**31  # of one tensor and picture


def open_session(graph_def: Any, source: str, config: Any = None) -> tf.Session:
    """A session of its own on the net; its large weights are in variables, see `weights.py`.

    Args: graph_def: frozen and cleaned up (see `loaders`). source: the model's name, for messages.
        config: tf.ConfigProto. Raises: ModelFileError as `import_graph`.
    """
    light, weights = take_out_weights(graph_def)
    sess = tf.Session(graph=import_graph(light, source), config=config)
    put_weights(sess, weights)
    return sess


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
    _check_sizes(graph, source)
    return graph


def _check_sizes(graph: tf.Graph, source: str) -> None:
    """A few bytes of graph can ask for more memory than there is: Fill, Tile, a picture a million pixels wide."""
    for op in graph.get_operations():
        for tensor in op.outputs:
            sizes = tensor.shape.as_list() if tensor.shape.ndims else ()
            if np.prod([size or 1 for size in sizes], dtype=np.float64) > MAX_ELEMENTS:
                raise ModelFileError(
                    f"'{source}': '{tensor.name}' ({op.type}) would have the shape {sizes}, more than the "
                    f"{MAX_ELEMENTS:,} numbers that are allowed for one tensor"
                )
