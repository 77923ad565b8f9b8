"""DeepLIFT, DeepSHAP and LIFT-CAM: contributions that add up, by a single backward pass for each reference.

y(x) is the score of an input x, x0 the reference. A multiplier M says how much of y(x) - y(x0) comes with each unit of
the difference x - x0; how it is handed down by every kind of op is in `gradients.lift_rules`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, List, Optional, Tuple

import numpy as np

from gradcam_tf1.gradients.lift import LIFT_RULES
from gradcam_tf1.methods.baseline_sets import Baselines, baseline_inputs, baselines_option, count_of
from gradcam_tf1.methods.interfaces import GraphOpsBase, LiftedMaps, ProbeBase
from gradcam_tf1.methods.iterated import IteratedMethod
from gradcam_tf1.methods.layer_maps import spread
from gradcam_tf1.methods.masking import Baseline, baseline_input, baseline_option
from gradcam_tf1.methods.noise import BACKWARD
from gradcam_tf1.methods.options import MAX_SEED, Option
from gradcam_tf1.methods.path import named_baseline, note_sum
from gradcam_tf1.types import LayerInfo, Slot


def deeplift(probe: ProbeBase, _layer: Optional[LayerInfo], *, baseline: Baseline, rule: str, seed: int) -> np.ndarray:
    """M (x - x0): how much of y(x) - y(x0) each pixel brings, by DeepLIFT.

    For a linear net this is the gradient times (x - x0), exactly. On any net the map adds up to y(x) - y(x0); the notes
    say how far the sum is off, which is rounding.

    Parameters
    ----------
    probe : ProbeBase
        Has the image x.
    baseline : Baseline
        x0, see `baseline_input`.
    rule : {"rescale", "revealcancel"}
        How activations hand multipliers down: one for all that comes to them, or one each for what raises and what
        lowers them. RevealCancel is for activations that follow a convolution or a dense layer; others have Rescale.
    seed : int
        Of the random baseline.

    Returns
    -------
    np.ndarray
        float32 [T, H, W, C], signed.

    References
    ----------
    DeepLIFT, https://arxiv.org/abs/1704.02685
    """
    starts = baseline_input(probe, baseline, seed)[np.newaxis]
    return _against(probe, starts, rule, named_baseline(baseline))


def deepshap(
    probe: ProbeBase, _layer: Optional[LayerInfo], *, baselines: Baselines, rule: str, seed: int
) -> np.ndarray:
    """Mean over x0 of M (x - x0): DeepLIFT averaged over a set of baselines.

    It adds up to y(x) minus the mean of y(x0), and approximates Shapley values.

    Parameters
    ----------
    probe : ProbeBase
        Has the image x.
    baselines : str, float, np.ndarray or sequence
        The x0, see `baseline_inputs`.
    rule, seed
        As in `deeplift`.

    Returns
    -------
    np.ndarray
        float32 [T, H, W, C], signed.

    References
    ----------
    DeepSHAP, https://arxiv.org/abs/1705.07874
    """
    starts = baseline_inputs(probe, baselines, seed)
    return _against(probe, starts, rule, f"the mean of {len(starts)} baselines" if len(starts) > 1 else "the baseline")


def _against(probe: ProbeBase, starts: np.ndarray, rule: str, name: str) -> np.ndarray:
    maps = []
    for target in range(probe.targets):
        chunks = [starts[first : first + probe.chunk] for first in range(0, len(starts), probe.chunk)]
        found = [probe.lifted(rule, chunk, target) for chunk in chunks]
        maps.append(sum(each.contributions.sum(axis=0) for each in found) / len(starts))
        _note(probe, target, found, name)
    return np.stack(maps).astype(np.float32)


def _note(probe: ProbeBase, target: int, found: List[LiftedMaps], name: str, what: str = "the map adds") -> None:
    """Note what RevealCancel reached, and how well the contributions add up."""
    if found[0].about:
        probe.note(target, found[0].about)
    count = sum(len(each.rises) for each in found)
    total, rise = (
        sum(float(part.sum()) for part in parts) / count
        for parts in ([each.contributions for each in found], [each.rises for each in found])
    )
    note_sum(probe, target, total, rise, name, what)


def liftcam(probe: ProbeBase, layer: LayerInfo, *, rule: str) -> np.ndarray:
    """ReLU(sum_k w_k A_k), w_k = sum_ij M_k A_k: how much of y - y(A = 0) channel k brings, by DeepLIFT.

    The weights approximate the Shapley values of the channels, by one backward pass. Behind the layer, values that do
    not come from it, such as those of another branch, keep what the image makes of them.

    Parameters
    ----------
    probe : ProbeBase
        Has the image.
    layer : LayerInfo
        A single layer, with features A.
    rule : {"rescale", "revealcancel"}
        As in `deeplift`; the paper has Rescale.

    Returns
    -------
    np.ndarray
        float32 [T, h, w], before the ReLU.

    References
    ----------
    LIFT-CAM, https://arxiv.org/abs/2102.05228
    """
    features = probe.own_features(layer).astype(np.float64)
    maps = []
    for target in range(probe.targets):
        found = probe.lifted_at(layer, rule, target)
        _note(probe, target, [found], "features of zero", "the weights add")
        maps.append(features @ found.contributions[0].sum(axis=tuple(range(features.ndim - 1))))
    return np.array(maps, np.float32)


def _runs(probe: ProbeBase, _layer: Optional[LayerInfo], **options: Any) -> int:
    return probe.targets * (count_of(options["baselines"]) if "baselines" in options else 1)


@dataclass(frozen=True)
class LiftMethod(IteratedMethod):
    """A method of DeepLIFT: whether it works on a net is seen when its ops are built."""

    def build(self, ops: GraphOpsBase, layers: Tuple[LayerInfo, ...]) -> None:
        """Build the multipliers for one target. Raises GradientError where an op has none."""
        if not self.uses_layer:
            ops.lifted_pixels(LIFT_RULES[0], Slot(0))
        for layer in spread(layers) if self.uses_layer else ():
            ops.lifted_layer(LIFT_RULES[0], layer, Slot(0))


_RULE = Option("rule", LIFT_RULES[0], choices=LIFT_RULES)
_SEED = Option("seed", 0, low=0, high=MAX_SEED)

LIFT_ROWS = (
    LiftMethod(
        "deeplift",
        "how much each pixel brings compared with a baseline, by DeepLIFT",
        "https://arxiv.org/abs/1704.02685",
        deeplift,
        _runs,
        space="pixels",
        unit=BACKWARD,
        options=(baseline_option("black"), _RULE, _SEED),
    ),
    LiftMethod(
        "deepshap",
        "DeepLIFT averaged over a set of baselines",
        "https://arxiv.org/abs/1705.07874",
        deepshap,
        _runs,
        space="pixels",
        unit=BACKWARD,
        options=(baselines_option(), _RULE, _SEED),
    ),
    LiftMethod(
        "liftcam",
        "channels weighted by what they bring, by DeepLIFT",
        "https://arxiv.org/abs/2102.05228",
        liftcam,
        _runs,
        uses_layer=True,
        rectified=True,
        unit=BACKWARD,
        copies=False,
        options=(_RULE,),
    ),
)
