"""The report as one HTML file, with its images inside. No TensorFlow here."""

from __future__ import annotations

import base64
import os
import uuid
from typing import Any, Iterator, Mapping, Optional
from urllib.parse import unquote_to_bytes

from gradcam_tf1.errors import GradCamError, OptionError
from gradcam_tf1.images.image_files import read_image
from gradcam_tf1.report.image_record import Record
from gradcam_tf1.report.page import single_page
from gradcam_tf1.report.previews import PREVIEW_SIDE, jpeg
from gradcam_tf1.report.report_folder import SINGLE_NAME, ReportFolder, is_inside
from gradcam_tf1.report.sound_record import IMAGE_ENDINGS

_GENERATOR = b'<meta name="generator" content="gradcam_tf1 report">'
_STRIP_SIDE = 4_096  # of ten pictures side by side
_HEAD = 4_000  # bytes of a page in which this stands


def write_single(folder: ReportFolder, index: Mapping[str, Any], path: str) -> None:
    """Write the report as one file, whole or not at all.

    Parameters
    ----------
    folder : ReportFolder
        With the records of all images of the index.
    index : mapping
        The index.
    path : str
        The file.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    temporary = os.path.join(os.path.dirname(path), f".{uuid.uuid4().hex}.tmp")
    try:
        with open(temporary, "x", encoding="utf-8") as file:
            concepts = _concepts(folder, index.get("concepts"))
            for part in single_page({**index, "concepts": concepts}, _records(folder, index["images"]["id"])):
                file.write(part)
        os.replace(temporary, path)
    except OSError as error:
        raise OSError(error.errno, f"cannot write the report: {error.strerror}", path) from error
    finally:
        if os.path.lexists(temporary):
            os.unlink(temporary)


def single_path(out_folder: str, given: Any) -> str:
    """Return the path of the file: as given, or report.html in the output folder for True.

    Raises
    ------
    OptionError
        If something is there that is not a report, or there is no folder for it.
    """
    path = os.path.join(out_folder, SINGLE_NAME) if given is True else os.path.expanduser(os.fspath(given))
    if not os.path.basename(path) or not os.path.isdir(os.path.dirname(path) or os.curdir):
        raise OptionError(f"{path!r} is not a file in a folder that exists; make the folder, or give another path")
    if not os.path.lexists(path):
        return path
    head = b""
    if os.path.isfile(path) and not os.path.islink(path):
        with open(path, "rb") as file:
            head = file.read(_HEAD)
    if _GENERATOR not in head:
        raise OptionError(f"{path!r} is there and is not a report; choose another name, or move it away")
    return path


def _records(folder: ReportFolder, idents: Any) -> Iterator[Record]:
    """Yield the records with their images inside."""
    for ident in idents:
        record = folder.read_record(ident)
        if record is None:
            raise OptionError(f"the record of image {ident} was removed or damaged meanwhile; write the report again")
        for name, ending in IMAGE_ENDINGS.items():
            data = None if record[name] is None else folder.read_image(ident + ending)
            record[name] = _data_url(data)
        for map in (map for target in record["targets"] for map in target["maps"]):
            map["pixels"] = map["pixels"] and _data_url(_drawn(folder, map["pixels"]))
        yield record


def _concepts(folder: ReportFolder, concepts: Any) -> Any:
    """Return the concepts with their pictures inside."""
    found = concepts and concepts["found"]
    if not found:
        return concepts

    def inside(name: str, entries: Any) -> Any:
        return [{**each, name: each[name] and _strip(folder, each[name])} for each in entries]

    own = {"concepts": inside("crops", found["concepts"]), "images": inside("figure", found["images"])}
    return {**concepts, "found": {**found, **own}}


def _strip(folder: ReportFolder, pictures: Mapping[str, Any]) -> Optional[Mapping[str, Any]]:
    """Return pictures side by side as large as they are; None if the file is gone."""
    data = _drawn(folder, pictures["url"], _STRIP_SIDE)
    return None if data is None else {**pictures, "url": _data_url(data)}


def _data_url(data: Optional[bytes]) -> Optional[str]:
    return None if data is None else "data:image/jpeg;base64," + base64.b64encode(data).decode("ascii")


def _drawn(folder: ReportFolder, url: str, side: int = PREVIEW_SIDE) -> Optional[bytes]:
    """Return a drawn image, its longer side at most `side`; None if it is gone or outside the output folder."""
    path = os.path.join(folder.path, os.fsdecode(unquote_to_bytes(url)))
    if not is_inside(path, folder.out_folder):
        return None
    try:
        return jpeg(read_image(path), side)
    except GradCamError:
        return None
