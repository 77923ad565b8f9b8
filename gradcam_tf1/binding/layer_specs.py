"""From a layer spec to layers: a count, a name, "auto", or several taken as one ("a/Relu:0 + b/Relu:0")."""

from __future__ import annotations

import re
from typing import Any, Callable, List, Optional, Sequence

from gradcam_tf1.binding.array_nets import features_of
from gradcam_tf1.binding.graph_index import GraphIndex
from gradcam_tf1.binding.layer_choice import Choice
from gradcam_tf1.binding.layer_paths import LayerPaths, find_ways
from gradcam_tf1.binding.layers import Features
from gradcam_tf1.binding.op_kinds import CONVOLUTIONS
from gradcam_tf1.binding.switches import dead_tensors, switch_values
from gradcam_tf1.binding.tensor_names import find_tensor
from gradcam_tf1.errors import BindingError
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import Binding, LayerInfo

_SHOWN = 6  # layers in a message
AUTO = "auto"  # of each class the last map of its own branch


def is_auto(spec: Any) -> bool:
    """Whether each class is to have its own layer."""
    return isinstance(spec, str) and spec.strip() == AUTO


def resolve_layer(graph: tf.Graph, binding: Binding, spec: Any) -> LayerInfo:
    """The feature map that `spec` names.

    Args: spec: a count from the end (-1 = last feature map, -3 = third from last), what `find_tensor` takes, or
        several of these with a + between them.
    Raises: BindingError where the count is out of range, the tensor is no map between the input and the logits, or one
        of several follows another.
    """
    listed = {layer.name: layer for layer in binding.layers}
    if isinstance(spec, str) and spec in listed:
        return listed[spec]
    count = _count(spec)
    if count is not None:
        return _counted(binding.layers, count)
    if not is_several(spec):
        tensor = _tensor_of(graph, spec, binding.layers)
        if tensor.name in listed:
            return listed[tensor.name]
    walk = GraphIndex(graph)
    walk.dead = dead_tensors(walk, switch_values(walk, binding.feeds))
    features = features_of(walk, binding.input, binding.logits)
    return _asked_for(features, binding.layers, spec, find_ways(walk, features.path, binding.input, binding.logits))


def choose_layer(
    features: Features, ways: LayerPaths, layers: Sequence[LayerInfo], spec: Any, bound: Choice
) -> LayerInfo:
    """The layer that was asked for, else the maps that all scores depend on. Raises: BindingError where none is."""
    if not features.path:
        raise BindingError(f"no path leads from the input '{features.start}' to the logits '{ways.end}'")
    if spec is not None and not is_auto(spec):
        return _asked_for(features, layers, spec, ways)
    if not layers:
        raise BindingError(_no_layer(features, features.start, ways.end))
    return infos_of(features, bound.names) if bound.names else layers[-1]


def _asked_for(features: Features, layers: Sequence[LayerInfo], spec: Any, ways: LayerPaths) -> LayerInfo:
    if is_several(spec):
        return resolve_several(spec, lambda name: _asked_for(features, layers, name, ways), ways)
    count = _count(spec)
    if count is not None:
        return _counted(layers, count)
    return _named(features, _tensor_of(features.walk.graph, spec, layers), ways.end)


def _tensor_of(graph: tf.Graph, spec: Any, layers: Sequence[LayerInfo]) -> tf.Tensor:
    """The tensor that `spec` names. Raises: BindingError that lists the layers too."""
    try:
        return find_tensor(graph, spec)
    except BindingError as error:
        counted = [layer.name for layer in layers if layer.counted]
        last = ", ".join(f"'{name}'" for name in counted[: -_SHOWN - 1 : -1])
        more = f" and {len(counted) - _SHOWN} before them" if len(counted) > _SHOWN else ""
        raise BindingError(f"{error}; layers, the last first: {last or 'none'}{more}") from error


def _no_layer(features: Features, images: str, logits: str) -> str:
    none = f"no feature map with more than one position lies between '{images}' and '{logits}'"
    walk = features.walk
    inside = [op for op in walk.makers(features.path & walk.looped) if op.type in CONVOLUTIONS]
    if not inside:
        return f"{none}; Grad-CAM needs a convolution there. Name a layer"
    return (
        f"{none} outside a loop; the convolutions, '{inside[-1].name}' the last of them, work inside one, where a "
        "tensor has a value for each round and cannot be read. Export the net so that it takes all images or frames "
        "at once, by reshaping them to one batch instead of tf.map_fn or tf.while_loop"
    )


def _count(spec: Any) -> Optional[int]:
    if isinstance(spec, str) and re.match(r"-\d+$", spec.strip()):
        return int(spec)
    return spec if isinstance(spec, int) and not isinstance(spec, bool) else None


def _counted(layers: Sequence[LayerInfo], count: int) -> LayerInfo:
    counted = [layer for layer in layers if layer.counted]
    if not -len(counted) <= count <= -1:
        raise BindingError(
            f"layer {count} does not exist: layers count from the end, -1 (the last feature map) to -{len(counted)}"
        )
    return counted[count]


def _named(features: Features, tensor: tf.Tensor, logits: str) -> LayerInfo:
    if tensor.name not in features.path:
        near = ", ".join(f"'{info.name}'" for info in features.infos()[-3:] if info.counted)
        raise BindingError(
            f"'{tensor.name}' does not lie on the way from '{features.start}' to '{logits}'; "
            f"the last feature maps there: {near}"
        )
    if tensor.name in features.walk.looped:
        raise BindingError(
            f"'{tensor.name}' lies inside a loop, where a tensor has a value for each round and cannot be read; name a "
            "layer before or behind the loop (`gradcam-tf1 inspect` lists them)"
        )
    if tensor.shape.rank not in features.nameable or not tensor.dtype.is_floating:
        raise BindingError(
            f"'{tensor.name}' is {tensor.dtype.name} of shape {tensor.shape}; a layer is {features.kind}"
        )
    return features.info(tensor.name)


_PLUS = "+"  # no name of a TensorFlow op has one


def is_several(spec: Any) -> bool:
    """Whether a layer is asked for as a sum of several."""
    return isinstance(spec, str) and _PLUS in spec


def names_of(spec: str) -> List[str]:
    """The parts of "a + b" as they are written."""
    return [part.strip() for part in spec.split(_PLUS)]


def taken_together(parts: Sequence[LayerInfo]) -> LayerInfo:
    """One layer of several; of one alone it itself."""
    if len(parts) == 1:
        return parts[0]
    return LayerInfo(f" {_PLUS} ".join(part.name for part in parts), "Sum", (), True, False, tuple(parts))


def resolve_several(spec: str, resolve: Callable[[str], LayerInfo], ways: LayerPaths) -> LayerInfo:
    """The layer that "a + b" means; each part is looked up by itself.

    Raises: BindingError where one of them follows another: its map would be counted twice.
    """
    parts = list(dict.fromkeys(resolve(name) for name in names_of(spec)))
    by_name = {part.name for part in parts}
    for part in parts:
        following = by_name & ways.behind(ways.after.get(part.name, []))
        if following:
            raise BindingError(
                f"layer {spec!r}: '{min(following)}' is made from '{part.name}', so that their sum would count the "
                "same evidence twice; name one of them, or maps of different branches"
            )
    return taken_together(parts)


def infos_of(features: Features, names: Sequence[str]) -> LayerInfo:
    """The record of maps of the path, by their tensors' names."""
    return taken_together([features.info(name) for name in names])
