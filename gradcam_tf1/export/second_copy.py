"""The gradient of an exported net at other inputs than its own: a second copy of its ops, without its weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Set, Tuple

from gradcam_tf1.engine.explain import NetExplainer
from gradcam_tf1.engine.large_weights import constant_of, is_handle
from gradcam_tf1.gradients.float_images import FloatImages
from gradcam_tf1.graphdef.nodes import edges, keep_only, sources, spread
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import Slot


@dataclass(frozen=True)
class SecondCopy:
    """The ops from the images as floats to dy/dx.

    Attributes
    ----------
    graph_def : tf.GraphDef
        The ops, without constants.
    constants : tuple of str
        Tensors of the net's own copy that they take.
    images : FloatImages
        Where the inputs go.
    grads : str
        Tensor of dy/dx, float32 [N, H, W, C].
    """

    graph_def: tf.GraphDef
    constants: Tuple[str, ...]
    images: FloatImages
    grads: str

    def gradient(self, inputs: tf.Tensor, fed: Dict[str, tf.Tensor]) -> tf.Tensor:
        """Add the ops to the default graph; return dy/dx: float32 [N, H, W, C]. In a loop, it is made of ops.

        Parameters
        ----------
        inputs : tf.Tensor
            float32 [N, H, W, C], the points.
        fed : dict
            Name of a tensor in `graph_def` -> a tensor in its place, also for the constants.
        """
        mapped = {**fed, self.images.tensor.name: self.images.laid_out(inputs)}
        taken = {f"{edge.node}:{edge.output}" for node in self.graph_def.node for edge in edges(node)}
        mapped = {name: tensor for name, tensor in mapped.items() if name in taken}
        (grads,) = tf.import_graph_def(self.graph_def, mapped, [self.grads], name="again")
        return grads


def second_copy(explainer: NetExplainer, slot: Slot, fed: Set[str]) -> SecondCopy:
    """Add the gradient by the images to a net, and cut it out.

    Parameters
    ----------
    explainer : NetExplainer
        The bound net.
    slot : Slot
        The target.
    fed : set of str
        Tensors that are fed in the exported graph.

    Raises
    ------
    GradientError
        If there is no gradient by the images.
    """
    ops = explainer.engine.ops
    images, grads = ops.float_images(), ops.pixel_grads(slot)
    graph = explainer.engine.graph
    graph_def = graph.as_graph_def()
    shared = {node.name for node in graph_def.node if node.op == "Const" and not node.input}
    shared |= {constant_of(node.name) for node in graph_def.node if is_handle(node.name)}
    shared -= {grads.op.name}
    given = {graph.get_tensor_by_name(name).op for name in {*fed, images.tensor.name}}
    ends = shared | {op.name for op in given if len(op.outputs) == 1}
    before = {node.name: () if node.name in ends else sources(node) for node in graph_def.node}
    needed = spread([grads.op.name], before.__getitem__)
    keep_only(graph_def.node, lambda node: node.name in needed - ends)
    forget_waiting(graph_def, ends)
    forget_places(graph_def)
    constants = tuple(f"{name}:0" for name in sorted(shared & needed))
    return SecondCopy(graph_def, constants, images, grads.name)


def forget_waiting(graph_def: tf.GraphDef, nodes: Set[str]) -> None:
    """Remove the control inputs from some nodes, in place: what is fed or constant need not be waited for."""
    waits = {f"^{name}" for name in nodes}
    for node in graph_def.node:
        kept = [text for text in node.input if text not in waits]
        if len(kept) < len(node.input):
            node.input[:] = kept


def forget_places(graph_def: tf.GraphDef) -> None:
    """Remove which ops share a device, in place: some of them go."""
    for node in graph_def.node:
        node.attr.pop("_class", None)
