"""The result of a comparison: means with intervals, the tolerances, and the verdict. No TensorFlow here."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Dict, Iterable, Iterator, List, Mapping, Optional, Tuple

import numpy as np

from gradcam_tf1.comparison.compare_options import CompareOptions
from gradcam_tf1.comparison.image_pair import SCORES, Row
from gradcam_tf1.comparison.map_agreement import MEASURES
from gradcam_tf1.metrics.intervals import Interval, bootstrap, enough

CLASS_AGREEMENT = "class_agreement"
_ROUNDING = 1e-9  # of a mean of ones
MAP_NAMES = {"spearman": "Spearman", "ssim": "SSIM", "iou": "IoU of the 15 % regions"}


@dataclass(frozen=True)
class Check:
    """One tolerance.

    Attributes
    ----------
    name : str
        What was checked.
    value : float
        What was found; NaN if nothing could be compared.
    limit : float
        The tolerance.
    low_is_good : bool
        Whether the value must be at most the limit; otherwise at least.
    holds : bool
        Whether it is kept.
    sure : bool
        Whether six images or more have a value, and the interval of their mean is on the same side of the limit.
    n : int
        Number of images that have a value.
    """

    name: str
    value: float
    limit: float
    low_is_good: bool
    holds: bool
    sure: bool
    n: int


@dataclass(frozen=True)
class Comparison:
    """What two models agree on.

    Attributes
    ----------
    models : (str, str)
        Where A and B come from.
    images : int
        Number of compared images.
    failed : int
        Images that could not be read, or to which neither model has an answer.
    one_sided : int
        Images to which only one model has an answer.
    scores : mapping of str to Interval
        class_agreement, top5_overlap, rank_correlation: 0..1, higher is better. probability_difference,
        logit_difference: the largest of each image; mean_probability_difference, mean_logit_difference: the mean over
        the classes. Each is the mean over the images with its interval.
    maps : mapping
        Method -> "same" (the top class of A in both) or "own" (the top class of each) -> spearman, ssim, iou ->
        Interval.
    largest_difference : float
        The largest difference of a probability on any image; NaN if none is known.
    checks : tuple of Check
        The tolerances.
    verdict : str
        The answer in a sentence.
    notes : tuple of str
        How classes were matched, and what else is remarkable.
    rows : iterable of dict
        One row per image, in order; of a comparison with a folder they are read from its journal.
    complete : bool
        Whether all images were looked at; False after `stop`.
    """

    models: Tuple[str, str]
    images: int
    failed: int
    one_sided: int
    scores: Mapping[str, Interval]
    maps: Mapping[str, Mapping[str, Mapping[str, Interval]]]
    largest_difference: float
    checks: Tuple[Check, ...]
    verdict: str
    notes: Tuple[str, ...]
    rows: Iterable[Row]
    complete: bool = True

    @property
    def agrees(self) -> bool:
        """Whether all tolerances are kept, each by a value, and no model lacks an answer that the other one has."""
        return self.one_sided == 0 and all(check.holds for check in self.checks)

    @property
    def differs(self) -> bool:
        """Whether a value breaks a tolerance, or one model lacks an answer. If neither this nor `agrees`: unknown."""
        return self.one_sided > 0 or any(not check.holds and not np.isnan(check.value) for check in self.checks)

    @property
    def sure(self) -> bool:
        """Whether more images would hardly change the verdict."""
        return self.differs or (
            self.agrees and self.failed == 0 and self.complete and all(check.sure for check in self.checks)
        )

    def as_json(self) -> Dict[str, Any]:
        """Return everything but the rows as plain values."""
        names = ("images", "failed", "one_sided", "complete", "agrees", "sure", "verdict", "largest_difference")
        return {
            **{"a": self.models[0], "b": self.models[1]},
            **{name: getattr(self, name) for name in names},
            "checks": [asdict(check) for check in self.checks],
            "scores": {name: asdict(interval) for name, interval in self.scores.items()},
            "maps": {
                method: {
                    kind: {name: asdict(interval) for name, interval in found.items()} for kind, found in kinds.items()
                }
                for method, kinds in self.maps.items()
            },
            "notes": list(self.notes),
        }


class Columns:
    """The numbers of all images, which the means are made of; about 100 bytes per image and method."""

    def __init__(self, methods: Iterable[str]) -> None:
        self.failed = self.one_sided = 0
        self.largest = float("nan")
        self._methods = list(methods)
        self._scores: Dict[str, List[float]] = {name: [] for name in (CLASS_AGREEMENT, *SCORES)}
        self._maps: Dict[Tuple[str, str, str], List[float]] = {
            (method, kind, name): [] for method in self._methods for kind in ("same", "own") for name in MEASURES
        }

    @property
    def images(self) -> int:
        """Number of compared images."""
        return len(self._scores["top5_overlap"])

    def add(self, row: Row) -> None:
        """Add the row of an image. An image to which only one model has an answer counts as another class."""
        if row["error"] is not None or len(row["no_answer"]) == 2:
            self.failed += 1
            return
        if row["no_answer"]:
            self.one_sided += 1
            self._scores[CLASS_AGREEMENT].append(0.0)
            return
        self._scores[CLASS_AGREEMENT].append(float(row["same_class"]))
        for name in SCORES:
            self._scores[name].append(_number(row[name]))
        self.largest = float(np.fmax(self.largest, _number(row["probability_difference"])))
        for method, kind, name in self._maps:
            self._maps[method, kind, name].append(_number(row["maps"][method][kind][name]))

    def result(
        self, models: Tuple[str, str], options: CompareOptions, notes: Tuple[str, ...], rows: Iterable[Row], **more: Any
    ) -> Comparison:
        """Return the means, the checks and the verdict."""
        scores = {name: bootstrap(np.array(values), options.seed) for name, values in self._scores.items()}
        maps: Dict[str, Dict[str, Dict[str, Interval]]] = {method: {"same": {}, "own": {}} for method in self._methods}
        for (method, kind, name), values in self._maps.items():
            maps[method][kind][name] = bootstrap(np.array(values), options.seed)
        checks = tuple(_checks(scores, maps, self.largest, options))
        found = Comparison(
            *(models, self.images, self.failed, self.one_sided, scores, maps, self.largest, checks),
            *("", notes, rows),
            **more,
        )
        return Comparison(**{**vars(found), "verdict": _verdict(found)})


def _number(value: Optional[float]) -> float:
    return float("nan") if value is None else value


def _checks(
    scores: Mapping[str, Interval], maps: Mapping[str, Any], largest: float, options: CompareOptions
) -> Iterator[Check]:
    yield _at_least("class agreement", scores[CLASS_AGREEMENT], options.min_class_agreement)
    holds = largest <= options.max_score_difference
    number = scores["probability_difference"].n
    sure = holds and enough(number)
    yield Check("largest difference of a probability", largest, options.max_score_difference, True, holds, sure, number)
    for method, kinds in maps.items():
        name = f"similarity of {method} maps ({MAP_NAMES[options.map_measure]})"
        yield _at_least(name, kinds["same"][options.map_measure], options.min_map_similarity)


def _at_least(name: str, found: Interval, limit: float) -> Check:
    """Check a mean; without a value, NaN, it is not kept: nothing speaks for it."""
    holds, sure = (bool(value >= limit - _ROUNDING) for value in (found.mean, found.low))
    return Check(name, found.mean, limit, False, holds, sure and enough(found.n), found.n)


def _verdict(found: Comparison) -> str:
    broken = [f"on {_images(found.one_sided)} only one model has an answer"] if found.one_sided else []
    broken += [
        f"the {check.name} is {check.value:.3g}, {'above' if check.low_is_good else 'below'} {check.limit:g}"
        for check in found.checks
        if not check.holds and check.n
    ]
    if broken:
        return f"A and B differ: {'; '.join(broken)}."
    unknown = [f"no image gives a {check.name}" for check in found.checks if not check.n]
    if unknown:
        return (
            f"It is not known whether A and B agree: {'; '.join(unknown)}. Give images or a method with maps that are "
            "not empty; ssim needs images of 11 pixels or more."
        )
    text = f"A and B agree on {_images(found.images)} within the tolerances."
    doubts = list(_doubts(found))
    return f"{text} But {'; '.join(doubts)}." if doubts else text


def _doubts(found: Comparison) -> Iterator[str]:
    """Yield what stands against an agreement being sure."""
    if found.failed:
        yield f"{_images(found.failed)} could not be compared"
    if not found.complete:
        yield "not all images were looked at"
    if not enough(found.images):
        yield f"{_images(found.images)} cannot show that others agree too; give six or more"
        return
    for check in found.checks:
        if not check.low_is_good and check.n < found.images:
            yield f"only {_images(check.n)} of them gave a {check.name}"
        if enough(check.n) and not check.sure:
            yield f"the interval of the {check.name} reaches below {check.limit:g}, so more images may change that"


def _images(count: int) -> str:
    return f"{count} image{'' if count == 1 else 's'}"
