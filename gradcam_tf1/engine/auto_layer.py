"""Which branch of a net a target belongs to; and layer "auto", the last feature map of each target's own branch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Dict, List, Mapping, Sequence, Tuple

import numpy as np

from gradcam_tf1.binding.layer_specs import AUTO, resolve_layer
from gradcam_tf1.engine.map_request import MapAnswer
from gradcam_tf1.errors import BindingError
from gradcam_tf1.methods import METHODS
from gradcam_tf1.methods.layer_maps import InputGrid
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import Binding, Branch, LayerInfo, MapStatus, ScoreRequest

OWN = LayerInfo(AUTO, "Auto", (), counted=False)

# scores that are made of these values' classes, or of this anchor, alone
_CLASSES: Mapping[str, Tuple[str, ...]] = {
    **dict.fromkeys(("logit", "down", "region", "own_region", "point"), ("code",)),
    "contrast": ("code", "rival"),
}
_ANCHORS = {"anchor": ("anchor",)}


def branches_of(binding: Binding, score: ScoreRequest, n: int) -> List[Branch]:
    """Return the branches that the score of image n is made in, its class ids fixed; empty where that is unknown."""
    anchors = any(branch.anchors for branch in binding.branches)
    values = (_ANCHORS if anchors else _CLASSES).get(score.score[0], ())
    rows = [int(score.values[name][n]) for name in values]
    found = [branch for row in rows for branch in binding.branches if branch.first <= row < branch.stop]
    return list(dict.fromkeys(found)) if len(found) == len(rows) else []


def check_own(binding: Binding) -> None:
    """Refuse layer "auto" where it is unknown which branch a class belongs to.

    Raises
    ------
    BindingError
        Saying why.
    """
    if "branches" in binding.reasons:
        raise BindingError(f"layer '{AUTO}' is that of each class's own branch: {binding.reasons['branches']}")


@dataclass(frozen=True)
class OwnLayers:
    """The layer of each target's own branch.

    Attributes
    ----------
    names : list
        [N][T] layer specs: of the target's branch, or of the layer on which all scores depend.
    infos : dict
        Spec -> layer.
    """

    names: List[List[str]]
    infos: Dict[str, LayerInfo]

    @classmethod
    def of(cls, graph: tf.Graph, binding: Binding, settled: Sequence[ScoreRequest], images: int) -> OwnLayers:
        """Return those of T targets of N images, their class ids fixed."""
        names = [[_own_layer(binding, score, n) for score in settled] for n in range(images)]
        return cls(names, {name: resolve_layer(graph, binding, name) for row in names for name in row})

    def in_place_of_own(self, layers: Sequence[LayerInfo]) -> Tuple[LayerInfo, ...]:
        """Return the layers, each once, with these in place of OWN."""
        others = [layer for layer in layers if layer != OWN]
        return tuple(dict.fromkeys([*others, *self.infos.values()]))

    def picked(self, answer: MapAnswer, layers: Sequence[LayerInfo], grid: InputGrid) -> MapAnswer:
        """Return the answer with maps of (method, "auto") on the net's input, each target's of its own layer.

        Parameters
        ----------
        answer : MapAnswer
            With the maps of `in_place_of_own(layers)`; maps of layers that were not requested are left out.
        layers : sequence of LayerInfo
            The requested ones, OWN among them.
        grid : InputGrid
            The pixels of the net's input.
        """
        maps, statuses = dict(answer.maps), dict(answer.statuses)
        for method in dict.fromkeys(method for method, _ in answer.maps if METHODS[method].uses_layer):
            rows = [
                [
                    _on_input(method, maps[method, self.infos[name].name][n, t], self.infos[name], grid)
                    for t, name in enumerate(row)
                ]
                for n, row in enumerate(self.names)
            ]
            maps[method, AUTO] = np.array(rows, np.float32)
            statuses[method, AUTO] = [
                [_noted(statuses[method, self.infos[name].name][n][t], name) for t, name in enumerate(row)]
                for n, row in enumerate(self.names)
            ]
        kept = {layer.name for layer in layers} | {""}
        return replace(
            answer,
            maps={key: value for key, value in maps.items() if key[1] in kept},
            statuses={key: value for key, value in statuses.items() if key[1] in kept},
            cells={key: value for key, value in answer.cells.items() if key[1] in kept},
        )


def _own_layer(binding: Binding, score: ScoreRequest, n: int) -> str:
    branches = branches_of(binding, score, n)
    return (branches[0].layer if len(branches) == 1 else "") or binding.shared_layer


def _on_input(method: str, map: np.ndarray, layer: LayerInfo, grid: InputGrid) -> np.ndarray:
    return map if METHODS[method].space == "pixels" or layer.parts else grid.placed(map, layer)


def _noted(status: MapStatus, layer: str) -> MapStatus:
    return replace(status, notes=(*status.notes, f"layer {AUTO} is '{layer}' here"))
