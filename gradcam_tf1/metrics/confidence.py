"""How the score changes if only what a map shows is kept: average drop, increase in confidence, average gain."""

from __future__ import annotations

from dataclasses import replace
from typing import Callable, Union

import numpy as np

from gradcam_tf1.methods.masking import baseline_option
from gradcam_tf1.methods.options import Option
from gradcam_tf1.metrics.measured_maps import CHUNK, as_map, is_constant, no_scores, not_finite, scores_of_images
from gradcam_tf1.metrics.metric_row import (
    HIGHER,
    LOWER,
    SCORE,
    Metric,
    MetricInput,
    MetricValue,
    ScoreFunction,
    undefined,
)

SCALINGS = ("max", "minmax")
NEEDS_PROBABILITY = "the score is not a probability (0..1)"
# float32 softmax can end this much above 1
_ROUNDING = 1e-6


def scaled(saliency: np.ndarray, scaling: str) -> Union[np.ndarray, str]:
    """Return a map as a mask of 0..1, or the reason why it is none.

    Parameters
    ----------
    saliency : np.ndarray
        float64 [H, W].
    scaling : {"max", "minmax"}
        max: max(L, 0) / max(L); a map without a positive value hides everything. minmax: (L - min L) / (max L - min L),
        which shows what is 0 in a signed map in part, and is not defined for a constant map.

    Returns
    -------
    np.ndarray or str
        float64 [H, W], 0 (hidden) to 1 (shown).
    """
    if not_finite(saliency):
        return not_finite(saliency)
    if scaling == "minmax":
        if is_constant(saliency):
            return "the map is constant, so it cannot be scaled from its smallest to its largest value"
        saliency = saliency / np.abs(saliency).max()  # the difference of two huge values would overflow
        return np.asarray((saliency - saliency.min()) / (saliency.max() - saliency.min()))
    kept = np.maximum(saliency, 0)
    return np.asarray(kept / kept.max()) if kept.max() > 0 else kept


def masked(image: np.ndarray, mask: np.ndarray, fill: np.ndarray) -> np.ndarray:
    """Return image * mask + fill * (1 - mask): float32 [H, W, C]."""
    shown = mask[..., np.newaxis]
    return np.asarray(image * shown + fill * (1 - shown), np.float32)


def average_drop(
    saliency: np.ndarray,
    image: np.ndarray,
    fill: np.ndarray,
    score: ScoreFunction,
    *,
    scaling: str = "max",
    chunk: int = CHUNK,
) -> MetricValue:
    """max(0, y - o) / y: the share of the probability y that is lost if only what the map shows is kept (o).

    Range 0..1, lower is better; papers print its average over images in percent. It changes with the baseline, the
    scaling of the map, and the size of what is shown: a map that shows all of the image has 0.

    Parameters
    ----------
    saliency : np.ndarray
        float [H, W].
    image : np.ndarray
        float32 [H, W, C], as the net takes it.
    fill : np.ndarray
        float32 [H, W, C], the baseline. The paper multiplies the image by the map: that is black before preprocessing.
    score : ScoreFunction
        A probability.
    scaling : {"max", "minmax"}
        How the map becomes a mask of 0..1, see `scaled`.
    chunk : int
        Images per call of `score`.

    Returns
    -------
    MetricValue
        NaN where y is 0, a score is not in 0..1, or the map gives no mask.

    References
    ----------
    Average drop, https://arxiv.org/abs/1710.11063
    """
    return _compare(saliency, image, fill, score, scaling, chunk, drop_of)


def drop_of(whole: float, kept: float) -> MetricValue:
    """max(0, whole - kept) / whole, of two probabilities."""
    if not _are_probabilities(whole, kept):
        return undefined(NEEDS_PROBABILITY)
    if whole <= 0:
        return undefined("the probability of the class is 0 for the whole image, so no share of it can be lost")
    return MetricValue(max(0.0, whole - kept) / whole)


