"""Make the record of an image after its run, from the files that the run wrote. No TensorFlow here."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import replace
from typing import Any, Dict, List, Mapping, Optional, Tuple

import numpy as np

from gradcam_tf1.drawing.overlay import ALPHA, COLORMAPS
from gradcam_tf1.drawing.style import AGAINST, families, full_heat
from gradcam_tf1.errors import GradCamError
from gradcam_tf1.images.geometry import Box, free_size, placement_on_input
from gradcam_tf1.images.image_files import read_image
from gradcam_tf1.report.clip_frames import is_clip, of_frame, shown_frame
from gradcam_tf1.report.image_record import (
    Record,
    classes,
    detection_record,
    failed_record,
    finite,
    map_record,
)
from gradcam_tf1.report.map_grid import MapGrid
from gradcam_tf1.report.original_images import OriginalImages
from gradcam_tf1.report.report_folder import ReportFolder, ident_of, is_inside
from gradcam_tf1.report.run_recorder import write_images
from gradcam_tf1.report.run_rows import digest_of
from gradcam_tf1.report.written_maps import heat_grid, raw_grid
from gradcam_tf1.run.manifest_lines import readable
from gradcam_tf1.run.result import MapRecord, Result, TargetRecord
from gradcam_tf1.types import MapKey

NO_NUMBERS = "its numbers are not known: the run kept neither a heat map nor --raw"


class RecordMaker:
    """Makes records of a finished or running folder, image by image in the order of the run.

    Parameters
    ----------
    folder : ReportFolder
        Where they are written.
    settings : mapping
        Of run.json.
    max_pixels : int
        Larger originals and heat maps are refused.

    Attributes
    ----------
    colormap : str
        Of the run.
    """

    def __init__(self, folder: ReportFolder, settings: Mapping[str, Any], max_pixels: int) -> None:
        self._folder = folder
        self._settings = settings
        self._max_pixels = max_pixels
        self._originals = OriginalImages(settings, max_pixels)
        colormap, alpha = settings.get("colormap"), settings.get("alpha")
        self.colormap = colormap if colormap in COLORMAPS else "jet"
        self._alpha = alpha if isinstance(alpha, (int, float)) and 0 <= alpha <= 1 else ALPHA

    def make(self, result: Result) -> Record:
        """Write the preview, the thumbnail and the record of an image, and return the record. Raises OSError."""
        digest = digest_of(result)
        ident, name = ident_of(result.index), readable(result.relative)
        if not result.ok:
            record = failed_record(ident, name, readable(result.error), result.size)
        else:
            clip = is_clip(result)
            result = of_frame(result, shown_frame(result)) if clip else result
            record = self._record(ident, name, result)
            self._draw(record, result, clip)
        record["row"] = digest
        self._folder.write_record(record)
        return record

    def draw_again(self, result: Result, record: Record) -> None:
        """Write the preview and the thumbnail of a record that has lost them. Raises OSError."""
        clip = is_clip(result)
        result = of_frame(result, shown_frame(result)) if clip else result
        record.update(preview=None, thumb=None, missing=None)
        self._draw(record, result, clip)
        self._folder.write_record(record)

    def _record(self, ident: str, name: str, result: Result) -> Record:
        return {
            **{"id": ident, "name": name, "size": result.size and list(result.size), "status": "ok", "error": None},
            **{"preview": None, "thumb": None, "missing": None, "truth": None, "top": classes(result.top)},
            "targets": [self._target(target, result.size) for target in result.targets],
        }

    def _target(self, target: TargetRecord, size: Optional[Tuple[int, int]]) -> Record:
        scales = self._scales(target)
        return {
            **{"class_id": target.class_id, "label": target.label},
            **{"score": finite(target.score), "probability": finite(target.probability)},
            **{"about": target.about, "detection": detection_record(target.detection)},
            "maps": [self._map(map, scale, size) for map, scale in zip(target.maps, scales)],
        }

    def _scales(self, target: TargetRecord) -> List[Optional[float]]:
        """Return for each map the value that was drawn at full strength; None if it is not known."""
        records: Any = {(map.method, map.layer): map for map in target.maps}
        shared = self._settings.get("share_scale", True) is not False
        scales: Dict[MapKey, Optional[float]] = {}
        for family in families(records, shared):
            full = full_heat((records[key] for key in family), self._signed)
            scales.update(dict.fromkeys(family, full))
        return [scales[map.method, map.layer] for map in target.maps]

    @property
    def _signed(self) -> bool:
        return self.colormap == "diverging"

    def _map(self, map: MapRecord, scale: Optional[float], size: Optional[Tuple[int, int]]) -> Record:
        own = self._own(map.files.get("pixels"))
        pixels = None if own is None else self._folder.url(own)
        grid = None if size is None or map.status == "empty" else self._grid(map, scale, size)
        if grid is None and map.status != "empty" and pixels is None:
            map = replace(map, notes=(*map.notes, NO_NUMBERS))
        return map_record(map, grid, size, pixels)

    def _grid(self, map: MapRecord, scale: Optional[float], size: Tuple[int, int]) -> Optional[MapGrid]:
        """Return the values of a map: its numbers, else the inverse of its heat map."""
        raw, heatmap = (self._own(map.files.get(kind)) for kind in ("raw", "heatmap"))
        grid = None if raw is None else raw_grid(raw, size)
        if grid is not None or heatmap is None or scale is None or not math.isfinite(scale):
            return grid
        with suppress(GradCamError):  # of a file that is gone or damaged
            colors = read_image(heatmap, self._max_pixels)
            if colors.shape[:2] == tuple(size):
                seen = self._seen(size)
                return heat_grid(colors, self.colormap, scale, seen, self._signed, map.method in AGAINST)
        return None

    def _seen(self, size: Tuple[int, int]) -> Box:
        """Return the box of the image that the net saw; all of it where run.json does not say it."""
        settings = self._settings
        is_known = "input_size" in settings or settings.get("fit") != "center-crop"  # earlier versions did not keep it
        with suppress(GradCamError, TypeError, ValueError):
            fixed, wanted = (free_size(settings.get(name)) for name in ("input_size", "size"))
            mode = settings.get("fit", "stretch") if is_known else "stretch"
            return placement_on_input((size[0], size[1]), fixed, wanted, mode).seen
        return (0, 0, size[0], size[1])

    def _own(self, path: Optional[str]) -> Optional[str]:
        """Return the path of a file of the run if it is inside the output folder."""
        return path if path is not None and is_inside(path, self._folder.out_folder) else None

    def _draw(self, record: Record, result: Result, clip: bool) -> None:
        """Write the preview and the thumbnail: of the original, or of what was drawn of it if that is gone."""
        image, reason = self._original(result, clip)
        if image is None:
            image = self._drawn(result)
            record["missing"] = reason
        if image is not None:
            write_images(self._folder, record, image, self.colormap, self._alpha)

    def _original(self, result: Result, clip: bool) -> Tuple[Optional[np.ndarray], str]:
        copy = self._own(result.figures.get("original"))
        if copy is not None:
            with suppress(GradCamError):
                return read_image(copy, self._max_pixels), ""
        if clip:
            return None, "a clip: the frame is shown as it was drawn"
        try:
            return self._originals.read(result), ""
        except GradCamError as error:
            return None, readable(f"the original is not shown, but what was drawn of it: {error}")

    def _drawn(self, result: Result) -> Optional[np.ndarray]:
        """Return the first drawn image that can be read."""
        for map in result.maps:
            for path in filter(None, (self._own(map.files.get(kind)) for kind in ("overlay", "pixels"))):
                with suppress(GradCamError):
                    return read_image(path, self._max_pixels)
        return None
