"""The ops of DeepLIFT's multipliers, of the images and of layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gradcam_tf1.gradients.lift import lift
from gradcam_tf1.methods.base import LOGIT
from gradcam_tf1.methods.interfaces import LiftedOps
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import LayerInfo, Slot

if TYPE_CHECKING:
    from gradcam_tf1.engine.graph_ops import GraphOps


class MultiplierOps:
    """Builds the ops of multipliers, each once.

    Parameters
    ----------
    ops : GraphOps
        The ops of the net.
    """

    def __init__(self, ops: GraphOps) -> None:
        self._ops = ops

    def images(self, rule: str, slot: Slot) -> LiftedOps:
        """Return the DeepLIFT multipliers of the images: float32 [N, H, W, C]."""
        lifted: LiftedOps = self._ops.once(("lifted pixels", rule, slot), lambda: self._images(rule, slot))
        return lifted

    def _images(self, rule: str, slot: Slot) -> LiftedOps:
        ops = self._ops
        source = ops.float_images()
        references = tf.placeholder(tf.float32, ops.images().shape, name="references")
        laid_out = source.laid_out(references)
        laid_out.set_shape(source.tensor.shape)
        found = lift(rule, ops.score(LOGIT, slot), source.tensor, laid_out, ops.untaken())
        return LiftedOps(ops.as_images(found.multipliers), found.rise, references, found.about)

    def layer(self, rule: str, layer: LayerInfo, slot: Slot) -> LiftedOps:
        """Return the DeepLIFT multipliers of a single layer's features against features of zero: [N, h, w, K]."""
        lifted: LiftedOps = self._ops.once(("lifted layer", rule, layer, slot), lambda: self._layer(rule, layer, slot))
        return lifted

    def _layer(self, rule: str, layer: LayerInfo, slot: Slot) -> LiftedOps:
        ops, tensor = self._ops, self._ops.layer_tensor(layer)
        found = lift(rule, ops.score(LOGIT, slot), tensor, tf.zeros_like(tensor), ops.untaken())
        return LiftedOps(ops.as_map(found.multipliers, layer), found.rise, None, found.about)
