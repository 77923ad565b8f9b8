"""The folder `report` of an output folder: what is whose, and where each image has its files."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from typing import Any, Dict, Optional
from urllib.parse import quote

from gradcam_tf1._version import __version__
from gradcam_tf1.atomic_files import make_folders, read_own, write_whole
from gradcam_tf1.errors import OptionError
from gradcam_tf1.images.own_outputs import REPORT_NAME, is_output_folder
from gradcam_tf1.report.page import record_script
from gradcam_tf1.report.sound_record import IMAGE_ENDINGS, IMAGES, is_sound

SINGLE_NAME = "report.html"
_MARK = "gradcam_tf1.json"  # tells our folder from another program's
_OWN_IMAGE = re.compile(r"\d{6,}(\.js|\.jpg|\.thumb\.jpg)")
_SCRIPT = re.compile(rb'gradcam\.receive\("(\d{6,})",(\{.*\})\);\n', re.DOTALL)
_MOST_BYTES = 64 << 20  # of one record


@dataclass(frozen=True)
class ReportFolder:
    """The report of one run.

    Attributes
    ----------
    out_folder : str
        The output folder of the run.
    """

    out_folder: str

    @property
    def path(self) -> str:
        """The folder of the report."""
        return os.path.join(self.out_folder, REPORT_NAME)

    def check(self) -> None:
        """Raise OptionError if another program has something of this name."""
        if os.path.lexists(self.path) and not os.path.isfile(os.path.join(self.path, _MARK)):
            is_free = os.path.isdir(self.path) and not os.path.islink(self.path) and not os.listdir(self.path)
            if not is_free:
                raise OptionError(
                    f"{self.path!r} was not written by this toolkit, and a report would write into it; move it away"
                )

    def make(self) -> None:
        """Make the folder. Raises OptionError as `check`, and OSError."""
        self.check()
        make_folders(self.out_folder, self._image_path("x"))
        mark = json.dumps({"gradcam_tf1": __version__, "report": 1}).encode()
        write_whole(os.path.join(self.path, _MARK), mark, "report")

    def clear_images(self) -> None:
        """Remove the records and previews of an earlier run."""
        folder = os.path.join(self.path, IMAGES)
        for name in filter(_OWN_IMAGE.fullmatch, os.listdir(folder)):
            os.unlink(os.path.join(folder, name))

    def write_image(self, name: str, data: bytes) -> str:
        """Write the preview "000012.jpg" or the thumbnail "000012.thumb.jpg", and return its URL. Raises OSError."""
        write_whole(self._image_path(name), data, "report")
        return f"{IMAGES}/{name}"

    def write_record(self, record: Dict[str, Any]) -> None:
        """Write the record of an image. Raises OSError."""
        text = record_script(record["id"], record)
        write_whole(self._image_path(f"{record['id']}.js"), text.encode("ascii"), "report")

    def read_record(self, ident: str) -> Optional[Dict[str, Any]]:
        """Return the record of an image; None if there is none, or it is damaged."""
        try:
            found = _SCRIPT.fullmatch(read_own(self._image_path(f"{ident}.js"), _MOST_BYTES))
            record = json.loads(found.group(2).decode("ascii")) if found else None
        except (OSError, ValueError, RecursionError):
            return None
        return record if is_sound(record, ident) else None

    def has_images(self, record: Dict[str, Any]) -> bool:
        """Return whether the preview and the thumbnail of a record are there, if it has them."""
        endings = [ending for name, ending in IMAGE_ENDINGS.items() if record[name] is not None]
        paths = [self._image_path(record["id"] + ending) for ending in endings]
        return all(os.path.isfile(path) and not os.path.islink(path) for path in paths)

    def read_image(self, name: str) -> Optional[bytes]:
        """Return the bytes of a preview or thumbnail; None if there is none."""
        try:
            return read_own(self._image_path(name), _MOST_BYTES)
        except OSError:
            return None

    def url(self, path: str) -> str:
        """Return the URL of a file inside the output folder, seen from the page."""
        below = os.path.relpath(path, self.out_folder).replace(os.sep, "/")
        return quote(os.fsencode(f"{os.pardir}/{below}"))

    def _image_path(self, name: str) -> str:
        return os.path.join(self.path, IMAGES, name)


def ident_of(index: int) -> str:
    """Return the id of the image with this number in the manifest."""
    return f"{index:06d}"


def is_inside(path: str, folder: str) -> bool:
    """Return whether the path, after all links, lies below the folder."""
    real, top = os.path.realpath(path), os.path.realpath(folder)
    return real.startswith(os.path.join(top, ""))


def check_output_folder(out_folder: Any) -> str:
    """Return the path of an output folder. Raises OptionError if it is none."""
    if not isinstance(out_folder, (str, os.PathLike)):
        raise OptionError(f"the output folder of a run is a path, not {out_folder!r}")
    folder = os.path.expanduser(os.fspath(out_folder))
    if not os.path.lexists(folder):
        raise OptionError(f"there is no folder {folder!r}; give the folder of --out")
    if not is_output_folder(folder):
        raise OptionError(
            f"{folder!r} is not the output folder of a run, it has no manifest.jsonl and run.json of this toolkit; "
            "give the folder of --out"
        )
    return folder
