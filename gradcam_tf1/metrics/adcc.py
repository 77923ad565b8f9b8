"""ADCC: one number of average drop, coherency and complexity."""

from __future__ import annotations

from typing import Union

import numpy as np

from gradcam_tf1.errors import OptionError
from gradcam_tf1.methods.options import Option
from gradcam_tf1.metrics.confidence import NEEDS_PROBABILITY, SCALINGS, drop_of, masked, named_baseline, scaled
from gradcam_tf1.metrics.max_sensitivity import NO_METHOD
from gradcam_tf1.metrics.measured_maps import CHUNK, as_map, no_scores, not_finite, scores_of_images
from gradcam_tf1.metrics.metric_row import (
    EXPLAIN,
    HIGHER,
    SCORE,
    ExplainFunction,
    Metric,
    MetricInput,
    MetricValue,
    ScoreFunction,
    undefined,
)
from gradcam_tf1.metrics.subset_correlation import pearson

PAPER = "https://arxiv.org/abs/2104.10252"


def adcc(
    saliency: np.ndarray,
    image: np.ndarray,
    fill: np.ndarray,
    score: ScoreFunction,
    explain: ExplainFunction,
    *,
    scaling: str = "max",
    chunk: int = CHUNK,
) -> MetricValue:
    """3 / (1 / coherency + 1 / (1 - complexity) + 1 / (1 - drop)), the harmonic mean of the three.

    L is the map R as a mask of 0..1, and x' = x L + b (1 - L) the masked image, b the baseline. coherency = (1 +
    corr(R(x'), R(x))) / 2, with Pearson's correlation; complexity = mean of L, which is not the entropy of the metric
    `complexity`; drop as in `average_drop`. Range 0..1, higher is better; 0 where one of the three is at its worst. It
    is computed for each image; averages of the three over images, put in the formula, give another number. It changes
    with the baseline and the scaling of the map.

    Parameters
    ----------
    saliency : np.ndarray
        float [H, W], the map of the image.
    image : np.ndarray
        float32 [H, W, C], as the net takes it.
    fill : np.ndarray
        float32 [H, W, C], the baseline. The paper multiplies the image by the map: that is black before preprocessing.
    score : ScoreFunction
        A probability.
    explain : ExplainFunction
        Makes the map of x', for the same class.
    scaling : {"max", "minmax"}
        How the map becomes a mask of 0..1, see `confidence.scaled`.
    chunk : int
        Images per call of `score`.

    Returns
    -------
    MetricValue
        NaN where the drop or the coherency is not defined: a probability of 0, a score that is no probability, a
        constant map of x or of x', NaN in one of them.

    Raises
    ------
    OptionError
        If the map of x' has another size.

    References
    ----------
    ADCC, https://arxiv.org/abs/2104.10252
    """
    values = as_map(saliency, image)
    mask = scaled(values, scaling)
    if isinstance(mask, str):
        return undefined(mask)
    kept = masked(image, mask, fill)
    coherency = _coherency(values, np.asarray(explain(kept[np.newaxis])))
    if isinstance(coherency, str):
        return undefined(coherency)
    scores = scores_of_images([image, kept], score, chunk)
    if no_scores(scores):
        return undefined(no_scores(scores))
    drop = drop_of(float(scores[0]), float(scores[1]))
    if np.isnan(drop.value):
        return drop
    return MetricValue(_harmonic_mean(coherency, 1 - float(mask.mean()), 1 - drop.value))


def _coherency(values: np.ndarray, others: np.ndarray) -> Union[float, str]:
    """Return (1 + corr) / 2 of the map and that of the masked image, or the reason why there is none."""
    if others.shape != (1, *values.shape):
        raise OptionError(f"the map of the masked image has shape {list(others.shape)}, not that of the map")
    other = as_map(others[0])
    if not_finite(other):
        return "the map of the masked image has NaN or infinite values"
    for each, name in ((values, "the map"), (other, "the map of the masked image")):
        if each.min() == each.max():
            return f"{name} is constant, so it has no correlation"
    found = pearson(values.ravel(), other.ravel())
    return (1 + found) / 2


def _harmonic_mean(*values: float) -> float:
    """Return the harmonic mean; 0 where a value is 0."""
    return 0.0 if min(values) <= 0 else len(values) / sum(1 / value for value in values)


def _measure(given: MetricInput, *, baseline: str, scaling: str) -> MetricValue:
    if given.explain is None:
        return undefined(NO_METHOD)
    if not given.probability:
        return undefined(NEEDS_PROBABILITY)
    return adcc(
        given.saliency,
        given.image,
        given.baseline(baseline),
        given.score,
        given.explain,
        scaling=scaling,
        chunk=given.chunk,
    )


ADCC_ROW = Metric(
    "adcc",
    "ADCC",
    "whether the map alone keeps the score and the map, and is small",
    PAPER,
    HIGHER,
    (0, 1),
    (SCORE, EXPLAIN),
    _measure,
    (named_baseline("black"), Option("scaling", "max", choices=SCALINGS)),
)
