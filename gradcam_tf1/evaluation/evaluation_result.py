"""What `evaluate` returns: means with intervals, differences, curves, and what was left out."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Dict, Mapping, Optional, Tuple

import numpy as np

from gradcam_tf1._version import __version__
from gradcam_tf1.metrics.intervals import Interval, PairDifference
from gradcam_tf1.run.manifest_lines import plain_values


@dataclass(frozen=True)
class ClassMeans:
    """The means of one class.

    Attributes
    ----------
    label : str
        Its name, or "class 17".
    n : int
        Images that are explained for it.
    means : dict
        Method -> mean; NaN without a value.
    """

    label: str
    n: int
    means: Dict[str, float]


@dataclass(frozen=True, eq=False)
class MetricResult:
    """What one metric says of every method.

    Attributes
    ----------
    name, title : str
        Of the metric.
    better : {"higher", "lower", ""}
        Which way is better.
    intervals : dict
        Method or floor -> mean over the images with its bootstrap interval.
    pairs : tuple of PairDifference
        Paired differences of every two of them.
    best : str or None
        The method that is better than every other one and than every floor, all of it decided; None if there is none.
    reasons : dict
        Method -> (reason -> number of images) for images without a value.
    curves : dict
        Method -> float64 [K, 2], the mean curve: share of changed pixels, score. Empty for metrics without curves.
    classes : dict
        Class id -> its means.
    """

    name: str
    title: str
    better: str
    intervals: Dict[str, Interval]
    pairs: Tuple[PairDifference, ...]
    best: Optional[str]
    reasons: Dict[str, Dict[str, int]] = field(default_factory=dict)
    curves: Dict[str, np.ndarray] = field(default_factory=dict)
    classes: Dict[int, ClassMeans] = field(default_factory=dict)

    def is_better(self, first: str, second: str) -> bool:
        """Return whether it is decided that the first method is better than the second."""
        for pair in self.pairs:
            if {pair.first, pair.second} == {first, second}:
                winner = pair.first if self.better == "higher" else pair.second
                return bool(self.better) and pair.decided and winner == first
        return False


@dataclass(frozen=True)
class ImageCounts:
    """How many images were measured.

    Attributes
    ----------
    measured, failed : int
        Images with an answer, and images that could not be read or explained.
    located : int
        Images whose explained class has a box or a mask.
    not_located : dict
        Reason -> number of the other images.
    """

    measured: int
    failed: int
    located: int
    not_located: Dict[str, int]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """How far the maps of each method can be trusted, on the images of an evaluation.

    Attributes
    ----------
    methods, floors : tuple of str
        The methods, and the maps that know nothing of the net.
    results : dict
        Metric -> what it says.
    left_out : dict
        Methods that the net does not allow, each with the reason.
    images : ImageCounts
        How many images were measured.
    failures : tuple of str
        Why images failed; the first hundred.
    settings : mapping
        Everything that changes a number.
    warnings : tuple of str
        Sentences for the user.
    complete : bool
        False if it was stopped; `resume` goes on.
    out_folder : str or None
        Where its files are.
    """

    methods: Tuple[str, ...]
    floors: Tuple[str, ...]
    results: Dict[str, MetricResult]
    left_out: Dict[str, str]
    images: ImageCounts
    failures: Tuple[str, ...]
    settings: Mapping[str, Any]
    warnings: Tuple[str, ...] = ()
    complete: bool = True
    out_folder: Optional[str] = None

    def as_json(self) -> Dict[str, Any]:
        """Return everything as JSON types; NaN is None."""
        found: Dict[str, Any] = plain_values(
            {
                "gradcam_tf1": __version__,
                "settings": dict(self.settings),
                "complete": self.complete,
                "images": asdict(self.images),
                "methods": self.methods,
                "floors": self.floors,
                "left_out": self.left_out,
                "metrics": {name: _metric_json(result) for name, result in self.results.items()},
                "failures": self.failures,
                "warnings": self.warnings,
            }
        )
        return found


def _metric_json(result: MetricResult) -> Dict[str, Any]:
    return {
        **{"title": result.title, "better": result.better, "best": result.best},
        "means": {name: asdict(interval) for name, interval in result.intervals.items()},
        "without_value": result.reasons,
        "pairs": [{**asdict(pair), "difference": asdict(pair.difference)} for pair in result.pairs],
        "curves": {name: curve.tolist() for name, curve in result.curves.items()},
        "classes": {str(class_id): asdict(means) for class_id, means in result.classes.items()},
    }
