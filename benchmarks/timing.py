"""Alternatives measured in turn, and what is to hold between them."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import Callable, Dict, Mapping, NamedTuple, Optional, Sequence, Union

Alternatives = Dict[str, Callable[[], object]]


class Unit(NamedTuple):
    """What is printed: the measured numbers times `factor`."""

    name: str
    factor: float = 1.0


MILLISECONDS = Unit("ms", 1e3)  # of seconds
MEGABYTES = Unit("MB", 1e-6)  # of bytes
OPS = Unit("ops")


@dataclass(frozen=True)
class Ratio:
    """`of` over `over`, taken `times` times, is to be `limit` at the most."""

    of: str
    over: str
    limit: float
    times: float = 1.0

    def measured(self, medians: Mapping[str, float], unit: Unit) -> float:
        """A number without unit."""
        del unit
        return medians[self.of] / (medians[self.over] * self.times)

    def __str__(self) -> str:
        times = "" if self.times == 1 else f"{self.times:g} x "
        return f"{self.of} / {times}{self.over}"


@dataclass(frozen=True)
class Difference:
    """`of` less `less` is to be `limit` at the most, in the unit of the case."""

    of: str
    less: str
    limit: float

    def measured(self, medians: Mapping[str, float], unit: Unit) -> float:
        """A number in that unit."""
        return (medians[self.of] - medians[self.less]) * unit.factor

    def __str__(self) -> str:
        return f"{self.of} - {self.less}"


@dataclass(frozen=True)
class Limit:
    """`of` is to be `limit` at the most, in the unit of the case."""

    of: str
    limit: float

    def measured(self, medians: Mapping[str, float], unit: Unit) -> float:
        """A number in that unit."""
        return medians[self.of] * unit.factor

    def __str__(self) -> str:
        return self.of


Target = Union[Ratio, Difference, Limit]


@dataclass(frozen=True)
class Case:
    """Alternatives that answer the same question, and what is asked of them.

    rounds: at the most so many, all counted, for what takes long or does not vary; None: as many as are asked for,
    behind one that is not counted (graph building, allocation).
    """

    alternatives: Alternatives
    targets: Sequence[Target] = ()
    unit: Unit = MILLISECONDS
    rounds: Optional[int] = None


class Absent(Exception):
    """What a row needs is not on this machine; the message says what."""


def measure(case: Case, rounds: int) -> Dict[str, float]:
    """The median of each alternative over interleaved rounds: of its seconds, or of the float that it returns."""
    if case.rounds is None:
        _one_round(case.alternatives)
    else:
        rounds = min(rounds, case.rounds)
    found = [_one_round(case.alternatives) for _ in range(rounds)]
    return {name: statistics.median(one[name] for one in found) for name in case.alternatives}


def _one_round(alternatives: Alternatives) -> Dict[str, float]:
    found = {}
    for name, run in alternatives.items():
        start = time.perf_counter()
        told = run()
        found[name] = told if isinstance(told, float) else time.perf_counter() - start
    return found


def print_medians(medians: Mapping[str, float], unit: Unit = MILLISECONDS) -> None:
    """A Markdown table: each alternative in its unit, and its multiple of the first."""
    first = next(iter(medians.values())) or float("nan")
    print(f"| | {unit.name} | times the first |\n|---|---|---|")
    for what, median in medians.items():
        print(f"| {what} | {median * unit.factor:.1f} | {median / first:.2f} |")


def print_targets(targets: Sequence[Target], medians: Mapping[str, float], unit: Unit = MILLISECONDS) -> None:
    """A Markdown table: each target beside what was measured."""
    if not targets:
        return
    print("\n| | measured | target | |\n|---|---|---|---|")
    for target in targets:
        measured = target.measured(medians, unit)
        verdict = "met" if measured <= target.limit else "MISSED"
        print(f"| {target} | {measured:.3f} | <= {target.limit:.3g} | {verdict} |")
