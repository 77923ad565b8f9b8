"""Why a map is empty where its layer has no effect on the score: the score is made in another branch."""

from __future__ import annotations

from dataclasses import replace
from typing import Dict, Sequence, Tuple

from gradcam_tf1.engine.auto_layer import branches_of
from gradcam_tf1.engine.map_request import MapAnswer
from gradcam_tf1.gradients.gradient_path import gradient_leads
from gradcam_tf1.methods import METHODS
from gradcam_tf1.methods.layer_maps import parts_of
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import Binding, Branch, LayerInfo


def name_branches(
    answer: MapAnswer,
    layers: Sequence[LayerInfo],
    binding: Binding,
    graph: tf.Graph,
) -> None:
    """Give each map that is zero because there is no gradient a reason that names the branch of its score.

    Parameters
    ----------
    answer : MapAnswer
        Its statuses are changed in place.
    layers : sequence of LayerInfo
        The requested ones.
    binding : Binding
        With the branches of the net.
    graph : tf.Graph
        Holds the net.
    """
    by_name = {layer.name: layer for layer in layers}
    led: Dict[Tuple[str, str], bool] = {}

    def leads(branch: Branch, layer: LayerInfo) -> bool:
        for part in parts_of(layer):
            key = (branch.scores, part.name)
            if key not in led:
                led[key] = gradient_leads(*(graph.get_tensor_by_name(name) for name in key))
        return any(led[branch.scores, part.name] for part in parts_of(layer))

    for (method, name), rows in answer.statuses.items():
        if name not in by_name or not METHODS[method].follows_score:
            continue
        for n, row in enumerate(rows):
            for t, status in enumerate(row):
                if status.state != "empty" or status.minimum or status.maximum or answer.failures[n]:
                    continue
                branches = branches_of(binding, answer.settled[t], n)
                if branches and not any(leads(branch, by_name[name]) for branch in branches):
                    row[t] = replace(status, reason=_reason(name, branches, binding))


def _reason(layer: str, branches: Sequence[Branch], binding: Binding) -> str:
    own = [branch.layer for branch in branches if branch.layer]
    if not own:
        return f"no gradient leads from this score to '{layer}', nor to any other feature map"
    made = " and ".join(f"'{name}'" for name in own)
    return (
        f"no gradient leads from this score to '{layer}': the score is made from {made}; as layer name that, 'auto', "
        f"or '{binding.shared_layer}', on which all scores depend"
    )
