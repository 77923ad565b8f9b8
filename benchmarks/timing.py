"""Alternatives timed in turn, and the ratios that are to hold between them."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import Callable, Dict, Mapping, Sequence

Alternatives = Dict[str, Callable[[], object]]


@dataclass(frozen=True)
class Ratio:
    """What `of` takes over what `over` takes, `times` times, is to be `limit` at the most."""

    of: str
    over: str
    limit: float
    times: float = 1.0


@dataclass(frozen=True)
class Case:
    """Alternatives that answer the same question, and what is asked of them."""

    alternatives: Alternatives
    ratios: Sequence[Ratio] = ()


def interleaved_medians(alternatives: Alternatives, rounds: int) -> Dict[str, float]:
    """Median seconds of each alternative; the first round (graph building, allocation) is not counted.

    An alternative that returns a float says itself how many seconds it stands for.
    """
    seconds: Dict[str, list] = {name: [] for name in alternatives}
    for turn in range(rounds + 1):
        for name, run in alternatives.items():
            start = time.perf_counter()
            told = run()
            if turn:
                seconds[name].append(told if isinstance(told, float) else time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def print_medians(medians: Mapping[str, float]) -> None:
    """A Markdown table: milliseconds, and the multiple of the first alternative."""
    first = next(iter(medians.values()))
    print("| | ms | times the first |\n|---|---|---|")
    for what, median in medians.items():
        print(f"| {what} | {median * 1000:.1f} | {median / first:.2f} |")


def print_ratios(ratios: Sequence[Ratio], medians: Mapping[str, float]) -> None:
    """A Markdown table: each ratio beside what it is to be."""
    if not ratios:
        return
    print("\n| ratio | measured | target | |\n|---|---|---|---|")
    for ratio in ratios:
        measured = medians[ratio.of] / (medians[ratio.over] * ratio.times)
        times = "" if ratio.times == 1 else f"{ratio.times:g} x "
        verdict = "met" if measured <= ratio.limit else "MISSED"
        print(f"| {ratio.of} / {times}{ratio.over} | {measured:.3f} | <= {ratio.limit:.3g} | {verdict} |")
