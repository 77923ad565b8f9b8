"""One map, drawn: styles, scales, the box around the lit region, the peak. No TensorFlow here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Dict, Iterable, List, Optional, Tuple

import cv2
import numpy as np

from gradcam_tf1.drawing.boxes import BOX_SHARE, Box, check_share, largest_box
from gradcam_tf1.drawing.overlay import ALPHA, blend, colorize, guided_image, normalize, overlay
from gradcam_tf1.errors import OptionError
from gradcam_tf1.images.bands import PHOTOGRAPH, check_bands, picked
from gradcam_tf1.images.geometry import Placement
from gradcam_tf1.methods import METHOD_GROUPS
from gradcam_tf1.types import MapKey, MapStatus

AGAINST = ("negative", "counterfactual")  # methods whose maps are high where something speaks against the class
CONTOURS = (0.25, 0.5, 0.75)  # shares of the maximum at which lines are drawn


@dataclass(frozen=True)
class Style:
    """How maps are drawn.

    colormap: of heat maps and overlays; "diverging" shows negative values too, the others cut them to zero.
    alpha: the most that an overlay covers of the photograph, where the map is highest; "blend" does so everywhere.
    style: what the overlay is, a name from STYLES. heatmaps: also write each heat map alone. raw: also write the
    numbers (npz). share_scale: maps of one group (positive, negative) share one scale, so that their strengths compare.
    box: share of the maximum above which the largest connected region gets a box; None: no box.
    bands: one or three bands that are drawn of images of more, counted from 1; (): the first three.

    Raises: OptionError for an unknown colour map or style, an alpha outside 0..1, a box outside 0..1, bands that cannot
    be.
    """

    colormap: str = "jet"
    alpha: float = ALPHA
    heatmaps: bool = True
    raw: bool = False
    share_scale: bool = True
    style: str = "overlay"
    box: Optional[float] = None
    bands: Tuple[int, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "bands", check_bands(self.bands))
        if self.style not in STYLES:
            raise OptionError(f"unknown style {self.style!r}; possible: {', '.join(STYLES)}")
        check_share(self.share)
        # one pixel is drawn here, so that a wrong option stops the run before it begins
        overlay(np.zeros((1, 1, 3), np.uint8), np.zeros((1, 1), np.float32), self.colormap, self.alpha)

    @property
    def signed(self) -> bool:
        """Whether negative values are shown."""
        return self.colormap == "diverging"

    @property
    def share(self) -> float:
        """The share of the maximum that bounds a region."""
        return BOX_SHARE if self.box is None else self.box


@dataclass(frozen=True)
class DrawnMap:
    """The images of one map, kind -> uint8 [H, W, 3] RGB, and the box of its lit region where there is one."""

    images: Dict[str, np.ndarray]
    box: Optional[Box] = None


def draw(
    image: np.ndarray,
    map: Optional[np.ndarray],
    placement: Placement,
    space: str,
    style: Style,
    scale: Optional[float] = None,
    against: bool = False,
) -> DrawnMap:
    """Draw one map.

    Args:
        image: the original image. map: on the original image, [H, W] or [H, W, C]; None where it is empty.
        space: "layer" gives "overlay" and "heatmap", "pixels" gives "pixels". scale: what counts as full heat.
        against: high values speak against the class; where signs are shown, they are blue.
    """
    if space == "pixels":
        return DrawnMap({"pixels": guided_image(_colours_of(map, image, style), scale)})
    shown = np.zeros(image.shape[:2]) if map is None else map
    heat = normalize(-shown if against and style.signed else shown, style.signed, scale)
    colours = colorize(heat, style.colormap)
    # an empty map in colours would look like an answer: the photograph stays as it is
    over = image if map is None else STYLES[style.style](image, heat, colours, style, placement.seen)
    box = None if map is None or style.box is None else largest_box(map, style.box)
    images = {"overlay": over, "heatmap": colours}
    if box is not None:
        images["overlay"] = outlined(over, box)
    if not style.heatmaps:
        del images["heatmap"]
    return DrawnMap(images, box)


def _colours_of(map: Optional[np.ndarray], image: np.ndarray, style: Style) -> np.ndarray:
    """What is drawn of a map of the pixels: [H, W, 3], or [H, W, 1] of one channel."""
    if map is None:
        return np.zeros(image.shape, np.float32)
    return map if map.shape[2] in PHOTOGRAPH else picked(map, style.bands, "the map")


def _overlay(image: np.ndarray, heat: np.ndarray, _colours: np.ndarray, style: Style, seen: Box) -> np.ndarray:
    """The photograph, tinted where the map is hot."""
    return overlay(image, heat, style.colormap, style.alpha, seen)


def _blend(image: np.ndarray, _heat: np.ndarray, colours: np.ndarray, style: Style, seen: Box) -> np.ndarray:
    """The heat map over the photograph, equally strong everywhere."""
    return blend(image, colours, style.alpha, seen)


def _gray_background(image: np.ndarray, _heat: np.ndarray, colours: np.ndarray, style: Style, seen: Box) -> np.ndarray:
    """The heat map over the photograph in gray, so that all colours are the map's."""
    gray = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    return blend(gray, colours, style.alpha, seen)


