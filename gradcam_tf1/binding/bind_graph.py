"""The steps of a binding, in order."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from gradcam_tf1.binding.array_nets import array_facts, features_of, is_array
from gradcam_tf1.binding.binding_warnings import baked_batch, mixing_ops, training_signs, warnings_for
from gradcam_tf1.binding.branches import find_branches
from gradcam_tf1.binding.candidates import candidates, in_short
from gradcam_tf1.binding.cell_rules import places_on, spatial_sides
from gradcam_tf1.binding.cells import CellPlaces
from gradcam_tf1.binding.decoded import ImageTensor, size_of_later_reshape
from gradcam_tf1.binding.feed_values import FeedValue, awaited, goes_to_each, requested_feeds
from gradcam_tf1.binding.feeds import choose_feeds, fed_batch_size
from gradcam_tf1.binding.graph_index import GraphIndex
from gradcam_tf1.binding.image_size import size_of_dense_head
from gradcam_tf1.binding.layer_choice import Choice, choose_maps
from gradcam_tf1.binding.layer_paths import LayerPaths, find_paths
from gradcam_tf1.binding.layer_reasons import layer_warnings, why_layer
from gradcam_tf1.binding.layer_specs import AUTO, choose_layer, infos_of, is_auto
from gradcam_tf1.binding.layers import Features
from gradcam_tf1.binding.layout import channel_count, input_layout, sides
from gradcam_tf1.binding.net_ends import find_ends, has_batch_axis
from gradcam_tf1.binding.pixel_values import preprocessing
from gradcam_tf1.binding.score_axes import class_count, score_axes
from gradcam_tf1.binding.score_heads import Head
from gradcam_tf1.binding.switches import dead_tensors, switch_values
from gradcam_tf1.binding.tensor_names import find_tensor, several_outputs
from gradcam_tf1.binding.text_inputs import about_inputs, text_inputs
from gradcam_tf1.errors import BindingError, FeedError
from gradcam_tf1.images.geometry import FreeSize
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import Binding, Branch, KeyTensors, LayerInfo, ScorePart

_IMAGENET_WITH_BACKGROUND = 1001


def bind(
    graph: tf.Graph,
    *,
    declared_inputs: Sequence[str] = (),
    declared_outputs: Sequence[str] = (),
    requested: KeyTensors = KeyTensors(),  # noqa: B008 - frozen, never changed
    size: FreeSize = (None, None),
) -> Binding:
    """Find the key tensors of a frozen graph, which is only read.

    Parameters
    ----------
    graph : tf.Graph
        The graph.
    declared_inputs, declared_outputs : sequence of str
        Tensor names that the model file declares (signature, Keras model).
    requested : KeyTensors
        What the user named; each field takes precedence over the automatic choice.
    size : tuple
        Height and width of images that the user asked for, None for an open side; where the graph leaves them open.

    Returns
    -------
    Binding
        The tensor names, with a reason for each and warnings.

    Raises
    ------
    BindingError
        If a key tensor cannot be found; the message says what to name, and `found` holds the candidates.
    """
    index = GraphIndex(graph)
    try:
        return _bound(index, declared_inputs, declared_outputs, requested, size)
    except BindingError as error:
        if index.exhausted:
            raise
        error.found = candidates(index)
        if not isinstance(error, FeedError):
            error.args = (f"{error}; {in_short(error.found)}",)
        raise


def _bound(
    index: GraphIndex,
    declared_inputs: Sequence[str],
    declared_outputs: Sequence[str],
    requested: KeyTensors,
    size: FreeSize,
) -> Binding:
    fed = requested_feeds(index, requested.feed)
    later = awaited(index, requested.feed, requested.later)
    switches = switch_values(index, fed)
    index.dead = dead_tensors(index, switches)
    source, head, why_input = find_ends(index, requested, declared_inputs, declared_outputs)
    images, logits = source.tensor, head.scores
    features = features_of(index, images, logits)
    paths = find_paths(index, features.path, images, logits)
    bound = choose_maps(features, paths)
    layers = tuple(features.infos())
    layer = choose_layer(features, paths, layers, requested.layer, bound)
    maps = [part.name for part in layer.parts or (layer,)]
    probabilities = _probabilities(index, head, requested)
    ends = [logits, *maps] + ([probabilities] if probabilities else [])
    facts = array_facts(index, images) if is_array(index, images) else _image_facts(index, images)
    texts = [facts["token_ids"]] if "token_ids" in facts else []
    follow = text_inputs(index, texts[0], images, ends, [*fed, *later]) if texts else {}
    feeds, why_feeds = choose_feeds(index, ends, images, switches, fed, (*later, *texts, *follow))
    one_image = not facts.get("has_batch_axis", True)
    why_size, preset, why_preset = _values(index, features, facts, size)
    batch = baked_batch(index, features.path, features.maps, images, not one_image) or fed_batch_size(feeds)
    places = places_on(index, features.path, images, facts, features.layouts)
    axes = _score_axes(index, head, probabilities, facts)
    if batch is None and logits in index.axes and index.axes[logits].uneven:
        batch = 1
    classes = _classes(index, head, not one_image)
    branches, why_branches = _branches(features, paths, bound, axes["score_axes"], bool(head.detectors))
    return Binding(
        input=images,
        logits=logits,
        layer=AUTO if is_auto(requested.layer) else layer.name,
        probabilities=probabilities,
        layers=(*layers, layer) if layer.parts else layers,
        feeds=feeds,
        repeated=tuple(name for name, value in feeds.items() if goes_to_each(index, name, value)),
        per_image=tuple(name for name in later if name not in feeds),
        text_inputs=follow,
        batch_size=batch,
        classes=classes,
        background=classes == _IMAGENET_WITH_BACKGROUND,
        mixing=next(iter(mixing_ops(index, features.path)), ""),
        training=tuple(training_signs(index, features.path, feeds)),
        preprocessing=preset,
        places=places,
        shared_layer=infos_of(features, bound.names).name if bound.names else layer.name,
        branches=branches,
        reasons={
            "input": why_input + why_size,
            "logits": head.why,
            "layer": why_layer(features, paths, layer, requested.layer, bound, branches),
            "placement": _why_placement(places, layer, facts),
            "probabilities": _why_probabilities(probabilities, requested),
            "feeds": "; ".join([why_feeds, *about_inputs(follow)]),
            "preprocessing": why_preset,
            **why_branches,
        },
        warnings=(
            *_warnings(index, features, source, head, layer, batch, classes, feeds),
            *layer_warnings(features, paths, layer, bound),
        ),
        **axes,
        **facts,
    )


def _values(
    index: GraphIndex, features: Features, facts: Dict[str, Any], size: FreeSize
) -> Tuple[str, Optional[str], str]:
    """Return what the dense head says about the image size, the preset that the graph shows, and its reason."""
    if "frame_order" in facts:
        preset, why = preprocessing(index, features.start, features.path, facts["channels"])
        return "", preset, why
    if "array_shape" in facts:
        return "", None, "signals and volumes are fed unchanged"
    return (
        _size_from_head(features, facts, size),
        *preprocessing(index, features.start, features.path, facts["channels"]),
    )


def _image_facts(index: GraphIndex, images: str) -> Dict[str, Any]:
    """Return size, channels, layout and dtype of an image input, as fields of `Binding`."""
    channels_last = input_layout(index, images)
    channels = channel_count(index, images, channels_last) or 3
    size = sides(index, images, channels_last)
    if size == (None, None) and channels_last:
        size = size_of_later_reshape(index, images, channels)
    return {
        "image_size": size,
        "channels": channels,
        "dtype": index.tensors[images].dtype.name,
        "input_channels_last": channels_last,
        "has_batch_axis": has_batch_axis(index, images),
    }


def _size_from_head(features: Features, facts: Dict[str, Any], wanted: FreeSize) -> str:
    """Fill in an image size that only the dense head shows; return a remark on it, "" if nothing was filled in."""
    if facts["image_size"] != (None, None):
        return ""
    size, dense = size_of_dense_head(features, wanted)
    if size is None or dense is None:
        return ""
    facts["image_size"] = size
    return f"; its size {size[0]}x{size[1]} follows from the dense layer '{dense.name}'"


def _classes(index: GraphIndex, head: Head, batched: bool) -> Optional[int]:
    if head.detectors:
        columns = class_count(index, head.detectors[0].scores)
        return columns if columns is None else columns - head.detectors[0].first
    dims = index.dims(head.scores)
    if dims is not None and len(dims) == 1 and not batched:
        return dims[0]
    return class_count(index, head.scores)


def _score_axes(index: GraphIndex, head: Head, probabilities: Optional[str], facts: Dict[str, Any]) -> Dict[str, Any]:
    """Return the axes of scores and probabilities and the scales of a detector, as fields of `Binding`."""
    batched, volume = facts.get("has_batch_axis", True), len(facts.get("array_shape") or ()) == 5
    parts = tuple(
        ScorePart(scale.scores, score_axes(index, scale.scores, batched), scale.objectness, scale.softmax, scale.first)
        for scale in head.detectors
    )
    return {
        "score_axes": score_axes(index, head.scores, batched, volume),
        "probability_axes": score_axes(index, probabilities, batched, volume) if probabilities else "",
        "score_parts": parts,
    }


def _why_placement(places: CellPlaces, layer: LayerInfo, facts: Dict[str, Any]) -> str:
    """Say how the map of the layer, or of each of its parts, is placed on the image."""
    sides = spatial_sides(facts)
    if not layer.parts:
        return places.description(layer.name, sides)
    return "; ".join(f"'{part.name}': {places.description(part.name, sides)}" for part in layer.parts)


def _branches(
    features: Features, paths: LayerPaths, bound: Choice, axes: str, detector: bool
) -> Tuple[Tuple[Branch, ...], Dict[str, str]]:
    """Return the branches, or the reason why they cannot be separated; arguments as in `find_branches`."""
    try:
        return find_branches(features, paths, bound, axes, detector), {}
    except BindingError as error:
        return (), {"branches": str(error)}


def _probabilities(index: GraphIndex, head: Head, requested: KeyTensors) -> Optional[str]:
    if requested.probabilities is None:
        return head.probabilities
    tensor = find_tensor(index.graph, requested.probabilities)
    if not tensor.dtype.is_floating:
        raise BindingError(
            f"'{tensor.name}' is {tensor.dtype.name}; probabilities are floats; name a float tensor, or none"
        )
    name: str = tensor.name
    return name


def _why_probabilities(probabilities: Optional[str], requested: KeyTensors) -> str:
    if requested.probabilities is not None:
        return "named by the user"
    return "softmax or sigmoid of the logits" if probabilities else "the graph has no softmax or sigmoid of the logits"


def _warnings(
    index: GraphIndex,
    features: Features,
    source: ImageTensor,
    head: Head,
    layer: LayerInfo,
    batch: Optional[int],
    classes: Optional[int],
    feeds: Mapping[str, FeedValue],
) -> List[str]:
    several = several_outputs(head.probabilities or head.scores, head.others)
    sentences = [sentence for sentence in (several, head.warning) if sentence]
    if source.changed:
        sentences.append(
            f"images are fed at '{source.tensor}', after '{source.changed}', which changes values between it and "
            f"'{source.origin}': the preprocessing must do the same"
        )
    parts = layer.parts or (layer,)
    sentences += warnings_for(index, features.path, features.start, parts[0].name, head.scores, feeds)
    if batch is not None:
        sentences.append(f"the batch size {batch} is baked into the graph: images run {batch} at a time")
    if classes == _IMAGENET_WITH_BACKGROUND:
        sentences.append("1001 classes: class 0 is taken as the background class of ImageNet, labels shift by one")
    flat = [part.name for part in parts if sides(index, part.name, part.channels_last, part.order) == (1, 1)]
    return sentences + [f"the layer '{name}' has one position: its map is flat" for name in flat]
