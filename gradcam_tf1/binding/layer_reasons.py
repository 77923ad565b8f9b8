"""Why a layer is bound, which branches there are behind it, and what it does not show."""

from __future__ import annotations

from typing import Any, List, Sequence

from gradcam_tf1.binding.layer_choice import Choice, joins_past, last_maps
from gradcam_tf1.binding.layer_paths import LayerPaths
from gradcam_tf1.binding.layer_specs import infos_of, is_auto
from gradcam_tf1.binding.layers import Features
from gradcam_tf1.types import Branch, LayerInfo

_SHOWN = 5


def why_layer(
    features: Features, ways: LayerPaths, layer: LayerInfo, spec: Any, bound: Choice, branches: Sequence[Branch]
) -> str:
    """One sentence on the choice."""
    if spec is not None and not is_auto(spec):
        return "named by the user"
    if layer.parts:
        count = len(layer.parts)
        text = f"no feature map lies on every way to the scores; these {count} do together, and their maps are added up"
    else:
        text = _why_one(features, layer.name)
    return text + (_of_branches(branches, layer.name) or _of_ways(features, ways, layer, bound))


def _why_one(features: Features, name: str) -> str:
    text = "the last feature map with more than one position"
    block = next((block for block in features.blocks if block.end == name), None)
    if block is None:
        return f"{text}, where several maps come together in '{features.walk.maker[name].name}'"
    start = features.walk.outputs[block.start.name][0]
    if start == name or not (block.activated or block.normalised):
        return f"{text}, out of {block.start.type} '{block.start.name}'"
    after = "activation" if block.activated else "batch norm"
    return f"{text}: '{start}' ({block.start.type}) after its {after}, which is what the rest of the net sees"


def _of_branches(branches: Sequence[Branch], layer: str) -> str:
    """Which classes have a last map of their own."""
    if all(branch.layer == layer for branch in branches):
        return ""
    what = "anchors" if branches[0].anchors else "classes"
    said = [f"{_span(branch)} from '{branch.layer}'" for branch in branches if branch.layer]
    return f"; all scores depend on it; {what} {_listed(said)}: layer auto takes each one's own"


def _span(branch: Branch) -> str:
    return str(branch.first) if branch.stop == branch.first + 1 else f"{branch.first} to {branch.stop - 1}"


def _of_ways(features: Features, ways: LayerPaths, layer: LayerInfo, bound: Choice) -> str:
    """The last maps behind one that is not the last."""
    if not bound.complete or layer.parts:
        return ""
    later = [f"'{name}'" for name in last_maps(features, ways) if name != layer.name]
    return f"; all scores depend on it; the last maps of the branches behind it: {_listed(later)}" if later else ""


def _listed(texts: List[str]) -> str:
    rest = f" and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else ""
    return ", ".join(texts[:_SHOWN]) + rest


def layer_warnings(features: Features, ways: LayerPaths, layer: LayerInfo, bound: Choice) -> List[str]:
    """What the maps of the bound layer leave out."""
    names = [part.name for part in layer.parts or (layer,)]
    if not bound.names or not any(name in ways.before for name in names) or not ways.lead_past(names):
        return []
    if tuple(names) == bound.names:
        into = features.walk.maker[joins_past(ways, bound.names)].name
        return [
            f"a way from the input to the scores meets no feature map before '{into}': no map shows what goes there"
        ]
    return [
        f"not every way to the scores passes the layer '{layer.name}': its maps leave out what goes past it, and are "
        f"empty for scores that do not depend on it; all depend on '{infos_of(features, bound.names).name}'"
    ]
