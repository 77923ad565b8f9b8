"""The part of an exported graph that is the net itself: its scores and its maps before any drawing, as a GraphDef."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np

from gradcam_tf1.engine.auto_layer import OWN
from gradcam_tf1.engine.explain import NetExplainer
from gradcam_tf1.engine.iterate import check_copies
from gradcam_tf1.errors import ExportError
from gradcam_tf1.export.averaged_gradients import AVERAGED
from gradcam_tf1.export.export_request import GUIDED, ExportRequest
from gradcam_tf1.export.second_copy import SecondCopy, forget_places, second_copy
from gradcam_tf1.graphdef.nodes import edges, keep_only, sources, spread
from gradcam_tf1.methods import METHODS
from gradcam_tf1.methods.base import LOGIT, Method
from gradcam_tf1.methods.families import LayerMethod, PixelMethod, ProductMethod
from gradcam_tf1.methods.layer_maps import parts_of
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import LayerInfo, Slot

IMAGES = "images"  # the key in `NetPart.tensors` of the images as the net's first float tensor has them


@dataclass(frozen=True)
class NetPart:
    """The net and the ops of its maps.

    Attributes
    ----------
    graph_def : tf.GraphDef
        The ops; large weights are variables still.
    code : str
        Tensor that takes the classes: int32 [N], an id, or -1 for the top class, -2 for the second.
    tensors : dict
        Tensor names of "logits", "scores", "class_ids", "broken" (whether an image has no answer), of each layer
        method's map of each part before the closing ReLU, see `cam_name`, of pixel methods by their names, and of
        IMAGES for an average.
    layer : LayerInfo or None
        The layer; None if no layer is needed.
    again : SecondCopy or None
        What an average over gradients runs in a loop; None for other methods.
    """

    graph_def: tf.GraphDef
    code: str
    tensors: Dict[str, str]
    layer: Optional[LayerInfo]
    again: Optional[SecondCopy] = None

    @property
    def parts(self) -> Sequence[LayerInfo]:
        """The single layers that make the map."""
        return parts_of(self.layer) if self.layer is not None else ()

    def used(self, names: Sequence[str]) -> List[str]:
        """Return those of some tensors that an op of the part takes."""
        taken = {f"{edge.node}:{edge.output}" for node in self.graph_def.node for edge in edges(node)}
        return [name for name in names if name in taken]


def net_part(explainer: NetExplainer, request: ExportRequest) -> NetPart:
    """Add the ops of the maps to a net, and cut out what they need.

    Parameters
    ----------
    explainer : NetExplainer
        The bound net.
    request : ExportRequest
        What is exported.

    Raises
    ------
    ExportError
        If the weights hold NaN, the net takes texts, or the layer has no symbolic form.
    GradientError, BindingError, OptionError
        As `GradCamGraph.explain`.
    """
    engine = explainer.engine
    ops, slot = engine.ops, Slot(0, (request.score,))
    if any(np.isnan(np.asarray(value, np.float32)).any() for value in engine.values(ops.weights())):
        raise ExportError("the weights hold NaN, so that no score means anything; nothing was exported")
    if explainer.binding.token_ids:
        raise ExportError(
            f"the net takes token ids at '{explainer.binding.token_ids}'; only nets of images, signals, volumes and "
            "clips are exported; explain texts with `gradcam-tf1 text`"
        )
    row, options = request.chosen
    tensors = {
        "logits": ops.scores("logit"),
        "scores": ops.score(LOGIT, slot),
        "class_ids": ops.class_ids(slot),
        "broken": ops.broken_scores(),
    }
    rows: List[Tuple[Method, Dict[str, Any]]] = [(row, options)]
    rows += [(METHODS[name], {}) for name in GUIDED if request.guided]
    layer = _layer(explainer, request) if any(each.uses_layer for each, _ in rows) else None
    layers = () if layer is None else (layer,)
    for each, given in rows:
        pixels = each.pixels if isinstance(each, ProductMethod) else each
        if isinstance(pixels, PixelMethod):
            tensors[pixels.name] = ops.pixels(pixels, slot)
        cam = each.cam if isinstance(each, ProductMethod) else each
        if isinstance(cam, LayerMethod):
            for part, tensor in enumerate(ops.cams(cam, layers, slot, given)):
                tensors[cam_name(cam.name, part)] = tensor
    code = ops.value("code", slot).name
    again = _again(explainer, slot, code) if row.name in AVERAGED else None
    if again is not None:
        check_copies([row], explainer.binding.mixing, chunk=2)
        tensors[IMAGES] = ops.images()
    names = {key: tensor.name for key, tensor in tensors.items()}
    needed = [*names.values(), *(again.constants if again else ())]
    return NetPart(_cut(engine.graph, needed), code, names, layer, again)


def _again(explainer: NetExplainer, slot: Slot, code: str) -> SecondCopy:
    binding = explainer.binding
    return second_copy(explainer, slot, {binding.input, code, *binding.feeds, *binding.per_image})


def cam_name(method: str, part: int) -> str:
    """Return the key in `NetPart.tensors` of a layer method's map of one part of the layer."""
    return f"{method} of part {part}"


def _layer(explainer: NetExplainer, request: ExportRequest) -> LayerInfo:
    (info,) = explainer.resolve_layers(request.layer)
    if info == OWN:
        raise ExportError(
            "layer 'auto' is another one for each class, and an exported model has one; name a layer, or "
            f"'{explainer.binding.shared_layer}', on which all scores depend"
        )
    return info


def _cut(graph: tf.Graph, names: Sequence[str]) -> tf.GraphDef:
    """Return the ops that some tensors depend on."""
    part = only_needed(graph.as_graph_def(), [name.split(":")[0] for name in names])
    forget_places(part)
    return part


def only_needed(graph_def: tf.GraphDef, nodes: Sequence[str]) -> tf.GraphDef:
    """Remove what some nodes do not depend on, in place."""
    before = {node.name: sources(node) for node in graph_def.node}
    needed = spread(nodes, before.__getitem__)
    keep_only(graph_def.node, lambda node: node.name in needed)
    return graph_def
