"""What a run hands back of one image: numbers and paths, no maps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Dict, List, Optional, Tuple

from gradcam_tf1.run.older_style import ClassNumber

FAILED = -1


@dataclass(frozen=True)
class MapRecord:
    """One map of one class: where its images are and whether it says anything.

    files: kind -> path; kinds are "overlay" and "heatmap" for layer maps, "pixels" for pixel maps, "raw" for npz.
    status: "ok" or "empty" (all zero), with the reason. minimum, maximum: of the raw map before any rectification.
    peak: (row, column) of its highest value on the original image, None where the map is empty.
    box: (top, left, bottom, right) of its largest lit region there, the last two exclusive; None where it was not asked
    for. notes: sentences on how the map came about.
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
    """One target: its class id (-1: no class), label, explained score, probability (None: not in the graph), maps.

    about: what it is beyond a class ("not 7", "region", "margin"...), "" for a plain class score.
    """

    class_id: int
    label: Optional[str]
    score: float
    probability: Optional[float]
    maps: Tuple[MapRecord, ...] = ()
    about: str = ""


@dataclass(frozen=True, eq=False, repr=False)
class Result(ClassNumber):
    """The answer for one image. In older scripts it also acts as its predicted class, see `older_style`.

    Attributes
    ----------
    predicted : int
        The top class; -1 if the image failed.
    source : str
        Path of the image.
    relative : str
        The same, from the folder that was listed.
    index : int
        Position in the listing.
    error : str
        Why the image failed; "" if it was explained.
    size : (int, int) or None
        Height and width of the original image.
    targets : tuple of TargetRecord
        One record per target.
    figures : dict
        Name -> path of the figures; "original" is the image's copy, with indexed names.
    """

    predicted: int = FAILED
    source: str = ""
    relative: str = ""
    index: int = 0
    error: str = ""
    size: Optional[Tuple[int, int]] = None
    targets: Tuple[TargetRecord, ...] = ()
    figures: Dict[str, str] = field(default_factory=dict)

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
        """The classes that were explained, in the order asked."""
        return [target.class_id for target in self.targets]

    @property
    def labels(self) -> List[Optional[str]]:
        """Their labels, None where the net has none."""
        return [target.label for target in self.targets]

    @property
    def scores(self) -> List[float]:
        """Their scores before softmax."""
        return [target.score for target in self.targets]

    @property
    def probabilities(self) -> List[Optional[float]]:
        """Their probabilities, None where the graph has none."""
        return [target.probability for target in self.targets]

    @property
    def maps(self) -> List[MapRecord]:
        """The maps of all classes, one after the other."""
        return [record for target in self.targets for record in target.maps]

    @property
    def files(self) -> List[str]:
        """Paths of everything written for this image."""
        return [*(path for record in self.maps for path in record.files.values()), *self.figures.values()]

    def __repr__(self) -> str:
        return f"Result({self.predicted}, source={self.source!r}, status={self.status!r})"
