"""The files of a search for concepts, beside its page."""

from __future__ import annotations

import csv
import io
import os
from dataclasses import replace
from typing import Any, Dict, Iterable, List, Mapping, Sequence, Set

import numpy as np

from gradcam_tf1._version import __version__
from gradcam_tf1.atomic_files import make_folders, write_whole
from gradcam_tf1.concepts.concept_page import write_concept_page
from gradcam_tf1.concepts.concept_pictures import COLOURS, HighPlaces
from gradcam_tf1.concepts.concept_records import Concepts
from gradcam_tf1.concepts.drawn_images import DrawnImages
from gradcam_tf1.drawing.png_files import encode_png
from gradcam_tf1.images.own_outputs import is_output_folder
from gradcam_tf1.report.report_folder import ReportFolder, is_inside
from gradcam_tf1.report.shown_concepts import show_concepts
from gradcam_tf1.report.sound_record import are_sound_concepts
from gradcam_tf1.run.manifest_lines import readable, strict_json
from gradcam_tf1.run.own_record import check_names, own_record

IMAGE_FOLDER = "concept_images"
_ENDINGS = (".json", ".csv", ".html", ".npz")


def check_own_files(folder: str, stem: str) -> None:
    """Raise OptionError if another program has a file of these names, without a JSON of ours beside it.

    In the output folder of a run also if it has something named report.
    """
    if is_output_folder(folder):
        ReportFolder(folder).check()
    check_names(folder, [f"{stem}{ending}" for ending in _ENDINGS], f"{stem}.json")


def write_numbers(folder: str, stem: str, values: Mapping[str, Any], rows: Sequence[Sequence[object]]) -> None:
    """Write a JSON and a CSV file into a folder, which is made if absent. Raises OSError."""
    os.makedirs(folder, exist_ok=True)
    text = strict_json({"gradcam_tf1": __version__, **values}, indent=1) + "\n"
    write_whole(os.path.join(folder, f"{stem}.json"), text.encode("ascii"), "concepts")
    table = io.StringIO()
    csv.writer(table, lineterminator="\n").writerows(rows)
    write_whole(os.path.join(folder, f"{stem}.csv"), readable(table.getvalue()).encode("utf-8"), "concepts")


def write_concepts(folder: str, found: Concepts, drawn: DrawnImages, places: HighPlaces) -> Concepts:
    """Write numbers, vectors, drawn images and the page; return the concepts with their paths. Raises OSError."""
    os.makedirs(folder, exist_ok=True)
    earlier = own_record(folder, "concepts.json")
    figures = {n: _write_strip(folder, f"image_{n + 1:05d}.png", drawn.pictures(n)[1]) for n in drawn.indices}
    values = _as_json(folder, found, figures, places)
    write_numbers(folder, "concepts", values, _table(found))
    vectors = io.BytesIO()
    np.savez(vectors, vectors=found.vectors, layer=np.array(found.layer))
    write_whole(os.path.join(folder, "concepts.npz"), vectors.getvalue(), "concepts")
    paths = {n: os.path.join(folder, *figure["file"].split("/")) for n, figure in figures.items()}
    images = tuple(replace(each, figure=paths.get(n, "")) for n, each in enumerate(found.images))
    found = replace(found, images=images, page=os.path.join(folder, "concepts.html"))
    write_concept_page(found, drawn, places)
    if are_sound_concepts(earlier):
        _remove(folder, _pictures(earlier) - _pictures(values))
    return replace(found, page=page_in_report(folder, found.page))


def _pictures(values: Mapping[str, Any]) -> Set[str]:
    """Return the pictures of a search, as its JSON names them."""
    stored = [*(each["crops"] for each in values["concepts"]), *(each["figure"] for each in values["images"])]
    return {each["file"] for each in stored if each is not None}


def _remove(folder: str, names: Iterable[str]) -> None:
    """Remove pictures of an earlier search, whose numbers another one has replaced. Raises OSError."""
    for path in [os.path.join(folder, *name.split("/")) for name in names]:
        if is_inside(path, folder) and os.path.isfile(path):
            os.unlink(path)


def page_in_report(folder: str, page: str) -> str:
    """Show the results in the report if the folder is that of a run; return the path of the page to look at.

    Raises
    ------
    ManifestError
        If a line of the manifest of the run is damaged.
    OSError
        If a file cannot be read or written.
    """
    return show_concepts(folder) if is_output_folder(folder) else page


def _as_json(folder: str, found: Concepts, figures: Mapping[int, Any], places: HighPlaces) -> Dict[str, Any]:
    """Return the concepts with the pictures of each concept and each image."""
    values = found.as_json()
    for n, image in enumerate(values["images"]):
        image["figure"] = figures.get(n)
    for n, concept in enumerate(values["concepts"]):
        color, rgb = COLOURS[n] if n < len(COLOURS) else (None, None)
        crops = [crop for _, crop in places.of(n)]
        strip = _write_strip(folder, f"concept_{n + 1:02d}.png", crops) if crops else None
        concept.update(color=color, rgb=rgb, crops=strip)
    return values


def _write_strip(folder: str, name: str, pictures: Sequence[np.ndarray]) -> Dict[str, Any]:
    """Write pictures of one size side by side; return the path from the folder, and height and width of one."""
    path = os.path.join(folder, IMAGE_FOLDER, name)
    make_folders(folder, path)
    write_whole(path, bytes(encode_png(np.concatenate(pictures, axis=1))), "concepts")
    return {"file": f"{IMAGE_FOLDER}/{name}", "size": pictures[0].shape[:2]}


def _table(found: Concepts) -> List[Sequence[object]]:
    """Return one row per image and concept."""
    rows: List[Sequence[object]] = [("image", "class_id", "label", "concept", "mean", "highest")]
    for each in found.images:
        for concept in found.concepts:
            c = concept.number
            facts = (f"{each.mean[c]:.6g}", f"{each.highest[c]:.6g}")
            rows.append((each.name, each.class_id, each.label, c + 1, *facts))
    return rows
