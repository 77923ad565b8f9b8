"""The page of a test with concept activation vectors."""

from __future__ import annotations

import os
from typing import Any, Dict, List, Sequence, Tuple

from gradcam_tf1.concepts.tcav_records import (
    LEAST_ACCURACY,
    LEVEL,
    NO_CONCEPT,
    NOT_SIGNIFICANT,
    SIGNIFICANT,
    ClassSensitivity,
    Tcav,
)
from gradcam_tf1.report.plots import PlotBar, bar_plot
from gradcam_tf1.report.study_page import Section, Study, StudyTable, Verdict, write_study

HEAD = ("class", "score", "random score", "probability by chance", "verdict")
_KINDS = {SIGNIFICANT: ("good", "Significant."), NOT_SIGNIFICANT: ("doubt", "Not significant.")}


def write_tcav_page(found: Tcav) -> None:
    """Write the page to `found.page`. Raises OSError."""
    kind, word = _KINDS.get(found.classes[0].verdict, ("bad", "No concept."))
    verdict = Verdict(kind, " ".join(sentence(each, found) for each in found.classes), word)
    text = [
        "The score of a vector is the share of the images whose logit of the class rises along it. Each vector of the "
        "concept is fitted on positive and negative images of its own. The random vectors are fitted between random "
        "sets of negative images.",
        "Probability by chance: that the scores of both have the same mean, the larger one of Welch's two-sided t-test "
        f"and of a permutation test, times the number of classes (Bonferroni). Below {LEVEL} it is significant.",
        f"Accuracy: of the vectors on images that they were not fitted on; below {LEAST_ACCURACY:.0%} the layer does "
        "not hold the concept, and the scores say nothing.",
    ]
    bars: List[PlotBar] = []
    for each in found.classes:
        for name, scores, pale in ((each.label, each.scores, False), ("random", each.random_scores, True)):
            bars.append(PlotBar(name, float(scores.mean()), float(scores.min()), float(scores.max()), pale))
    alt = "Mean score of the vectors of the concept and of random vectors (grey); lines are lowest and highest."
    parts: List[Any] = [StudyTable(HEAD, table_rows(found)), bar_plot(bars, "TCAV score", alt)]
    settings: List[Any] = [StudyTable(("setting", "value"), [(k, str(v)) for k, v in found.settings.items()])]
    if found.failed:
        settings.append(StudyTable(("image", "why it was left out"), list(found.failed.items())))
    sections = [Section("Scores", text, parts), Section("Settings", [], settings)]
    write_study(found.page, Study("Does the class depend on the concept?", verdict, _facts(found), sections))


def table_rows(found: Tcav) -> List[Tuple[str, ...]]:
    """Return one row per class."""
    return [
        (
            each.label,
            f"{each.score:.2f}",
            f"{each.random_scores.mean():.2f} ± {each.random_scores.std():.2f}",
            f"{each.p:.2g}",
            each.verdict,
        )
        for each in found.classes
    ]


def sentence(each: ClassSensitivity, found: Tcav) -> str:
    """Return the verdict on a class as a sentence."""
    if each.verdict == NO_CONCEPT:
        return (
            f"At {found.layer} positive and negative images are told apart in {found.accuracy:.0%} only, which is near "
            f"chance: nothing can be said of {each.label}."
        )
    if each.verdict == NOT_SIGNIFICANT:
        return f"The scores of {each.label} do not differ from those of random directions (p = {each.p:.2g})."
    way = "rises" if each.score > each.random_scores.mean() else "falls"
    share = each.score if way == "rises" else 1 - each.score
    return f"The logit of {each.label} {way} along the concept for {share:.0%} of the images (p = {each.p:.2g})."


def _facts(found: Tcav) -> Dict[str, str]:
    counts: Sequence[str] = [f"{number} {name}" for name, number in found.counts.items() if name != "images"]
    return {
        "Model": os.path.basename(str(found.settings["model"])),
        "Layer": found.layer,
        "Images": f"{found.counts['images']} of the class; {', '.join(counts)}",
        "Vectors": f"{len(found.accuracies)} of the concept, each of {found.size} + {found.size} images; "
        f"{found.settings['random_vectors']} random",
        "Accuracy": f"{found.accuracy:.0%}, lowest {found.accuracies.min():.0%}",
        "Seed": str(found.settings["seed"]),
    }
