"""Layer specs: a count, a name, "auto", or several layers added up ("a/Relu:0 + b/Relu:0")."""

from __future__ import annotations

import re
from typing import Any, Callable, List, Optional, Sequence

import numpy as np

from gradcam_tf1.binding.array_nets import features_of
from gradcam_tf1.binding.graph_index import GraphIndex
from gradcam_tf1.binding.layer_choice import Choice
from gradcam_tf1.binding.layer_paths import LayerPaths, find_paths
from gradcam_tf1.binding.layers import Features
from gradcam_tf1.binding.op_kinds import CONVOLUTIONS
from gradcam_tf1.binding.switches import dead_tensors, switch_values
from gradcam_tf1.binding.tensor_names import find_tensor
from gradcam_tf1.errors import BindingError
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import Binding, LayerInfo

_SHOWN = 6  # layers in a message
AUTO = "auto"  # for each class, the last map of its branch


def is_auto(spec: Any) -> bool:
    """Return whether a spec requests, for each class, the last map of its branch."""
    return isinstance(spec, str) and spec.strip() == AUTO


def resolve_layer(graph: tf.Graph, binding: Binding, spec: Any) -> LayerInfo:
    """Find the feature map that a spec names.

    Parameters
    ----------
    graph : tf.Graph
        The bound graph.
    binding : Binding
        Its binding.
    spec : object
        A count from the end (-1 = last feature map, -3 = third from last), what `find_tensor` takes, or several of
        these with a + between them.

    Returns
    -------
    LayerInfo
        The layer.

    Raises
    ------
    BindingError
        If the count is out of range, if the tensor is not a map between the input and the logits, or if one of several
        layers follows another.
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
    index = GraphIndex(graph)
    index.dead = dead_tensors(index, switch_values(index, binding.feeds))
    features = features_of(index, binding.input, binding.logits)
    return _requested(features, binding.layers, spec, find_paths(index, features.path, binding.input, binding.logits))


def choose_layer(
    features: Features, paths: LayerPaths, layers: Sequence[LayerInfo], spec: Any, bound: Choice
) -> LayerInfo:
    """Return the requested layer, or else the maps that all scores depend on.

    Parameters
    ----------
    features : Features
        The feature maps of the net.
    paths : LayerPaths
        The paths to the scores.
    layers : sequence of LayerInfo
        All layers of the net.
    spec : object
        What the user requested; None for the default.
    bound : Choice
        The maps that all scores depend on.

    Returns
    -------
    LayerInfo
        The layer.

    Raises
    ------
    BindingError
        If there is no path, no feature map, or no layer that fits `spec`.
    """
    if not features.path:
        raise BindingError(
            f"no path leads from the input '{features.start}' to the logits '{paths.end}'; name an input and logits "
            "that belong together"
        )
    if spec is not None and not is_auto(spec):
        return _requested(features, layers, spec, paths)
    if not layers:
        raise BindingError(_no_layer(features, features.start, paths.end))
    return infos_of(features, bound.names) if bound.names else layers[-1]


def _requested(features: Features, layers: Sequence[LayerInfo], spec: Any, paths: LayerPaths) -> LayerInfo:
    if is_several(spec):
        return resolve_several(spec, lambda name: _requested(features, layers, name, paths), paths)
    count = _count(spec)
    if count is not None:
        return _counted(layers, count)
    return _named(features, _tensor_of(features.index.graph, spec, layers), paths.end)


def _tensor_of(graph: tf.Graph, spec: Any, layers: Sequence[LayerInfo]) -> tf.Tensor:
    """Return the tensor that a spec names; a BindingError lists the layers too."""
    try:
        return find_tensor(graph, spec)
    except BindingError as error:
        counted = [layer.name for layer in layers if layer.counted]
        last = ", ".join(f"'{name}'" for name in counted[: -_SHOWN - 1 : -1])
        more = f" and {len(counted) - _SHOWN} before them" if len(counted) > _SHOWN else ""
        raise BindingError(f"{error}; layers, last one first: {last or 'none'}{more}") from error


def _no_layer(features: Features, images: str, logits: str) -> str:
    none = f"no feature map with more than one position lies between '{images}' and '{logits}'"
    index = features.index
    inside = [op for op in index.makers(features.path & index.looped) if op.type in CONVOLUTIONS]
    if not inside:
        return f"{none}; Grad-CAM needs a convolution there; name a layer"
    return (
        f"{none} outside a loop; the last convolution, '{inside[-1].name}', is inside one, where a tensor has one "
        "value per round and cannot be fetched; export the net so that it takes all images or frames at once, by "
        "reshaping them to one batch instead of tf.map_fn or tf.while_loop"
    )


def _count(spec: Any) -> Optional[int]:
    if isinstance(spec, str) and re.match(r"-\d+$", spec.strip()):
        return int(spec)
    return int(spec) if isinstance(spec, (int, np.integer)) and not isinstance(spec, bool) else None


def _counted(layers: Sequence[LayerInfo], count: int) -> LayerInfo:
    counted = [layer for layer in layers if layer.counted]
    if not -len(counted) <= count <= -1:
        raise BindingError(
            f"layer {count} does not exist; count from the end, from -1 (the last feature map) to -{len(counted)}"
        )
    return counted[count]


def _named(features: Features, tensor: tf.Tensor, logits: str) -> LayerInfo:
    if tensor.name not in features.path:
        near = ", ".join(f"'{info.name}'" for info in features.infos()[-3:] if info.counted)
        raise BindingError(
            f"'{tensor.name}' does not lie on a path from '{features.start}' to '{logits}'; "
            f"name one that does; the last are {near or 'none'}"
        )
    if tensor.name in features.index.looped:
        raise BindingError(
            f"'{tensor.name}' lies inside a loop, where a tensor has one value per round and cannot be fetched; name a "
            "layer before or after the loop (`gradcam-tf1 inspect` lists them)"
        )
    if not features.can_be_named(tensor.name) or not tensor.dtype.is_floating:
        raise BindingError(f"'{tensor.name}' is {tensor.dtype.name} of shape {tensor.shape}; name {features.kind}")
    return features.info(tensor.name)


_PLUS = "+"  # not allowed in names of TensorFlow ops


def is_several(spec: Any) -> bool:
    """Return whether a spec names several layers to add up."""
    return isinstance(spec, str) and _PLUS in spec


def names_of(spec: str) -> List[str]:
    """Return the parts of "a + b" as written."""
    return [part.strip() for part in spec.split(_PLUS)]


def taken_together(parts: Sequence[LayerInfo]) -> LayerInfo:
    """Return one layer that is the sum of several; a single layer is returned as it is."""
    if len(parts) == 1:
        return parts[0]
    return LayerInfo(f" {_PLUS} ".join(part.name for part in parts), "Sum", (), True, False, tuple(parts))


def resolve_several(spec: str, resolve: Callable[[str], LayerInfo], paths: LayerPaths) -> LayerInfo:
    """Find the layer that "a + b" names.

    Parameters
    ----------
    spec : str
        The names with a + between them.
    resolve : callable
        Finds the layer of one name.
    paths : LayerPaths
        The paths to the scores.

    Returns
    -------
    LayerInfo
        The sum of the layers.

    Raises
    ------
    BindingError
        If one of them follows another, so that the same evidence would count twice.
    """
    parts = list(dict.fromkeys(resolve(name) for name in names_of(spec)))
    by_name = {part.name for part in parts}
    for part in parts:
        following = by_name & paths.behind(paths.after.get(part.name, []))
        if following:
            raise BindingError(
                f"layer {spec!r}: '{min(following)}' is computed from '{part.name}', so their sum would count the "
                "same evidence twice; name one of them, or maps of different branches"
            )
    return taken_together(parts)


def infos_of(features: Features, names: Sequence[str]) -> LayerInfo:
    """Return the layer that is the sum of the named maps of the path."""
    return taken_together([features.info(name) for name in names])
