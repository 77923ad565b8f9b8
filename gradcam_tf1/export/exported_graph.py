"""The whole exported graph: images in, scores, maps and overlay out, in ordinary ops with the weights as constants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, NamedTuple, Sequence, Tuple

from gradcam_tf1.engine.bound_net import BoundNet
from gradcam_tf1.engine.explain import NetExplainer
from gradcam_tf1.errors import ExportError
from gradcam_tf1.export.export_request import ExportRequest
from gradcam_tf1.export.folded_weights import fold_weights
from gradcam_tf1.export.map_output_ops import MapOutputs
from gradcam_tf1.export.model_inputs import SCOPE, ModelInputs
from gradcam_tf1.export.net_part import net_part, only_needed
from gradcam_tf1.export.short_names import shorten_names
from gradcam_tf1.graphdef.portable import portable
from gradcam_tf1.tf_runtime import OUR_SCOPE, tf
from gradcam_tf1.types import Shape


class TensorSpec(NamedTuple):
    """A tensor of an exported graph: its name, the name of its TensorFlow dtype ("string" for bytes) and its shape."""

    name: str
    dtype: str
    shape: Shape


@dataclass(frozen=True)
class ExportedGraph:
    """A graph that any TensorFlow loads.

    Attributes
    ----------
    graph_def : tf.GraphDef
        Placeholders, constants and ordinary ops.
    inputs : dict
        Name in the signature -> its placeholder: "images" or "image_bytes" first, and further inputs of the net.
    class_ids : TensorSpec
        Takes the classes, int32 [N]; by default -1, the top class of each image.
    results : dict
        Name in the signature -> the tensor: "logits", "class_ids", "scores", "cam", "heat_map" and, where the images
        are known, "overlay"; with `guided` also "guided_backprop" and "guided_gradcam".
    labels : tuple of str
        Names of the classes; () if there are none.
    notes : tuple of str
        One sentence for each thing that the user should know of.
    sides : tuple of int
        (H, W) of the net's input, or the axes of a signal, a volume or a clip.
    takes_pixels : bool
        Whether the images are RGB (or bands) before preprocessing, not the values that the net takes.
    averages : bool
        Whether a loop averages gradients.
    """

    graph_def: tf.GraphDef
    inputs: Dict[str, TensorSpec]
    class_ids: TensorSpec
    results: Dict[str, TensorSpec]
    labels: Tuple[str, ...]
    notes: Tuple[str, ...]
    sides: Tuple[int, ...]
    takes_pixels: bool
    averages: bool

    @property
    def outputs(self) -> Dict[str, str]:
        """Name in the signature -> name of the tensor."""
        return {name: spec.name for name, spec in self.results.items()}


def exported_graph(net: BoundNet, request: ExportRequest) -> ExportedGraph:
    """Make the graph that is exported of a net.

    Parameters
    ----------
    net : BoundNet
        The net; its graph gets the ops of the maps, as for a request.
    request : ExportRequest
        What the graph computes.

    Raises
    ------
    ExportError
        If something has no form in ordinary ops.
    GradientError, BindingError, OptionError, TargetError
        As `GradCamGraph.explain`.
    """
    explainer = net.explainers[0]
    part = net_part(explainer, request)
    with tf.Graph().as_default() as graph:
        inputs = ModelInputs(net, request, part)
        tensors = inputs.imported(part)
        results = MapOutputs(explainer, part, tensors, inputs).results(request)
        named = {name: tf.identity(tensor, name=name) for name, tensor in results.items()}
    graph_def = only_needed(
        graph.as_graph_def(),
        [tensor.op.name for tensor in (*named.values(), *inputs.placeholders.values(), inputs.class_ids)],
    )
    _check_placeholders(graph_def, [*inputs.placeholders.values(), inputs.class_ids])
    fold_weights(graph_def, explainer.engine)
    graph_def, notes = portable(graph_def, not request.tf2_only)
    shorten_names(graph_def, (OUR_SCOPE, SCOPE))
    return ExportedGraph(
        graph_def,
        {name: _spec(tensor) for name, tensor in inputs.placeholders.items()},
        _spec(inputs.class_ids),
        {name: _spec(tensor) for name, tensor in named.items()},
        _names(explainer),
        (*inputs.notes, *(notes if request.tf2_only else ())),
        inputs.sides,
        inputs.takes_pixels,
        part.again is not None,
    )


def _check_placeholders(graph_def: tf.GraphDef, given: Sequence[tf.Tensor]) -> None:
    """Raise ExportError if the outputs depend on a placeholder that is no input."""
    known = {tensor.op.name for tensor in given}
    left = [node.name for node in graph_def.node if node.op == "Placeholder" and node.name not in known]
    if left:
        raise ExportError(f"the maps depend on the placeholder {left[0]!r}, which has no value; give one in `feed`")


def _names(explainer: NetExplainer) -> Tuple[str, ...]:
    """Return the names of the classes, by id."""
    labels, classes = explainer.labels, explainer.engine.ops.scores("logit").shape.as_list()[1]
    return () if labels is None or classes is None else tuple(labels.name(id_) for id_ in range(classes))


def _spec(tensor: tf.Tensor) -> TensorSpec:
    return TensorSpec(tensor.name, tensor.dtype.name, tuple(tensor.shape.as_list()))
