"""An exported graph in ops that other runtimes have, too."""

from __future__ import annotations

from typing import Dict

import numpy as np

from gradcam_tf1.errors import ExportError
from gradcam_tf1.export.decided_branches import with_decided_branches
from gradcam_tf1.export.exported_graph import ExportedGraph
from gradcam_tf1.export.forward_form import ForwardForm, forward_form
from gradcam_tf1.export.random_inputs import random_inputs
from gradcam_tf1.export.shape_values import BATCHES
from gradcam_tf1.graphdef.nodes import keep_only
from gradcam_tf1.tf_runtime import tf


def spelt_out(exported: ExportedGraph, what: str) -> ForwardForm:
    """Return an exported graph without gradient ops and without checks; by default its class ids are [-1].

    Parameters
    ----------
    exported : ExportedGraph
        The graph.
    what : str
        The format, for the error message.

    Raises
    ------
    ExportError
        If it takes encoded images, or averages gradients.
    """
    if any(spec.dtype in ("string", "object") for spec in exported.inputs.values()):
        raise ExportError(f"{what} has no ops that decode images; leave out input_bytes=True (--input-bytes)")
    if exported.averages:
        raise ExportError(
            f"the average over many gradients is a loop, and gradients in a loop have no form in {what}; export "
            "'gradient', or use the format saved_model"
        )
    feeds = [_by_tensor(exported, count) for count in BATCHES]
    sizes = {len(next(iter(feed.values()))) for feed in feeds}
    return forward_form(_unchecked(exported), feeds[: len(sizes)], list(exported.outputs.values()))


def reasons(form: ForwardForm) -> str:
    """Return the end of a sentence on what has no such form, "" where everything has."""
    left = "".join(f"; the gradient '{name}' has no form in forward ops: {why}" for name, why in form.left.items())
    if not form.undecided:
        return left
    return (
        f"{left}; the loop or conditional of '{form.undecided[0]}' runs as the images decide, and gradients in it have "
        "no form in forward ops"
    )


def _by_tensor(exported: ExportedGraph, count: int) -> Dict[str, np.ndarray]:
    values = random_inputs(exported, count)
    return {exported.inputs[name].name: value for name, value in values.items()}


def _unchecked(exported: ExportedGraph) -> tf.GraphDef:
    """Return the graph without checks and decided conditionals, and with a constant as the default classes."""
    graph_def = tf.GraphDef()
    graph_def.CopyFrom(exported.graph_def)
    default = graph_def.node.add()
    default.name, default.op = "export/top_class", "Const"
    default.attr["dtype"].type = tf.int32.as_datatype_enum
    default.attr["value"].tensor.CopyFrom(tf.make_tensor_proto([-1], tf.int32))
    inputs = {spec.name for spec in exported.inputs.values()} | {exported.class_ids.name}
    checks = {f"^{node.name}" for node in graph_def.node if node.op == "Assert"}
    for node in graph_def.node:
        read = [text for text in node.input if text not in checks]
        node.input[:] = [default.name] if f"{node.name}:0" == exported.class_ids.name else read
        if (
            node.op == "PlaceholderWithDefault" and f"{node.name}:0" not in inputs
        ):  # the default is what it always gives
            dtype = node.attr["dtype"].type
            node.op = "Identity"
            node.attr.clear()
            node.attr["T"].type = dtype
    keep_only(graph_def.node, lambda node: node.op != "Assert")
    return with_decided_branches(graph_def, list(exported.outputs.values()))
