"""The results of the sanity checks in words and in cells of tables."""

from __future__ import annotations

from typing import Dict, List, Sequence, Tuple

from gradcam_tf1.metrics.intervals import Interval
from gradcam_tf1.run.listing import counted
from gradcam_tf1.sanity.compared_maps import EDGES
from gradcam_tf1.sanity.net_checks import CHANGES, FAILS, UNKNOWN, CheckResult
from gradcam_tf1.sanity.sanity_report import SanityReport
from gradcam_tf1.sanity.verdicts import DECIDING, HARDLY, UNDECIDED

VERDICT_HEAD = ("method", "verdict", "kept", "other images", "edges")
_FLOOR = f"{EDGES} (floor)"
_SAME = 1e-6  # from 1, that two maps may be apart
_QUESTIONS = {
    "repeat": "the same images again",
    "session": "in a fresh session",
    "batch": "each image alone",
    "shift": "a constant added to the images",
}


def number(value: float, places: int = 2) -> str:
    """Return a number for a table; "-" if it is not known."""
    return "-" if value != value else f"{round(value, places) + 0.0:.{places}f}"  # + 0.0: no -0.00


def mean_with_ends(interval: Interval) -> str:
    """Return "0.74 [0.70 0.78]"."""
    if not interval.n:
        return "-"
    return f"{number(interval.mean)} [{number(interval.low)} {number(interval.high)}]"


def verdict_rows(report: SanityReport) -> List[Tuple[str, ...]]:
    """Return a row for each method: its name, verdict, what is kept, and the two comparisons."""
    return [
        (
            _FLOOR if each.method == EDGES else each.method,
            each.verdict,
            mean_with_ends(each.kept),
            number(report.chance[each.method][DECIDING].mean),
            number(report.edges[each.method][DECIDING].mean),
        )
        for each in report.verdicts
    ]


def check_rows(report: SanityReport) -> List[Tuple[str, ...]]:
    """Return a row for each check and state: check, state, methods, largest difference, what was done."""
    groups: Dict[Tuple[str, str, str], List[CheckResult]] = {}
    for check in report.checks:
        groups.setdefault((check.check, check.state, check.about), []).append(check)
    return [
        (
            f"{name}: {_QUESTIONS[name]}",
            state,
            ", ".join(each.method for each in found),
            "-" if state == UNKNOWN else f"{max(each.difference for each in found):.2g}",
            about,
        )
        for (name, state, about), found in groups.items()
    ]


def notes(report: SanityReport) -> List[str]:
    """Return sentences on what limits the results."""
    lines = [f"'{op}' keeps its weights: {why}" for op, why in report.fixed.items()]
    broken = [step for step in report.steps if step.broken]
    if broken:
        worst, steps = max(step.broken for step in broken), f"{len(broken)} of {len(report.steps)} steps"
        lines.append(
            f"with drawn weights the net gives no finite score in {steps}, for up to {worst} of "
            f"{counted(len(report.images))}, which are left out there; --draw permute keeps the values of the weights"
        )
    kinds = {
        "empty": "lost all differences, as by the ReLU of the method, and count as similarity 0",
        "dead": "have no gradient, since the score of the class is constant, or no finite values, and are left out",
    }
    maps = len(report.steps) * len(report.images)
    for kind, about in kinds.items():
        counts = {name: sum(getattr(step, kind).get(name, 0) for step in report.steps) for name in report.methods}
        lines += [f"{name}: {count} of {maps} maps {about}" for name, count in counts.items() if count]
    lines += [
        f"{each.method}: its maps do not use the upper half of the layers: they do not change at all while it is drawn"
        for each in report.verdicts
        if each.method != EDGES and each.kept.n and each.kept.low > 1 - _SAME
    ]
    lines += [f"{each.method}: undecided, {each.reason}" for each in report.verdicts if each.verdict == UNDECIDED]
    return lines


def summary(report: SanityReport) -> Tuple[str, str]:
    """Return what the page says first: the kind of the verdict, and a sentence."""
    failing = [check for check in report.checks if check.state == FAILS]
    if failing:
        which = _listed(sorted({check.check for check in failing}))
        return "bad", f"The same images do not give the same maps ({which}): {_listed(_methods(failing))}."
    own = [each for each in report.verdicts if each.method != EDGES]
    hardly = [each.method for each in own if each.verdict == HARDLY]
    shifted = _methods([check for check in report.checks if check.state == CHANGES])
    sentences = []
    if hardly:
        verb = "hardly change" if len(hardly) > 1 else "hardly changes"
        sentences.append(f"{_listed(hardly)} {verb} with the weights: such maps show the image more than the net.")
    undecided = [each.method for each in own if each.verdict == UNDECIDED]
    if undecided:
        sentences.append(f"{_listed(undecided)}: undecided.")
    if shifted:
        sentences.append(f"{_listed(shifted)}: changed by a constant that the scores ignore.")
    if sentences:
        return "doubt", " ".join(sentences)
    if own:
        return "good", f"The maps change with the weights: {_listed([each.method for each in own])}."
    return "good", "The checks hold."


def _methods(checks: Sequence[CheckResult]) -> List[str]:
    return list(dict.fromkeys(check.method for check in checks))


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)
