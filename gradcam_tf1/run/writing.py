"""Draw and write the maps of an explained image, and record the written files. No TensorFlow here."""

from __future__ import annotations

import io
import os
from dataclasses import asdict
from typing import Any, Callable, Optional, Tuple

import numpy as np

from gradcam_tf1.atomic_files import make_folders, write_whole
from gradcam_tf1.drawing.class_score import ClassScore
from gradcam_tf1.drawing.detected_box import Detection
from gradcam_tf1.drawing.detection_overlay import with_box
from gradcam_tf1.drawing.explained_map import Map
from gradcam_tf1.drawing.explanation import Explanation
from gradcam_tf1.drawing.image_formats import IMAGE_FORMATS, LOSSLESS, format_for, write_image
from gradcam_tf1.drawing.overlay import write_png
from gradcam_tf1.drawing.png_files import PHOTOGRAPH, SMOOTH
from gradcam_tf1.drawing.style import AGAINST, Style, draw, families, full_heat, peak
from gradcam_tf1.images.geometry import Box, Placement
from gradcam_tf1.methods import METHODS
from gradcam_tf1.run.batch_explainer import ExplainedImage
from gradcam_tf1.run.naming import Namer, layer_tokens
from gradcam_tf1.run.replaced_formats import remove_replaced
from gradcam_tf1.run.result import FAILED, MapRecord, Result, TargetRecord
from gradcam_tf1.types import MapKey

_EXACT = "mask-only"  # the style whose edge is data


