"""Sensitivity-n and faithfulness correlation: does the map add up, over some pixels, to what the score loses there."""

from __future__ import annotations

from typing import Any, Iterator, Optional, Sequence, Tuple, Union

import numpy as np

from gradcam_tf1.errors import OptionError
from gradcam_tf1.methods.masking import in_chunks
from gradcam_tf1.methods.options import Option
from gradcam_tf1.metrics.confidence import named_baseline
from gradcam_tf1.metrics.measured_maps import CHUNK, as_map, in_units, no_order, no_scores, scores_of_images
from gradcam_tf1.metrics.metric_row import HIGHER, SCORE, Metric, MetricInput, MetricValue, ScoreFunction, undefined

_LARGEST = 0.8  # of the pixels, the paper's largest n


def sensitivity_n(
    saliency: np.ndarray,
    image: np.ndarray,
    fill: np.ndarray,
    score: ScoreFunction,
    *,
    sizes: Optional[Sequence[int]] = None,
    points: int = 6,
    samples: int = 100,
    seed: int = 0,
    chunk: int = CHUNK,
) -> MetricValue:
    """Mean over n of corr(sum_{i in S} R_i, y(x) - y(x without S)), S random sets of n pixels.

    R is the map, corr is Pearson's. Range -1..1, higher is better; 1 for the contributions w_i (x_i - b_i) of a linear
    score, b the baseline. It changes with the sizes n, the samples and their seed, the baseline, the score (softmax or
    logit), and how channels were joined: for a map of absolute values the sum does not tell gains from losses.

    Parameters
    ----------
    saliency : np.ndarray
        float [H, W], with its sign. Its scale does not matter.
    image : np.ndarray
        float32 [H, W, C], as the net takes it.
    fill : np.ndarray
        float32 [H, W, C], the baseline. The paper has 0.
    score : ScoreFunction
        Gets at most `chunk` images at a time.
    sizes : sequence of int, optional
        n, each 1..H*W - 1. None: `points` of them in equal ratios, from 1 to 80 % of the pixels.
    points : int
        How many sizes.
    samples : int
        Sets for each n.
    seed : int
        Of the sets.
    chunk : int
        Images that exist at a time.

    Returns
    -------
    MetricValue
        With the curve: n as a share of the pixels, correlation. NaN for a constant map, one with NaN, NaN scores, and
        where the score or the sum is the same for all sets of one size, as on an image of one pixel.

    Raises
    ------
    OptionError
        For a size that is not possible.

    References
    ----------
    Sensitivity-n, https://arxiv.org/abs/1711.06104
    """
    values = as_map(saliency, image)
    if no_order(values):
        return undefined(no_order(values))
    values = in_units(values)
    given = spread_sizes(values.size, points) if sizes is None else list(sizes)
    random = np.random.RandomState(seed)
    found = []
    for size in given:
        value = _correlation(values, image, fill, score, size, samples, random, chunk)
        if isinstance(value, str):
            return undefined(value)
        found.append(value)
    return MetricValue(float(np.mean(found)), np.stack([np.divide(given, values.size), found], axis=1))


def spread_sizes(pixels: int, points: int) -> Sequence[int]:
    """Return at most `points` sizes in equal ratios from 1 to 80 % of the pixels, without those that are equal."""
    largest = max(1, int(_LARGEST * pixels))
    return sorted({int(round(size)) for size in np.geomspace(1, largest, points)})


def faithfulness_correlation(
    saliency: np.ndarray,
    image: np.ndarray,
    fill: np.ndarray,
    score: ScoreFunction,
    *,
    share: float = 0.1,
    samples: int = 100,
    seed: int = 0,
    chunk: int = CHUNK,
) -> MetricValue:
    """corr(sum_{i in S} R_i, y(x) - y(x with the baseline at S)), S random sets of pixels of one size.

    R is the map, corr is Pearson's. Range -1..1, higher is better; 1 for the contributions w_i (x_i - b_i) of a linear
    score, b the baseline. It is sensitivity-n at one n, and the mean of the image for the paper's baseline. It changes
    with the share, the samples and their seed, the baseline, the score (softmax or logit), and how channels were
    joined.

    Parameters
    ----------
    saliency, image, fill, score, samples, seed, chunk
        As in `sensitivity_n`.
    share : float
        Of the pixels in a set; at least one is.

    Returns
    -------
    MetricValue
        NaN for a constant map, one with NaN, NaN scores, and where the score or the sum is the same for all sets, as
        on an image of one pixel.

    References
    ----------
    Faithfulness correlation, https://arxiv.org/abs/2005.00631
    """
    values = as_map(saliency, image)
    if no_order(values):
        return undefined(no_order(values))
    values = in_units(values)
    size = min(max(int(round(share * values.size)), 1), values.size - 1)
    value = _correlation(values, image, fill, score, size, samples, np.random.RandomState(seed), chunk)
    return undefined(value) if isinstance(value, str) else MetricValue(value)


