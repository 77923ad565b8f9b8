"""The records that travel between the parts. No TensorFlow here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, Mapping, Optional, Sequence, Tuple

import numpy as np

Shape = Tuple[Optional[int], ...]


@dataclass(frozen=True)
class LoadedModel:
    """What every loader returns: one frozen graph and what the file itself says about names.

    graph_def: tf.GraphDef, every variable folded to a Const, cleaned up and ready to import.
    source: what the user gave, for messages ("model.pb", "live session").
    kind: what it turned out to be ("frozen graph", "checkpoint", "SavedModel", "Keras h5", "live session").
    inputs, outputs: tensor names ("input:0") that the file declares (signature, Keras model); empty where it does not.
    notes: one sentence for each repair or doubt, shown to the user.
    preprocessing: preset name, where the source is known to want one (reference nets), else None.
    layer: name of the best feature map, where the source is known (reference nets: a fully convolutional head has later
    ones, of one position or few), else None.
    files: what the model was read from, where `source` is not its path.
    moving_averages: whether variables have the values of their moving averages.
    """

    graph_def: Any
    source: str
    kind: str
    inputs: Tuple[str, ...] = ()
    outputs: Tuple[str, ...] = ()
    notes: Tuple[str, ...] = ()
    preprocessing: Optional[str] = None
    layer: Optional[str] = None
    files: Tuple[str, ...] = ()
    moving_averages: bool = False


@dataclass(frozen=True)
class KeyTensors:
    """What `fetch_key_tensors` returns; every field may be left out and is then found automatically.

    input, logits, layer, probabilities: a tf.Tensor, "op:0", "op", a scope or a unique substring; `layer` also an int
    counted from the end (-1 = last feature map, -3 = third from last), several of these with a + between, or "auto",
    of each class the last map of its own branch.
    feed: values for other placeholders, by tensor or name ({"is_training:0": False}); None: it comes with each image.
    later: further tensors whose values come with each image, as `inputs`.
    """

    input: Any = None
    logits: Any = None
    layer: Any = None
    feed: Mapping[Any, Any] = field(default_factory=dict)
    probabilities: Any = None
    later: Sequence[Any] = ()


@dataclass(frozen=True)
class Candidate:
    """A tensor that could be what is looked for.

    shape: static, None where its rank is unknown. why: what it is. fits: whether it can be named as it is.
    """

    name: str
    dtype: str
    shape: Optional[Shape]
    why: str
    fits: bool = True


@dataclass(frozen=True)
class Candidates:
    """What could be the input, the scores and the layer, the likely ones first."""

    input: Tuple[Candidate, ...] = ()
    logits: Tuple[Candidate, ...] = ()
    layer: Tuple[Candidate, ...] = ()


@dataclass(frozen=True)
class LayerInfo:
    """One feature map on the way from the input to the logits.

    name: tensor name ("conv5_3/Relu:0"). op: its op type. shape: static shape as the graph has it, None where unknown.
    channels_last: whether the channel axis is the last one (False: axis 1).
    counted: whether -1, -3 count it; False for a convolution's own output before its batch norm and activation.
    parts: of several maps that are taken together ("a/Relu:0 + b/Relu:0") each one; () for one map alone.
    """

    name: str
    op: str
    shape: Shape
    channels_last: bool = True
    counted: bool = True
    parts: Tuple[LayerInfo, ...] = ()


@dataclass(frozen=True)
class Branch:
    """A part of the class scores that is made apart from the others, and joined with them by a concat.

    scores: the tensor that holds it. first, stop: its classes are first .. stop - 1; of anchors its rows.
    layer: its own last feature map, written as a layer is asked for; "" where it has none.
    anchors: whether it has all classes, of some of the anchors.
    """

    scores: str
    first: int
    stop: int
    layer: str
    anchors: bool = False


@dataclass(frozen=True)
class Cells:
    """Where the cells of a map lie on the net's input, per axis: the centre of cell i is offset + stride * i.

    In pixels of the input, half-pixel: the centre of pixel p is p + 0.5. A stride is negative where the net mirrors.
    """

    offset: Tuple[float, ...]
    stride: Tuple[float, ...]


@dataclass(frozen=True)
class ScorePart:
    """One scale of a detector: its class columns and their objectness, before softmax or sigmoid.

    scores: [N, ..., C]. axes: as `Binding.score_axes`. objectness: one column for each anchor, in the same order.
    exclusive: softmax over the classes, else a sigmoid of each. first: the classes are the columns from this one on,
    and the objectness is the column before them where `objectness` is "".
    """

    scores: str
    axes: str
    objectness: str
    exclusive: bool = False
    first: int = 0


@dataclass(frozen=True)
class Binding:
    """The key tensors of one net, by name, and what was learnt about them.

    input: tensor that takes the images. dtype: its numpy dtype name ("float32", "uint8").
    input_channels_last, has_batch_axis: its layout; [N,H,W,C] unless these say otherwise.
    array_shape: of an input of signals [N, L, C] (C = 1 where it is [N, L]) or volumes [N, D, H, W, C]; None: images.
    frame_order: of clips [N, T, H, W, C], which are arrays too, how their frames lie on the first axis of a layer:
    "clips" (N * T) or "frames" (T * N); "" for other inputs.
    image_size: (height, width), None for each free side. channels: 1 or 3 of photographs, else the bands.
    batch_size: number of images a run must have because the graph has it baked in; None: any.
    logits: class scores before softmax/sigmoid, any rank >= 1. classes: their number (1 for a one-logit head).
    score_axes: a letter for each axis of the logits: n images, c classes, p positions, a anchors or steps of a
    image; in front r, rows of all images, one image after the other, or s, one step after the other. "": by rank.
    score_parts: the scales of a detector with objectness, whose scores are made of these and not of `logits` alone.
    probabilities: the softmax/sigmoid output where there is one. probability_axes: as score_axes.
    layer: the feature map that is looked at. layers: all candidates, input side first.
    shared_layer: the default, the last map on which all scores depend, or several, "a/Relu:0 + b/Relu:0", whose maps
    are added up. branches: the parts that the scores are joined of, () where they are not.
    feeds: tensor name -> value for every other placeholder.
    repeated: those of `feeds` that are one row, which every image gets.
    per_image: further tensors that have no value here: it comes with each image, as `inputs`.
    mixing: name of the first op that mixes the images of a batch (batch norm in training mode), "" for none.
    background: True where class 0 is a background class (1001 ImageNet classes, for example).
    preprocessing: preset name the graph itself shows ("raw" for a uint8 input or in-graph normalisation), else None.
    places: where the cells of each layer lie on the input, a cells.Places; None: every map is stretched over it.
    reasons: for each of input, logits, layer, placement, probabilities, feeds, preprocessing: one sentence why.
    warnings: sentences for the user.
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
    frame_order: str = ""
    reasons: Dict[str, str] = field(default_factory=dict)
    warnings: Tuple[str, ...] = ()


