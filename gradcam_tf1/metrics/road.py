"""ROAD: remove and debias. Removed pixels are interpolated from the others, so that their shape tells nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable, Iterator, Sequence

import numpy as np

from gradcam_tf1.errors import OptionError
from gradcam_tf1.methods.options import Option
from gradcam_tf1.metrics.measured_maps import CHUNK, as_map, no_order, no_scores, pixel_order, scores_of_images, span
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

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

PAPER = "https://arxiv.org/abs/2202.00449"
# of the pixels; those of the paper's figures
SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
NOISE = 0.01
# a pixel is the mean of its neighbours with these weights: 1/6 for the 4 at its sides, 1/12 for the 4 at its corners
_WEIGHTS = {(0, 1): 1 / 6, (1, 0): 1 / 6, (1, 1): 1 / 12, (1, -1): 1 / 12}


def road_morf(
    saliency: np.ndarray,
    image: np.ndarray,
    score: ScoreFunction,
    *,
    shares: Sequence[float] = SHARES,
    noise: float = NOISE,
    seed: int = 0,
    chunk: int = CHUNK,
) -> MetricValue:
    """Mean score after the most relevant pixels were removed (MoRF) by noisy linear imputation, over shares of them.

    Within the range of the score, 0..1 for a probability; lower is better. It changes with the shares, the noise, the
    seed (of the noise and of the order of equal values), and the score: softmax or logit. There is no baseline.

    Parameters
    ----------
    saliency : np.ndarray
        float [H, W]; only the order of its values matters. Equal values are ordered at random by the seed, so that
        exactly the share is removed. A threshold at a percentile removes more or less where many values are equal.
    image : np.ndarray
        float32 [H, W, C], as the net takes it.
    score : ScoreFunction
        Gets at most `chunk` images at a time.
    shares : sequence of float
        Of the pixels, each above 0 and below 1. Of P pixels round(share P) are removed, at least 1 and at most P - 1.
    noise : float
        Standard deviation of what is added to imputed pixels, as a share of the range of the image's values, so that it
        does not depend on the preprocessing.
    seed : int
        Of the noise and of the order of equal values.
    chunk : int
        Images that exist at a time.

    Returns
    -------
    MetricValue
        With the curve: share of removed pixels, score. NaN for a constant map, one with NaN, and NaN scores.

    Raises
    ------
    OptionError
        For a share outside 0..1, and for signals and volumes.

    References
    ----------
    ROAD, https://arxiv.org/abs/2202.00449
    """
    return _mean_score(saliency, image, score, shares, noise, seed, chunk)


def road_lerf(
    saliency: np.ndarray,
    image: np.ndarray,
    score: ScoreFunction,
    *,
    shares: Sequence[float] = SHARES,
    noise: float = NOISE,
    seed: int = 0,
    chunk: int = CHUNK,
) -> MetricValue:
    """Mean score after the least relevant pixels were removed (LeRF) by noisy linear imputation, over shares of them.

    As `road_morf` with the map's sign changed: within the range of the score; higher is better.

    Parameters
    ----------
    saliency, image, score, shares, noise, seed, chunk
        As in `road_morf`.

    Returns
    -------
    MetricValue
        With the curve: share of removed pixels, score. NaN for a constant map, one with NaN, and NaN scores.

    Raises
    ------
    OptionError
        For a share outside 0..1, and for signals and volumes.

    References
    ----------
    ROAD, https://arxiv.org/abs/2202.00449
    """
    return _mean_score(-as_map(saliency, image), image, score, shares, noise, seed, chunk)


def road(
    saliency: np.ndarray,
    image: np.ndarray,
    score: ScoreFunction,
    *,
    shares: Sequence[float] = SHARES,
    noise: float = NOISE,
    seed: int = 0,
    chunk: int = CHUNK,
) -> MetricValue:
    """(LeRF - MoRF) / 2, of `road_lerf` and `road_morf`.

    Range -0.5..0.5 for a probability, 0 in the mean for a random map; higher is better.

    Parameters
    ----------
    saliency, image, score, shares, noise, seed, chunk
        As in `road_morf`.

    Returns
    -------
    MetricValue
        With the curve: share of removed pixels, half the difference of the scores. NaN for a constant map, one with
        NaN, and NaN scores.

    Raises
    ------
    OptionError
        For a share outside 0..1, and for signals and volumes.

    References
    ----------
    The combination, as in https://github.com/jacobgil/pytorch-grad-cam; ROAD, https://arxiv.org/abs/2202.00449
    """
    morf = _mean_score(saliency, image, score, shares, noise, seed, chunk)
    if morf.curve is None:
        return morf
    lerf = _mean_score(-as_map(saliency, image), image, score, shares, noise, seed, chunk)
    if lerf.curve is None:
        return lerf
    halves = (lerf.curve[:, 1] - morf.curve[:, 1]) / 2
    return MetricValue(float(halves.mean()), np.stack([morf.curve[:, 0], halves], axis=1))


def _mean_score(
    saliency: np.ndarray,
    image: np.ndarray,
    score: ScoreFunction,
    shares: Sequence[float],
    noise: float,
    seed: int,
    chunk: int,
) -> MetricValue:
    values = as_map(saliency, image)
    if values.ndim != 2 or not len(shares) or not all(0 < share < 1 for share in shares):
        raise OptionError(
            f"ROAD removes shares above 0 and below 1 of the pixels of an image [H, W], not {list(shares)} of "
            f"{list(values.shape)}; for signals and volumes take deletion"
        )
    if no_order(values):
        return undefined(no_order(values))
    scores = scores_of_images(_without(pixel_order(values, seed), image, shares, noise, seed), score, chunk)
    if no_scores(scores):
        return undefined(no_scores(scores))
    return MetricValue(float(scores.mean()), np.stack([np.array(shares, np.float64), scores], axis=1))


def _without(
    order: np.ndarray, image: np.ndarray, shares: Sequence[float], noise: float, seed: int
) -> Iterator[np.ndarray]:
    random = np.random.RandomState(seed)
    for share in shares:
        count = min(max(int(round(share * order.size)), 1), order.size - 1)
        removed = np.zeros(image.shape[:-1], bool)
        removed.ravel()[order[:count]] = True
        filled = imputed(image, removed)
        filled[removed] += random.normal(0, noise * span(image), filled[removed].shape)
        yield filled.astype(np.float32)


def imputed(image: np.ndarray, removed: np.ndarray) -> np.ndarray:
    """Return the image with each removed pixel equal to the weighted mean of its up to 8 neighbours, removed or not.

    Each removed pixel gives one linear equation; the sparse system is symmetric and positive definite, because each
    group of removed pixels touches one that is not.

    It is solved directly. Without nine of ten pixels this takes about 1 s for an image of 224 x 224 pixels, 5 s for 512
    x 512, and a minute and 2.5 GB for 1024 x 1024; a metric does it 9 times, the combined ROAD 18 times.

    Parameters
    ----------
    image : np.ndarray
        float [H, W, C].
    removed : np.ndarray
        bool [H, W], not all true.

    Returns
    -------
    np.ndarray
        float64 [H, W, C].
    """
    from scipy.sparse import diags  # imported late: it takes a while
    from scipy.sparse.linalg import splu

    unknown = removed.ravel()
    filled = image.reshape(unknown.size, -1).astype(np.float64)
    weights = _neighbours(*removed.shape)[unknown]
    system = diags(np.asarray(weights.sum(axis=1)).ravel()) - weights[:, unknown]
    factors = splu(system.tocsc(), permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True})
    filled[unknown] = factors.solve(weights[:, ~unknown] @ filled[~unknown])
    return filled.reshape(image.shape)


def _neighbours(height: int, width: int) -> csr_matrix:
    """Return the weight of each pixel for each other one: sparse [H*W, H*W], symmetric."""
    from scipy.sparse import coo_matrix

    index = np.arange(height * width).reshape(height, width)
    first, second, weights = [], [], []
    for (down, right), weight in _WEIGHTS.items():
        here = index[: height - down, max(-right, 0) : width - max(right, 0)].ravel()
        there = index[down:, max(right, 0) : width + min(right, 0)].ravel()
        first += [here, there]
        second += [there, here]
        weights.append(np.full(2 * len(here), weight))
    pairs = (np.concatenate(first), np.concatenate(second))
    return coo_matrix((np.concatenate(weights), pairs), (index.size, index.size)).tocsr()


def _row(name: str, title: str, summary: str, better: str, compute: Callable[..., MetricValue]) -> Metric:
    def measure(given: MetricInput, *, noise: float) -> MetricValue:
        return compute(given.saliency, given.image, given.score, noise=noise, seed=given.seed, chunk=given.chunk)

    options = (Option("noise", NOISE, low=0),)
    return Metric(name, title, summary, PAPER, better, (None, None), (SCORE,), measure, options)


ROAD_ROWS = (
    _row("road", "ROAD", "how much more the score needs what the map shows than the rest", HIGHER, road),
    _row("road_morf", "ROAD MoRF", "score after the most relevant pixels are imputed", LOWER, road_morf),
    _row("road_lerf", "ROAD LeRF", "score after the least relevant pixels are imputed", HIGHER, road_lerf),
)
