"""The table of an evaluation as text, for the terminal and the page. No TensorFlow here."""

from __future__ import annotations

import math
from typing import Dict, List, NamedTuple, Tuple

from gradcam_tf1.evaluation.evaluation_result import Evaluation, MetricResult
from gradcam_tf1.metrics.intervals import Interval, PairDifference
from gradcam_tf1.metrics.metric_row import HIGHER, LOWER

BEST = "*"  # marks the best method
_WAYS = {HIGHER: "higher is better", LOWER: "lower is better", "": "neither way is better"}
_HEADS = {HIGHER: " (higher)", LOWER: " (lower)", "": ""}


class TableLines(NamedTuple):
    """The head of a table, and its rows: of the methods, and of the floors below them."""

    head: Tuple[str, ...]
    methods: List[Tuple[str, ...]]
    floors: List[Tuple[str, ...]]


def table_lines(evaluation: Evaluation) -> TableLines:
    """Return a row for each method and floor, and a column for each metric: mean with its interval.

    The head says whether higher or lower is better.
    """
    results = evaluation.results
    head = ("method", *(f"{name}{_HEADS[result.better]}" for name, result in results.items()))
    rows = {
        name: (name, *(cell(result, name) for result in results.values()))
        for name in (*evaluation.methods, *evaluation.floors)
    }
    return TableLines(head, [rows[name] for name in evaluation.methods], [rows[name] for name in evaluation.floors])


def way(result: MetricResult) -> str:
    """Return which way is better, in words."""
    return _WAYS[result.better]


def cell(result: MetricResult, name: str) -> str:
    """Return "0.512 [0.480, 0.550]", with a star where the method is the best, and the images if they are fewer."""
    interval = result.intervals[name]
    if interval.n == 0:
        return "no value"
    fewer = f" ({_images(interval.n)})" if interval.n < _most(result) else ""
    return f"{mean_with_ends(interval)}{f' {BEST}' if result.best == name else ''}{fewer}"


def mean_with_ends(interval: Interval) -> str:
    """Return a mean with the ends of its interval; without them for a single value."""
    if interval.n < 2:
        return number(interval.mean)
    return f"{number(interval.mean)} [{number(interval.low)}, {number(interval.high)}]"


def number(value: float) -> str:
    """Return a number with three decimals, fewer for large ones."""
    if not math.isfinite(value):
        return "no value"
    return f"{value:.3f}" if abs(value) < 100 else f"{value:.5g}"


def chance(p: float) -> str:
    """Return a probability with the digits that count."""
    return "below 0.001" if p < 0.001 else f"{p:.3f}"


def verdict_of(pair: PairDifference, result: MetricResult) -> str:
    """Return which of two methods is better, where that is decided."""
    if not result.better:
        return "they differ" if pair.decided else "not decided"
    winner = pair.first if result.better == HIGHER else pair.second
    return f"{winner} is better" if pair.decided else "not decided"


def findings(evaluation: Evaluation) -> List[str]:
    """Return for each metric which method is best or what is not decided, and whose mean is of fewer images."""
    results = evaluation.results.values()
    return [text for result in results for text in (finding(result, evaluation), *_fewer(result)) if text]


def _fewer(result: MetricResult) -> List[str]:
    """Return a sentence on means of fewer images than those of others: they may be the easy ones."""
    most = _most(result)
    names = [name for name, interval in result.intervals.items() if 0 < interval.n < most]
    if not names:
        return []
    counts = _and([f"{name} ({result.intervals[name].n} of {most} images)" for name in names])
    return [f"{result.title}: means of fewer images than the others: {counts}. Pairs are compared on the same images."]


def _most(result: MetricResult) -> int:
    """Return for how many images the map with the most values has one."""
    return max(interval.n for interval in result.intervals.values())


def finding(result: MetricResult, evaluation: Evaluation) -> str:
    """Return what a metric decides, in a sentence."""
    if not result.better:
        return f"{result.title}: neither way is better."
    without = [name for name in (*evaluation.methods, *evaluation.floors) if not result.intervals[name].n]
    if result.best is not None:
        more = f" that has a value; {_and(without)} {'has' if len(without) == 1 else 'have'} none" if without else ""
        return f"{result.title}: {result.best} is better than every other method and floor{more}."
    known = {name: result.intervals[name] for name in evaluation.methods if result.intervals[name].n}
    if not known:
        return f"{result.title}: no method has a value."
    lead = leader(result, known)
    others = [name for name in (*evaluation.methods, *evaluation.floors) if name != lead and name not in without]
    if not others:
        return f"{result.title}: {lead} is the only one with a value."
    better = [name for name in others if result.is_better(name, lead)]
    rivals = [name for name in others if name not in better and not result.is_better(lead, name)]
    doubts = [f"it is not decided that it is better than {_and(rivals)}"] if rivals else []
    if better:
        doubts.append(f"{_and(better)} {'is' if len(better) == 1 else 'are'} better")
    return (
        f"{result.title}: {lead} has the best mean{_of_methods(lead, result, evaluation)}, but {', and '.join(doubts)} "
        f"({known[lead].n} image{'' if known[lead].n == 1 else 's'})."
    )


def _of_methods(lead: str, result: MetricResult, evaluation: Evaluation) -> str:
    """Return " of the methods" where a floor has a better mean than the best of them."""
    means = {name: result.intervals[name] for name in (lead, *evaluation.floors) if result.intervals[name].n}
    return "" if leader(result, means) == lead else " of the methods"


def leader(result: MetricResult, known: Dict[str, Interval]) -> str:
    """Return the method with the best mean."""
    sign = -1 if result.better == LOWER else 1
    return max(known, key=lambda name: sign * known[name].mean)


def count_lines(evaluation: Evaluation) -> List[str]:
    """Return how many images were measured, and why others do not count for the places of objects."""
    images = evaluation.images
    lines = [f"{_images(images.measured)} measured, {images.failed} failed"]
    if images.located or images.not_located:
        lines.append(f"{_images(images.located)} with a marked object of the explained class")
        lines += [f"{_images(count)} without: {reason}" for reason, count in images.not_located.items()]
    return lines


def _images(count: int) -> str:
    return f"{count} image{'' if count == 1 else 's'}"


def _and(names: List[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
