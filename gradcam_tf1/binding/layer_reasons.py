"""Why a layer is bound, which branches follow it, and what its maps leave out."""

from __future__ import annotations

from typing import Any, List, Sequence

from gradcam_tf1.binding.layer_choice import Choice, joins_past, last_maps
from gradcam_tf1.binding.layer_paths import LayerPaths
from gradcam_tf1.binding.layer_specs import infos_of, is_auto
from gradcam_tf1.binding.layers import Features
from gradcam_tf1.types import Branch, LayerInfo

_SHOWN = 5


def why_layer(
    features: Features, paths: LayerPaths, layer: LayerInfo, spec: Any, bound: Choice, branches: Sequence[Branch]
) -> str:
    """Explain the choice of the layer in one sentence.

    Parameters
    ----------
    features : Features
        The feature maps of the net.
    paths : LayerPaths
        The paths to the scores.
    layer : LayerInfo
        The bound layer.
    spec : object
        What the user requested; None for the default.
    bound : Choice
        The maps that all scores depend on.
    branches : sequence of Branch
        The parts of the scores.

    Returns
    -------
    str
        The sentence.
    """
    if spec is not None and not is_auto(spec):
        return "named by the user"
    if layer.parts:
        count = len(layer.parts)
        text = (
            f"no single feature map lies on every path to the scores; these {count} together do, and their maps are "
            "added up"
        )
    else:
        text = _why_one(features, layer.name)
    return text + (_of_branches(branches, layer.name) or _of_later_maps(features, paths, layer, bound))


def _why_one(features: Features, name: str) -> str:
    text = "the last feature map with more than one position"
    block = next((block for block in features.blocks if block.end == name), None)
    if block is None:
        return f"{text}, where several maps merge in '{features.index.maker[name].name}'"
    start = features.index.outputs[block.start.name][0]
    if start == name or not (block.activated or block.normalised):
        return f"{text}, the output of {block.start.type} '{block.start.name}'"
    after = "activation" if block.activated else "batch norm"
    return f"{text}: '{start}' ({block.start.type}) after its {after}, as the rest of the net sees it"


def _of_branches(branches: Sequence[Branch], layer: str) -> str:
    """Say which classes have their own last map."""
    if all(branch.layer == layer for branch in branches):
        return ""
    kind = "anchors" if branches[0].anchors else "classes"
    origins = [f"{_span(branch)} from '{branch.layer}'" for branch in branches if branch.layer]
    return f"; all scores depend on it; {kind} {_listed(origins)}: layer auto takes the last map of each branch"


def _span(branch: Branch) -> str:
    return str(branch.first) if branch.stop == branch.first + 1 else f"{branch.first} to {branch.stop - 1}"


def _of_later_maps(features: Features, paths: LayerPaths, layer: LayerInfo, bound: Choice) -> str:
    """Name the last maps after a layer that is not the last."""
    if not bound.complete or layer.parts:
        return ""
    later = [f"'{name}'" for name in last_maps(features, paths) if name != layer.name]
    return f"; all scores depend on it; the last maps of the branches after it: {_listed(later)}" if later else ""


def _listed(texts: List[str]) -> str:
    rest = f" and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else ""
    return ", ".join(texts[:_SHOWN]) + rest


def layer_warnings(features: Features, paths: LayerPaths, layer: LayerInfo, bound: Choice) -> List[str]:
    """Warn of paths to the scores that the maps of the bound layer leave out.

    Parameters
    ----------
    features : Features
        The feature maps of the net.
    paths : LayerPaths
        The paths to the scores.
    layer : LayerInfo
        The bound layer.
    bound : Choice
        The maps that all scores depend on.

    Returns
    -------
    list of str
        At most one sentence.
    """
    names = [part.name for part in layer.parts or (layer,)]
    if not bound.names or not any(name in paths.before for name in names) or not paths.can_avoid(names):
        return []
    if tuple(names) == bound.names:
        into = features.index.maker[joins_past(paths, bound.names)].name
        return [f"a path from the input to the scores passes no feature map before '{into}': no map shows its part"]
    return [
        f"not every path to the scores passes the layer '{layer.name}': its maps leave out the other paths, and are "
        f"empty for scores that do not depend on it; all depend on '{infos_of(features, bound.names).name}'"
    ]
