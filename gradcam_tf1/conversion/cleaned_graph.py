"""Cut a frozen graph down to what its outputs need, with fixed switches, in ops of TensorFlow 1.15."""

from __future__ import annotations

from typing import Container, FrozenSet, Iterable, List, Mapping, Sequence, Set, Tuple

import numpy as np

from gradcam_tf1.binding.op_kinds import is_training_op
from gradcam_tf1.errors import ConversionError
from gradcam_tf1.graphdef.nodes import parse_edge, sources, spread
from gradcam_tf1.graphdef.portable import portable
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import Binding, LoadedModel

_CHANNELS_FIRST = (b"NCHW", b"NCDHW")
_ANY_FORMAT = ("BiasAdd", "BiasAddGrad")  # these have kernels for either on a CPU
_PLACEHOLDERS = ("Placeholder", "PlaceholderV2", "PlaceholderWithDefault")


def cleaned_graph(
    model: LoadedModel, binding: Binding, ends: Sequence[str] = (), grouped: Container[str] = ()
) -> Tuple[tf.GraphDef, Tuple[str, ...]]:
    """Return the part of a model that its outputs need, loadable in TensorFlow 1.15.

    Placeholders that binding gives one number, such as is_training, become constants of that number.

    Parameters
    ----------
    model : LoadedModel
        The model, which is not changed.
    binding : Binding
        Its key tensors.
    ends : sequence of str
        Further outputs to keep, unless they need something that the scores do not, such as labels.
    grouped : container of str
        Names of grouped convolutions, see `grouped_convolutions`.

    Returns
    -------
    graph_def : GraphDef
        The graph.
    notes : tuple of str
        One sentence for each change that the user should know of.

    Raises
    ------
    ConversionError
        If a key tensor is not in the model.
    ExportError
        If TensorFlow 1.15 lacks an op that the outputs need.
    """
    nodes = {node.name: node for node in model.graph_def.node}
    numbers = {parse_edge(name).node: value for name, value in binding.feeds.items() if np.ndim(value) == 0}
    fixed = {name: value for name, value in numbers.items() if name in nodes and nodes[name].op in _PLACEHOLDERS}
    wanted = _operations(_outputs(model, binding))
    absent = sorted(wanted - nodes.keys())
    if absent:
        raise ConversionError(
            f"'{absent[0]}' is not part of the model itself but was added to its graph; name a tensor of the model"
        )
    needed = _needed(wanted, nodes, fixed)
    for end in _operations(ends) & nodes.keys():
        more = _needed({end}, nodes, fixed) - needed
        if not any(nodes[name].op in _PLACEHOLDERS or is_training_op(name, nodes[name].op) for name in more):
            needed |= more
    graph_def = tf.GraphDef()
    graph_def.versions.CopyFrom(model.graph_def.versions)
    graph_def.library.CopyFrom(model.graph_def.library)
    graph_def.node.extend(node for node in model.graph_def.node if node.name in needed)
    _fix(graph_def.node, fixed)
    left_out = len(nodes) - len(needed)
    notes = [f"left out {left_out} of {len(nodes)} ops, which no output needs"] if left_out else []
    notes += [f"'{name}' is fixed to {value}" for name, value in sorted(fixed.items()) if name in needed]
    notes += _gpu_only([node for node in graph_def.node if _is_channels_first(node)], "their channels come first")
    notes += _gpu_only([node for node in graph_def.node if node.name in grouped], "they are grouped convolutions")
    return graph_def, (*notes, *portable(graph_def)[1])


def grouped_convolutions(graph: tf.Graph) -> FrozenSet[str]:
    """Return the names of the convolutions whose filters take a part of the channels that come in."""
    return frozenset(op.name for op in graph.get_operations() if op.type == "Conv2D" and _is_grouped(op))


def _is_grouped(op: tf.Operation) -> bool:
    images, filters = (tensor.shape for tensor in op.inputs)
    if images.rank is None or filters.rank is None:
        return False
    channels = images.as_list()[1 if op.get_attr("data_format") in _CHANNELS_FIRST else -1]
    return None not in (channels, filters.as_list()[2]) and channels != filters.as_list()[2]


def _gpu_only(found: Sequence[tf.NodeDef], reason: str) -> List[str]:
    if not found:
        return []
    return [
        f"TensorFlow 1.15 runs {len(found)} of its ops, such as '{found[0].name}' ({found[0].op}), on a GPU only, as "
        f"{reason}; TensorFlow 2 runs them anywhere"
    ]


def _is_channels_first(node: tf.NodeDef) -> bool:
    stated = "data_format" in node.attr and node.op not in _ANY_FORMAT
    return stated and node.attr["data_format"].s in _CHANNELS_FIRST


def _outputs(model: LoadedModel, binding: Binding) -> List[str]:
    scores = [binding.input, binding.logits, binding.probabilities or "", *model.outputs, *binding.per_image]
    return scores + [name for part in binding.score_parts for name in (part.scores, part.objectness)]


def _operations(tensors: Iterable[str]) -> Set[str]:
    return {parse_edge(name).node for name in tensors if name}


def _needed(ends: Set[str], nodes: Mapping[str, tf.NodeDef], fixed: Container[str]) -> Set[str]:
    return spread(ends, lambda name: () if name in fixed else sources(nodes[name]))


def _fix(nodes: Sequence[tf.NodeDef], values: Mapping[str, object]) -> None:
    """Turn placeholders into constants."""
    for node in nodes:
        if node.name in values:
            dtype = tf.as_dtype(node.attr["dtype"].type)
            node.op = "Const"
            del node.input[:]
            node.attr.clear()
            node.attr["dtype"].type = dtype.as_datatype_enum
            node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(values[node.name], dtype, []))
