"""One map of an Explanation, with everything known about it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Optional, Tuple

import cv2
import numpy as np

from gradcam_tf1.drawing.detected_box import Detection
from gradcam_tf1.drawing.detection_overlay import with_box
from gradcam_tf1.drawing.heat_images import heat_image
from gradcam_tf1.drawing.notebook_view import LARGE, maps_table
from gradcam_tf1.drawing.style import AGAINST, Style, check_style, draw, families, full_heat
from gradcam_tf1.errors import OptionError
from gradcam_tf1.images.bands import PHOTOGRAPH, drawn
from gradcam_tf1.images.geometry import Placement
from gradcam_tf1.images.small_copies import shrunk
from gradcam_tf1.methods import method_row
from gradcam_tf1.types import Cells, MapKey, MapStatus

if TYPE_CHECKING:
    from gradcam_tf1.drawing.explanation import Explanation

_DEFAULT = Style()
_RESIZED = ("uint8", "uint16", "int16", "float32", "float64")  # dtypes that OpenCV shrinks


@dataclass(frozen=True, eq=False)
class Map:
    """One map of an Explanation: of one image, target, method and layer.

    Attributes
    ----------
    n, t : int
        Number of the image and of its target.
    """

    _explanation: Explanation = field(repr=False)
    _key: MapKey = field(repr=False)
    n: int
    t: int

    @property
    def method(self) -> str:
        """Name of the method."""
        return self._key[0]

    @property
    def layer(self) -> str:
        """Name of the layer tensor; "" for methods of the input alone."""
        return self._key[1]

    @property
    def values(self) -> np.ndarray:
        """The raw map: float32 [h, w] at the layer's size, or [H, W, C] at the input's size for pixel methods."""
        values: np.ndarray = self._explanation.maps[self._key][self.n, self.t]
        return values

    @property
    def placement(self) -> Any:
        """How the input was fitted to the net: a Placement for images."""
        return self._explanation.placements[self.n]

    @property
    def cells(self) -> Optional[Cells]:
        """Where the cells of `values` lie on the net's input; None if they share it evenly."""
        return self._explanation.cells.get(self._key)

    @property
    def status(self) -> str:
        """Either "ok" or "empty" (zero everywhere; `reason` says why)."""
        return self.details.state

    @property
    def reason(self) -> str:
        """Why the map is empty; "" if it is not."""
        return self.details.reason

    @property
    def details(self) -> MapStatus:
        """Status, reason, range of the raw map before any rectification, and notes."""
        return self._explanation.statuses[self._key][self.n][self.t]

    @property
    def class_id(self) -> int:
        """The explained class; -1 if the target is no class."""
        return int(self._explanation.class_ids[self.n, self.t])

    @property
    def label(self) -> Optional[str]:
        """Name of the class; None without labels, or if the target is no class."""
        labels = self._explanation.labels
        return None if labels is None or self.class_id < 0 else labels.name(self.class_id)

    @property
    def about(self) -> str:
        """What the target is beyond a class; "" for a plain class score."""
        return self._explanation.abouts[self.t] if self._explanation.abouts else ""

    @property
    def score(self) -> float:
        """The explained score, before softmax unless the target says otherwise."""
        return float(self._explanation.scores[self.n, self.t])

    @property
    def probability(self) -> Optional[float]:
        """Probability of the class; None if the graph has none, or if the target is no class."""
        found = self._explanation.probabilities
        return None if found is None or self.class_id < 0 else float(found[self.n, self.t])

    @property
    def detection(self) -> Optional[Detection]:
        """The box and the confidence that a detector found; None for another target."""
        rows = self._explanation.detections
        return rows[self.n][self.t] if rows else None

    def placed(self) -> np.ndarray:
        """Return the map on the original image: float32 [H, W] or [H, W, C]."""
        placed: np.ndarray = self.placement.place(self.values, self.cells)
        return placed

    def overlay(
        self, style: Style = _DEFAULT, image: Optional[np.ndarray] = None, full: Optional[float] = None
    ) -> np.ndarray:
        """Draw the map over the original image, as `visualize_imgs` does; maps of pixel methods are drawn alone.

        Parameters
        ----------
        style : Style
            How the map is drawn.
        image : np.ndarray or None
            The original image, uint8 [H, W, 3] RGB; None for the image that was explained.
        full : float or None
            The value drawn at full strength, to compare maps; None for `scale`. Not for pixel methods.

        Returns
        -------
        np.ndarray
            uint8 [H, W, 3], RGB.

        Raises
        ------
        OptionError
            If the map is not one of an image (signals, volumes, clips), or the original image is not known.
        """
        check_style(style)
        row = method_row(self.method)
        placement = self.placement
        if not isinstance(placement, Placement):
            raise OptionError("overlay draws maps of images; use signal_figure, volume_figure, or placed()")
        pixels = self._original(style) if image is None else image
        space, full = row.space, full or self.scale(style)
        shown = None if self.status == "empty" else self.placed()
        images = draw(pixels, shown, placement, space, style, full, self.method in AGAINST).images
        return with_box(images["pixels" if space == "pixels" else "overlay"], self.detection)

    def preview(self, style: Style = _DEFAULT, full: Optional[float] = None) -> np.ndarray:
        """Draw the map of any kind of input, to look at: the overlay, or the map alone where there is no image to tint.

        Signals are a strip for each channel; volumes and clips are four slices or frames side by side. An empty map is
        plain gray.

        Parameters
        ----------
        style : Style
            How the map is drawn.
        full : float or None
            As in `overlay`.

        Returns
        -------
        np.ndarray
            uint8 [h, w, 3], RGB.
        """
        check_style(style)
        placement = self.placement
        if isinstance(placement, Placement) and self._has_original:
            return self.overlay(style, full=full)
        row = method_row(self.method)
        signed = row.signed or style.signed
        scale = None if row.signed else full or self.scale(style)
        axes = 2 if isinstance(placement, Placement) else len(getattr(placement, "sides", (0, 0, 0)))
        return heat_image(self.placed(), axes, signed, style.colormap, scale, self.status == "empty")

    def shrunk(self, side: int) -> Map:
        """Return the map of a smaller copy of the image, which is faster to draw; the map itself is the same.

        Parameters
        ----------
        side : int
            Longest side of the copy, in pixels; a smaller image stays as it is, and so do signals, volumes and clips.
        """
        explanation, placement = self._explanation, self.placement
        if not isinstance(placement, Placement) or max(placement.original) <= side:
            return self
        placements = list(explanation.placements)
        placements[self.n] = smaller = shrunk(placement, side)
        images = list(explanation.images)
        original = images[self.n] if images else None
        if original is not None:
            if original.dtype not in _RESIZED:
                original = original.astype(np.float32)
            images[self.n] = cv2.resize(original, smaller.original[::-1], interpolation=cv2.INTER_AREA)
        sides = [now / before for now, before in zip(smaller.original, placement.original)]
        detections = tuple(
            tuple(found and found.scaled(*sides) for found in row) if n == self.n else row
            for n, row in enumerate(explanation.detections)
        )
        copy = replace(explanation, placements=placements, images=tuple(images), detections=detections)
        return replace(self, _explanation=copy)

    @property
    def _has_original(self) -> bool:
        images = self._explanation.images
        return bool(images) and images[self.n] is not None

    def _original(self, style: Style) -> np.ndarray:
        images = self._explanation.images
        original = images[self.n] if images else None
        if original is None:
            raise OptionError("the image came fitted, so its original is not known; give overlay(image=...)")
        photograph = original.shape[2] in PHOTOGRAPH  # as in a run: bands are those of images with many
        return drawn(original, () if photograph else style.bands)

    def scale(self, style: Style = _DEFAULT) -> Optional[float]:
        """Return the value drawn at full strength; None for pixel methods, and where no value is above zero.

        Parameters
        ----------
        style : Style
            How the map is drawn.
        """
        if method_row(self.method).space == "pixels":
            return None
        explanation = self._explanation
        family = next(keys for keys in families(explanation.maps, style.share_scale) if self._key in keys)
        return full_heat([explanation.statuses[key][self.n][self.t] for key in family], style.signed)

    def _repr_html_(self) -> str:
        """Show the map in a notebook."""
        return maps_table(repr(self), [self], side=LARGE)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Map):
            return NotImplemented
        return self._explanation is other._explanation and self._place == other._place

    def __hash__(self) -> int:
        return hash((id(self._explanation), self._place))

    @property
    def _place(self) -> Tuple[MapKey, int, int]:
        return self._key, self.n, self.t

    def __repr__(self) -> str:
        name = f" {self.label!r}" if self.label is not None else ""
        layer = f" at {self.layer!r}" if self.layer else ""
        return f"Map({self.method}{layer}, image {self.n}, class {self.class_id}{name}, {self.status})"
