"""The files of a search for features: a picture and a sheet for each unit, and the numbers. No TensorFlow here."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import List

import numpy as np

from gradcam_tf1.atomic_files import write_whole
from gradcam_tf1.drawing.contact_sheet import Tile, contact_sheet
from gradcam_tf1.drawing.png_files import encode_png
from gradcam_tf1.features.feature_report import FeatureReport, SeenFeature
from gradcam_tf1.run.manifest_lines import strict_json
from gradcam_tf1.run.naming import UniqueNames

JSON_NAME = "features.json"
_ACROSS = 5  # tiles in a row of a sheet
_NAME = 18  # characters of a file's name above its tile


def write_features(folder: str, report: FeatureReport) -> FeatureReport:
    """Write TOKEN.png, TOKEN.sheet.png and features.json into a folder, which is made if absent.

    Returns
    -------
    FeatureReport
        The same, with the paths of the sheets.

    Raises
    ------
    OSError
        If a file cannot be written.
    """
    os.makedirs(folder, exist_ok=True)
    unique, files, rows = UniqueNames(), {}, []
    for feature in report.features:
        token = unique(feature.token)
        written = {"sheet": f"{token}.sheet.png"}
        if feature.picture is not None:
            written["picture"] = f"{token}.png"
            _write(folder, written["picture"], feature.picture)
        _write(folder, written["sheet"], feature_sheet(feature))
        files[feature.name] = os.path.join(folder, written["sheet"])
        rows.append({**feature.as_json(), "files": written})
    text = strict_json({**report.as_json(), "features": rows}, indent=1) + "\n"
    write_whole(os.path.join(folder, JSON_NAME), text.encode("ascii"), "features")
    return replace(report, files=files)


def feature_sheet(feature: SeenFeature) -> np.ndarray:
    """Return the picture of a unit and its top images with their regions on one sheet: uint8 [H, W, 3], RGB."""
    tiles: List[Tile] = []
    if feature.picture is not None:
        tiles.append(Tile(feature.picture, f"drawn {feature.reached:.4g}"))
    for each in feature.top:
        name = os.path.basename(each.source)
        tiles.append(Tile(each.image, f"{each.value:.4g} {name[:_NAME]}", box=each.box))
    rows = [tiles[start : start + _ACROSS] for start in range(0, len(tiles), _ACROSS)]
    return contact_sheet(rows, feature.name, columns=1)


def _write(folder: str, name: str, image: np.ndarray) -> None:
    write_whole(os.path.join(folder, name), encode_png(np.ascontiguousarray(image)), "picture")
