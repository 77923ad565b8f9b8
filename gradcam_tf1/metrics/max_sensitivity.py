"""Max-sensitivity: how much a map changes with small changes of its image."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradcam_tf1.errors import OptionError
from gradcam_tf1.methods.masking import in_chunks
from gradcam_tf1.methods.options import Option
from gradcam_tf1.metrics.measured_maps import CHUNK, as_map, not_finite, span, too_large
from gradcam_tf1.metrics.metric_row import EXPLAIN, LOWER, ExplainFunction, Metric, MetricInput, MetricValue, undefined

PAPER = "https://arxiv.org/abs/1901.09392"
NO_METHOD = "no method made this map, so there are no maps of changed images"


def max_sensitivity(
    saliency: np.ndarray,
    image: np.ndarray,
    explain: ExplainFunction,
    *,
    radius: float = 0.02,
    samples: int = 10,
    relative: bool = True,
    seed: int = 0,
    chunk: int = CHUNK,
) -> MetricValue:
    """The largest |R(x + e) - R(x)| over random e with each value in -r..r, divided by |R(x)| if relative.

    R is the map, |.| the root of the sum of squares. Range 0 and up, lower is better; 0 for a map that does not change.
    It is a lower bound of the paper's maximum over all e. It changes with the radius, the samples and their seed, the
    division, and what is done with the map: a ReLU, the sum over channels, the size that it is enlarged to.

    Parameters
    ----------
    saliency : np.ndarray
        float [H, W], the map of the image.
    image : np.ndarray
        float32 [H, W, C], as the net takes it.
    explain : ExplainFunction
        Makes the maps of at most `chunk` images at a time, for the same class.
    radius : float
        r as a share of the range of the image's values, so that it does not depend on the preprocessing.
    samples : int
        Perturbed images.
    relative : bool
        Whether to divide by the norm of the map: without it the value depends on the unit of the map.
    seed : int
        Of the perturbations.
    chunk : int
        Images that exist at a time.

    Returns
    -------
    MetricValue
        NaN where a map has NaN, and for a map of zeros if relative.

    Raises
    ------
    OptionError
        If the maps of perturbed images have another size.

    References
    ----------
    Max-sensitivity, https://arxiv.org/abs/1901.09392
    """
    values = as_map(saliency, image)
    if not_finite(values):
        return undefined(not_finite(values))
    unit = float(np.abs(values).max()) or 1.0  # the squares of tiny or huge numbers would be 0 or infinite
    norm = float(np.linalg.norm(values / unit)) if relative else 1 / unit
    if norm == 0:
        return undefined("the map is zero, so its change has nothing to be compared with")
    random, limit = np.random.RandomState(seed), radius * span(image)
    if not np.isfinite(2 * limit):
        return undefined("the image has NaN or infinite values, or they span too much")
    moved = ((image + random.uniform(-limit, limit, image.shape)).astype(np.float32) for _ in range(samples))
    largest = 0.0
    for group in in_chunks(moved, chunk):
        maps = np.asarray(explain(np.stack(group)), np.float64)
        if maps.shape != (len(group), *values.shape):
            raise OptionError(f"the maps of perturbed images have shape {list(maps.shape)}, not that of the map")
        if not_finite(maps):
            return undefined("the map of a perturbed image has NaN or infinite values")
        with np.errstate(over="ignore"):  # said below
            largest = max(largest, *(float(np.linalg.norm((other - values) / unit)) for other in maps))
    return undefined(too_large(largest)) if too_large(largest) else MetricValue(largest / norm)


def _measure(given: MetricInput, **options: Any) -> MetricValue:
    if given.explain is None:
        return undefined(NO_METHOD)
    return max_sensitivity(given.saliency, given.image, given.explain, seed=given.seed, chunk=given.chunk, **options)


MAX_SENSITIVITY_ROW = Metric(
    "max_sensitivity",
    "Max-sensitivity",
    "how much the map changes with small random changes of the image",
    PAPER,
    LOWER,
    (0, None),
    (EXPLAIN,),
    _measure,
    (Option("radius", 0.02, above=0), Option("samples", 10, low=1), Option("relative", True)),
)
