"""The page of the sanity checks."""

from __future__ import annotations

import os
from typing import Any, Dict, List, Sequence, Tuple

import numpy as np

from gradcam_tf1.drawing.overlay import colorize, normalize
from gradcam_tf1.report.plots import Plot, PlotLine, line_plot
from gradcam_tf1.report.study_page import ImageStrip, Section, StripImage, Study, StudyTable, Verdict, write_study
from gradcam_tf1.run.listing import counted
from gradcam_tf1.sanity.compared_maps import EDGES
from gradcam_tf1.sanity.described_maps import measures_of
from gradcam_tf1.sanity.sanity_options import CASCADE, MODES
from gradcam_tf1.sanity.sanity_report import SanityReport, StepSummary
from gradcam_tf1.sanity.sanity_words import VERDICT_HEAD, check_rows, mean_with_ends, notes, summary, verdict_rows
from gradcam_tf1.sanity.verdicts import CHANGES_BELOW, DECIDING, HARDLY_ABOVE

PAGE_NAME, JSON_NAME = "sanity.html", "sanity.json"
_PLOTTED = (DECIDING, "ssim absolute", "hog absolute")
_TITLES = {"spearman": "Spearman correlation", "ssim": "SSIM", "hog": "correlation of HOG"}
_ABOUT = {
    CASCADE: "The weights of all layers from the class scores down to the named one are drawn.",
    "independent": "The weights of the named layers alone are drawn.",
}
_WORDS = {"good": "", "bad": "", "doubt": "Look closer."}


def write_sanity_page(folder: str, report: SanityReport) -> str:
    """Write sanity.html into an existing folder and return its path. Raises OSError."""
    kind, sentence = summary(report)
    sections = [_verdict_section(report)] if report.verdicts else []
    sections += [_mode_section(report, mode) for mode in MODES if any(step.mode == mode for step in report.steps)]
    sections += [_strips(report)] if report.steps else []
    sections += [_checks(report)] if report.checks else []
    sections += [_numbers(report)] if report.steps else []
    sections.append(_settings(report))
    verdict = Verdict(kind, sentence, _WORDS[kind])
    return write_study(
        os.path.join(folder, PAGE_NAME), Study("Do the maps show the net?", verdict, _facts(report), sections)
    )


def _facts(report: SanityReport) -> Dict[str, str]:
    layers = sum(map(len, report.layers))
    return {
        "Model": os.path.basename(report.model),
        "Images": counted(len(report.images)) + (f", {len(report.failed)} left out" if report.failed else ""),
        "Layers with weights": f"{layers}, drawn in {len(report.layers)} steps",
        "Draw": str(report.settings["draw"]),
        "Seed": str(report.settings["seed"]),
        "TensorFlow": str(report.settings["tensorflow"]),
    }


def _verdict_section(report: SanityReport) -> Section:
    text = [
        "If a map explains what the net has learned, it changes when the weights are drawn anew. Kept is what is left "
        "of it while the upper half of the layers is drawn, with its 95 % interval over the images: 1 is the same map, "
        "0 is no more alike than the maps of two images. It is the mean signed Spearman correlation s with the map of "
        f"the intact net, as (s - c) / (1 - c). Below {CHANGES_BELOW} the maps change, above {HARDLY_ABOVE} they "
        "hardly change.",
        "Other images: c, the same correlation for maps of different images, which have only the habits of the method "
        "in common. Edges: the correlation with an edge detector. The edges stand in the table as a method that "
        "ignores the net.",
    ]
    return Section("Verdicts", text, [StudyTable(VERDICT_HEAD, verdict_rows(report))])


def _mode_section(report: SanityReport, mode: str) -> Section:
    steps = [step for step in report.steps if step.mode == mode]
    title = "Cascade, from the class scores down" if mode == CASCADE else "Layer by layer"
    rows = [(str(number + 1), ", ".join(step.layers)) for number, step in enumerate(steps)]
    plots = [_plot(report, steps, measure) for measure in _PLOTTED if measure in _measures(report)]
    return Section(title, [_ABOUT[mode]], [*plots, StudyTable(("step", "layers"), rows)])


def _plot(report: SanityReport, steps: Sequence[StepSummary], measure: str) -> Plot:
    name, kind = measure.split(" ")
    # step 0 is the intact net
    x = list(range(len(steps) + 1))
    lines = []
    for method in report.methods:
        values = [step.similarity[method][measure] for step in steps]
        mean, low, high = ([1.0, *(getattr(value, end) for value in values)] for end in ("mean", "low", "high"))
        lines.append(PlotLine(method, x, mean, low, high, pale=method == EDGES))
    title = f"{_TITLES[name]}, {'magnitudes' if kind == 'absolute' else 'signed'}"
    alt = f"{title}: the maps against those of the intact net, step by step; bands are intervals, the edges are grey."
    known = [value for line in lines for value in line.y if np.isfinite(value)]
    return line_plot(lines, "step", title, alt, (min(0.0, *known) - 0.05, 1.05))


def _strips(report: SanityReport) -> Section:
    photograph = report.first if report.first.shape[2] == 3 else np.repeat(report.first[..., :1], 3, axis=2)
    strips = []
    for method, maps in report.strips.items():
        captions = ["intact", *(f"step {number + 1}" for number in range(len(maps) - 1))]
        images = [StripImage(photograph, "image")]
        images += [StripImage(_drawn(map), caption) for map, caption in zip(maps, captions)]
        strips.append(ImageStrip(method, images))
    text = ["The first image, its map, and the map after each step; each map has its own scale."]
    return Section("Maps", text, strips)


def _drawn(map: np.ndarray) -> np.ndarray:
    top = float(np.percentile(map, 99)) or float(map.max())
    pixels: np.ndarray = colorize(normalize(np.minimum(map, top)), "jet")
    if not map.any():
        pixels[:] = 224
    return pixels


def _checks(report: SanityReport) -> Section:
    text = [
        "Repeat, session and batch must hold. A map that changes with a constant shift of the image, which the scores "
        "ignore, depends on more than the net.",
    ]
    head = ("check", "result", "methods", "difference", "what was done")
    about = "Difference: the largest ||a - b|| / ||a|| of the maps."
    return Section("Checks", text, [StudyTable(head, check_rows(report), about)])


def _numbers(report: SanityReport) -> Section:
    parts: List[Any] = []
    for method in report.methods:
        rows = [
            (
                f"{step.mode}: {step.layers[-1]}",
                *(mean_with_ends(step.similarity[method][measure]) for measure in _measures(report)),
                str(step.empty.get(method, 0)),
                str(step.dead.get(method, 0)),
                str(step.broken),
            )
            for step in report.steps
        ]
        parts.append(StudyTable(("step", *_measures(report), "even maps", "no gradient", "no score"), rows, method))

    text = ["Mean similarity with the map of the intact net, with its interval; each step is named by its last layer."]
    return Section("All numbers", text, parts)


def _measures(report: SanityReport) -> Tuple[str, ...]:
    return measures_of(report.settings["similarities"])


def _settings(report: SanityReport) -> Section:
    rows = [(name, str(value)) for name, value in report.settings.items()]
    parts = [StudyTable(("setting", "value"), rows, "Each of these changes a number.")]
    if report.failed:
        parts.append(StudyTable(("image", "why it was left out"), list(report.failed.items())))
    return Section("Settings", notes(report), parts)
