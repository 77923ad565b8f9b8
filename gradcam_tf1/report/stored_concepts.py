"""The concepts of a folder, as `find_concepts` and `tcav` keep them beside the manifest. No TensorFlow here."""

from __future__ import annotations

import json
import os
from typing import Any, Callable, Dict, Mapping, Optional

from gradcam_tf1.atomic_files import read_own
from gradcam_tf1.report.report_folder import ReportFolder, is_inside
from gradcam_tf1.report.sound_record import are_sound_concepts, is_sound_tcav

CONCEPTS_NAME, TCAV_NAME = "concepts.json", "tcav.json"
_MOST_BYTES = 256 << 20
_OF_STUDY = ("layer", "failed", "classes", "method", "target", "explained", "notes", "concepts", "images")
_OF_TEST = ("accuracy", "images_per_vector", "vectors", "counts")
_OF_SETTINGS = ("seed", "positive", "negative", "pooled")


def read_concepts(folder: ReportFolder, run_settings: Mapping[str, Any]) -> Optional[Dict[str, Any]]:
    """Return what the report shows of the stored concepts; None if there are none, or they are damaged.

    Parameters
    ----------
    folder : ReportFolder
        The report of the run in whose folder they lie.
    run_settings : mapping
        Of run.json. Concepts of another model than that of the run say so.
    """
    found = _stored(folder, CONCEPTS_NAME, are_sound_concepts, run_settings)
    test = _stored(folder, TCAV_NAME, is_sound_tcav, run_settings)
    if found is not None:
        for each in found["concepts"]:
            each["crops"] = _pictures(folder, each["crops"])
        found["image_count"] = len(found["images"])
        images = [{**each, "figure": _pictures(folder, each["figure"])} for each in found["images"]]
        found["images"] = [each for each in images if each["figure"] is not None]
    return None if found is None and test is None else {"found": found, "test": test}


def _stored(
    folder: ReportFolder, name: str, is_sound: Callable[[Any], bool], run_settings: Mapping[str, Any]
) -> Optional[Dict[str, Any]]:
    try:
        stored = json.loads(read_own(os.path.join(folder.out_folder, name), _MOST_BYTES).decode("utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    if not is_sound(stored):
        return None
    settings = stored["settings"]
    shown = {key: stored[key] for key in (*_OF_STUDY, *_OF_TEST) if key in stored}
    shown.update({key: settings[key] for key in _OF_SETTINGS if key in settings})
    other = settings["model_sha256"] != run_settings.get("model_sha256")
    return {**shown, "model": os.path.basename(settings["model"]), "other_model": other}


def _pictures(folder: ReportFolder, stored: Any) -> Optional[Dict[str, Any]]:
    """Return the URL and the size of pictures side by side; None if the file is gone, or outside the folder."""
    if stored is None:
        return None
    path = os.path.join(folder.out_folder, *stored["file"].split("/"))
    is_own = is_inside(path, folder.out_folder) and os.path.isfile(path)
    return {"url": folder.url(path), "size": stored["size"]} if is_own else None
