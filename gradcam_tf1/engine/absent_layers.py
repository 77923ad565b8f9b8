"""Why a map is empty where its layer has no say in the score: the score is made in another branch."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Dict, Sequence, Tuple

from gradcam_tf1.engine.auto_layer import branches_of
from gradcam_tf1.engine.layers_together import parts_of
from gradcam_tf1.gradients.gradient_path import gradient_leads
from gradcam_tf1.methods import METHODS
from gradcam_tf1.methods.families import HostMethod, LayerMethod, ProductMethod
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import Binding, Branch, LayerInfo, ScoreRequest


def name_branches(
    answer: Dict[str, Any],
    requests: Sequence[ScoreRequest],
    layers: Sequence[LayerInfo],
    binding: Binding,
    graph: tf.Graph,
) -> None:
    """Say of each map that is zero for want of any gradient where its score is made.

    answer: "statuses" {(method, layer): [N][T]}. requests: with their class ids fixed.
    """
    by_name = {layer.name: layer for layer in layers}
    led: Dict[Tuple[str, str], bool] = {}

    def leads(branch: Branch, layer: LayerInfo) -> bool:
        for part in parts_of(layer):
            key = (branch.scores, part.name)
            if key not in led:
                led[key] = gradient_leads(*(graph.get_tensor_by_name(name) for name in key))
        return any(led[branch.scores, part.name] for part in parts_of(layer))

    for (method, name), rows in answer["statuses"].items():
        if name not in by_name or not _follows_the_score(METHODS[method]):
            continue
        for n, row in enumerate(rows):
            for t, status in enumerate(row):
                if status.state != "empty" or status.minimum or status.maximum or answer["failures"][n]:
                    continue
                branches = branches_of(binding, requests[t], n)
                if branches and not any(leads(branch, by_name[name]) for branch in branches):
                    row[t] = replace(status, reason=_reason(name, branches, binding))


def _follows_the_score(method: Any) -> bool:
    """Whether a method's maps are zero where the target's own score has no gradient at the layer."""
    if isinstance(method, ProductMethod):
        method = METHODS[method.cam]
    if isinstance(method, LayerMethod):
        return method.head == "logit"
    return method.needs_grads if isinstance(method, HostMethod) else method.uses_layer


def _reason(layer: str, branches: Sequence[Branch], binding: Binding) -> str:
    own = [branch.layer for branch in branches if branch.layer]
    if not own:
        return f"no gradient leads from this score to '{layer}', nor to any other feature map"
    made = " and ".join(f"'{name}'" for name in own)
    return (
        f"no gradient leads from this score to '{layer}': the score is made from {made}; as layer name that, 'auto', "
        f"or '{binding.shared_layer}', on which all scores depend"
    )
