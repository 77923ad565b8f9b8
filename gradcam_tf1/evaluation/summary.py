"""From the rows of the journal to an Evaluation: one pass, eight bytes for each value. No TensorFlow here."""

from __future__ import annotations

from array import array
from collections import Counter
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple
from typing import Counter as CounterOf

import numpy as np

from gradcam_tf1.evaluation.evaluation_result import ClassMeans, ImageCounts, MetricResult
from gradcam_tf1.metrics.intervals import PairDifference, bootstrap, decided_pairs
from gradcam_tf1.metrics.metric_row import HIGHER, LOWER
from gradcam_tf1.metrics.metric_table import METRICS

MAX_REASONS = 100  # reasons of failed images that are kept
_NOISE = 1e-6  # relative difference of values that two equal maps have because scores and maps are float32


class Tallies:
    """The values of all images by metric and method, and how many images there are.

    Parameters
    ----------
    names : sequence of str
        Methods and floors.
    metrics : sequence of str
        The metrics.
    """

    def __init__(self, names: Sequence[str], metrics: Sequence[str]) -> None:
        self._names, self._metrics = tuple(names), tuple(metrics)
        self._values = {(metric, name): array("d") for metric in metrics for name in names}
        self._curves: Dict[Tuple[str, str], Tuple[np.ndarray, int]] = {}
        self._reasons: Dict[Tuple[str, str], CounterOf[str]] = {}
        self._class_ids = array("q")
        self._labels: Dict[int, str] = {}
        self._located = self._failed = 0
        self._not_located: CounterOf[str] = Counter()
        self.failures: List[str] = []

    def add_all(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Add the rows of the journal."""
        for row in rows:
            if row["error"]:
                self._failed += 1
                if len(self.failures) < MAX_REASONS:
                    self.failures.append(row["error"])
            else:
                self._add(row)

    def _add(self, row: Mapping[str, Any]) -> None:
        self._located += bool(row["located"])
        if row["why_not"]:
            self._not_located[row["why_not"]] += 1
        class_id = -1 if row["class_id"] is None else int(row["class_id"])
        self._class_ids.append(class_id)
        self._labels.setdefault(class_id, row.get("label") or f"class {class_id}")
        for (metric, name), values in self._values.items():
            found = row["values"].get(name, {}).get(metric, {})
            value = found.get("value")
            values.append(np.nan if value is None else value)
            if found.get("reason"):
                self._reasons.setdefault((metric, name), Counter())[found["reason"]] += 1
            if found.get("curve") is not None:
                total, count = self._curves.get((metric, name), (0.0, 0))
                self._curves[metric, name] = (total + np.array(found["curve"]), count + 1)

    @property
    def counts(self) -> ImageCounts:
        """How many images were measured."""
        return ImageCounts(len(self._class_ids), self._failed, self._located, dict(self._not_located.most_common()))

    def result(self, metric: str, floors: Sequence[str], seed: int, confidence: float) -> MetricResult:
        """Return what a metric says.

        Parameters
        ----------
        metric : str
            Its name.
        floors : sequence of str
            Names that are no methods.
        seed, confidence
            Of the intervals.
        """
        row = METRICS[metric]
        values = {name: np.array(self._values[metric, name]) for name in self._names}
        known = {name: each for name, each in values.items() if not np.isnan(each).all()}
        pairs = decided_pairs(without_noise(known), seed, confidence=confidence)
        methods = [name for name in self._names if name not in floors]
        return MetricResult(
            name=metric,
            title=row.title,
            better=row.better,
            intervals={name: bootstrap(each, seed, confidence=confidence) for name, each in values.items()},
            pairs=pairs,
            best=best_of(methods, list(known), pairs, row.better),
            reasons={name: dict(self._reasons[key]) for key in self._reasons if key[0] == metric for name in key[1:]},
            curves={name: self._curve(metric, name) for name in self._names if (metric, name) in self._curves},
            classes=self._by_class(values),
        )

    def _curve(self, metric: str, name: str) -> np.ndarray:
        total, count = self._curves[metric, name]
        return np.stack([np.linspace(0, 1, len(total)), total / count], axis=1)

    def _by_class(self, values: Mapping[str, np.ndarray]) -> Dict[int, ClassMeans]:
        """Return the means of each class with a value, those with most images first."""
        class_ids = np.array(self._class_ids)
        known = ~np.all([np.isnan(each) for each in values.values()], axis=0)
        counts = Counter(class_ids[known].tolist())
        return {
            class_id: ClassMeans(
                self._labels[class_id], n, {name: _mean(each[class_ids == class_id]) for name, each in values.items()}
            )
            for class_id, n in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        }


def best_of(
    methods: Sequence[str], names: Sequence[str], pairs: Sequence[PairDifference], better: str
) -> Optional[str]:
    """Return the method that is decidedly better than every other name; None if there is none.

    Parameters
    ----------
    methods : sequence of str
        The names that can be best.
    names : sequence of str
        All names that have a value.
    pairs : sequence of PairDifference
        Of every two names.
    better : {"higher", "lower", ""}
        Which way is better.
    """
    if better not in (HIGHER, LOWER) or len(names) < 2:
        return None
    wins = Counter(pair.first if better == HIGHER else pair.second for pair in pairs if pair.decided)
    return next((name for name in methods if wins[name] == len(names) - 1), None)


def without_noise(values: Mapping[str, np.ndarray]) -> Dict[str, np.ndarray]:
    """Return the values with those made equal that differ by rounding only.

    Methods that are the same on a net, such as CAM and HiResCAM before a global average, differ in the last digits. A
    test of pairs would see that, were it the same way on all images.

    Parameters
    ----------
    values : mapping
        Name -> float [N].
    """
    found: Dict[str, np.ndarray] = {}
    for name, each in values.items():
        own = each.copy()
        for earlier in found.values():
            same = np.isclose(own, earlier, rtol=_NOISE, atol=0)
            own[same] = earlier[same]
        found[name] = own
    return found


def _mean(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")
