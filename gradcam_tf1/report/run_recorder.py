"""Make the records of a report while a run has the images and maps in memory."""

from __future__ import annotations

import threading
from typing import Any, Dict, Optional, Sequence

from gradcam_tf1.drawing.explained_map import Map
from gradcam_tf1.drawing.explanation import Explanation
from gradcam_tf1.drawing.style import Style
from gradcam_tf1.images.clip_folders import ClipImage
from gradcam_tf1.report.clip_frames import of_frame, shown_frame
from gradcam_tf1.report.image_record import Record, distinct_targets, failed_record, image_record
from gradcam_tf1.report.map_grid import MapGrid
from gradcam_tf1.report.previews import THUMB_SIDE, boxed, jpeg, thumbnail
from gradcam_tf1.report.report_folder import ReportFolder, ident_of
from gradcam_tf1.report.run_rows import digest_of
from gradcam_tf1.report.sound_record import IMAGE_ENDINGS
from gradcam_tf1.run.manifest_lines import readable
from gradcam_tf1.run.result import Result, TargetRecord


class RunRecorder:
    """Writes record, preview and thumbnail of each image; called by the writer threads of a run.

    Parameters
    ----------
    folder : ReportFolder
        Where they are written; made at the first image.
    style : Style
        How the run draws.
    resume : bool
        Keep what an earlier run has written.
    """

    def __init__(self, folder: ReportFolder, style: Style, resume: bool) -> None:
        self._folder = folder
        self._style = style
        self._is_kept = resume
        self._is_made = False
        self._lock = threading.Lock()

    def __call__(self, image: Any, explanation: Optional[Explanation], n: int, result: Result) -> None:
        """Keep one image. Raises OSError if a file cannot be written."""
        self._make()
        ident = ident_of(result.index)
        targets, frame = result.targets, 0
        if isinstance(image, ClipImage):
            number = shown_frame(result)
            frame = image.numbers.index(number)
            image, targets = image.frames[frame], of_frame(result, number).targets
        if explanation is None or not result.ok:
            record = failed_record(ident, readable(result.relative), result.error, result.size)
        else:
            record = image_record(
                *(explanation, n),
                ident=ident,
                name=readable(result.relative),
                targets=targets,
                frame=frame,
                pixels=self._urls(explanation, n, targets).get,
            )
        if image is not None:
            write_images(self._folder, record, image, self._style.colormap, self._style.alpha)
        record["row"] = digest_of(result)
        self._folder.write_record(record)

    def _urls(self, explanation: Explanation, n: int, targets: Sequence[TargetRecord]) -> Dict[Map, str]:
        """Return the URL of each drawn map of a pixel method."""
        return {
            Map(explanation, (record.method, record.layer), n, t): self._folder.url(record.files["pixels"])
            for t, target in zip(distinct_targets(explanation, n), targets)
            for record in target.maps
            if "pixels" in record.files
        }

    def _make(self) -> None:
        with self._lock:
            if not self._is_made:
                self._folder.make()
                if not self._is_kept:
                    self._folder.clear_images()
                self._is_made = True


def write_images(folder: ReportFolder, record: Record, rgb: Any, colormap: str, alpha: float) -> None:
    """Write the preview and the thumbnail of an image, and put their URLs into its record. Raises OSError."""
    first = next((map for target in record["targets"] for map in target["maps"]), None)
    is_drawn = record["missing"] is not None  # the image has a map on it already
    grid = None if first is None or first["grid"] is None or is_drawn else MapGrid.from_json(first["grid"])
    thumb = thumbnail(rgb, grid, first["method"] if first else "", colormap, alpha)
    found = record["targets"][0].get("detection") if record["targets"] and not is_drawn else None
    thumb = boxed(thumb, rgb.shape[:2], found and found["box"])
    record["preview"] = folder.write_image(record["id"] + IMAGE_ENDINGS["preview"], jpeg(rgb))
    record["thumb"] = folder.write_image(record["id"] + IMAGE_ENDINGS["thumb"], jpeg(thumb, THUMB_SIDE))
