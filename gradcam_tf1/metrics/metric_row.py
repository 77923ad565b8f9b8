"""What a metric is: one function, and one row with its paper, its range and which way is better."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Dict, Mapping, Optional, Tuple

import numpy as np

from gradcam_tf1.methods.options import Option

# float32 images [M, H, W, C] as the net takes them -> float64 [M], the score of the explained class
ScoreFunction = Callable[[np.ndarray], np.ndarray]
# the same images -> their maps for the same class, float64 [M, H, W]
ExplainFunction = Callable[[np.ndarray], np.ndarray]

HIGHER, LOWER = "higher", "lower"
SCORE, EXPLAIN, REGION = "score", "explain", "region"


@dataclass(frozen=True)
class MetricInput:
    """One map and what it is measured with. A metric reads the fields that its row `needs`, and the maps.

    Attributes
    ----------
    saliency : np.ndarray
        float64 [H, W], the map at the size of the net's input; larger means more important, values may be negative.
    placed : np.ndarray
        float64 [H0, W0], the same map on the original image.
    image : np.ndarray
        float32 [H, W, C], the image as the net takes it, after preprocessing.
    baseline : Callable
        Name of a baseline (zero, black, white, mean, blur, random) -> float32 [H, W, C], after preprocessing.
    score : ScoreFunction
        The score of the explained class: a probability, or a logit where the net has no probabilities.
    explain : ExplainFunction or None
        Makes the map of other images by the same method; None for maps that no method made.
    boxes : tuple
        Boxes of the object on the original image, (top, left, bottom, right), the last two exclusive.
    region : np.ndarray or None
        bool [H0, W0], where the object is: the union of the boxes, or a mask. None if it is not known.
    seed : int
        Of everything random.
    probability : bool
        Whether `score` is a probability; some metrics are not defined for logits.
    chunk : int
        Images per call of `score` and `explain`; a metric makes no more than these at a time.
    """

    saliency: np.ndarray
    placed: np.ndarray
    image: np.ndarray
    baseline: Callable[[str], np.ndarray]
    score: ScoreFunction
    explain: Optional[ExplainFunction] = None
    boxes: Tuple[Tuple[int, int, int, int], ...] = ()
    region: Optional[np.ndarray] = None
    seed: int = 0
    probability: bool = True
    chunk: int = 32


@dataclass(frozen=True)
class MetricValue:
    """What a metric says of one map.

    Attributes
    ----------
    value : float
        The value; NaN where it is not defined for this image, with the `reason`.
    curve : np.ndarray or None
        float64 [K, 2] for metrics that are the area under a curve: share of changed pixels, score.
    reason : str
        Why there is no value.
    """

    value: float
    curve: Optional[np.ndarray] = None
    reason: str = ""


def undefined(reason: str) -> MetricValue:
    """Return NaN with the reason why the metric has no value for this map."""
    return MetricValue(float("nan"), None, reason)


@dataclass(frozen=True)
class Metric:
    """One metric of the table.

    Attributes
    ----------
    name : str
        A lower-case identifier, different from the names of methods.
    title : str
        Its usual name, for tables and axes.
    summary : str
        One line for people who choose a metric.
    paper : str
        URL of its source.
    better : {"higher", "lower", ""}
        Which way is better; "" where neither is.
    bounds : tuple of float or None
        Smallest and largest possible value, None where there is no bound.
    needs : tuple of str
        Of SCORE, EXPLAIN and REGION.
    compute : Callable
        (MetricInput, **options) -> MetricValue.
    options : tuple of Option
        The options with their defaults; each changes the value, so a result records all of them.
    """

    name: str
    title: str
    summary: str
    paper: str
    better: str
    bounds: Tuple[Optional[float], Optional[float]]
    needs: Tuple[str, ...]
    compute: Callable[..., MetricValue]
    options: Tuple[Option, ...] = field(default=())

    def filled(self, given: Mapping[str, Any]) -> Dict[str, Any]:
        """Return the options with the defaults of those that are not given."""
        return {option.name: given.get(option.name, option.default) for option in self.options}
