"""What `explain` returns: an Explanation, and each of its maps with everything known about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from gradcam_tf1.drawing.class_score import ClassScore
from gradcam_tf1.drawing.style import AGAINST, Style, check_style, draw, families, full_heat
from gradcam_tf1.errors import OptionError, SelectionError
from gradcam_tf1.images.bands import PHOTOGRAPH, drawn
from gradcam_tf1.images.geometry import Placement
from gradcam_tf1.labels import Labels
from gradcam_tf1.methods import METHODS
from gradcam_tf1.types import Cells, MapKey, MapStatus

_DEFAULT = Style()


@dataclass(frozen=True, eq=False)
class Explanation:
    """The maps of N images, T targets each, with the scores they explain. Raw numbers, nothing normalised.

    Signals have [L] and volumes [D, H, W] in place of [H, W]; clips [T, H, W].

    Attributes
    ----------
    class_ids : np.ndarray
        int64 [N, T], the explained classes; -1 for a target that is no class.
    scores : np.ndarray
        float32 [N, T], what was explained: the score before softmax (for a one-logit net, class 0 scores -logit),
        or what the target says.
    probabilities : np.ndarray or None
        float32 [N, T], of those classes; None if the graph has no probabilities.
    predicted : np.ndarray
        int64 [N], the top class of each image; -1 if its scores are NaN or infinite.
    maps : dict
        (method, layer) -> float32 [N, T, h, w] at the layer's size for class activation maps, at the input's size for
        several layers together and "auto"; [N, T, H, W, C] at the input's size for pixel methods (signed, RGB order
        where C is 3). The layer is "" for methods of the input alone.
    statuses : dict
        The same keys -> [N][T] MapStatus.
    placements : sequence
        N records that place maps back on the original images.
    layers : tuple of str
        The requested layer tensors, in order.
    abouts : tuple of str
        For each target, what it is beyond a class; "" for a plain class score.
    failures : tuple of str
        For each image, why it has no answer (its scores are NaN or infinite); "" otherwise.
    cells : mapping
        Where the cells of a map lie on the input; maps without an entry are stretched over it.
    labels : Labels or None
        The class names.
    images : tuple
        The original images, as they were given; None for one that came fitted.
    top : tuple of tuple of ClassScore
        For each image its best five classes, best first; () for one without an answer.
    """

    class_ids: np.ndarray
    scores: np.ndarray
    probabilities: Optional[np.ndarray]
    predicted: np.ndarray
    maps: Dict[MapKey, np.ndarray]
    statuses: Dict[MapKey, List[List[MapStatus]]]
    placements: Sequence[Any]
    layers: Tuple[str, ...]
    abouts: Tuple[str, ...] = ()
    failures: Tuple[str, ...] = ()
    cells: Mapping[MapKey, Cells] = field(default_factory=dict)
    labels: Optional[Labels] = None
    images: Tuple[Optional[np.ndarray], ...] = ()
    top: Tuple[Tuple[ClassScore, ...], ...] = ()

    def map(self, method: str, n: int = 0, t: int = 0, layer: Optional[str] = None) -> Map:
        """Return one map.

        Parameters
        ----------
        method : str
            Name of the method.
        n, t : int
            Number of the image and of its target; negative ones count from the end.
        layer : str or None
            Name of the layer tensor; None for the first layer.

        Raises
        ------
        SelectionError
            If there is no such map; the message lists what there is.
        """
        key = self.key(method, layer)
        images, targets = self.maps[key].shape[:2]
        return Map(self, key, _within("image", n, images), _within("target", t, targets))

    def key(self, method: str, layer: Optional[str] = None) -> MapKey:
        """Return the key of `maps` for a method and a layer (None: its first). Raises SelectionError."""
        name = str(getattr(method, "name", method))
        for candidate in self.maps:
            if candidate[0] == name and layer in (None, candidate[1]):
                return candidate
        at = "" if layer is None else f" at layer {layer!r}"
        raise SelectionError(f"no maps of {name!r}{at}; computed: {sorted(self.maps)}")

    def __getitem__(self, method: str) -> np.ndarray:
        """Return the raw maps of a method at its first layer: [N, T, h, w] or [N, T, H, W, C]."""
        return self.maps[self.key(method)]

    def __iter__(self) -> Iterator[Map]:
        """Iterate over all maps: by image, then target, then method and layer."""
        images, targets = self.class_ids.shape
        return (Map(self, key, n, t) for n in range(images) for t in range(targets) for key in self.maps)

    def __len__(self) -> int:
        return self.class_ids.size * len(self.maps)

    def __contains__(self, item: object) -> bool:
        """Whether a method was computed, or a Map is one of this explanation."""
        return any(item == map for map in self) if isinstance(item, Map) else any(item == name for name, _ in self.maps)

    def __repr__(self) -> str:
        images, targets = self.class_ids.shape
        names = ", ".join(f"{method} at {layer!r}" if layer else method for method, layer in self.maps)
        return f"Explanation({_count(images, 'image')}, {_count(targets, 'target')}: {names})"


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
    def score(self) -> float:
        """The explained score, before softmax unless the target says otherwise."""
        return float(self._explanation.scores[self.n, self.t])

    @property
    def probability(self) -> Optional[float]:
        """Probability of the class; None if the graph has none, or if the target is no class."""
        found = self._explanation.probabilities
        return None if found is None or self.class_id < 0 else float(found[self.n, self.t])

    def placed(self) -> np.ndarray:
        """Return the map on the original image: float32 [H, W] or [H, W, C]."""
        placed: np.ndarray = self.placement.place(self.values, self.cells)
        return placed

    def overlay(self, style: Style = _DEFAULT, image: Optional[np.ndarray] = None) -> np.ndarray:
        """Draw the map over the original image, as `visualize_imgs` does; maps of pixel methods are drawn alone.

        Parameters
        ----------
        style : Style
            How the map is drawn.
        image : np.ndarray or None
            The original image, uint8 [H, W, 3] RGB; None for the image that was explained.

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
        placement = self.placement
        if not isinstance(placement, Placement):
            raise OptionError("overlay draws maps of images; use signal_figure, volume_figure, or placed()")
        pixels = self._original(style) if image is None else image
        space = METHODS[self.method].space
        full = None if space == "pixels" else full_heat(self._family(style), style.signed)
        shown = None if self.status == "empty" else self.placed()
        images = draw(pixels, shown, placement, space, style, full, self.method in AGAINST).images
        return images["pixels" if space == "pixels" else "overlay"]

    def _original(self, style: Style) -> np.ndarray:
        images = self._explanation.images
        original = images[self.n] if images else None
        if original is None:
            raise OptionError("the image came fitted, so its original is not known; give overlay(image=...)")
        photograph = original.shape[2] in PHOTOGRAPH  # as in a run: bands are those of images with many
        return drawn(original, () if photograph else style.bands)

    def _family(self, style: Style) -> List[MapStatus]:
        """The statuses of the maps that share a scale with this one."""
        explanation = self._explanation
        family = next(keys for keys in families(explanation.maps, style.share_scale) if self._key in keys)
        return [explanation.statuses[key][self.n][self.t] for key in family]

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


def _within(what: str, number: int, count: int) -> int:
    """Return the number counted from the front. Raises SelectionError if it is not one of `count`."""
    if isinstance(number, bool) or not isinstance(number, (int, np.integer)) or not -count <= number < count:
        raise SelectionError(f"there is no {what} {number!r}: {what}s are numbered 0 to {count - 1} here")
    return int(number) % count


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
