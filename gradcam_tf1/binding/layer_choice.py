"""The choice of the default layer: one feature map that every path passes, or several that every path passes one of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Set, Tuple

from gradcam_tf1.binding.layer_paths import LayerPaths
from gradcam_tf1.binding.layers import Features
from gradcam_tf1.binding.spatial import pools_everything


@dataclass(frozen=True)
class Choice:
    """The chosen maps.

    Attributes
    ----------
    names : tuple of str
        One map, or several of which none follows another; empty if no gradient reaches a map.
    complete : bool
        Whether every path to the scores passes one of them.
    """

    names: Tuple[str, ...]
    complete: bool = True


def choose_maps(features: Features, paths: LayerPaths) -> Choice:
    """Choose the last map on every path; if there is none, the last maps that together lie on every path.

    Candidates are, in this order: the feature maps; maps that merge several of them (a product, a maximum); with the
    feature maps, maps on a path around all of them (the pooled image); the last feature maps, if a path has no map.

    Parameters
    ----------
    features : Features
        The feature maps of the net.
    paths : LayerPaths
        The paths to the scores.

    Returns
    -------
    Choice
        The maps.
    """
    maps = _feature_maps(features, paths)
    passed = paths.on_every_path()
    single = [name for name in passed if name in maps] or _merged(features, paths, maps, passed)
    if single:
        return Choice((single[-1],))
    several = paths.together(maps) or paths.together(maps | _aside(features, paths))
    return Choice(tuple(several)) if several else Choice(tuple(paths.first(paths.last(maps))), False)


def last_maps(features: Features, paths: LayerPaths) -> List[str]:
    """Return the feature maps after which some path to the scores passes no other."""
    return paths.last(_feature_maps(features, paths))


def _feature_maps(features: Features, paths: LayerPaths) -> Set[str]:
    """Return the feature maps on the paths, without those inside a loop, which cannot be fed or fetched."""
    return {block.end for block in features.blocks if block.end in paths.before} - features.index.looped


def _merged(features: Features, paths: LayerPaths, maps: Set[str], passed: List[str]) -> List[str]:
    """Return maps on every path that merge feature maps, without those that already hold class scores."""
    index = features.index
    pooled = [
        index.inputs[op.name][0] for op in index.makers(features.path) if pools_everything(index, op, features.maps)
    ]
    useful = (index.upstream(pooled) | features.before_layers) & paths.behind(sorted(maps))
    scores = paths.behind([block.end for block in features.of_scores])
    candidates = [name for name in passed if name in useful and name in features.maps and name not in scores]
    return [name for name in candidates if features.has_map_axes(name)]


def _aside(features: Features, paths: LayerPaths) -> Set[str]:
    """Return the maps on paths without a feature map: neither before nor after any."""
    starts = [features.index.outputs[block.start.name][0] for block in features.blocks]
    inner = {name for name in paths.order if paths.before[name] and features.has_map_axes(name)}
    return (inner & features.maps) - paths.behind(starts) - features.index.upstream(starts)


def joins_past(paths: LayerPaths, names: Tuple[str, ...]) -> str:
    """Return the first tensor after these maps that also depends on a path which passes none of them."""
    behind = paths.behind(names)
    joined = behind.difference(names)
    return next(name for name in paths.order if name in joined and not behind.issuperset(paths.before[name]))
