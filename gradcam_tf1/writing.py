"""Draws and writes the maps of one explained picture, and says what it wrote. No TensorFlow here."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from typing import Iterable

import numpy as np

from gradcam_tf1.geometry import Placement
from gradcam_tf1.labels import Labels
from gradcam_tf1.methods import METHOD_GROUPS, METHODS
from gradcam_tf1.naming import Namer, layer_tokens
from gradcam_tf1.overlay import colorize, guided_picture, normalize, overlay, write_png
from gradcam_tf1.results import MapRecord, TargetRecord
from gradcam_tf1.types import Explanation, MapKey


@dataclass(frozen=True)
class Style:
    """How maps are drawn.

    colormap, alpha: of heat maps and overlays; "diverging" shows negative values too, the others cut them to zero.
    heatmaps: also write each heat map alone. raw: also write the numbers (npz).
    share_scale: maps of one group (positive, negative) share one scale, so that their strengths compare.

    Raises: OptionError for an unknown colour map or an alpha outside 0..1.
    """

    colormap: str = "jet"
    alpha: float = 0.5
    heatmaps: bool = True
    raw: bool = False
    share_scale: bool = True

    def __post_init__(self) -> None:
        # one pixel is drawn here, so that a wrong option stops the run before it begins
        overlay(np.zeros((1, 1, 3), np.uint8), np.zeros((1, 1), np.float32), self.colormap, self.alpha)


class PictureWriter:
    """Writes into one output folder."""

    def __init__(self, out_folder: str, namer: Namer, style: Style) -> None:
        self._out_folder = out_folder
        self._namer = namer
        self._style = style

    def write(
        self, image: np.ndarray, stem: str, explanation: Explanation, n: int, labels: Labels | None
    ) -> list[TargetRecord]:
        """Draw and write all maps of picture n of the explanation.

        Args: image: the original picture, uint8 [H, W, 3] RGB. stem: its part of the names.
        Returns: one record per class; a class that was asked for twice is written once.
        Raises: OSError where a file cannot be written.
        """
        abouts = explanation.abouts or [""] * explanation.class_ids.shape[1]
        asked = list(zip(explanation.class_ids[n].tolist(), abouts))
        slots = [t for t, target in enumerate(asked) if target not in asked[:t]]
        ids = [class_id for class_id, _ in asked]
        names = [labels.name(ids[t]) if labels and ids[t] >= 0 else None for t in slots]
        tokens = self._namer.targets([ids[t] for t in slots], names, [abouts[t] for t in slots])
        records = []
        for t, name, token in zip(slots, names, tokens):
            probabilities = explanation.probabilities if ids[t] >= 0 else None
            probability = None if probabilities is None else float(probabilities[n, t])
            maps = self._write_target(image, (stem, token), explanation, n, t)
            score = float(explanation.scores[n, t])
            records.append(TargetRecord(ids[t], name, score, probability, maps, abouts[t]))
        return records

    def _write_target(
        self, image: np.ndarray, tokens: tuple[str, str], explanation: Explanation, n: int, t: int
    ) -> tuple[MapRecord, ...]:
        records = {}
        layers = layer_tokens(explanation.layers)
        placement = explanation.placements[n]
        for family in _families(explanation.maps, self._style.share_scale):
            placed = {key: placement.place(explanation.maps[key][n, t]) for key in family}
            scale = max(float(map.max()) for map in placed.values()) if len(family) > 1 else None
            for method, layer in family:
                map, status = placed.pop((method, layer)), explanation.statuses[method, layer][n][t]
                shown = status.state != "empty"
                pictures = draw(image, map if shown else None, placement, METHODS[method].space, self._style, scale)
                raw = {"map": explanation.maps[method, layer][n, t], **asdict(placement)} if self._style.raw else {}
                files = self._save((*tokens, method, layers[layer]), pictures, raw)
                said = (status.state, status.reason, status.minimum, status.maximum)
                records[method, layer] = MapRecord(
                    method, layer, *said, peak=peak(map, placement) if shown else None, files=files
                )
        return tuple(records[key] for key in explanation.maps)

    def _save(
        self, tokens: tuple[str, str, str, str], pictures: dict[str, np.ndarray], raw: dict[str, np.ndarray]
    ) -> dict[str, str]:
        kinds = [*pictures, "raw"] if raw else list(pictures)
        names = self._namer.names(*tokens, kinds)
        paths = {kind: os.path.join(self._out_folder, *name.split("/")) for kind, name in names.items()}
        os.makedirs(os.path.dirname(paths[kinds[0]]), exist_ok=True)
        for kind, picture in pictures.items():
            write_png(paths[kind], picture)
        if raw:
            np.savez_compressed(paths["raw"], **raw)
        return paths


def draw(
    image: np.ndarray,
    map: np.ndarray | None,
    placement: Placement,
    space: str,
    style: Style,
    scale: float | None = None,
) -> dict[str, np.ndarray]:
    """The pictures of one map: kind -> uint8 [H, W, 3] RGB.

    Args:
        image: the original picture. map: on the original picture, [H, W] or [H, W, C]; None where it is empty.
        space: "layer" gives "overlay" and "heatmap", "pixels" gives "pixels". scale: what counts as full heat.
    """
    if space == "pixels":
        return {"pixels": guided_picture(np.zeros(image.shape, np.float32) if map is None else map)}
    heat = normalize(np.zeros(image.shape[:2]) if map is None else map, style.colormap == "diverging", scale)
    # an empty map in colours would look like an answer: the photograph stays as it is
    over = image if map is None else overlay(image, heat, style.colormap, style.alpha, placement.seen)
    return {"overlay": over, "heatmap": colorize(heat, style.colormap)} if style.heatmaps else {"overlay": over}


def peak(map: np.ndarray, placement: Placement) -> tuple[int, int]:
    """(row, column) of the highest value on the original picture, in the part that the net saw.

    Of equally high pixels (an upsampled map is flat from the centre of a border cell outwards) it is the one nearest
    to the middle.
    Args: map: float32 [H, W], or [H, W, C], where the channels' magnitudes are added up.
    """
    top, left, bottom, right = placement.seen
    seen = map[top:bottom, left:right]
    flat = seen if seen.ndim == 2 else np.abs(seen).sum(axis=2)
    highest = np.argwhere(flat == flat.max())
    off_middle = np.abs(highest + 0.5 - np.array(flat.shape) / 2).sum(axis=1)
    row, column = highest[int(np.argmin(off_middle))]
    return top + int(row), left + int(column)


def _families(keys: Iterable[MapKey], share_scale: bool) -> list[list[MapKey]]:
    """The keys, those that share one scale together: members of one group on the same layer."""
    group_of = {method: group for group, members in METHOD_GROUPS.items() for method in members} if share_scale else {}
    families: dict[MapKey, list[MapKey]] = {}
    for method, layer in keys:
        families.setdefault((group_of.get(method, method), layer), []).append((method, layer))
    return list(families.values())
