"""Records that the packages pass to each other. No import of TensorFlow at run time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Dict, Mapping, Optional, Sequence, Tuple

import numpy as np

if TYPE_CHECKING:
    from gradcam_tf1.tf_runtime import tf

Shape = Tuple[Optional[int], ...]


@dataclass(frozen=True)
class LoadedModel:
    """A frozen graph, and what its file says about the names of tensors. Every loader returns one.

    Attributes
    ----------
    graph_def : tf.GraphDef
        The graph, ready to import: every variable is folded to a Const op.
    source : str
        Path or description of the model, for messages ("model.pb", "live session").
    kind : str
        Form of the model ("frozen graph", "checkpoint", "SavedModel", "Keras h5", "live session").
    inputs, outputs : tuple of str
        Tensor names ("input:0") that the file declares in a signature or Keras model, if any.
    notes : tuple of str
        One sentence for each repair or doubt, shown to the user.
    preprocessing : str or None
        Preset name, for models whose preprocessing is known (reference nets).
    layer : str or None
        Name of the best feature map of a reference net, which may not be its last one; None for other models.
    files : tuple of str
        Paths that were read, if `source` is not the path.
    moving_averages : bool
        Whether variables hold their moving averages.
    variables : tuple of str
        Names of constants whose values change later, see `GradCamGraph.assign`; () for a model that stays as it is.
    apart : ApartGraph or None
        What stands for `graph_def` if that is None.
    """

    graph_def: tf.GraphDef
    source: str
    kind: str
    inputs: Tuple[str, ...] = ()
    outputs: Tuple[str, ...] = ()
    notes: Tuple[str, ...] = ()
    preprocessing: Optional[str] = None
    layer: Optional[str] = None
    files: Tuple[str, ...] = ()
    moving_averages: bool = False
    variables: Tuple[str, ...] = ()
    apart: Any = None


@dataclass(frozen=True)
class KeyTensors:
    """The tensors that a net is explained with. Fields that are left out are detected.

    Attributes
    ----------
    input, logits, probabilities : tf.Tensor, str or None
        A tensor, "op:0", "op", a scope, or a unique part of a name.
    layer : tf.Tensor, str, int or None
        As `input`, an int from the end (-1 is the last feature map), several names joined by " + ", or "auto": for each
        class the last feature map of its own branch.
    feed : mapping
        Values of other placeholders by tensor or name, {"is_training:0": False}; None for one that comes with images.
    later : sequence
        Further tensors whose values come with each image, see `ExplainOptions.inputs`.
    """

    input: Any = None
    logits: Any = None
    layer: Any = None
    feed: Mapping[Any, Any] = field(default_factory=dict)
    probabilities: Any = None
    later: Sequence[Any] = ()


@dataclass(frozen=True)
class LayerInfo:
    """A feature map between the input and the logits.

    Attributes
    ----------
    name : str
        Tensor name ("conv5_3/Relu:0").
    op : str
        Type of its op ("Relu").
    shape : tuple
        Static shape in the graph; None for each unknown side.
    channels_last : bool
        Whether the channels are the last axis; otherwise they are axis 1.
    counted : bool
        Whether -1, -3, ... count this layer. False for a convolution before its batch norm and activation.
    parts : tuple of LayerInfo
        The single layers of a combined one ("a/Relu:0 + b/Relu:0"); () for a single layer.
    order : tuple of int
        The axes that hold images, positions and channels, in this order, for a third layout (others have length 1).
    """

    name: str
    op: str
    shape: Shape
    channels_last: bool = True
    counted: bool = True
    parts: Tuple[LayerInfo, ...] = ()
    order: Tuple[int, ...] = ()


@dataclass(frozen=True)
class Branch:
    """A part of the class scores that is computed apart from the others and joined with them by a concat."""

    scores: str  # name of the tensor that holds its scores
    first: int  # its classes are first .. stop - 1, or its anchors
    stop: int
    layer: str  # name of its own last feature map, "" if it has none
    anchors: bool = False  # whether it has all classes of some anchors, instead of some classes


@dataclass(frozen=True)
class Cells:
    """Centres of a map's cells on the input, per axis: offset + stride * i pixels; pixel p is centred at p + 0.5.

    Attributes
    ----------
    offset : tuple of float
        Centre of the first cell, in pixels of the input.
    stride : tuple of float
        Pixels from one cell to the next; negative if the net mirrors the axis.
    """

    offset: Tuple[float, ...]
    stride: Tuple[float, ...]


@dataclass(frozen=True)
class ScorePart:
    """The class scores of one scale of a detector, and their objectness, before softmax or sigmoid."""

    scores: str  # tensor name, [N, ..., C]
    axes: str  # see `Binding.score_axes`
    objectness: str  # tensor with one column per anchor, in the same order; "" if it is a column of `scores`
    exclusive: bool = False  # softmax over the classes, otherwise a sigmoid of each
    first: int = 0  # first column of the classes; without `objectness`, the column before it is the objectness


@dataclass(frozen=True)
class Binding:
    """The key tensors of a net by name, and its properties.

    Attributes
    ----------
    input : str
        Tensor that receives the images.
    logits : str
        Class scores before softmax or sigmoid, of rank 1 or higher.
    layer : str
        The feature map to explain by default.
    probabilities : str or None
        Output of the softmax or sigmoid; None if the graph has none.
    layers : tuple of LayerInfo
        All feature maps, input side first.
    feeds : dict
        Tensor name -> value for every other placeholder.
    image_size : (int or None, int or None)
        Height and width of the input; None for each free side.
    channels : int
        Channels of the input: 1 or 3 for photographs, otherwise the number of bands.
    dtype : str
        Numpy dtype name of the input ("float32", "uint8").
    input_channels_last, has_batch_axis : bool
        Layout of the input: whether it is [N, H, W, C] instead of [N, C, H, W], and whether it has the axis N.
    batch_size : int or None
        Number of images per run that is fixed in the graph; None for any number.
    classes : int or None
        Number of classes, 1 for a head with one logit; None if unknown.
    score_axes, probability_axes : str
        One letter per axis of `logits` and `probabilities`: n images, c classes, p positions, a anchors or steps of an
        image. A leading r means rows of all images, image by image, and s step by step. "" for the default by rank.
    score_parts : tuple of ScorePart
        The scales of a detector with objectness; its scores are computed from these instead of `logits` alone.
    background : bool
        Whether class 0 is a background class (1001 ImageNet classes, for example).
    preprocessing : str or None
        Name of the preset that the graph itself shows ("raw" for a uint8 input or normalisation in the graph).
    array_shape : tuple or None
        Shape of signals [N, L, C] (also for [N, L]), volumes [N, D, H, W, C] or clips [N, T, H, W, C]; None for images.
    places : CellPlaces or None
        Where the cells of each layer lie on the input; None if every map is stretched over it.
    shared_layer : str
        The default layer: the last feature map on which all scores depend, or several whose maps are added up.
    branches : tuple of Branch
        The parts that the scores are joined from; () if there are none.
    repeated : tuple of str
        Those of `feeds` with one row, which is repeated for every image.
    per_image : tuple of str
        Further tensors without a value in `feeds`: it comes with each image.
    mixing : str
        First op that mixes the images of a batch (batch norm in training mode); "" if there is none.
    training : tuple of str
        Those of `warnings` that say that the net is in training mode: batch statistics, random numbers.
    token_ids, vocabulary, text_inputs : str, int, dict
        For texts, the tensor of token ids, whose embeddings are `input`; the number of different ids; and, by name, the
        further inputs that follow from the ids: "mask" (1 at a token) or "segments" (0).
    frame_order : str
        For clips, the order of frames on the first axis of a layer: "clips" (N * T) or "frames" (T * N); "" for other
        inputs.
    reasons : dict
        One sentence each for input, logits, layer, placement, probabilities, feeds and preprocessing.
    warnings : tuple of str
        Sentences for the user.
    """

    input: str
    logits: str
    layer: str
    probabilities: Optional[str] = None
    layers: Tuple[LayerInfo, ...] = ()
    feeds: Dict[str, Any] = field(default_factory=dict)
    image_size: Tuple[Optional[int], Optional[int]] = (None, None)
    channels: int = 3
    dtype: str = "float32"
    input_channels_last: bool = True
    has_batch_axis: bool = True
    batch_size: Optional[int] = None
    classes: Optional[int] = None
    score_axes: str = ""
    probability_axes: str = ""
    score_parts: Tuple[ScorePart, ...] = ()
    background: bool = False
    preprocessing: Optional[str] = None
    array_shape: Optional[Shape] = None
    places: Any = None
    shared_layer: str = ""
    branches: Tuple[Branch, ...] = ()
    repeated: Tuple[str, ...] = ()
    per_image: Tuple[str, ...] = ()
    mixing: str = ""
    training: Tuple[str, ...] = ()
    token_ids: str = ""
    vocabulary: int = 0
    text_inputs: Dict[str, str] = field(default_factory=dict)
    frame_order: str = ""
    reasons: Dict[str, str] = field(default_factory=dict)
    warnings: Tuple[str, ...] = ()


ScoreKey = Tuple[Any, ...]  # ("logit",), ("anchors", 3), ...: a name from SCORES and its options


@dataclass(frozen=True)
class Slot:
    """The place of one target in the graph: its number, and the score that it differentiates."""

    index: int
    score: ScoreKey = ("logit",)


@dataclass(frozen=True)
class ScoreRequest:
    """One target of every image, in numbers."""

    score: ScoreKey  # the score to differentiate
    values: Mapping[str, np.ndarray]  # name from VALUES -> array with the image axis first, [N, ...]
    about: str = ""  # what the target is besides a class, "" for a plain class score
    inputs: Mapping[str, np.ndarray] = field(default_factory=dict)  # further input tensor -> array [N, ...]


@dataclass(frozen=True)
class MapStatus:
    """Whether a map is usable.

    Attributes
    ----------
    state, reason : str
        "ok", or "empty" for a map that is all zero, and the likely reason for that. A map never has NaN.
    minimum, maximum : float
        Range of the raw map before any rectification: "all negative" or "no gradient".
    notes : tuple of str
        Sentences on how the map was made: what a gradient rule reached, how far a sum is off.
    """

    state: str
    reason: str
    minimum: float
    maximum: float
    notes: Tuple[str, ...] = ()


@dataclass(frozen=True)
class MethodProgress:
    """How far a method that runs the net many times has come with a batch.

    Attributes
    ----------
    method, layer : str
        Names of the method and of the layer's tensor, "" for methods of the input space; with noise, of all methods.
    images, runs, done : int
        Images of the batch, runs per image, and those of `images * runs` that are finished.
    unit : str
        What a run is ("forward passes of the whole net").
    """

    method: str
    layer: str
    images: int
    runs: int
    unit: str
    done: int = 0


MapKey = Tuple[str, str]  # (method, layer tensor name); layer "" for methods of the input space alone
