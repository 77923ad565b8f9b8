"""What can be explained besides a class id or name. Records only; `scoring.score_requests` turns them into numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Optional, Tuple, Union

ClassSpec = Union[int, str, None]  # id, name, or None for the top class


@dataclass(frozen=True)
class Top:
    """The k classes with the highest scores, as k targets.

    Attributes
    ----------
    k : int
        Number of classes, from 1 to the number of classes of the net.
    """

    k: int


@dataclass(frozen=True)
class Worst:
    """The class with the lowest score."""


@dataclass(frozen=True)
class All:
    """Every class of the net, as C targets."""


@dataclass(frozen=True)
class Down:
    """What lowers an output: -y_c. For regression nets (Grad-CAM's counterfactual explanation, section 3.3).

    Attributes
    ----------
    output : int, str or None
        Id or name of the output; None for the highest one.

    References
    ----------
    https://arxiv.org/abs/1610.02391
    """

    output: ClassSpec = None


@dataclass(frozen=True)
class Contrast:
    """Why class a and not class b: y_a - y_b (the difference that Finer-CAM builds on).

    Attributes
    ----------
    a : int, str or None
        Id or name of the class that is explained; None for the top class.
    b : int, str or None
        The class it is compared with; None for the class that the net predicts, so that a true label can be compared
        with a wrong prediction.

    References
    ----------
    https://arxiv.org/abs/2501.11309
    """

    a: ClassSpec
    b: ClassSpec = None


@dataclass(frozen=True)
class Region:
    """A class of a segmentation net in a region (Seg-Grad-CAM): sum_ij M_ij y_ijc.

    Without `mask` and `point` the region is where the net itself predicts the class.

    Attributes
    ----------
    class_spec : int, str or None
        Id or name of the class; None for the top class of the image.
    mask : array_like, optional
        M: [H, W] of the original image, bool or 0..1.
    point : tuple of float, optional
        One position instead of a mask: (row, column) in pixels of the original image.

    References
    ----------
    https://arxiv.org/abs/2002.11434
    """

    class_spec: ClassSpec = None
    mask: Any = None
    point: Optional[Tuple[float, float]] = None


@dataclass(frozen=True)
class Anchor:
    """A class of a detector before non-maximum suppression: y_ac of one anchor a, or the sum of the best anchors.

    Attributes
    ----------
    class_spec : int, str or None
        Id or name of the class; None for the top class.
    index : int, optional
        Number of the anchor, from 0, in the order of the net's scores; None for the best ones.
    best : int
        Number of anchors with the highest scores of the class that are summed, at least 1; only without `index`.
    """

    class_spec: ClassSpec = None
    index: Optional[int] = None
    best: int = 1


@dataclass(frozen=True)
class Similar:
    """Similarity to a reference image: cos(e, r), e the net's output for the image, r that for the reference.

    Attributes
    ----------
    image : array_like
        The reference image, [H, W, 3], RGB, 0..255.
    """

    image: Any


@dataclass(frozen=True)
class Scalar:
    """Any differentiable number per image.

    Attributes
    ----------
    source : str or callable
        Name of a float tensor [N] or [N, 1], or a callable (tf.Graph) -> such a tensor, called once in the net's graph.
    """

    source: Union[str, Callable[[Any], Any]]
