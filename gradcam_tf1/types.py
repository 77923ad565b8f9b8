"""The records that travel between the parts. No TensorFlow here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, Mapping, Optional, Tuple

Shape = Tuple[Optional[int], ...]


@dataclass(frozen=True)
class LoadedModel:
    """What every loader returns: one frozen graph and what the file itself says about names.

    graph_def: tf.GraphDef, every variable folded to a Const, cleaned up and ready to import.
    source: what the user gave, for messages ("model.pb", "live session").
    kind: what it turned out to be ("frozen graph", "checkpoint", "SavedModel", "Keras h5", "live session").
    inputs, outputs: tensor names ("input:0") that the file declares (signature, Keras model); empty where it does not.
    notes: one sentence for each repair or doubt, shown to the user.
    """

    graph_def: Any
    source: str
    kind: str
    inputs: Tuple[str, ...] = ()
    outputs: Tuple[str, ...] = ()
    notes: Tuple[str, ...] = ()


@dataclass(frozen=True)
class KeyTensors:
    """What `fetch_key_tensors` returns; every field may be left out and is then found automatically.

    input, logits, layer, probabilities: a tf.Tensor, "op:0", "op", a scope or a unique substring; `layer` also an int
    counted from the end (-1 = last feature map, -3 = third from last).
    feed: values for other placeholders, by tensor or name ({"is_training:0": False}).
    """

    input: Any = None
    logits: Any = None
    layer: Any = None
    feed: Mapping[Any, Any] = field(default_factory=dict)
    probabilities: Any = None


@dataclass(frozen=True)
class LayerInfo:
    """One feature map on the way from the input to the logits.

    name: tensor name ("conv5_3/Relu:0"). op: its op type. shape: static shape as the graph has it, None where unknown.
    channels_last: whether the channel axis is the last one (False: axis 1).
    """

    name: str
    op: str
    shape: Shape
    channels_last: bool = True


@dataclass(frozen=True)
class Binding:
    """The key tensors of one net, by name, and what was learnt about them.

    input: tensor that takes the pictures. dtype: its numpy dtype name ("float32", "uint8").
    input_channels_last, has_batch_axis: its layout; [N,H,W,C] unless these say otherwise.
    image_size: (height, width), None for each free side. channels: 1, 3 or 4.
    batch_size: number of pictures a run must have because the graph has it baked in; None: any.
    logits: class scores before softmax/sigmoid, any rank >= 1. classes: their number (1 for a one-logit head).
    probabilities: the softmax/sigmoid output where there is one.
    layer: the default feature map. layers: all candidates, input side first.
    feeds: tensor name -> value for every other placeholder.
    background: True where class 0 is a background class (1001 ImageNet classes, for example).
    preprocessing: preset name the graph itself shows ("raw" for a uint8 input or in-graph normalisation), else None.
    reasons: for each of input, logits, layer, probabilities, feeds, preprocessing: one sentence why.
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
    background: bool = False
    preprocessing: Optional[str] = None
    reasons: Dict[str, str] = field(default_factory=dict)
    warnings: Tuple[str, ...] = ()
