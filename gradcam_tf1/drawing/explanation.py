"""What `explain` returns: an Explanation, which gives its maps, shows them, and goes to a file and back."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from gradcam_tf1.drawing.class_score import ClassScore
from gradcam_tf1.drawing.dataframes import MAP_COLUMNS, dataframe, map_values
from gradcam_tf1.drawing.detected_box import Detection, is_further_detection
from gradcam_tf1.drawing.explained_map import Map
from gradcam_tf1.drawing.explanation_files import read_fields, write_fields
from gradcam_tf1.drawing.maps_figure import maps_figure
from gradcam_tf1.drawing.notebook_view import ROWS, maps_table
from gradcam_tf1.drawing.show_figure import show_figure
from gradcam_tf1.drawing.style import Style, check_style
from gradcam_tf1.errors import SelectionError
from gradcam_tf1.labels import Labels
from gradcam_tf1.types import Cells, MapKey, MapStatus

if TYPE_CHECKING:
    from matplotlib.figure import Figure

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
    detections : tuple of tuple of Detection
        For each image, the detection of each target; None for another target, or if the image has fewer detections. ()
        if no target is one.
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
    detections: Tuple[Tuple[Optional[Detection], ...], ...] = ()

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

    def shown_targets(self, n: int) -> List[int]:
        """Return the numbers of the targets of an image that a run writes.

        A repeated target is left out, and so are the detections that the image lacks, except the first.
        """
        abouts = self.abouts or ("",) * self.class_ids.shape[1]
        targets = list(zip(self.class_ids[n].tolist(), abouts))
        lacking = [bool(self.detections) and is_further_detection(about) for about in abouts]
        return [
            t
            for t, target in enumerate(targets)
            if target not in targets[:t] and not (lacking[t] and self.detections[n][t] is None)
        ]

    def key(self, method: str, layer: Optional[str] = None) -> MapKey:
        """Return the key of `maps` for a method and a layer (None: its first). Raises SelectionError."""
        name = str(getattr(method, "name", method))
        for candidate in self.maps:
            if candidate[0] == name and layer in (None, candidate[1]):
                return candidate
        at = "" if layer is None else f" at layer {layer!r}"
        raise SelectionError(f"no maps of {name!r}{at}; computed: {sorted(self.maps)}")

    def figure(self, n: int = 0, style: Style = _DEFAULT) -> Figure:
        """Return a figure of one input: a row for each target, ten at most, and a column for each method and layer.

        The targets share one scale, unless the style says otherwise.

        Parameters
        ----------
        n : int
            Number of the input.
        style : Style
            How the maps are drawn.

        Raises
        ------
        SelectionError
            If there is no such input.
        """
        check_style(style)
        return maps_figure(self, n, style)

    def show(self, n: int = 0, style: Style = _DEFAULT) -> None:
        """Show the figure of one input: in the notebook, else in a window of matplotlib until it is closed.

        Without a display, a warning says how to save the figure.

        Parameters
        ----------
        n : int
            Number of the input.
        style : Style
            How the maps are drawn.

        Raises
        ------
        SelectionError
            If there is no such input.
        """
        show_figure(self.figure(n, style))

    def to_dataframe(self) -> Any:
        """Return a pandas.DataFrame with a row for each map, in the order of iteration; arrays are not in it.

        Raises
        ------
        OptionError
            If pandas is not installed.
        """
        failures = self.failures or [""] * len(self.predicted)
        rows = (map_values(map, int(self.predicted[map.n]), failures[map.n]) for map in self)
        return dataframe(rows, MAP_COLUMNS, ("class_id", "predicted", "anchor"))

    def save(self, path: Any, images: bool = True) -> None:
        """Write everything to one .npz file of plain arrays, whole or not at all; an older file is replaced.

        Parameters
        ----------
        path : str or path
            The file.
        images : bool
            Whether the original images are written too; without them, overlays need the image.

        Raises
        ------
        OSError
            If the file cannot be written; names the path.
        OptionError
            If the explanation holds something that such a file cannot hold.
        """
        write_fields(vars(self), path, images)

    @classmethod
    def load(cls, path: Any) -> Explanation:
        """Read an explanation that `save` wrote. Nothing in the file is run, and no more is read than its size.

        Parameters
        ----------
        path : str or path
            The file.

        Raises
        ------
        ExplanationFileError
            If it is not such a file, or is damaged.
        """
        return cls(**read_fields(path))

    def _repr_html_(self) -> str:
        """Show the first maps in a notebook."""
        left = len(self) - ROWS
        more = f"... and {left} more map{'s' if left > 1 else ''}: iterate, or see to_dataframe()" if left > 0 else ""
        return maps_table(repr(self), islice(self, ROWS), more)

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


def _within(what: str, number: int, count: int) -> int:
    """Return the number counted from the front. Raises SelectionError if it is not one of `count`."""
    if isinstance(number, bool) or not isinstance(number, (int, np.integer)) or not -count <= number < count:
        raise SelectionError(f"there is no {what} {number!r}: {what}s are numbered 0 to {count - 1} here")
    return int(number) % count


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
