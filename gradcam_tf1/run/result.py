"""The result of a run for one image: numbers and paths, no maps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Dict, List, Optional, Tuple

from gradcam_tf1.drawing.class_score import ClassScore
from gradcam_tf1.drawing.detected_box import Detection
from gradcam_tf1.run.older_style import ClassNumber

FAILED = -1


@dataclass(frozen=True)
class MapRecord:
    """One map: its written files, and whether it is usable.

    Attributes
    ----------
    method : str
        Name of the method.
    layer : str
        Tensor name of the layer; "" for methods of the input space.
    status : {"ok", "empty"}
        "empty" if the map is all zero.
    reason : str
        The likely reason for an empty map.
    minimum, maximum : float
        Range of the raw map before any rectification.
    peak : (int, int) or None
        Row and column of the highest value on the original image; None for an empty map. Clips: (frame, row, column).
    files : dict
        Kind -> path: "overlay" and "heatmap" for layer maps, "pixels" for pixel maps, "raw" for .npz.
    box : (int, int, int, int) or None
        Top, left, bottom, right of the largest region above the threshold, bottom and right exclusive; None if no box
        was requested.
    notes : tuple of str
        Sentences on how the map was made.
    """

    method: str
    layer: str
    status: str
    reason: str
    minimum: float
    maximum: float
    peak: Optional[Tuple[int, int]]
    files: Dict[str, str] = field(default_factory=dict)
    box: Optional[Tuple[int, int, int, int]] = None
    notes: Tuple[str, ...] = ()


@dataclass(frozen=True)
class TargetRecord:
    """One target and its maps.

    Attributes
    ----------
    class_id : int
        The class; -1 for a target without one.
    label : str or None
        Its label; None if there are no labels.
    score : float
        The explained score.
    probability : float or None
        Its probability; None if the graph has none.
    maps : tuple of MapRecord
        One record per method and layer.
    about : str
        What the target is besides a class ("not 7", "region", "margin", ...); "" for a plain class score.
    detection : Detection or None
        The box and the confidence that a detector found; None for another target.
    """

    class_id: int
    label: Optional[str]
    score: float
    probability: Optional[float]
    maps: Tuple[MapRecord, ...] = ()
    about: str = ""
    detection: Optional[Detection] = None


@dataclass(frozen=True, eq=False, repr=False)
class Result(ClassNumber):
    """The result for one image. In older scripts it also acts as its predicted class, see `older_style`.

    Attributes
    ----------
    predicted : int
        The top class; -1 if the image failed.
    source : str
        Path of the image.
    relative : str
        The path below the listed folder.
    index : int
        Position in the listing.
    error : str
        Why the image failed; "" if it was explained.
    size : (int, int) or None
        Height and width of the original image.
    targets : tuple of TargetRecord
        One record per target.
    figures : dict
        Name -> path of the figures; "original" is a copy of the image, with indexed names.
    top : tuple of ClassScore
        The best five classes, best first.
    """

    predicted: int = FAILED
    source: str = ""
    relative: str = ""
    index: int = 0
    error: str = ""
    size: Optional[Tuple[int, int]] = None
    targets: Tuple[TargetRecord, ...] = ()
    figures: Dict[str, str] = field(default_factory=dict)
    top: Tuple[ClassScore, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "targets", tuple(self.targets))

    @property
    def ok(self) -> bool:
        """Whether the image was explained."""
        return not self.error

    @property
    def status(self) -> str:
        """Either "ok" or "error"."""
        return "ok" if self.ok else "error"

    @property
    def class_ids(self) -> List[int]:
        """The explained classes, in the order of the targets."""
        return [target.class_id for target in self.targets]

    @property
    def labels(self) -> List[Optional[str]]:
        """Their labels; None without labels."""
        return [target.label for target in self.targets]

    @property
    def scores(self) -> List[float]:
        """Their scores before softmax."""
        return [target.score for target in self.targets]

    @property
    def probabilities(self) -> List[Optional[float]]:
        """Their probabilities; None if the graph has none."""
        return [target.probability for target in self.targets]

    @property
    def maps(self) -> List[MapRecord]:
        """The maps of all targets, target by target."""
        return [record for target in self.targets for record in target.maps]

    @property
    def files(self) -> List[str]:
        """Paths of all files written for this image."""
        return [*(path for record in self.maps for path in record.files.values()), *self.figures.values()]

    def __repr__(self) -> str:
        return f"Result({self.predicted}, source={self.source!r}, status={self.status!r})"
