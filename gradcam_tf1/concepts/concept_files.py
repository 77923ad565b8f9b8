"""The files of a search for concepts, beside its page."""

from __future__ import annotations

import csv
import io
import json
import os
from dataclasses import replace
from typing import Any, Dict, List, Mapping, Sequence

import numpy as np

from gradcam_tf1._version import __version__
from gradcam_tf1.atomic_files import make_folders, read_own, write_whole
from gradcam_tf1.concepts.concept_page import write_concept_page
from gradcam_tf1.concepts.concept_pictures import HighPlaces
from gradcam_tf1.concepts.concept_records import Concepts
from gradcam_tf1.concepts.drawn_images import DrawnImages
from gradcam_tf1.drawing.png_files import encode_png
from gradcam_tf1.errors import OptionError
from gradcam_tf1.run.manifest_lines import readable, strict_json

IMAGE_FOLDER = "concept_images"
_MOST_BYTES = 256 << 20
_ENDINGS = (".json", ".csv", ".html", ".npz")


def check_own_files(folder: str, stem: str) -> None:
    """Raise OptionError if another program has a file of these names, without a JSON of ours beside it."""
    for name in [f"{stem}{ending}" for ending in _ENDINGS]:
        path = os.path.join(folder, name)
        if os.path.lexists(path) and not _is_ours(os.path.join(folder, f"{stem}.json")):
            raise OptionError(f"{path!r} was not written by this toolkit, and would be overwritten; move it away")


def _is_ours(path: str) -> bool:
    try:
        stored = json.loads(read_own(path, _MOST_BYTES).decode("utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(stored, dict) and "gradcam_tf1" in stored


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
    write_numbers(folder, "concepts", found.as_json(), _table(found))
    vectors = io.BytesIO()
    np.savez(vectors, vectors=found.vectors, layer=np.array(found.layer))
    write_whole(os.path.join(folder, "concepts.npz"), vectors.getvalue(), "concepts")
    figures = _write_images(folder, drawn)
    images = tuple(replace(each, figure=figures.get(index, "")) for index, each in enumerate(found.images))
    page = os.path.join(folder, "concepts.html")
    found = replace(found, images=images, page=page)
    write_concept_page(found, drawn, places)
    return found


def _write_images(folder: str, drawn: DrawnImages) -> Dict[int, str]:
    """Write the image, all concepts together, and each concept, side by side; return the paths."""
    paths = {}
    for index in drawn.indices:
        _, pictures = drawn.pictures(index)
        path = os.path.join(folder, IMAGE_FOLDER, f"image_{index + 1:05d}.png")
        make_folders(folder, path)
        write_whole(path, b"".join([bytes(encode_png(np.concatenate(pictures, axis=1)))]), "concepts")
        paths[index] = path
    return paths


def _table(found: Concepts) -> List[Sequence[object]]:
    """Return one row per image and concept."""
    rows: List[Sequence[object]] = [("image", "class_id", "label", "concept", "mean", "highest")]
    for each in found.images:
        for concept in found.concepts:
            c = concept.number
            facts = (f"{each.mean[c]:.6g}", f"{each.highest[c]:.6g}")
            rows.append((each.name, each.class_id, each.label, c + 1, *facts))
    return rows
