"""Draw one map: styles, scales, the box of the highest region, the peak. No TensorFlow here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterable, List, Optional, Tuple

import cv2
import numpy as np

from gradcam_tf1.drawing.overlay import (
    ALPHA,
    blend,
    check_alpha,
    check_colormap,
    colorize,
    guided_image,
    normalize,
    overlay,
)
from gradcam_tf1.errors import OptionError
from gradcam_tf1.images.bands import PHOTOGRAPH, check_bands, picked
from gradcam_tf1.images.geometry import Box, Placement
from gradcam_tf1.methods import METHOD_GROUPS
from gradcam_tf1.metrics.map_box import BOX_SHARE, check_share, largest_box
from gradcam_tf1.types import MapKey, MapStatus

AGAINST = ("negative", "counterfactual")  # methods whose high values are evidence against the class
CONTOURS = (0.25, 0.5, 0.75)  # shares of the maximum at which lines are drawn
_SWITCHES = ("heatmaps", "raw", "share_scale")


@dataclass(frozen=True)
class Style:
    """Options of drawing maps.

    Attributes
    ----------
    colormap : {"jet", "turbo", "viridis", "inferno", "cividis", "diverging"}
        Colours of heat maps and overlays. "diverging" shows negative values too; the others cut them to zero.
    alpha : float
        Opacity of the overlay where the map is highest, 0..1; with style "blend", the opacity everywhere.
    heatmaps : bool
        Whether each heat map is also written without the image.
    raw : bool
        Whether the raw numbers are also written, as .npz.
    share_scale : bool
        Whether the maps of one group (such as positive and negative) share one scale, so that they can be compared.
    style : {"overlay", "blend", "contour", "mask-only", "gray-background"}
        What the overlay shows.
    box : float, optional
        Draw a box around the largest connected region above this share of the map's maximum, 0 <= box < 1;
        None draws no box. "mask-only" uses the same share, 0.15 where it is None.
    bands : tuple of int
        The one or three bands to draw of images with more than three, counted from 1; () draws the first three.

    Raises
    ------
    OptionError
        If a field has a wrong type or value. The message says what is possible.
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
        check_colormap(self.colormap)
        check_alpha(self.alpha)
        for name in _SWITCHES:
            if not isinstance(getattr(self, name), (bool, np.bool_)):
                raise OptionError(f"{name} is True or False, not {getattr(self, name)!r}")
        if not isinstance(self.style, str) or self.style not in STYLES:
            raise OptionError(f"unknown style {self.style!r}; possible: {', '.join(STYLES)}")
        check_share(self.share)
        object.__setattr__(self, "bands", check_bands(self.bands))

    @property
    def signed(self) -> bool:
        """Whether the colour map shows negative values."""
        return self.colormap == "diverging"

    @property
    def share(self) -> float:
        """Threshold of a region as a share of the map's maximum."""
        return BOX_SHARE if self.box is None else self.box


def check_style(style: Any) -> None:
    """Refuse anything but a Style. Raises OptionError."""
    if not isinstance(style, Style):
        raise OptionError(f"style is {style!r}; give style=Style(...), such as Style(style='contour')")


@dataclass(frozen=True)
class DrawnMap:
    """The images drawn of one map.

    Attributes
    ----------
    images : dict
        "overlay", "heatmap" or "pixels" -> uint8 [H, W, 3], RGB.
    box : tuple of int, optional
        (top, left, bottom, right) of the highest region, the last two exclusive; None where none was requested or the
        map is empty.
    """

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

    Parameters
    ----------
    image : np.ndarray
        The original image, uint8 [H, W, 3], RGB.
    map : np.ndarray, optional
        The map placed on the original image, float [H, W] or [H, W, C]; None where it is empty.
    placement : Placement
        How the image was fitted to the input; nothing is drawn outside the part that the net saw.
    space : {"layer", "pixels"}
        "layer" gives the kinds "overlay" and "heatmap", "pixels" gives the kind "pixels".
    style : Style
        Options of drawing.
    scale : float, optional
        The value drawn at full strength; by default the map's own maximum.
    against : bool
        Whether high values are evidence against the class; a signed colour map then draws them in blue.

    Returns
    -------
    DrawnMap
    """
    if space == "pixels":
        return DrawnMap({"pixels": guided_image(_colours_of(map, image, style), scale)})
    values = np.zeros(image.shape[:2]) if map is None else map
    heat = normalize(-values if against and style.signed else values, style.signed, scale)
    colours = colorize(heat, style.colormap)
    # an empty map in colours would look like a result, so the photograph is left unchanged
    drawn = image if map is None else STYLES[style.style](image, heat, colours, style, placement.seen)
    box = None if map is None or style.box is None else largest_box(map, style.box)
    images = {"overlay": drawn, "heatmap": colours}
    if box is not None:
        images["overlay"] = outlined(drawn, box)
    if not style.heatmaps:
        del images["heatmap"]
    return DrawnMap(images, box)


def _colours_of(map: Optional[np.ndarray], image: np.ndarray, style: Style) -> np.ndarray:
    """Return the drawn channels of a pixel map: [H, W, 3], or [H, W, 1] for one channel."""
    if map is None:
        return np.zeros(image.shape, np.float32)
    return map if map.shape[2] in PHOTOGRAPH else picked(map, style.bands, "the map")


def _overlay(image: np.ndarray, heat: np.ndarray, _colours: np.ndarray, style: Style, seen: Box) -> np.ndarray:
    """Tint the photograph where the map is high."""
    return overlay(image, heat, style.colormap, style.alpha, seen)


def _blend(image: np.ndarray, _heat: np.ndarray, colours: np.ndarray, style: Style, seen: Box) -> np.ndarray:
    """Lay the heat map over the photograph with the same opacity everywhere."""
    return blend(image, colours, style.alpha, seen)


def _gray_background(image: np.ndarray, _heat: np.ndarray, colours: np.ndarray, style: Style, seen: Box) -> np.ndarray:
    """Lay the heat map over the photograph in gray, so that every colour comes from the map."""
    gray = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    return blend(gray, colours, style.alpha, seen)


def _mask_only(image: np.ndarray, heat: np.ndarray, _colours: np.ndarray, style: Style, seen: Box) -> np.ndarray:
    """Keep the photograph where the map is above the share of its maximum; black elsewhere."""
    strength = 2 * heat - 1 if style.signed else heat
    inside = _only(seen, strength > style.share * strength.max())
    return cv2.bitwise_and(image, image, mask=inside.astype(np.uint8))


def _contour(image: np.ndarray, heat: np.ndarray, _colours: np.ndarray, style: Style, seen: Box) -> np.ndarray:
    """Draw contour lines on the photograph, in the map's colours, at 1/4, 1/2 and 3/4 of full strength."""
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
    """Set the mask to False outside the box that the net saw."""
    top, left, bottom, right = seen
    cut = np.zeros_like(inside)
    cut[top:bottom, left:right] = inside[top:bottom, left:right]
    return cut