def _mask_only(image: np.ndarray, heat: np.ndarray, _colours: np.ndarray, style: Style, seen: Box) -> np.ndarray:
    """The photograph where the map is above the share of its maximum, black elsewhere."""
    strength = 2 * heat - 1 if style.signed else heat
    inside = _only(seen, strength > style.share * strength.max())
    return cv2.bitwise_and(image, image, mask=inside.astype(np.uint8))


def _contour(image: np.ndarray, heat: np.ndarray, _colours: np.ndarray, style: Style, seen: Box) -> np.ndarray:
    """The photograph with lines in the map's colours at a quarter, half and three quarters of full heat."""
    drawn = image.copy()
    strength = 2 * heat - 1 if style.signed else heat
    for side in (1.0, -1.0) if style.signed else (1.0,):
        for level in CONTOURS:
            inside = _only(seen, side * strength >= level).astype(np.uint8)
            lines = cv2.findContours(inside, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)[-2]
            value = 0.5 + 0.5 * side * level if style.signed else level
            colour = colorize(np.full((1, 1), value, np.float32), style.colormap)[0, 0].tolist()
            cv2.drawContours(drawn, lines, -1, colour, line_width(image))
    return drawn


def _only(seen: Box, inside: np.ndarray) -> np.ndarray:
    """The mask cut to what the net saw."""
    top, left, bottom, right = seen
    cut = np.zeros_like(inside)
    cut[top:bottom, left:right] = inside[top:bottom, left:right]
    return cut


# image, normalised map, its colours, style, what the net saw -> the image drawn
STYLES: Dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray, Style, Box], np.ndarray]] = {
    "overlay": _overlay,
    "blend": _blend,
    "contour": _contour,
    "mask-only": _mask_only,
    "gray-background": _gray_background,
}


def outlined(image: np.ndarray, box: Box) -> np.ndarray:
    """The image with a box (top, left, bottom, right) on it, white on black: seen on any colour."""
    top, left, bottom, right = box
    drawn = image.copy()
    width = line_width(image)
    for colour, thickness in (((0, 0, 0), 3 * width), ((255, 255, 255), width)):
        cv2.rectangle(drawn, (left, top), (right - 1, bottom - 1), colour, thickness)
    return drawn


def line_width(image: np.ndarray) -> int:
    """Pixels: thin on small images, and still seen when a large one is shrunk to the screen."""
    return max(1, round(min(image.shape[:2]) / 250))


def peak(map: np.ndarray, placement: Placement) -> Tuple[int, int]:
    """(row, column) of the highest value on the original image, in the part that the net saw.

    Of equally high pixels (an upsampled map is flat from the centre of a border cell outwards) it is the one nearest
    to the middle.
    Args: map: float32 [H, W], or [H, W, C], where the channels' magnitudes are added up.
    """
    top, left, bottom, right = placement.seen
    seen = map[top:bottom, left:right]
    # channel by channel: numpy adds along a short last axis ten times more slowly
    flat = seen if seen.ndim == 2 else sum(np.moveaxis(np.abs(seen), 2, 0))
    rows, columns = np.divmod(np.flatnonzero(flat == flat.max()), flat.shape[1])
    off_middle = np.abs(rows + 0.5 - flat.shape[0] / 2) + np.abs(columns + 0.5 - flat.shape[1] / 2)
    nearest = int(np.argmin(off_middle))
    return top + int(rows[nearest]), left + int(columns[nearest])


def full_heat(statuses: Iterable[MapStatus], signed: bool = False) -> Optional[float]:
    """What counts as full heat in maps on one scale: the highest of their own values, signed: the largest magnitude.

    They are the values of the manifest, before the map is brought to the size of an image. None where nothing is hot.
    """
    ends = [max(-status.minimum, status.maximum) if signed else status.maximum for status in statuses]
    return max(ends, default=0.0) if max(ends, default=0.0) > 0 else None


def families(keys: Iterable[MapKey], share_scale: bool) -> List[List[MapKey]]:
    """The keys, those that share one scale together: members of one group on the same layer."""
    group_of = {method: group for group, members in METHOD_GROUPS.items() for method in members} if share_scale else {}
    found: Dict[MapKey, List[MapKey]] = {}
    for method, layer in keys:
        found.setdefault((group_of.get(method, method), layer), []).append((method, layer))
    return list(found.values())
