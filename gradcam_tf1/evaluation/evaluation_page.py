"""The page of an evaluation: table, bars, curves, differences, classes, and the best and worst images."""

from __future__ import annotations

import os
from typing import Any, Dict, List, Optional

from gradcam_tf1.engine.bound_net import BoundNet
from gradcam_tf1.evaluation.evaluation_files import PAGE_NAME
from gradcam_tf1.evaluation.evaluation_result import Evaluation, MetricResult
from gradcam_tf1.evaluation.extreme_images import extremes, strip_images
from gradcam_tf1.evaluation.image_measures import Measures
from gradcam_tf1.evaluation.table_cells import (
    BEST,
    chance,
    count_lines,
    finding,
    findings,
    leader,
    mean_with_ends,
    number,
    table_lines,
    verdict_of,
    way,
)
from gradcam_tf1.metrics.metric_table import METRICS
from gradcam_tf1.report.plots import Plot, PlotBar, PlotLine, bar_plot, line_plot
from gradcam_tf1.report.study_page import ImageStrip, Section, Study, StudyTable, Verdict, write_study
from gradcam_tf1.run.image_stream import ImageStream
from gradcam_tf1.run.row_journal import RowJournal

MAX_CLASSES = 20  # classes of the table and of the bars
MAX_PAIRS = 45  # paired differences of a metric
_CURVE_AXES = {
    "insertion": "share of the image that is shown",
    "deletion": "share of the image that is hidden",
}


def write_page(
    net: BoundNet, stream: Optional[ImageStream], measures: Measures, evaluation: Evaluation, journal: RowJournal
) -> str:
    """Write evaluation.html into the output folder and return its path.

    Parameters
    ----------
    net : BoundNet
        Explains the best and worst images again.
    stream : ImageStream or None
        The images, listed anew; None if they cannot be read twice.
    measures : Measures
        What was measured.
    evaluation : Evaluation
        What was found.
    journal : RowJournal
        Its rows.
    """
    results = list(evaluation.results.values())
    sections = [_table_section(evaluation)]
    sections += [_metric_section(result, evaluation) for result in results]
    sections += _class_sections(results[0], evaluation)
    sections += _image_sections(net, stream, measures, evaluation, journal)
    sections.append(_settings_section(evaluation))
    study = Study("How far can the maps be trusted?", _verdict(results[0], evaluation), _facts(evaluation), sections)
    return write_study(os.path.join(str(evaluation.out_folder), PAGE_NAME), study)


def _verdict(result: MetricResult, evaluation: Evaluation) -> Verdict:
    decided = result.best is not None
    return Verdict(
        "good" if decided else "doubt", finding(result, evaluation), "Decided." if decided else "Not decided."
    )


def _facts(evaluation: Evaluation) -> Dict[str, str]:
    settings = evaluation.settings
    facts = {
        "Model": os.path.basename(str(settings["model"])),
        "Images": "; ".join(count_lines(evaluation)),
        "Layer": ", ".join(settings["at_layer"]),
        "Score": f"{settings['score']} of the {'predicted' if settings['target'] == 'predicted' else 'true'} class",
        "Intervals": f"bootstrap over the images, {settings['confidence']:.0%}",
        "Seed": str(settings["seed"]),
        "Versions": f"gradcam_tf1 {settings['gradcam_tf1']}, TensorFlow {settings['tensorflow']}",
    }
    if not evaluation.complete:
        facts["State"] = "stopped; these are the images so far"
    return facts


def _table_section(evaluation: Evaluation) -> Section:
    lines = table_lines(evaluation)
    share = f"{evaluation.settings['confidence']:.0%}"
    text = [
        f"Mean over the images with its {share} interval. {BEST} marks a method that is better than every other method "
        "and floor; each paired difference is decided after Holm's correction for their number.",
        *findings(evaluation),
        *(f"{name} was left out: {reason}" for name, reason in evaluation.left_out.items()),
    ]
    floors = [(f"{name} (floor)", *cells) for name, *cells in lines.floors]
    caption = (
        "Floors know nothing of the net: random numbers, an edge detector, a Gaussian in the centre. A method that "
        "does not beat them explains nothing."
    )
    return Section("The table", text, [StudyTable(lines.head, [*lines.methods, *floors], caption)])


def _metric_section(result: MetricResult, evaluation: Evaluation) -> Section:
    row, options = METRICS[result.name], evaluation.settings["metrics"][result.name]
    given = ", ".join(f"{name} {value}" for name, value in options.items())
    text = [f"{row.summary[:1].upper()}{row.summary[1:]}; {way(result)}. {given and f'Options: {given}. '}{row.paper}"]
    parts: List[Any] = [_bars(result, evaluation)]
    if result.curves:
        parts.append(_curves(result, evaluation))
    parts.append(_pairs_table(result, evaluation))
    reasons = [(name, str(count), reason) for name, found in result.reasons.items() for reason, count in found.items()]
    if reasons:
        parts.append(StudyTable(("map", "images", "why they have no value"), reasons))
    return Section(result.title, text, parts)


