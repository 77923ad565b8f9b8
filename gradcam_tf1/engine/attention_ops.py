"""The ops of maps of attention."""

from __future__ import annotations

from typing import TYPE_CHECKING, List

from gradcam_tf1.binding.attention_maps import attention_maps, reads_first_token
from gradcam_tf1.binding.graph_index import GraphIndex
from gradcam_tf1.engine.feature_maps import has_class_token, tokens_map
from gradcam_tf1.errors import GradientError
from gradcam_tf1.gradients.derivatives import gradients
from gradcam_tf1.gradients.layer_scores import layer_scores
from gradcam_tf1.methods.attention import AttentionMethod
from gradcam_tf1.methods.base import LOGIT
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import Binding, Slot

if TYPE_CHECKING:
    from gradcam_tf1.engine.graph_ops import GraphOps


class AttentionOps:
    """Builds the ops of attention, each once.

    Parameters
    ----------
    ops : GraphOps
        The ops of the net.
    graph : tf.Graph
        Holds the net.
    binding : Binding
        Its key tensors.
    """

    def __init__(self, ops: GraphOps, graph: tf.Graph, binding: Binding) -> None:
        self._ops, self._graph, self._binding = ops, graph, binding

    def map(self, method: AttentionMethod, slot: Slot) -> tf.Tensor:
        """Return an attention method's map: float32 [N, h, w]; [N, T] of texts.

        Raises
        ------
        GradientError
            Where there is no attention, or its tokens are not known.
        """
        key = ("attention map", method.name, slot if method.needs_grads else None)
        return self._ops.once(key, lambda: self._map(method, slot))

    def _map(self, method: AttentionMethod, slot: Slot) -> tf.Tensor:
        maps = self._attentions()
        taken = self._slopes(maps, slot) if method.needs_grads else maps
        by_head = []
        for tensor, known in zip(taken, maps):
            tensor.set_shape(known.shape)  # a gradient does not always know it
            values = tf.cast(tensor, tf.float32)
            by_head.append(values[:, tf.newaxis] if known.shape.rank == 3 else values)
        tokens, reshape = by_head[0].shape.as_list()[-1], self._ops.reshape
        if self._ops.takes_signals():
            return method.compute(by_head, self._reads_first_token(maps[-1].name, tokens))
        return tokens_map(method.compute(by_head, has_class_token(tokens, reshape)), reshape)

    def _reads_first_token(self, attention: str, tokens: int) -> bool:
        """Return whether the scores of a net of texts read the first token only, as those of BERT do."""
        given = (self._binding.array_shape or (None, None))[1]
        if given != tokens:
            raise GradientError(
                f"the attention '{attention}' is over {tokens} tokens, and the input has {given or 'any number of'}: "
                "which word each of them is is not known; use 'gradcam' or another method"
            )
        return reads_first_token(GraphIndex(self._graph), attention, self._binding.logits)

    def _slopes(self, maps: List[tf.Tensor], slot: Slot) -> List[tf.Tensor]:
        """Return the gradient of each layer's own score by its map of attention."""
        start = self._graph.get_tensor_by_name(self._binding.input)
        scores = layer_scores(self._ops.score(LOGIT, slot), maps, start)
        return [gradients(score, [attention])[0] for score, attention in zip(scores, maps)]

    def _attentions(self) -> List[tf.Tensor]:
        """Return the maps of attention between the images and the scores, as the net has them, input side first."""
        names = attention_maps(GraphIndex(self._graph), self._binding.input, self._binding.logits)
        return [self._graph.get_tensor_by_name(name) for name in names]
