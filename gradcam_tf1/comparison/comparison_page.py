"""The page of a comparison. No TensorFlow here."""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING, Dict, Iterator, List, Mapping, Tuple

from gradcam_tf1.comparison.comparison_files import PAGE_NAME, error_of
from gradcam_tf1.comparison.comparison_result import CLASS_AGREEMENT, MAP_NAMES, Comparison
from gradcam_tf1.comparison.differing_images import MostDifferent
from gradcam_tf1.comparison.image_pair import Row
from gradcam_tf1.metrics.intervals import Interval
from gradcam_tf1.report.plots import Plot, PlotBar, bar_plot, draw_plot
from gradcam_tf1.report.study_page import ImageStrip, Section, Study, StudyTable, Verdict, write_study
from gradcam_tf1.run.manifest_lines import readable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SCORE_NAMES = {
    CLASS_AGREEMENT: "images with the same top class",
    "top5_overlap": "common classes among the best five",
    "rank_correlation": "rank correlation of the logits",
    "probability_difference": "largest difference of a probability",
    "mean_probability_difference": "mean difference of the probabilities",
    "logit_difference": "largest difference of a logit",
    "mean_logit_difference": "mean difference of the logits",
}
KIND_NAMES = {"same": "same class", "own": "own top class"}
_SHARES = {
    CLASS_AGREEMENT: "same top class",
    "top5_overlap": "common best five",
    "rank_correlation": "ranks of the logits",
}
_AGREEMENT = (
    "Means over the images, with their bootstrap interval of 95 %: how much they depend on which images were taken.",
    "Maps are compared on the image, where both models saw it: for the class that A finds (same class), and for the "
    "class that each model finds itself (own top class). 1 stands for equal maps.",
)
_MOST_ROWS = 20  # of a table of changes or failures
_MOST_DOTS = 5_000  # of the plot


def write_comparison_page(folder: str, found: Comparison, different: MostDifferent, about: Mapping[str, str]) -> str:
    """Write comparison.html and return its path; about: facts of both models and of the run. Raises OSError."""
    kind = "bad" if found.differs else "good" if found.agrees and found.sure else "doubt"
    words = {"good": "Same.", "bad": "Different.", "doubt": "Same, with doubts." if found.agrees else "Not known."}
    sections = [
        Section("Agreement", _AGREEMENT, [StudyTable(*_table(found)), _bars(found)]),
        *_different(found, different),
        *_changes(found),
        *_failures(found),
        *_notes(found),
    ]
    study = Study("Comparison of two models", Verdict(kind, found.verdict, words[kind]), _facts(found, about), sections)
    return write_study(os.path.join(folder, PAGE_NAME), study)


def interval_text(interval: Interval) -> str:
    """Return "0.912 (0.85 to 0.97)"."""
    if interval.n == 0:
        return "no value"
    ends = f"{interval.low:.3g}", f"{interval.high:.3g}"
    mean = f"{interval.mean:.4g}"
    return mean if ends[0] == ends[1] else f"{mean} ({ends[0]} to {ends[1]})"


def table_rows(found: Comparison) -> Iterator[Tuple[str, str]]:
    """Yield the name and the value of each measure, for the page and the terminal."""
    for name, title in SCORE_NAMES.items():
        yield title, interval_text(found.scores[name])
    for method, kinds in found.maps.items():
        for kind, values in kinds.items():
            for name, interval in values.items():
                yield f"{method}, {KIND_NAMES[kind]}: {MAP_NAMES[name]}", interval_text(interval)


def _facts(found: Comparison, about: Mapping[str, str]) -> Dict[str, str]:
    counted = f"{found.images} compared"
    counted += f", {found.one_sided} with an answer of one model only" if found.one_sided else ""
    counted += f", {found.failed} failed" if found.failed else ""
    limits = "; ".join(
        f"{check.name} {'at most' if check.low_is_good else 'at least'} {check.limit:g}" for check in found.checks
    )
    return {**about, "images": counted, "methods": ", ".join(found.maps), "tolerances": limits}


