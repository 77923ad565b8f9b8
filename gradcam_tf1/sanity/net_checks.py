"""Checks of one net with one set of images: do the same images give the same maps, alone and together?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Callable, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from gradcam_tf1.engine.explain import NetExplainer
from gradcam_tf1.errors import OptionError
from gradcam_tf1.sanity.compared_maps import ComparedMap, MapQuestion, MapSet, difference
from gradcam_tf1.sanity.input_shift import shifted_maps
from gradcam_tf1.sanity.weight_layers import WeightLayer

HOLDS, FAILS = "holds", "fails"
UNCHANGED, CHANGES = "unchanged", "changes"
UNKNOWN = "not checked"
SHIFT_TOLERANCE = 0.1  # rounding switches ReLUs near zero: 0.04 was measured for the gradient of SqueezeNet


@dataclass(frozen=True)
class CheckResult:
    """What one check says of one method.

    Attributes
    ----------
    check : str
        A name from CHECKS.
    method : str
        The method.
    state : {"holds", "fails", "unchanged", "changes", "not checked"}
        The first two for what must hold; "unchanged" and "changes" for the input shift.
    difference : float
        The largest ||a - b|| / ||a|| of the maps; NaN if not checked.
    tolerance : float
        The largest difference that counts as equal.
    about : str
        What was done, or why it was not.
    """

    check: str
    method: str
    state: str
    difference: float
    tolerance: float
    about: str


@dataclass(frozen=True)
class CheckedNet:
    """A net with everything that a check needs.

    Attributes
    ----------
    explainer : NetExplainer
        The net.
    question : MapQuestion
        Its classes are fixed.
    intact : MapSet
        The maps of the net as it is, with its weights fed.
    plain : MapSet
        The same without feeding.
    weights : mapping
        Tensor -> value of all weights.
    layers : tuple of WeightLayer
        The layers.
    tolerance : float
        The largest difference of maps that count as equal.
    """

    explainer: NetExplainer
    question: MapQuestion
    intact: MapSet
    plain: MapSet
    weights: Mapping[str, np.ndarray]
    layers: Tuple[WeightLayer, ...]
    tolerance: float


def _repeat(net: CheckedNet) -> List[CheckResult]:
    """Explain the same images twice in one session."""
    return _judged(net, "repeat", net.question.ask(net.explainer), "the same images again, in the same session")


def _session(net: CheckedNet) -> List[CheckResult]:
    """Explain the same images in a session of its own."""
    with net.explainer.engine.in_fresh_session() as engine:
        found = net.question.ask(replace(net.explainer, engine=engine))
    return _judged(net, "session", found, "the same images in a fresh session")


def _batch(net: CheckedNet) -> List[CheckResult]:
    """Explain each image alone."""
    count = len(net.plain.broken)
    if count < 2:
        return _unchecked(net, "batch", "there is one image; give two or more")
    binding = net.explainer.binding
    if not binding.has_batch_axis or binding.batch_size == 1:
        return _unchecked(net, "batch", "the net takes one image at a time")
    alone = [net.question.rows([n]).ask(net.explainer) for n in range(count)]
    maps = {name: _joined([each.maps[name] for each in alone]) for name in net.plain.maps}
    found = replace(net.plain, maps=maps)
    return _judged(net, "batch", found, f"each image alone, and all {count} together")


def _shift(net: CheckedNet) -> List[CheckResult]:
    """Explain shifted images with a corrected net."""
    try:
        shift, found = shifted_maps(net.explainer, net.question, net.intact, net.weights, net.layers)
    except OptionError as error:
        return _unchecked(net, "shift", str(error))
    about = f"{shift:.4g} added to every value that goes in, and taken out of the first layer; the scores are the same"
    results = _judged(net, "shift", found, about, net.intact, SHIFT_TOLERANCE)
    words = {HOLDS: UNCHANGED, FAILS: CHANGES}
    return [replace(result, state=words[result.state]) for result in results]


CHECKS: Dict[str, Callable[[CheckedNet], List[CheckResult]]] = {
    "repeat": _repeat,
    "session": _session,
    "batch": _batch,
    "shift": _shift,
}


def _judged(
    net: CheckedNet, check: str, found: MapSet, about: str, before: Optional[MapSet] = None, tolerance: float = 0.0
) -> List[CheckResult]:
    first, most = before or net.plain, tolerance or net.tolerance
    results = []
    for name, maps in found.maps.items():
        apart = difference(first.maps[name], maps)
        results.append(CheckResult(check, name, HOLDS if apart <= most else FAILS, apart, most, about))
    return results


def _unchecked(net: CheckedNet, check: str, why: str) -> List[CheckResult]:
    return [CheckResult(check, name, UNKNOWN, float("nan"), net.tolerance, why) for name in net.plain.maps]


def _joined(parts: Sequence[ComparedMap]) -> ComparedMap:
    signed, absolute, dead = (
        np.concatenate([getattr(part, kind) for part in parts]) for kind in ("signed", "absolute", "dead")
    )
    return replace(parts[0], signed=signed, absolute=absolute, dead=dead)
