"""What can be explained besides a class id or name. Records only; `scoring.score_requests` turns them into numbers."""

from __future__ import annotations

import os
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
class Boxes:
    """How the boxes of a detector are read. What the graph shows may be left out.

    Attributes
    ----------
    tensor : str, optional
        Tensor with the boxes of all anchors, [N, anchors, 4 or more], or a head [N, h, w, anchors, 4 or more]; the
        first four columns count. None for the only tensor that can be it.
    form : str or callable, optional
        What the columns are: "yxyx" (top, left, bottom, right), "xyxy", "cxcywh" (centre and size); "ssd" (offsets dx,
        dy, dw, dh from anchors) or "ssd-yx" (dy, dx, dh, dw); or a function of the tensor [N, anchors, 4] that returns
        top, left, bottom, right, made of TensorFlow ops. None is "ssd" if there are anchors.
    pixels : bool
        Whether the boxes are in pixels of the net's input; otherwise they are shares of its height and width, 0..1.
    anchors : array_like or str, optional
        [anchors, 4], centre x, centre y, width, height as shares of the input, or the path of an .npy file.
    variances : tuple of float
        Factors of the four offsets; (1, 1, 1, 1) for none.
    activation : {"sigmoid", "softmax"}, optional
        From class scores to confidences; only where the graph has no such op.
    background : int, optional
        Id of the class that means no object, -1 for none. Needed where a softmax makes the confidences.
    """

    tensor: Optional[str] = None
    form: Union[str, Callable[[Any], Any], None] = None
    pixels: bool = False
    anchors: Any = None
    variances: Tuple[float, float, float, float] = (0.1, 0.1, 0.2, 0.2)
    activation: Optional[str] = None
    background: Optional[int] = None

    @property
    def files(self) -> Tuple[str, ...]:
        """Path of the file of anchors."""
        return (os.fspath(self.anchors),) if isinstance(self.anchors, (str, os.PathLike)) else ()


@dataclass(frozen=True)
class Detections:
    """What a detector finds: each box that non-maximum suppression keeps is a target with a map of its own.

    Attributes
    ----------
    score : float
        Lowest confidence of a detection, 0 to 1.
    iou : float
        Of two boxes of a class that overlap more than this, the one with the lower confidence is dropped, 0 to 1.
        A graph with its own suppression has done this.
    k : int
        Most detections of an image, those with the highest confidences.
    class_spec : int, str or None
        Only detections of this class; None for all classes.
    measure : str
        What is explained: "logit", the class score of the detection's anchor; "drise", how well the proposals match the
        detection, as in D-RISE; or where a side of the box is: "top", "left", "bottom" or "right".
    boxes : Boxes
        How boxes are read.

    References
    ----------
    D-RISE, https://arxiv.org/abs/2006.03204
    """

    score: float = 0.5
    iou: float = 0.5
    k: int = 5
    class_spec: ClassSpec = None
    measure: str = "logit"
    boxes: Boxes = Boxes()

    @property
    def files(self) -> Tuple[str, ...]:
        """Path of the file of anchors."""
        return self.boxes.files


@dataclass(frozen=True)
class Keypoint:
    """A point of a pose net: the highest value of one heat map, max_ij y_ijk.

    Attributes
    ----------
    channel : int or str
        Number of the heat map, from 0, or its name among the labels.
    """

    channel: Union[int, str]


@dataclass(frozen=True)
class Total:
    """The count of a counting net: the sum of one density map, sum_ij y_ijk.

    Attributes
    ----------
    channel : int or str
        Number of the map, from 0, or its name among the labels.
    mask : array_like, optional
        Only the count inside this mask: [H, W] of the original image, bool or 0..1.
    """

    channel: Union[int, str] = 0
    mask: Any = None


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