def _table(found: Comparison) -> Tuple[List[str], List[Tuple[str, str]]]:
    return ["measure", "mean (interval)"], list(table_rows(found))


def _bars(found: Comparison) -> Plot:
    bars = [_bar(title, found.scores[name]) for name, title in _SHARES.items()]
    bars += [
        _bar(f"{method}: {MAP_NAMES[name].split(' of ')[0]}", interval)
        for method, kinds in found.maps.items()
        for name, interval in kinds["same"].items()
    ]
    return bar_plot(
        bars,
        "agreement",
        "Agreement of the two models; 1 is the best. Maps are those of the same class.",
        _limits(bars),
    )


def _limits(bars: List[PlotBar]) -> Tuple[float, float]:
    return min(0.0, *(bar.value if bar.low is None else bar.low for bar in bars if bar.value == bar.value)), 1.0


def _bar(name: str, interval: Interval) -> PlotBar:
    return PlotBar(name, interval.mean, interval.low, interval.high)


def _different(found: Comparison, different: MostDifferent) -> List[Section]:
    rows = different.rows()
    if not rows:
        return []
    text = [
        "The most different image first: by the difference of a probability and the correlation of the maps, each 0 "
        "to 1, on average.",
    ]
    strips = [ImageStrip(_caption(row), strip) for row, strip in rows if strip is not None]
    if len(strips) < len(rows):
        text.append("Images that can be read only once, such as those from standard input, are not shown again.")
    return [Section("Where they differ most", text, [*_dots(found), *strips])]


def _caption(row: Row) -> str:
    alike = next(iter(row["maps"].values()))["same"]["spearman"]
    maps = "no maps to compare" if alike is None else f"correlation of the maps {alike:.3f}"
    return (
        f"{readable(row['relative'])}: A says {_said(row, 'a')}, B says {_said(row, 'b')}; largest difference of a "
        f"probability {row['probability_difference'] or 0:.3f}, {maps}"
    )


def _said(row: Row, which: str) -> str:
    return f"{row[f'name_{which}']} ({row[f'probability_{which}']:.3f})"


def _dots(found: Comparison) -> List[Plot]:
    method = next(iter(found.maps))
    points = []
    for row in found.rows:
        alike = row.get("maps", {}).get(method, {}).get("same", {}).get("spearman")
        if alike is not None and row["probability_difference"] is not None:
            points.append((row["probability_difference"], alike, row["same_class"]))
        if len(points) == _MOST_DOTS:
            break
    if not points:
        return []

    def draw(axes: Axes) -> None:
        for same, marker, name in ((True, "o", "same top class"), (False, "x", "another top class")):
            chosen = [(x, y) for x, y, is_same in points if is_same is same]
            if chosen:
                axes.plot(*zip(*chosen), marker, label=name, alpha=0.75, clip_on=False)
        axes.set_xlabel("largest difference of a probability")
        axes.set_ylabel("correlation of the maps")
        axes.legend(frameon=False)

    return [draw_plot(draw, f"Each dot is an image; maps of {method}. Equal models are at the top left.")]


def _changes(found: Comparison) -> List[Section]:
    counts = Counter((row["name_a"], row["name_b"]) for row in found.rows if row.get("same_class") is False)
    if not counts:
        return []
    rows = [[a, b, str(count)] for (a, b), count in counts.most_common(_MOST_ROWS)]
    more = f"The {_MOST_ROWS} most frequent of {len(counts)}." if len(counts) > _MOST_ROWS else ""
    return [Section("Other classes", [], [StudyTable(["A says", "B says", "images"], rows, more)])]


def _failures(found: Comparison) -> List[Section]:
    rows = []
    for row in found.rows:
        if error_of(row):
            rows.append([readable(row["relative"]), error_of(row)])
        if len(rows) == _MOST_ROWS:
            break
    if not rows:
        return []
    return [Section("Images without a comparison", [], [StudyTable(["image", "reason"], rows, "The first ones.")])]


def _notes(found: Comparison) -> List[Section]:
    return [Section("Notes", list(found.notes))] if found.notes else []
