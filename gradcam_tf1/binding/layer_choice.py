"""The feature maps that stand for all that scores are made of: one that every way passes, else several together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Set, Tuple

from gradcam_tf1.binding.layer_paths import LayerPaths
from gradcam_tf1.binding.layers import Features
from gradcam_tf1.binding.spatial import pools_everything


@dataclass(frozen=True)
class Choice:
    """names: one map, or several of which no one follows another. complete: whether every way passes one of them."""

    names: Tuple[str, ...]
    complete: bool = True


def choose_maps(features: Features, ways: LayerPaths) -> Choice:
    """The last map on every way; where there is none, the last maps that together lie on every way.

    First the feature maps are tried; then maps that several of them were made one with (a product, a maximum), or that
    a way around all of them has of its own (the pooled image); then what is left where a way has no map at all.
    Empty where no gradient comes back to any map.
    """
    maps = _feature_maps(features, ways)
    passed = ways.on_every_way()
    alone = [name for name in passed if name in maps] or _merged(features, ways, maps, passed)
    if alone:
        return Choice((alone[-1],))
    several = ways.together(maps) or ways.together(maps | _aside(features, ways))
    return Choice(tuple(several)) if several else Choice(tuple(ways.first(ways.last(maps))), False)


def last_maps(features: Features, ways: LayerPaths) -> List[str]:
    """The feature maps behind which some way leads to the scores past all others."""
    return ways.last(_feature_maps(features, ways))


def _feature_maps(features: Features, ways: LayerPaths) -> Set[str]:
    """Those on the ways; what is made inside a loop can be neither fed nor fetched."""
    return {block.end for block in features.blocks if block.end in ways.before} - features.walk.looped


def _merged(features: Features, ways: LayerPaths, maps: Set[str], passed: List[str]) -> List[str]:
    """Maps on every way that feature maps were made one with; not those that already hold class scores."""
    walk = features.walk
    pooled = [walk.inputs[op.name][0] for op in walk.makers(features.path) if pools_everything(walk, op, features.maps)]
    useful = (walk.upstream(pooled) | features.before_layers) & ways.behind(sorted(maps))
    scores = ways.behind([block.end for block in features.of_scores])
    return [n for n in passed if n in useful and n in features.maps and _is_layer(features, n) and n not in scores]


def _aside(features: Features, ways: LayerPaths) -> Set[str]:
    """Maps on ways that meet no feature map: neither before nor behind any."""
    starts = [features.walk.outputs[block.start.name][0] for block in features.blocks]
    inner = {name for name in ways.order if ways.before[name] and _is_layer(features, name)}
    return (inner & features.maps) - ways.behind(starts) - features.walk.upstream(starts)


def _is_layer(features: Features, name: str) -> bool:
    return features.walk.rank(name) in features.ranks and features.walk.rank(name) is not None


def joins_past(ways: LayerPaths, names: Tuple[str, ...]) -> str:
    """The first tensor behind these maps that is also made of something which never passed one of them."""
    behind = ways.behind(names)
    joined = behind.difference(names)
    return next(name for name in ways.order if name in joined and not behind.issuperset(ways.before[name]))
