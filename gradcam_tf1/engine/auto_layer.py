"""Which branch of a net a target is about; and layer "auto", the last feature map of each target's own branch."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Callable, Dict, List, Mapping, Sequence, Tuple

import numpy as np

from gradcam_tf1.binding import resolve_layer
from gradcam_tf1.binding.layer_specs import AUTO
from gradcam_tf1.engine.layers_together import Where, placed
from gradcam_tf1.errors import BindingError
from gradcam_tf1.methods import METHODS
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import Binding, Branch, LayerInfo, MapStatus, ScoreRequest

OWN = LayerInfo(AUTO, "Auto", (), counted=False)

# scores that are made of these values' classes, or of this anchor, alone
_CLASSES: Mapping[str, Tuple[str, ...]] = {
    **dict.fromkeys(("logit", "down", "region", "own_region", "point"), ("code",)),
    "contrast": ("code", "rival"),
}
_ANCHORS = {"anchor": ("anchor",)}


def branches_of(binding: Binding, request: ScoreRequest, n: int) -> List[Branch]:
    """The branches that the target of image n is made of, its class ids fixed; empty where nobody can tell."""
    anchors = any(branch.anchors for branch in binding.branches)
    values = (_ANCHORS if anchors else _CLASSES).get(request.score[0], ())
    places = [int(request.values[name][n]) for name in values]
    found = [branch for place in places for branch in binding.branches if branch.first <= place < branch.stop]
    return list(dict.fromkeys(found)) if len(found) == len(places) else []


def check_own(binding: Binding) -> None:
    """Raises: BindingError where nobody can tell which branch a class belongs to."""
    if "branches" in binding.reasons:
        raise BindingError(f"layer '{AUTO}' is that of each class's own branch: {binding.reasons['branches']}")


def own_layer(binding: Binding, request: ScoreRequest, n: int) -> str:
    """The layer for the target of image n: its branch's own, or the one on which all scores depend."""
    branches = branches_of(binding, request, n)
    return (branches[0].layer if len(branches) == 1 else "") or binding.shared_layer


def run_with_own_layers(
    run: Callable[..., Dict[str, Any]],
    settled: Sequence[ScoreRequest],
    binding: Binding,
    graph: tf.Graph,
    where: Callable[[Sequence[int]], Where],
    batch: np.ndarray,
    requests: Sequence[ScoreRequest],
    methods: Sequence[str],
    layers: Sequence[LayerInfo],
    **how: Any,
) -> Dict[str, Any]:
    """What `run` answers, with maps of (method, "auto") on the net's input, each target's in its own layer.

    settled: the asks with their class ids fixed. where: see `Engine.where`. layers: OWN among others. The other
    arguments: as `Engine.run`.
    """
    names = [[own_layer(binding, request, n) for request in settled] for n in range(len(batch))]
    own = {name: resolve_layer(graph, binding, name) for row in names for name in row}
    others = [layer for layer in layers if layer != OWN]
    answer = run(batch, requests, methods, tuple(dict.fromkeys([*others, *own.values()])), **how)
    maps, statuses, there = answer["maps"], answer["statuses"], where(batch.shape[1:-1])
    for method in (name for name in methods if METHODS[name].uses_layer):
        sides = batch.shape[1:-1]
        rows = [
            [
                _on_input(method, maps[method, own[name].name][n, t], own[name], sides, there)
                for t, name in enumerate(row)
            ]
            for n, row in enumerate(names)
        ]
        maps[method, AUTO] = np.array(rows, np.float32)
        statuses[method, AUTO] = [
            [_said(statuses[method, own[name].name][n][t], name) for t, name in enumerate(row)]
            for n, row in enumerate(names)
        ]
    kept = {layer.name for layer in layers} | {""}
    for key in [key for key in maps if key[1] not in kept]:
        del maps[key], statuses[key]
        answer["cells"].pop(key, None)
    return answer


def _on_input(method: str, map: np.ndarray, layer: LayerInfo, sides: Sequence[int], where: Where) -> np.ndarray:
    pixels = METHODS[method].space == "pixels" or layer.parts
    return map if pixels else placed(map, layer, sides, where)


def _said(status: MapStatus, layer: str) -> MapStatus:
    return replace(status, notes=(*status.notes, f"layer {AUTO} is '{layer}' here"))