def _correlation(
    values: np.ndarray,
    image: np.ndarray,
    fill: np.ndarray,
    score: ScoreFunction,
    size: int,
    samples: int,
    random: np.random.RandomState,
    chunk: int,
) -> Union[float, str]:
    """Return the correlation over random sets of `size` pixels, or the reason why there is none."""
    if not 1 <= size < values.size:
        raise OptionError(f"a set has 1 to {values.size - 1} of the {values.size} pixels, not {size}")
    sums, scores = [], [np.empty(0)]
    for group in in_chunks(_random_sets(values.shape, size, samples, random), chunk):
        sums += [values[chosen].sum() for chosen in group]
        scores.append(scores_of_images((_hidden(image, fill, chosen) for chosen in group), score, chunk))
    losses = -np.concatenate(scores)  # y(x) is the same for all: it does not change the correlation
    if no_scores(losses):
        return no_scores(losses)
    for found, name in ((np.array(sums), "the sum of the map"), (losses, "the score")):
        # rounding makes sums of equal numbers differ in their last digits
        if np.ptp(found) <= 1e-12 * np.abs(found).max():
            return f"{name} is the same for all sets of {size} pixels"
    return pearson(np.array(sums), losses)


def _random_sets(
    shape: Tuple[int, ...], size: int, samples: int, random: np.random.RandomState
) -> Iterator[np.ndarray]:
    for _ in range(samples):
        chosen = np.zeros(int(np.prod(shape)), bool)
        chosen[random.permutation(chosen.size)[:size]] = True
        yield chosen.reshape(shape)


def _hidden(image: np.ndarray, fill: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    return np.where(chosen[..., np.newaxis], fill, image)


def pearson(first: np.ndarray, second: np.ndarray) -> float:
    """Return Pearson's correlation of two arrays [N], neither of them constant."""
    first, second = (each / np.abs(each).max() for each in (first, second))  # squares of huge numbers are infinite
    first, second = first - first.mean(), second - second.mean()
    return float(np.clip(first @ second / np.sqrt((first @ first) * (second @ second)), -1, 1))


def _measure_sensitivity_n(given: MetricInput, *, baseline: str, **options: Any) -> MetricValue:
    fill = given.baseline(baseline)
    return sensitivity_n(given.saliency, given.image, fill, given.score, seed=given.seed, chunk=given.chunk, **options)


def _measure_faithfulness(given: MetricInput, *, baseline: str, **options: Any) -> MetricValue:
    fill = given.baseline(baseline)
    return faithfulness_correlation(
        given.saliency, given.image, fill, given.score, seed=given.seed, chunk=given.chunk, **options
    )


_SAMPLES = Option("samples", 100, low=2)

CORRELATION_ROWS = (
    Metric(
        "sensitivity_n",
        "Sensitivity-n",
        "does the sum of the map over n pixels tell what the score loses without them, for several n",
        "https://arxiv.org/abs/1711.06104",
        HIGHER,
        (-1, 1),
        (SCORE,),
        _measure_sensitivity_n,
        (Option("points", 6, low=1, high=1000), _SAMPLES, named_baseline("zero")),
    ),
    Metric(
        "faithfulness_correlation",
        "Faithfulness correlation",
        "does the sum of the map over random pixels tell what the score loses without them",
        "https://arxiv.org/abs/2005.00631",
        HIGHER,
        (-1, 1),
        (SCORE,),
        _measure_faithfulness,
        (Option("share", 0.1, above=0, below=1), _SAMPLES, named_baseline("mean")),
    ),
)
