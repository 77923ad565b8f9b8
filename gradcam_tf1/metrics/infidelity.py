"""Infidelity: does a map tell how the score changes with the image."""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterator

import numpy as np

from gradcam_tf1.errors import OptionError
from gradcam_tf1.methods.masking import in_chunks
from gradcam_tf1.methods.options import Option
from gradcam_tf1.metrics.confidence import named_baseline
from gradcam_tf1.metrics.measured_maps import (
    CHUNK,
    as_map,
    in_units,
    no_scores,
    not_finite,
    scores_of_images,
    span,
    too_large,
)
from gradcam_tf1.metrics.metric_row import LOWER, SCORE, Metric, MetricInput, MetricValue, ScoreFunction, undefined

PAPER = "https://arxiv.org/abs/1901.09392"


def infidelity(
    saliency: np.ndarray,
    image: np.ndarray,
    fill: np.ndarray,
    score: ScoreFunction,
    *,
    perturb: str = "square",
    scaling: bool = True,
    samples: int = 60,
    noise: float = 0.2,
    seed: int = 0,
    chunk: int = CHUNK,
) -> MetricValue:
    """Mean of (c I.R - (y(x) - y(x - I)))^2 over random perturbations I of the image x.

    R is the map, I.R the sum of their products over pixels and channels; a map has one value for all channels of a
    pixel. c is 1, or with `scaling` the number that makes the mean smallest, mean(I.R d) / mean((I.R)^2), d = y(x) -
    y(x - I): without it the mean depends on the unit of the map. Range 0 and up, in units of the squared score, lower
    is better; 0 for the gradient of a linear score. It changes with the perturbation, its size, the samples and their
    seed, the baseline, the preprocessing, the score (softmax or logit), and how channels were joined.

    Parameters
    ----------
    saliency : np.ndarray
        float [H, W], with its sign; what a small change of the pixel adds to the score, as gradients are.
    image : np.ndarray
        float32 [H, W, C], as the net takes it.
    fill : np.ndarray
        float32 [H, W, C], the baseline of squares. The paper has 0.
    score : ScoreFunction
        Gets at most `chunk` images at a time.
    perturb : {"square", "noise"}
        square: I = x - baseline in a square at a random place, with a side of 1 pixel to half the shorter side of the
        image. noise: I is Gaussian.
    scaling : bool
        Whether c is chosen.
    samples : int
        Perturbations.
    noise : float
        Standard deviation of "noise", as a share of the range of the image's values.
    seed : int
        Of the perturbations.
    chunk : int
        Images that exist at a time.

    Returns
    -------
    MetricValue
        NaN for a map with NaN and for NaN scores. A map of zeros, which says that nothing matters, has mean(d^2).

    Raises
    ------
    OptionError
        For another perturbation.

    References
    ----------
    Infidelity, https://arxiv.org/abs/1901.09392
    """
    values = as_map(saliency, image)
    if perturb not in _PERTURBATIONS:
        raise OptionError(f"perturb is one of {', '.join(_PERTURBATIONS)}, not {perturb!r}")
    if not_finite(values):
        return undefined(not_finite(values))
    random = np.random.RandomState(seed)
    sizes = _PERTURBATIONS[perturb](image, fill, noise, random)
    whole = scores_of_images([image], score, chunk)
    if scaling:  # then its unit does not matter
        values = in_units(values)
    said, scores = [], [whole]
    for group in in_chunks((next(sizes) for _ in range(samples)), chunk):
        with np.errstate(over="ignore", invalid="ignore"):
            said += [float(np.sum(values * change.sum(axis=-1))) for change in group]
        scores.append(scores_of_images((image - change for change in group), score, chunk))
    all_scores = np.concatenate(scores)
    if no_scores(all_scores):
        return undefined(no_scores(all_scores))
    with np.errstate(over="ignore", invalid="ignore"):  # said below
        found = squared_error(np.array(said), whole - all_scores[1:], scaling)
    return undefined(too_large(found)) if too_large(found) else MetricValue(found)


def squared_error(said: np.ndarray, losses: np.ndarray, scaling: bool) -> float:
    """Mean of (c said - losses)^2, c = 1 or the best one; c does not matter where `said` is 0 throughout."""
    largest = np.abs(said).max()
    if scaling and largest > 0:
        said = said / largest  # the squares of tiny or huge numbers would be 0 or infinite
        said = said * (said @ losses) / (said @ said)
    return float(np.mean((said - losses) ** 2))


def _squares(image: np.ndarray, fill: np.ndarray, _noise: float, random: np.random.RandomState) -> Iterator[np.ndarray]:
    shape = image.shape[:-1]
    largest = max(1, min(shape) // 2)
    while True:
        side = random.randint(1, largest + 1)
        starts = [random.randint(length - side + 1) for length in shape]
        change = np.zeros(image.shape)
        square = tuple(slice(start, start + side) for start in starts)
        change[square] = image[square].astype(np.float64) - fill[square]
        yield change


def _noises(image: np.ndarray, _fill: np.ndarray, noise: float, random: np.random.RandomState) -> Iterator[np.ndarray]:
    while True:
        yield random.normal(0, noise * span(image), image.shape)


_Perturbations = Callable[[np.ndarray, np.ndarray, float, np.random.RandomState], Iterator[np.ndarray]]
_PERTURBATIONS: Dict[str, _Perturbations] = {"square": _squares, "noise": _noises}


def _measure(given: MetricInput, *, baseline: str, **options: Any) -> MetricValue:
    fill = given.baseline(baseline)
    return infidelity(given.saliency, given.image, fill, given.score, seed=given.seed, chunk=given.chunk, **options)


INFIDELITY_ROW = Metric(
    "infidelity",
    "Infidelity",
    "how far the map is from telling what the score loses with random changes of the image",
    PAPER,
    LOWER,
    (0, None),
    (SCORE,),
    _measure,
    (
        Option("perturb", "square", choices=tuple(_PERTURBATIONS)),
        Option("scaling", True),
        Option("samples", 60, low=1),
        Option("noise", 0.2, above=0),
        named_baseline("zero"),
    ),
)
