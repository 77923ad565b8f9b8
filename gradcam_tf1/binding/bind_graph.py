"""One graph, one binding: the steps in order."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from gradcam_tf1.binding.array_nets import array_facts, array_rank, features_of, is_array, only_array
from gradcam_tf1.binding.batch_axes import follow_axes
from gradcam_tf1.binding.binding_warnings import baked_batch, mixing_ops, warnings_for
from gradcam_tf1.binding.branches import find_branches
from gradcam_tf1.binding.candidates import candidates, in_short
from gradcam_tf1.binding.cell_rules import places_on, spatial_sides
from gradcam_tf1.binding.cells import CellPlaces
from gradcam_tf1.binding.clip_nets import frame_order
from gradcam_tf1.binding.decoded import ImageTensor, size_asked_later
from gradcam_tf1.binding.feed_values import awaited, goes_to_each, requested_feeds
from gradcam_tf1.binding.feeds import choose_feeds, fed_batch_size
from gradcam_tf1.binding.graph_index import GraphIndex
from gradcam_tf1.binding.image_size import size_of_dense_head
from gradcam_tf1.binding.input_candidates import choose_input, image_sources, nothing_takes_images, requested_input
from gradcam_tf1.binding.layer_choice import Choice, choose_maps
from gradcam_tf1.binding.layer_paths import LayerPaths, find_ways
from gradcam_tf1.binding.layer_reasons import layer_warnings, why_layer
from gradcam_tf1.binding.layer_specs import AUTO, choose_layer, infos_of, is_auto
from gradcam_tf1.binding.layers import Features
from gradcam_tf1.binding.layout import channel_count, input_layout, sides
from gradcam_tf1.binding.logits import Head, choose_logits, requested_logits
from gradcam_tf1.binding.pixel_values import preprocessing
from gradcam_tf1.binding.replicas import first_replica
from gradcam_tf1.binding.score_axes import class_count, score_axes
from gradcam_tf1.binding.streams import whole_image
from gradcam_tf1.binding.switches import dead_tensors, switch_values
from gradcam_tf1.binding.tensor_names import find_tensor, several_outputs
from gradcam_tf1.errors import BindingError, FeedError
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import Binding, Branch, KeyTensors, LayerInfo, ScorePart

_IMAGENET_WITH_BACKGROUND = 1001


def bind(
    graph: tf.Graph,
    *,
    declared_inputs: Sequence[str] = (),
    declared_outputs: Sequence[str] = (),
    requested: KeyTensors = KeyTensors(),  # noqa: B008 - frozen, never changed
) -> Binding:
    """Find the key tensors of a frozen graph; the graph is only read.

    Args:
        declared_inputs, declared_outputs: tensor names that the model file declares (signature, Keras model).
        requested: what the user named; each field goes before the automatic choice.

    Raises: BindingError saying what was found and what to name, with the candidates in its `found`.
    """
    walk = GraphIndex(graph)
    try:
        return _bound(walk, declared_inputs, declared_outputs, requested)
    except BindingError as error:
        error.found = candidates(walk)
        if not isinstance(error, FeedError):
            error.args = (f"{error}; {in_short(error.found)}",)
        raise


def _bound(
    walk: GraphIndex, declared_inputs: Sequence[str], declared_outputs: Sequence[str], requested: KeyTensors
) -> Binding:
    given = requested_feeds(walk, requested.feed)
    later = awaited(walk, requested.feed, requested.later)
    switches = switch_values(walk, given)
    walk.dead = dead_tensors(walk, switches)
    source, head, why_input = _ends(walk, requested, declared_inputs, declared_outputs)
    images, logits = source.tensor, head.scores
    features = features_of(walk, images, logits)
    ways = find_ways(walk, features.path, images, logits)
    bound = choose_maps(features, ways)
    layers = tuple(features.infos())
    layer = choose_layer(features, ways, layers, requested.layer, bound)
    maps = [part.name for part in layer.parts or (layer,)]
    probabilities = _probabilities(walk, head, requested)
    ends = [logits, *maps] + ([probabilities] if probabilities else [])
    feeds, why_feeds = choose_feeds(walk, ends, images, switches, given, later)
    facts = array_facts(walk, images) if is_array(walk, images) else _image_facts(walk, images)
    one_image = not facts.get("has_batch_axis", True)
    why_size, preset, why_preset = _values(walk, features, facts)
    batch = baked_batch(walk, features.path, features.maps, images, not one_image) or fed_batch_size(feeds)
    places = places_on(walk, features.path, images, facts)
    axes = _score_axes(walk, head, probabilities, facts)
    if batch is None and logits in walk.axes and walk.axes[logits].uneven:
        batch = 1
    classes = _classes(walk, head, not one_image)
    branches, why_branches = _branches(features, ways, bound, axes["score_axes"], bool(head.detectors))
    return Binding(
        input=images,
        logits=logits,
        layer=AUTO if is_auto(requested.layer) else layer.name,
        probabilities=probabilities,
        layers=(*layers, layer) if layer.parts else layers,
        feeds=feeds,
        repeated=tuple(name for name, value in feeds.items() if goes_to_each(walk, name, value)),
        per_image=tuple(name for name in later if name not in feeds),
        batch_size=batch,
        classes=classes,
        background=classes == _IMAGENET_WITH_BACKGROUND,
        mixing=next(iter(mixing_ops(walk, features.path)), ""),
        preprocessing=preset,
        places=places,
        shared_layer=infos_of(features, bound.names).name if bound.names else layer.name,
        branches=branches,
        reasons={
            "input": why_input + why_size,
            "logits": head.why,
            "layer": why_layer(features, ways, layer, requested.layer, bound, branches),
            "placement": _why_placement(places, layer, facts),
            "probabilities": _why_probabilities(probabilities, requested),
            "feeds": why_feeds,
            "preprocessing": why_preset,
            **why_branches,
        },
        warnings=(
            *_warnings(walk, features, source, head, layer, batch, classes, feeds),
            *layer_warnings(features, ways, layer, bound),
        ),
        **axes,
        **facts,
    )


def _ends(
    walk: GraphIndex, requested: KeyTensors, declared_inputs: Sequence[str], declared_outputs: Sequence[str]
) -> Tuple[ImageTensor, Head, str]:
    """The image input and the class scores, and why this input."""
    sources = _sources(walk, requested)
    if not sources:
        raise BindingError(nothing_takes_images(walk))
    walk.axes = follow_axes(walk, [each.tensor for each in sources], lambda name: _has_batch_axis(walk, name))
    if requested.logits is not None:
        head = requested_logits(walk, requested.logits, sources)
    else:
        head = choose_logits(walk, sources, declared_outputs)
    fed = {find_tensor(walk.graph, key).name for key in requested.feed}
    source, why = choose_input(walk, sources, declared_inputs, head.scores, fed)
    whole = whole_image(walk, source, head.scores)
    if whole != source:
        walk.axes = follow_axes(walk, [whole.tensor], lambda name: _has_batch_axis(walk, name))
        source, why = whole, f"the net cuts it into parts, as '{source.tensor}', of which more than one counts"
    for name in (source.tensor, head.scores):
        if name in walk.looped:
            raise BindingError(
                f"'{name}' lies inside a loop, where a tensor has a value for each round and can be neither fed nor "
                "read; name one before or behind the loop"
            )
    if frame_order(walk, source.tensor) is not None:
        why = "floats in the shape of clips, whose frames go through the convolutions one by one"
    elif array_rank(walk, source.tensor) is not None:
        why = "the only floats that reach a convolution, in the shape of signals or volumes"
    why = "named by the user" if requested.input is not None else why
    replica = first_replica(walk, source, head)
    if replica is None:
        return source, head, why
    walk.axes = follow_axes(walk, [replica.source.tensor], lambda name: _has_batch_axis(walk, name))
    return replica.source, replica.head, f"{why}; {replica.why}"


def _sources(walk: GraphIndex, requested: KeyTensors) -> List[ImageTensor]:
    if requested.input is None:
        array = only_array(walk)
        return image_sources(walk) if array is None else [array]
    name = find_tensor(walk.graph, requested.input).name
    return [ImageTensor(name) if is_array(walk, name) else requested_input(walk, requested.input)]


def _has_batch_axis(walk: GraphIndex, images: str) -> bool:
    return walk.rank(images) != 3 or array_rank(walk, images) is not None


def _values(walk: GraphIndex, features: Features, facts: Dict[str, Any]) -> Tuple[str, Optional[str], str]:
    """What the dense head says of the size, the preset that the graph shows, and why."""
    if "frame_order" in facts:
        preset, why = preprocessing(walk, features.start, features.path, facts["channels"])
        return "", preset, why
    if "array_shape" in facts:
        return "", None, "signals and volumes go in as they are given"
    return (
        _size_from_head(features, facts),
        *preprocessing(walk, features.start, features.path, facts["channels"]),
    )


def _image_facts(walk: GraphIndex, images: str) -> Dict[str, Any]:
    """Size, channels, layout and dtype of the input."""
    channels_last = input_layout(walk, images)
    channels = channel_count(walk, images, channels_last) or 3
    size = sides(walk, images, channels_last)
    if size == (None, None) and channels_last:
        size = size_asked_later(walk, images, channels)
    return {
        "image_size": size,
        "channels": channels,
        "dtype": walk.tensors[images].dtype.name,
        "input_channels_last": channels_last,
        "has_batch_axis": _has_batch_axis(walk, images),
    }


def _size_from_head(features: Features, facts: Dict[str, Any]) -> str:
    """Fill in an image size that only the dense head shows, and say so; "" where nothing was filled in."""
    if facts["image_size"] != (None, None):
        return ""
    side, dense = size_of_dense_head(features)
    if side is None or dense is None:
        return ""
    facts["image_size"] = (side, side)
    return f"; its size {side}x{side} is what the dense layer '{dense.name}' fits"


def _classes(walk: GraphIndex, head: Head, has_batch_axis: bool) -> Optional[int]:
    if head.detectors:
        columns = class_count(walk, head.detectors[0].scores)
        return columns if columns is None else columns - head.detectors[0].first
    dims = walk.dims(head.scores)
    if dims is not None and len(dims) == 1 and not has_batch_axis:
        return dims[0]
    return class_count(walk, head.scores)


def _score_axes(walk: GraphIndex, head: Head, probabilities: Optional[str], facts: Dict[str, Any]) -> Dict[str, Any]:
    """How the axes of scores and probabilities are meant, and the scales of a detector."""
    batched, volume = facts.get("has_batch_axis", True), len(facts.get("array_shape") or ()) == 5
    parts = tuple(
        ScorePart(each.scores, score_axes(walk, each.scores, batched), each.objectness, each.softmax, each.first)
        for each in head.detectors
    )
    return {
        "score_axes": score_axes(walk, head.scores, batched, volume),
        "probability_axes": score_axes(walk, probabilities, batched, volume) if probabilities else "",
        "score_parts": parts,
    }


def _why_placement(places: CellPlaces, layer: LayerInfo, facts: Dict[str, Any]) -> str:
    """How the map is placed on the image; of layers taken together, how that of each is."""
    sides = spatial_sides(facts)
    if not layer.parts:
        return places.told(layer.name, sides)
    return "; ".join(f"'{part.name}': {places.told(part.name, sides)}" for part in layer.parts)


def _branches(
    features: Features, ways: LayerPaths, bound: Choice, axes: str, detector: bool
) -> Tuple[Tuple[Branch, ...], Dict[str, str]]:
    """The branches, or the reason why nobody can tell them; the arguments as `find_branches`."""
    try:
        return find_branches(features, ways, bound, axes, detector), {}
    except BindingError as error:
        return (), {"branches": str(error)}


def _probabilities(walk: GraphIndex, head: Head, requested: KeyTensors) -> Optional[str]:
    if requested.probabilities is None:
        return head.probabilities
    tensor = find_tensor(walk.graph, requested.probabilities)
    if not tensor.dtype.is_floating:
        raise BindingError(f"'{tensor.name}' is {tensor.dtype.name}; probabilities are floats")
    return tensor.name


def _why_probabilities(probabilities: Optional[str], requested: KeyTensors) -> str:
    if requested.probabilities is not None:
        return "named by the user"
    return (
        "softmax or sigmoid of the logits" if probabilities else "the graph takes no softmax or sigmoid of the logits"
    )


def _warnings(
    walk: GraphIndex,
    features: Features,
    source: ImageTensor,
    head: Head,
    layer: LayerInfo,
    batch: Optional[int],
    classes: Optional[int],
    feeds: Mapping[str, Any],
) -> List[str]:
    several = several_outputs(head.probabilities or head.scores, head.others)
    found = [sentence for sentence in (several, head.warning) if sentence]
    if source.changed:
        found.append(
            f"images go in at '{source.tensor}', behind '{source.changed}', which changes values on the way from "
            f"'{source.origin}': the preprocessing has to do the same"
        )
    parts = layer.parts or (layer,)
    found += warnings_for(walk, features.path, features.start, parts[0].name, head.scores, feeds)
    if batch is not None:
        found.append(f"the batch size {batch} is baked into the graph: images run {batch} at a time")
    if classes == _IMAGENET_WITH_BACKGROUND:
        found.append("1001 classes: class 0 is taken for the background class of ImageNet, labels shift by one")
    flat = [part.name for part in parts if sides(walk, part.name, part.channels_last) == (1, 1)]
    return found + [f"the layer '{name}' has one position: its map is flat" for name in flat]