ScoreKey = Tuple[Any, ...]  # ("logit",), ("anchors", 3)...: a name from scores.SCORES and its options


@dataclass(frozen=True)
class Slot:
    """The place of one target in the graph: its number, and which score it differentiates."""

    index: int
    score: ScoreKey = ("logit",)


@dataclass(frozen=True)
class ScoreRequest:
    """One target of every image, in numbers: the score to differentiate and what it is fed.

    values: name from scores.VALUES -> array with the image axis first, [N, ...].
    inputs: the same for further input tensors of the net, by name.
    about: what the target is beyond a class, "" for a plain class score.
    """

    score: ScoreKey
    values: Mapping[str, np.ndarray]
    about: str = ""
    inputs: Mapping[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class MapStatus:
    """Whether one map says anything: state "ok" or "empty" (all zero, never NaN), with the likely reason.

    minimum, maximum: of the raw map before any rectification, so that "all negative" can be told from "no gradient".
    notes: sentences on how the map came about: what a gradient rule reached, how far a sum is off.
    """

    state: str
    reason: str
    minimum: float
    maximum: float
    notes: Tuple[str, ...] = ()


@dataclass(frozen=True)
class MethodProgress:
    """What a method that runs the net many times has to do for a batch, and how much of it is done.

    runs: for each of the images, of what `unit` names. done: of images * runs.
    """

    method: str
    layer: str
    images: int
    runs: int
    unit: str
    done: int = 0


MapKey = Tuple[str, str]  # (method, layer tensor name); layer "" for methods of the input space alone
