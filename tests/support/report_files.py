"""What a report has on disk, read as a browser reads it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Dict, List, Union

import cv2
import numpy as np

Out = Union[str, Path]


def received(path: Path) -> Any:
    """The value that a script hands to the page; strict JSON in ASCII, on one line."""
    text = path.read_bytes().decode("ascii")
    name, value = re.fullmatch(r'gradcam\.receive\("([a-z0-9]+)",(.*)\);\n', text).groups()
    assert name == path.stem
    return json.loads(value, parse_constant=lambda name: 1 / 0)


def index_of(out: Out) -> Dict[str, Any]:
    """The index of the report."""
    return received(Path(out, "report", "index.js"))


def records_of(out: Out) -> List[Dict[str, Any]]:
    """The records of all images of the index."""
    return [received(Path(out, "report", "images", f"{ident}.js")) for ident in index_of(out)["images"]["id"]]


def maps_of(record: Dict[str, Any]) -> List[Dict[str, Any]]:
    """The maps of all targets."""
    return [map for target in record["targets"] for map in target["maps"]]


def picture(out: Out, url: str) -> np.ndarray:
    """A preview or thumbnail: uint8 [H, W, 3], RGB."""
    return cv2.cvtColor(cv2.imread(str(Path(out, "report", url))), cv2.COLOR_BGR2RGB)


def columns(out: Out, *names: str) -> List[tuple]:
    """These columns of the index, row by row."""
    images = index_of(out)["images"]
    return list(zip(*(images[name] for name in names)))
