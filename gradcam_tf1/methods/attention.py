"""Methods of transformers: what their maps of attention, or the gradients of these, say about the tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Dict, Sequence, Tuple

import numpy as np

from gradcam_tf1.methods.base import Fetched, Fetches, FetchKey, MapTask, Method, RawMaps
from gradcam_tf1.methods.interfaces import GraphOpsBase
from gradcam_tf1.methods.layer_maps import InputGrid
from gradcam_tf1.tf_runtime import tf


def attention_rollout(attentions: Sequence[tf.Tensor], class_token: bool) -> tf.Tensor:
    """R = B_L ... B_1 with B_l = (mean_h(A_l) + I) / 2: how much of each token reaches the class token by attention.

    It is the row of the class token, or the mean over all rows where there is none, and the same for all classes.

    Parameters
    ----------
    attentions : sequence of tf.Tensor
        A_1 .. A_L, float32 [N, heads, tokens, tokens], input side first.
    class_token : bool
        Whether token 0 is one.

    Returns
    -------
    tf.Tensor
        float32 [N, tokens].

    References
    ----------
    Attention rollout, https://arxiv.org/abs/2005.00928
    """
    own = tf.eye(attentions[0].shape.as_list()[-1])
    steps = [(tf.reduce_mean(attention, axis=1) + own) / 2 for attention in attentions]
    flow = steps[0]
    for step in steps[1:]:
        flow = tf.matmul(step, flow)
    return flow[:, 0] if class_token else tf.reduce_mean(flow, axis=1)


def legrad(grads: Sequence[tf.Tensor], _class_token: bool) -> tf.Tensor:
    """sum_l mean_hi(ReLU(dy_l/dA_l)_hij): which tokens j the score wants more attention for.

    y_l is the score of layer l's own tokens, put through the head of the net; y_L is the net's score.

    Parameters
    ----------
    grads : sequence of tf.Tensor
        dy_1/dA_1 .. dy_L/dA_L, float32 [N, heads, tokens, tokens].

    Returns
    -------
    tf.Tensor
        float32 [N, tokens].

    References
    ----------
    LeGrad, https://arxiv.org/abs/2404.03214
    """
    return tf.add_n([tf.reduce_mean(tf.nn.relu(each), axis=[1, 2]) for each in grads])


@dataclass(frozen=True)
class AttentionMethod(Method):
    """A map of the tokens of a transformer, made of all its maps of attention.

    Attributes
    ----------
    name, summary, paper : str
        As in `Method`: a lower-case identifier, one line for people who choose, the URL of the source.
    compute : Callable
        (maps of attention, or their gradients, whether there is a class token) -> float32 [N, tokens].
    needs_grads : bool
        Whether it takes the gradients.
    """

    compute: Callable[[Sequence[tf.Tensor], bool], tf.Tensor]
    needs_grads: bool = False

    @property
    def uses_layer(self) -> bool:
        """There is one map for all layers."""
        return False

    @property
    def inputs(self) -> Tuple[str, ...]:
        """Images, and texts, which are signals of embeddings."""
        return ("images", "signals")

    def fetches(self, ops: GraphOpsBase, task: MapTask) -> Fetches:
        """Return the map of each slot. Raises GradientError where the net has no chain of attention."""
        return {FetchKey("attention", slot=slot): ops.attention_map(self, slot) for slot in task.slots}

    def finish(self, fetched: Fetched, task: MapTask, grid: InputGrid) -> Dict[str, RawMaps]:  # noqa: ARG002
        """Return the map for no layer."""
        return {"": RawMaps(np.stack([fetched[FetchKey("attention", slot=slot)] for slot in task.slots], axis=1))}


ATTENTION_ROWS = (
    AttentionMethod(
        "attention_rollout",
        "transformers: which tokens reach the class token by attention, the same for all classes",
        "https://arxiv.org/abs/2005.00928",
        attention_rollout,
    ),
    AttentionMethod(
        "legrad",
        "transformers: which tokens the score wants more attention for",
        "https://arxiv.org/abs/2404.03214",
        legrad,
        needs_grads=True,
    ),
)