def increase(
    saliency: np.ndarray,
    image: np.ndarray,
    fill: np.ndarray,
    score: ScoreFunction,
    *,
    scaling: str = "max",
    chunk: int = CHUNK,
) -> MetricValue:
    """1 if o > y, else 0: whether the score y rises if only what the map shows is kept (o).

    Range 0..1, higher is better; the average over images is the share of images, in percent in papers. It changes with
    the baseline and the scaling of the map. It is the same for a logit only where the other classes do not matter.

    Parameters
    ----------
    saliency, image, fill, scaling, chunk
        As in `average_drop`.
    score : ScoreFunction
        A probability or a logit.

    Returns
    -------
    MetricValue
        NaN where the map gives no mask.

    References
    ----------
    Increase in confidence, https://arxiv.org/abs/1710.11063
    """
    return _compare(saliency, image, fill, score, scaling, chunk, lambda whole, kept: MetricValue(float(kept > whole)))


def gain(
    saliency: np.ndarray,
    image: np.ndarray,
    fill: np.ndarray,
    score: ScoreFunction,
    *,
    scaling: str = "max",
    chunk: int = CHUNK,
) -> MetricValue:
    """max(0, o - y) / (1 - y): the share of the missing probability that is won if only what the map shows is kept (o).

    Range 0..1, higher is better; papers print its average over images in percent. It changes with the baseline and the
    scaling of the map. It mirrors the average drop: of the two at least one is 0.

    Parameters
    ----------
    saliency, image, fill, score, scaling, chunk
        As in `average_drop`.

    Returns
    -------
    MetricValue
        NaN where y is 1, a score is not in 0..1, or the map gives no mask.

    References
    ----------
    Average gain, https://arxiv.org/abs/2301.07002
    """
    return _compare(saliency, image, fill, score, scaling, chunk, _gain_of)


def _gain_of(whole: float, kept: float) -> MetricValue:
    if not _are_probabilities(whole, kept):
        return undefined(NEEDS_PROBABILITY)
    if whole >= 1:
        return undefined("the probability of the class is 1 for the whole image, so nothing can be won")
    return MetricValue(max(0.0, min(kept, 1.0) - whole) / (1 - whole))


def _are_probabilities(*scores: float) -> bool:
    return all(-_ROUNDING <= score <= 1 + _ROUNDING for score in scores)


def _compare(
    saliency: np.ndarray,
    image: np.ndarray,
    fill: np.ndarray,
    score: ScoreFunction,
    scaling: str,
    chunk: int,
    formula: Callable[[float, float], MetricValue],
) -> MetricValue:
    mask = scaled(as_map(saliency, image), scaling)
    if isinstance(mask, str):
        return undefined(mask)
    scores = scores_of_images([image, masked(image, mask, fill)], score, chunk)
    return undefined(no_scores(scores)) if no_scores(scores) else formula(float(scores[0]), float(scores[1]))


def named_baseline(default: str) -> Option:
    """Return the option `baseline` of a metric: the name of what replaces hidden pixels."""
    return replace(baseline_option(default), kind=str)


def _row(
    name: str, title: str, summary: str, paper: str, better: str, compute: Callable[..., MetricValue], probability: bool
) -> Metric:
    def measure(given: MetricInput, *, baseline: str, scaling: str) -> MetricValue:
        if probability and not given.probability:
            return undefined(NEEDS_PROBABILITY)
        return compute(
            given.saliency, given.image, given.baseline(baseline), given.score, scaling=scaling, chunk=given.chunk
        )

    options = (named_baseline("black"), Option("scaling", "max", choices=SCALINGS))
    return Metric(name, title, summary, paper, better, (0, 1), (SCORE,), measure, options)


_GRADCAMPP = "https://arxiv.org/abs/1710.11063"

CONFIDENCE_ROWS = (
    _row(
        "average_drop",
        "Average drop",
        "share of the probability that is lost if only what the map shows is kept",
        _GRADCAMPP,
        LOWER,
        average_drop,
        True,
    ),
    _row(
        "increase",
        "Increase in confidence",
        "whether the score rises if only what the map shows is kept",
        _GRADCAMPP,
        HIGHER,
        increase,
        False,
    ),
    _row(
        "gain",
        "Average gain",
        "share of the missing probability that is won if only what the map shows is kept",
        "https://arxiv.org/abs/2301.07002",
        HIGHER,
        gain,
        True,
    ),
)
