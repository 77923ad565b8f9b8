"""Draw the maps of an image as a run does, and keep what it would write to files. No Spark here."""

from __future__ import annotations

from typing import Any, Dict

import cv2
import numpy as np

from gradcam_tf1.drawing.style import Style
from gradcam_tf1.run.naming import Namer
from gradcam_tf1.run.writing import MapWriter

_QUALITY = 90  # of the overlays
_LONGEST = 65_500  # side of a JPEG; a larger overlay is a PNG
# Kind of image -> how it is encoded; the strategies are those of the files of a run.
_ENCODINGS = {
    "overlay": (".jpg", [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]),
    "heatmap": (".png", [cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_DEFAULT]),
    "pixels": (".png", [cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_HUFFMAN_ONLY]),
}


class RowWriter(MapWriter):
    """Keeps the encoded images and raw maps in memory under the names that their files would have.

    Parameters
    ----------
    style : Style
        How maps are drawn.

    Attributes
    ----------
    kept : dict
        Name -> bytes of a PNG (maps) or JPEG (overlays), or the raw map with its placement.
    """

    def __init__(self, style: Style) -> None:
        super().__init__("", Namer(), style)
        self.kept: Dict[str, Any] = {}

    def _save(
        self, tokens: tuple[str, str, str, str], images: dict[str, np.ndarray], raw: dict[str, Any]
    ) -> dict[str, str]:
        names = self._namer.names(*tokens, [*images, "raw"])
        self.kept.update({names[kind]: encoded(kind, image) for kind, image in images.items()})
        self.kept[names["raw"]] = raw
        return names


def encoded(kind: str, rgb: np.ndarray) -> bytes:
    """Return an image as JPEG for overlays, as PNG for maps; uint8 [H, W, 3], RGB."""
    ending, parameters = _ENCODINGS[kind if max(rgb.shape[:2]) <= _LONGEST else "pixels"]
    data: bytes = cv2.imencode(ending, cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), parameters)[1].tobytes()
    return data
