"""What a run hands back of one image: numbers and paths, no maps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Dict, Iterable, List, Optional, Tuple

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


class Result(int):
    """One image's answer; as a number, its predicted top-1 class, or -1 where the image failed.

    source: path of the image. relative: the same, from the folder that was listed. index: position in the listing.
    status: "ok" or "error", with the reason in `error`. size: (height, width) of the original image.
    figures: name -> path of the figures that were asked for; "original": of the image's copy, with indexed names.
    """

    source: str
    relative: str
    index: int
    error: str
    size: Optional[Tuple[int, int]]
    targets: Tuple[TargetRecord, ...]
    figures: Dict[str, str]

    def __new__(
        cls,
        predicted: int = FAILED,
        *,
        source: str = "",
        relative: str = "",
        index: int = 0,
        error: str = "",
        size: Optional[Tuple[int, int]] = None,
        targets: Iterable[TargetRecord] = (),
        figures: Optional[Dict[str, str]] = None,
    ) -> Result:
        """Make the number and hang the rest on it."""
        result = super().__new__(cls, predicted)
        result.source, result.relative, result.index = source, relative, index
        result.error, result.size, result.targets, result.figures = error, size, tuple(targets), figures or {}
        return result

    @property
    def predicted(self) -> int:
        """The top-1 class as a plain int, -1 where the image failed."""
        return int(self)

    @property
    def ok(self) -> bool:
        """Whether the image was explained. (`bool(result)` would be False for class 0.)"""
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

    def __str__(self) -> str:  # as a number, so that "%s" and f-strings of older scripts print the class
        return int.__repr__(self)

    def __repr__(self) -> str:
        return f"Result({int(self)}, source={self.source!r}, status={self.status!r})"