class MapWriter:
    """Writes maps of images to the output folder.

    Parameters
    ----------
    out_folder : str
        The output folder.
    namer : Namer
        Names the files.
    style : Style
        How maps are drawn.
    image_format : str
        Format of overlays and pixel maps, from IMAGE_FORMATS. Heat maps are PNG: `report` reads their numbers back.
    replaced : tuple of str
        Formats of earlier runs in this folder: a file of the same name in one of them is removed.
    """

    def __init__(
        self,
        out_folder: str,
        namer: Namer,
        style: Style,
        image_format: str = LOSSLESS,
        replaced: Tuple[str, ...] = (),
    ) -> None:
        self._replaced = replaced
        self._out_folder = out_folder
        self._namer = namer
        self._style = style
        self._formats = {"overlay": LOSSLESS if style.style == _EXACT else image_format, "pixels": image_format}

    def write(self, image: np.ndarray, stem: str, explanation: Explanation, n: int) -> list[TargetRecord]:
        """Draw and write all maps of image n of the explanation.

        Parameters
        ----------
        image : np.ndarray
            The original image, uint8 [H, W, 3], RGB.
        stem : str
            Its part of the file names.
        explanation : Explanation
            The explanation of its batch.
        n : int
            Its number in the batch.

        Returns
        -------
        list of TargetRecord
            One record per target; a repeated target is written once.

        Raises
        ------
        OSError
            If a file cannot be written.
        """
        abouts = explanation.abouts or [""] * explanation.class_ids.shape[1]
        slots = explanation.shown_targets(n)
        first = next(iter(explanation.maps))
        maps = [Map(explanation, first, n, t) for t in slots]
        tokens = self._namer.targets(
            [map.class_id for map in maps], [map.label for map in maps], [abouts[t] for t in slots]
        )
        return [
            TargetRecord(
                map.class_id,
                map.label,
                map.score,
                map.probability,
                self._write_target(image, (stem, token), explanation, n, map.t),
                abouts[map.t],
                map.detection,
            )
            for map, token in zip(maps, tokens)
        ]

    def write_original(self, image: np.ndarray, stem: str) -> dict[str, str]:
        """Write the image itself if the naming has a name for it: {"original": path}. Raises OSError."""
        name = self._namer.original(stem)
        if not name:
            return {}
        path = os.path.join(self._out_folder, name)
        make_folders(self._out_folder, path)
        write_png(path, image, PHOTOGRAPH)
        return {"original": path}

    def _write_target(
        self, image: np.ndarray, tokens: tuple[str, str], explanation: Explanation, n: int, t: int
    ) -> tuple[MapRecord, ...]:
        records = {}
        layers = layer_tokens(explanation.layers)
        placement = explanation.placements[n]
        for family in families(explanation.maps, self._style.share_scale):
            scale = full_heat((explanation.statuses[key][n][t] for key in family), self._style.signed)
            for method, layer in family:
                map = explanation.map(method, n, t, layer).placed()
                status = explanation.statuses[method, layer][n][t]
                shown = status.state != "empty"
                raw = self._raw(explanation, (method, layer), n, t) if self._style.raw else {}
                names = (*tokens, method, layers[layer])
                found = explanation.detections[n][t] if explanation.detections else None
                files, box = self._draw(image, map if shown else None, placement, names, raw, scale, found)
                records[method, layer] = MapRecord(
                    *(method, layer, status.state, status.reason, status.minimum, status.maximum),
                    peak=self._peak(image, map, placement) if shown else None,
                    box=box,
                    notes=status.notes,
                    files=files,
                )
        return tuple(records[key] for key in explanation.maps)

    def _draw(
        self,
        image: np.ndarray,
        map: np.ndarray | None,
        placement: Placement,
        names: tuple[str, str, str, str],
        raw: dict[str, Any],
        scale: float | None,
        _found: Detection | None = None,
    ) -> tuple[dict[str, str], Box | None]:
        """Draw and write a map, None if it is empty. Return its files and the box of its largest region.

        `names` are the stem, the token of the target, the method, and the token of the layer; the box of a detection
        is drawn too.
        """
        space = METHODS[names[2]].space
        full = None if space == "pixels" else scale
        drawn = draw(image, map, placement, space, self._style, full, names[2] in AGAINST)
        images = {kind: drew if kind == "heatmap" else with_box(drew, _found) for kind, drew in drawn.images.items()}
        return self._save(names, images, raw), drawn.box

    def _peak(self, _image: np.ndarray, map: np.ndarray, placement: Placement) -> tuple[int, int]:
        return peak(map, placement)

    def _raw(self, explanation: Explanation, key: MapKey, n: int, t: int) -> dict[str, Any]:
        """Return the raw map with its placement and, unless it is stretched, its cells."""
        cells = explanation.cells.get(key)
        raw = {"map": explanation.maps[key][n, t], **asdict(explanation.placements[n])}
        return raw if cells is None else {**raw, **asdict(cells)}

    def _save(
        self, tokens: tuple[str, str, str, str], images: dict[str, np.ndarray], raw: dict[str, Any]
    ) -> dict[str, str]:
        kinds = [*images, "raw"] if raw else list(images)
        formats = {kind: format_for(self._formats.get(kind, LOSSLESS), image) for kind, image in images.items()}
        names = self._namer.names(*tokens, kinds, IMAGE_FORMATS[formats[kinds[0]]].ending)
        paths = {kind: os.path.join(self._out_folder, *name.split("/")) for kind, name in names.items()}
        make_folders(self._out_folder, paths[kinds[0]])
        for kind, image in images.items():
            write_image(paths[kind], image, formats[kind], SMOOTH if kind == "heatmap" else PHOTOGRAPH)
            if kind in self._formats:
                remove_replaced(paths[kind], self._replaced)
        if raw:
            packed = io.BytesIO()
            np.savez_compressed(packed, **raw)
            write_whole(paths["raw"], packed.getvalue(), "map")
        return paths


# (image as it is drawn, None if it was not read; explanation, None if it failed; its number there; result)
Keep = Callable[[Any, Optional[Explanation], int, Result], None]


def write_explained(image: ExplainedImage, writer: MapWriter, keep: Optional[Keep] = None) -> Result:
    """Write the maps of one image and release its pixels. Raises OSError if a file cannot be written.

    Parameters
    ----------
    image : ExplainedImage
        The image.
    writer : MapWriter
        Writes its maps.
    keep : callable or None
        Gets the pixels, the explanation and the result before they are released.
    """
    item, explanation, n = image.item, image.explanation, image.n
    size = None if item.image is None else (item.image.shape[0], item.image.shape[1])
    predicted, targets = FAILED, []
    top: Tuple[ClassScore, ...] = ()
    if explanation is not None and item.image is not None:
        predicted = int(explanation.predicted[n])
        targets = writer.write(item.image, item.stem, explanation, n)
        top = explanation.top[n] if explanation.top else ()
        item.figures = {**item.figures, **writer.write_original(item.image, item.stem)}
    result = Result(
        predicted,
        source=item.file.path,
        relative=item.file.relative,
        index=item.index,
        error=item.error,
        size=size,
        targets=tuple(targets),
        figures=item.figures,
        top=top,
    )
    if keep is not None:
        keep(item.image, explanation, n, result)
    item.image = item.fitted = image.explanation = None
    item.inputs = {}
    return result
