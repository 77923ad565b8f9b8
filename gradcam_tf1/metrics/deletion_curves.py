"""Deletion and insertion: how the score follows the pixels that are hidden or shown in the order of the map."""

from __future__ import annotations

from typing import Callable, Iterator

import numpy as np

from gradcam_tf1.methods.options import Option
from gradcam_tf1.metrics.confidence import named_baseline
from gradcam_tf1.metrics.measured_maps import CHUNK, as_map, no_order, no_scores, pixel_order, scores_of_images
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

PAPER = "https://arxiv.org/abs/1806.07421"


def deletion(
    saliency: np.ndarray,
    image: np.ndarray,
    fill: np.ndarray,
    score: ScoreFunction,
    *,
    steps: int = 50,
    seed: int = 0,
    chunk: int = CHUNK,
) -> MetricValue:
    """Area under the score while the most important pixels are replaced first, by the trapezoidal rule.

    The score is taken with round(i P / steps) of the P pixels replaced, i = 0..steps; the area is over the share of
    replaced pixels, 0..1. It is within the range of the score, 0..1 for a probability; lower is better. It changes with
    the baseline, the steps, the seed where values are equal, and the score: softmax or logit.

    Parameters
    ----------
    saliency : np.ndarray
        float [H, W]; only the order of its values matters. Equal values are ordered at random by the seed.
    image : np.ndarray
        float32 [H, W, C], as the net takes it.
    fill : np.ndarray
        float32 [H, W, C], the baseline.
    score : ScoreFunction
        Gets at most `chunk` images at a time.
    steps : int
        At most one a pixel is made.
    seed : int
        Of the order of equal values.
    chunk : int
        Images that exist at a time.

    Returns
    -------
    MetricValue
        With the curve: share of replaced pixels, score. NaN for a constant map, one with NaN, and NaN scores.

    References
    ----------
    RISE, https://arxiv.org/abs/1806.07421
    """
    return _area(saliency, image, fill, image, score, steps, seed, chunk)


def insertion(
    saliency: np.ndarray,
    image: np.ndarray,
    fill: np.ndarray,
    score: ScoreFunction,
    *,
    steps: int = 50,
    seed: int = 0,
    chunk: int = CHUNK,
) -> MetricValue:
    """Area under the score while the most important pixels are put on the baseline first, by the trapezoidal rule.

    As `deletion` with image and baseline exchanged: within the range of the score; higher is better.

    Parameters
    ----------
    saliency, image, fill, score, steps, seed, chunk
        As in `deletion`.

    Returns
    -------
    MetricValue
        With the curve: share of the image's pixels, score. NaN for a constant map, one with NaN, and NaN scores.

    References
    ----------
    RISE, https://arxiv.org/abs/1806.07421
    """
    return _area(saliency, fill, image, image, score, steps, seed, chunk)


def _area(
    saliency: np.ndarray,
    first: np.ndarray,
    last: np.ndarray,
    image: np.ndarray,
    score: ScoreFunction,
    steps: int,
    seed: int,
    chunk: int,
) -> MetricValue:
    values = as_map(saliency, image)
    if no_order(values):
        return undefined(no_order(values))
    counts = np.unique(np.round(np.linspace(0, values.size, min(steps, values.size) + 1)).astype(np.int64))
    scores = scores_of_images(_exchanged(pixel_order(values, seed), counts, first, last), score, chunk)
    if no_scores(scores):
        return undefined(no_scores(scores))
    shares = counts / values.size
    return MetricValue(area_under(shares, scores), np.stack([shares, scores], axis=1))


def _exchanged(order: np.ndarray, counts: np.ndarray, first: np.ndarray, last: np.ndarray) -> Iterator[np.ndarray]:
    """Yield `first` with the first pixels of the order taken from `last`, for each count of them, which only grows.

    It is one array that changes.
    """
    pixels = first.reshape(order.size, -1).astype(np.float32)
    replacement = last.reshape(order.size, -1)
    for done, count in zip([0, *counts], counts):
        changed = order[done:count]
        pixels[changed] = replacement[changed]
        yield pixels.reshape(first.shape)


def area_under(x: np.ndarray, y: np.ndarray) -> float:
    """Return the area by the trapezoidal rule, over the width of x."""
    return float(np.sum((y[1:] + y[:-1]) * np.diff(x)) / 2 / (x[-1] - x[0]))


def _row(name: str, summary: str, better: str, compute: Callable[..., MetricValue], baseline: str) -> Metric:
    def measure(given: MetricInput, *, steps: int, baseline: str) -> MetricValue:
        fill = given.baseline(baseline)
        return compute(given.saliency, given.image, fill, given.score, steps=steps, seed=given.seed, chunk=given.chunk)

    options = (Option("steps", 50, low=1), named_baseline(baseline))
    return Metric(name, name.capitalize(), summary, PAPER, better, (None, None), (SCORE,), measure, options)


CURVE_ROWS = (
    _row("deletion", "score while the most important pixels are hidden first", LOWER, deletion, "mean"),
    _row("insertion", "score while the most important pixels are shown first", HIGHER, insertion, "blur"),
)
