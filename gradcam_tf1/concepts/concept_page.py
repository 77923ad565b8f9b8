"""The page of the concepts: a table, a sheet of crops for each, and images with their maps."""

from __future__ import annotations

import os
from typing import Any, Dict, List

import numpy as np

from gradcam_tf1.concepts.concept_options import CRAFT
from gradcam_tf1.concepts.concept_pictures import COLOURS, HighPlaces
from gradcam_tf1.concepts.concept_records import Concept, Concepts
from gradcam_tf1.concepts.drawn_images import DrawnImages
from gradcam_tf1.report.plots import PlotBar, bar_plot
from gradcam_tf1.report.study_page import ImageStrip, Section, StripImage, Study, StudyTable, write_study
from gradcam_tf1.run.listing import counted

_SWATCH = 24  # pixels


def write_concept_page(found: Concepts, drawn: DrawnImages, places: HighPlaces) -> None:
    """Write the page to `found.page`. Raises OSError."""
    sections = [_table(found), _sheets(found, places)]
    sections += [_images(found, drawn)] if drawn.indices else []
    sections.append(_settings(found))
    write_study(found.page, Study(_title(found), None, _facts(found), sections))


def _title(found: Concepts) -> str:
    return "Concepts" if found.target is None else f"Concepts of {found.target.label}"


def _facts(found: Concepts) -> Dict[str, str]:
    left_out = f", {len(found.failed)} left out" if found.failed else ""
    facts = {
        "Model": os.path.basename(str(found.settings["model"])),
        "Images": counted(len(found.images)) + left_out,
        "Layer": found.layer,
        "Method": "CRAFT" if found.method == CRAFT else "Deep feature factorisation",
        "Explained": f"{found.explained:.0%} of the features' squares",
        "Seed": str(found.settings["seed"]),
    }
    if found.target is not None:
        facts["Class"] = found.target.label
    return facts


def spoken_for(concept: Concept) -> str:
    """Return the classes of a concept in words."""
    return ", ".join(f"{each.label} ({each.effect:+.3g})" for each in concept.classes) or "no class"


def caption(concept: Concept) -> str:
    """Return the name, the colour and the classes of a concept."""
    colour = f", {COLOURS[concept.number][0]}" if concept.number < len(COLOURS) else ""
    return f"{concept.name}{colour}: {', '.join(each.label for each in concept.classes) or 'no class'}"


def _table(found: Concepts) -> Section:
    text = [
        "The features of the layer are sums of concepts: A = U W, with no negative number in U or W. The share is what "
        "a concept adds to the features, of what all add.",
        "Speaks for: the classes whose logit rises most where the whole layer holds the concept alone at its typical "
        "strength, against features that are zero. This is far from any image; take it as a name, not as a measure.",
    ]
    ranked = found.method == CRAFT and any(each.importance is not None for each in found.concepts)
    head = ("concept", "colour", *(("importance",) if ranked else ()), "share", "speaks for")
    rows = [
        (
            each.name,
            COLOURS[each.number][0] if each.number < len(COLOURS) else "not drawn",
            *((_number(each.importance),) if ranked else ()),
            f"{each.share:.1%}",
            spoken_for(each),
        )
        for each in found.concepts
    ]
    parts: List[Any] = [StudyTable(head, rows)]
    if ranked:
        text.append(
            "Importance: the total Sobol index of the class's logit, the share of its variance that the concept takes "
            "part in when the coefficients of all concepts are multiplied by random numbers from 0 to 1."
        )
        bars = [PlotBar(each.name, each.importance or 0.0) for each in found.concepts]
        parts.insert(0, bar_plot(bars, "total Sobol index", "Importance of each concept."))
    return Section("The concepts", text, parts)


def _number(value: Any) -> str:
    return "none" if value is None else f"{value:.3f}"


def _sheets(found: Concepts, places: HighPlaces) -> Section:
    strips = []
    for concept in found.concepts:
        images = [StripImage(crop, name) for name, crop in places.of(concept.number)]
        strips.append(ImageStrip(caption(concept) + ("" if images else "; zero on all images"), images))
    text = ["Where each concept is highest, one place of an image, the highest first."]
    return Section("Where they are highest", text, strips)


def _images(found: Concepts, drawn: DrawnImages) -> Section:
    legend = [
        StripImage(np.full((_SWATCH, 3 * _SWATCH, 3), rgb, np.uint8), caption(concept))
        for concept, (_, rgb) in zip(found.concepts, COLOURS)
    ]
    strips = [ImageStrip("Colours", legend)]
    for index in drawn.indices:
        name, pictures = drawn.pictures(index)
        words = ["image", "all concepts", *(each.name for each in found.concepts)]
        of = f"{name}: {found.images[index].label}"
        strips.append(ImageStrip(of, [StripImage(pixels, word) for pixels, word in zip(pictures, words)]))
    text = [
        "In the image of all concepts each pixel has the colour of the strongest one. A colour is full at the 90th "
        "percentile of the images' highest coefficients, so a concept compares across images."
    ]
    return Section("Images", text, strips)


def _settings(found: Concepts) -> Section:
    rows = [(name, str(value)) for name, value in found.settings.items()]
    parts = [StudyTable(("setting", "value"), rows, "Each of these changes a number.")]
    if found.failed:
        parts.append(StudyTable(("image", "why it was left out"), list(found.failed.items())))
    return Section("Settings", list(found.notes), parts)
