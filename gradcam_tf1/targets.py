"""What can be asked of an image besides a class id or name. Records only; `asks.py` turns them into numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional, Tuple, Union

ClassSpec = Union[int, str, None]  # id, name, or None for the top class


@dataclass(frozen=True)
class Top:
    """The k classes with the highest scores: k targets."""

    k: int


@dataclass(frozen=True)
class Worst:
    """The class with the lowest score."""


@dataclass(frozen=True)
class All:
    """Every class of the net: C targets."""


@dataclass(frozen=True)
class Down:
    """What lowers an output, -y: the other direction of a regression."""

    output: ClassSpec = None


@dataclass(frozen=True)
class Contrast:
    """Why `a` and not `b`: y_a - y_b. Without b: the class that the net predicts (true label against predicted)."""

    a: ClassSpec
    b: ClassSpec = None


@dataclass(frozen=True)
class Region:
    """A class of a segmentation net, its scores summed over a region (Seg-Grad-CAM, https://arxiv.org/abs/2002.11434).

    mask: [H, W], bool or 0..1, of the original image; point: (row, column) on the original image; neither: where
    the net itself predicts the class.
    """

    class_spec: ClassSpec = None
    mask: Any = None
    point: Optional[Tuple[float, float]] = None


@dataclass(frozen=True)
class Anchor:
    """A class of a detector before non-maximum suppression: one anchor by index, else the sum of the `best` ones."""

    class_spec: ClassSpec = None
    index: Optional[int] = None
    best: int = 1


@dataclass(frozen=True)
class Similar:
    """How near the net's output is to that of a reference image: cosine. image: RGB [H, W, 3], 0..255."""

    image: Any


@dataclass(frozen=True)
class Scalar:
    """Any number per image: a tensor's name, or a callable (tf.Graph) -> tensor [N], called once in the net's graph."""

    source: Any