def _bars(result: MetricResult, evaluation: Evaluation) -> Plot:
    bars = [
        PlotBar(name, interval.mean, interval.low, interval.high, name in evaluation.floors)
        for name, interval in result.intervals.items()
    ]
    alt = f"{result.title} of each method, {way(result)}; floors are grey; lines are intervals."
    return bar_plot(bars, f"{result.title} ({way(result)})", alt)


def _curves(result: MetricResult, evaluation: Evaluation) -> Plot:
    lines = [
        PlotLine(name, curve[:, 0].tolist(), curve[:, 1].tolist(), pale=name in evaluation.floors)
        for name, curve in result.curves.items()
    ]
    axis = _CURVE_AXES.get(result.name, "share of changed pixels")
    alt = f"Mean {evaluation.settings['score']} over the {axis}, most important pixels first; floors are grey."
    return line_plot(lines, axis, str(evaluation.settings["score"]), alt)


def _pairs_table(result: MetricResult, evaluation: Evaluation) -> StudyTable:
    caption = "Paired differences, image by image. The probability is corrected for the number of pairs (Holm)."
    pairs = list(result.pairs)
    lead = _lead(result, evaluation)
    if len(pairs) > MAX_PAIRS and lead is not None:
        pairs = [pair for pair in pairs if lead in (pair.first, pair.second)]
        caption += f" These are the pairs with {lead}; all {len(result.pairs)} are in evaluation.json."
    rows = [
        (
            f"{pair.first} - {pair.second}",
            mean_with_ends(pair.difference),
            chance(pair.p),
            verdict_of(pair, result),
        )
        for pair in pairs
    ]
    return StudyTable(("pair", "difference", "probability by chance", "decision"), rows, caption)


def _class_sections(result: MetricResult, evaluation: Evaluation) -> List[Section]:
    """Return the means of each class, if there are several classes."""
    shown = list(result.classes.values())[:MAX_CLASSES]
    if len(shown) < 2:
        return []
    names = (*evaluation.methods, *evaluation.floors)
    rows = [(each.label, str(each.n), *(number(each.means[name]) for name in names)) for each in shown]
    lead = _lead(result, evaluation)
    parts: List[Any] = []
    if lead is not None:
        bars = [PlotBar(f"{each.label} ({each.n})", each.means[lead]) for each in shown]
        parts.append(bar_plot(bars, f"{result.title}, {lead}", f"{result.title} of {lead} by class, number of images."))
    parts.append(StudyTable(("class", "images", *names), rows))
    more = len(result.classes) - len(shown)
    text = [f"{result.title} by explained class.{f' {more} further classes are in evaluation.csv.' if more else ''}"]
    return [Section("Classes", text, parts)]


def _image_sections(
    net: BoundNet, stream: Optional[ImageStream], measures: Measures, evaluation: Evaluation, journal: RowJournal
) -> List[Section]:
    """Return the images on which the leading method is best and worst by the first metric."""
    result = next(iter(evaluation.results.values()))
    lead = _lead(result, evaluation)
    if lead is None:
        return []
    if stream is None:
        return [Section("Best and worst images", ["Images from standard input cannot be read again."])]
    best, worst = extremes(journal.rows(), lead, result.name, result.better)
    strips = [
        ImageStrip(f"{title} by {result.title.lower()}", strip_images(net, stream, measures, lead, chosen))
        for title, chosen in (("Best", best), ("Worst", worst))
    ]
    kept = [strip for strip in strips if strip.images]
    text = f"Maps of {lead}, with the boxes of the explained class." if kept else "All images have the same value."
    return [Section("Best and worst images", [text], kept)]


def _lead(result: MetricResult, evaluation: Evaluation) -> Optional[str]:
    known = {name: result.intervals[name] for name in evaluation.methods if result.intervals[name].n}
    return leader(result, known) if known else None


def _settings_section(evaluation: Evaluation) -> Section:
    rows = [(name, _short(value)) for name, value in evaluation.settings.items()]
    parts = [StudyTable(("setting", "value"), rows, "Each of these changes a number.")]
    if evaluation.failures:
        parts.append(StudyTable(("failed images",), [(reason,) for reason in evaluation.failures]))
    return Section("Settings", [*evaluation.warnings], parts)


def _short(value: Any) -> str:
    text = ", ".join(f"{key}: {each}" for key, each in value.items()) if isinstance(value, dict) else str(value)
    return text if len(text) <= 400 else f"{text[:400]}..."
