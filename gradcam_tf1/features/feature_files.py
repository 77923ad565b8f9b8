"""The files of a search for features: a picture and a sheet for each unit, and the numbers. No TensorFlow here."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Dict, List, Sequence

import numpy as np

from gradcam_tf1.atomic_files import write_whole
from gradcam_tf1.drawing.contact_sheet import Tile, contact_sheet
from gradcam_tf1.drawing.png_files import encode_png
from gradcam_tf1.features.feature_report import FeatureReport, SeenFeature
from gradcam_tf1.run.manifest_lines import strict_json
from gradcam_tf1.run.naming import UniqueNames
from gradcam_tf1.run.own_record import check_names

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
    tokens = _unique([feature.token for feature in report.features])
    rows = [{**each.as_json(), "files": _names(token, each)} for each, token in zip(report.features, tokens)]
    text = strict_json({**report.as_json(), "features": rows}, indent=1) + "\n"
    # first, since it shows a later search whose pictures these are, also where this one is killed
    write_whole(os.path.join(folder, JSON_NAME), text.encode("ascii"), "features")
    for token, feature in zip(tokens, report.features):
        if feature.picture is not None:
            _write(folder, f"{token}.png", feature.picture)
        elif os.path.lexists(os.path.join(folder, f"{token}.png")):
            os.unlink(os.path.join(folder, f"{token}.png"))  # of an earlier search, which the new sheet does not show
        _write(folder, f"{token}.sheet.png", feature_sheet(feature))
    names = [feature.name for feature in report.features]
    return replace(report, files={n: os.path.join(folder, f"{token}.sheet.png") for n, token in zip(names, tokens)})


def check_features(folder: str, tokens: Sequence[str]) -> None:
    """Raise OptionError if a file has the name of one of a search for these units, and none of ours is beside it."""
    pictures = [f"{token}{ending}" for token in _unique(tokens) for ending in (".png", ".sheet.png")]
    check_names(folder, [JSON_NAME, *pictures], JSON_NAME)


def _unique(tokens: Sequence[str]) -> List[str]:
    unique = UniqueNames()
    return [unique(token) for token in tokens]


def _names(token: str, feature: SeenFeature) -> Dict[str, str]:
    """Return kind -> name of the files of a unit."""
    picture = {} if feature.picture is None else {"picture": f"{token}.png"}
    return {"sheet": f"{token}.sheet.png", **picture}


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
