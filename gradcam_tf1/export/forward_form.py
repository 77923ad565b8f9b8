"""A graph whose gradients are spelt out in forward ops, for runtimes that have no gradient ops."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Sequence, Tuple

from gradcam_tf1.errors import GradientError
from gradcam_tf1.export.control_depth import ops_inside
from gradcam_tf1.export.rewired import rewired
from gradcam_tf1.export.shape_values import Feeds, with_known_shapes
from gradcam_tf1.gradients.forward_rows import FORWARD_ROWS
from gradcam_tf1.tf_runtime import tf


@dataclass(frozen=True)
class ForwardForm:
    """What `forward_form` returns.

    Attributes
    ----------
    graph_def : tf.GraphDef
        The graph; inputs and outputs have the names that they had.
    left : dict
        Name of a gradient op that has no such form -> why.
    undecided : tuple of str
        Names of the ops that begin a loop or a conditional, which runs as the images decide.
    """

    graph_def: tf.GraphDef
    left: Dict[str, str]
    undecided: Tuple[str, ...] = ()


def forward_form(graph_def: tf.GraphDef, feeds: Sequence[Feeds], outputs: Sequence[str]) -> ForwardForm:
    """Return the graph with each gradient op replaced by forward ops, see `forward_rows.py`.

    Those in loops and conditionals stay.

    Parameters
    ----------
    graph_def : tf.GraphDef
        A frozen graph whose images have fixed sides.
    feeds : sequence of mapping
        See `with_known_shapes`.
    outputs : sequence of str
        Names of the tensors that must stay.
    """
    graph = tf.Graph()
    replaced: Dict[str, str] = {}
    left: Dict[str, str] = {}
    with graph.as_default():
        tf.import_graph_def(with_known_shapes(graph_def, feeds, outputs), name="")
        inside = ops_inside(graph)
        for op in graph.get_operations():
            if op.type in FORWARD_ROWS and op.name not in inside:
                try:
                    tensor = FORWARD_ROWS[op.type](op)
                except GradientError as error:
                    left[op.name] = str(error)
                else:
                    replaced.update({} if tensor is op.outputs[0] else {op.outputs[0].name: tensor.name})
    forward = rewired(graph, replaced, outputs)
    present = {node.name for node in forward.node}
    undecided = tuple(node.name for node in forward.node if node.op in ("Enter", "Switch"))
    return ForwardForm(forward, {name: reason for name, reason in left.items() if name in present}, undecided)