# (image, normalised map, its colours, style, box that the net saw) -> drawn image, uint8 [H, W, 3]
STYLES: Dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray, Style, Box], np.ndarray]] = {
    "overlay": _overlay,
    "blend": _blend,
    "contour": _contour,
    "mask-only": _mask_only,
    "gray-background": _gray_background,
}


def outlined(image: np.ndarray, box: Box) -> np.ndarray:
    """Return a copy of the image with a box (top, left, bottom, right), white on black to be visible on any colour."""
    top, left, bottom, right = box
    drawn = image.copy()
    width = line_width(image)
    for colour, thickness in (((0, 0, 0), 3 * width), ((255, 255, 255), width)):
        cv2.rectangle(drawn, (left, top), (right - 1, bottom - 1), colour, thickness)
    return drawn


def line_width(image: np.ndarray) -> int:
    """Return the line width in pixels: thin on small images, visible when a large image is shrunk to the screen."""
    return int(max(1, round(min(image.shape[:2]) / 250)))


def peak(map: np.ndarray, placement: Placement) -> Tuple[int, int]:
    """Return (row, column) of the highest value, within the part of the image that the net saw.

    Several pixels may be equally high: an upsampled map is flat from the centre of a border cell outwards. Then the one
    nearest to the middle is returned.

    Parameters
    ----------
    map : np.ndarray
        float32 [H, W] on the original image, or [H, W, C], whose magnitudes are summed over the channels.
    placement : Placement
        How the image was fitted to the input.

    Returns
    -------
    tuple of int
        (row, column) on the original image.
    """
    top, left, bottom, right = placement.seen
    seen = map[top:bottom, left:right]
    flat = seen if seen.ndim == 2 else _summed(seen)
    rows, columns = np.divmod(np.flatnonzero(flat == flat.max()), flat.shape[1])
    off_middle = np.abs(rows + 0.5 - flat.shape[0] / 2) + np.abs(columns + 0.5 - flat.shape[1] / 2)
    nearest = int(np.argmin(off_middle))
    return int(top + rows[nearest]), int(left + columns[nearest])


def _summed(map: np.ndarray) -> np.ndarray:
    """Sum the magnitudes of [H, W, C] over the channels; numpy sums along a short last axis ten times more slowly."""
    first, *others = np.moveaxis(np.abs(map), 2, 0)
    return np.asarray(sum(others, first))


def full_heat(statuses: Iterable[MapStatus], signed: bool = False) -> Optional[float]:
    """Return the value drawn at full strength by maps that share one scale.

    It is the highest maximum of the raw maps, or with `signed` their largest magnitude, as in the manifest (before
    upsampling).

    Parameters
    ----------
    statuses : iterable of MapStatus
        The statuses of the maps that share the scale.
    signed : bool
        Whether negative values are drawn too.

    Returns
    -------
    float, or None
        None where no value is above zero.
    """
    ends = [max(-status.minimum, status.maximum) if signed else status.maximum for status in statuses]
    return max(ends, default=0.0) if max(ends, default=0.0) > 0 else None


def families(keys: Iterable[MapKey], share_scale: bool) -> List[List[MapKey]]:
    """Group the keys by shared scale: the methods of one group on the same layer; each alone without `share_scale`."""
    group_of = {method: group for group, members in METHOD_GROUPS.items() for method in members} if share_scale else {}
    groups: Dict[MapKey, List[MapKey]] = {}
    for method, layer in keys:
        groups.setdefault((group_of.get(method, method), layer), []).append((method, layer))
    return list(groups.values())
