"""The image formats that earlier runs drew in a folder: a run in another format replaces their files."""

from __future__ import annotations

import json
import os
from typing import Any, Dict, Tuple

from gradcam_tf1.drawing.image_formats import IMAGE_FORMATS, LOSSLESS
from gradcam_tf1.images.own_outputs import RUN_NAME, is_output_folder

KEY = "replaced_formats"  # in run.json; a resumed run goes on replacing


def earlier_formats(out_folder: str, image_format: str) -> Tuple[str, ...]:
    """Return the other formats in which the runs of this folder drew, from its run.json; () where no run was.

    Parameters
    ----------
    out_folder : str
        The output folder, before the new run writes to it.
    image_format : str
        Format of the new run, from IMAGE_FORMATS.
    """
    if not is_output_folder(out_folder):
        return ()
    settings: Dict[str, Any]
    with open(os.path.join(out_folder, RUN_NAME), encoding="utf-8") as stream:
        settings = json.load(stream)
    earlier = settings.get(KEY)
    drawn = [settings.get("image_format", LOSSLESS), *(earlier if isinstance(earlier, list) else [])]
    return tuple(name for name in IMAGE_FORMATS if name in drawn and name != image_format)


def remove_replaced(path: str, formats: Tuple[str, ...]) -> None:
    """Remove the files that differ from a written image only in that they have the ending of one of these formats."""
    start, ending = os.path.splitext(path)
    for name in formats:
        other = start + IMAGE_FORMATS[name].ending
        if IMAGE_FORMATS[name].ending != ending and os.path.lexists(other) and not os.path.isdir(other):
            os.unlink(other)  # of a link, the link
