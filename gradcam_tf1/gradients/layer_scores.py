"""The scores of a transformer's layers: what its head makes of each layer's own tokens.

The head is all that lies between the tokens of the last layer and the score. It is copied for each earlier layer, and
gets that layer's tokens. Where a layer ends is seen by what is computed: its tokens are the last tensor before the next
map of attention through which all values pass.
"""

from __future__ import annotations

from typing import List, Sequence

from gradcam_tf1.errors import GradientError
from gradcam_tf1.gradients.graph_walk import users, values_between
from gradcam_tf1.gradients.reference_copy import ReferenceCopy
from gradcam_tf1.tf_runtime import tf

_NOTHING = ("Identity", "Snapshot", "PlaceholderWithDefault", "CheckNumerics", "EnsureShape")


def layer_scores(score: tf.Tensor, attentions: Sequence[tf.Tensor], start: tf.Tensor) -> List[tf.Tensor]:
    """Return the score of each layer's own tokens through the head of the net; for the last layer the score itself.

    Parameters
    ----------
    score : tf.Tensor
        Floats [N].
    attentions : sequence of tf.Tensor
        A_1 .. A_L, one for each layer, input side first.
    start : tf.Tensor
        The input of the net.

    Returns
    -------
    list of tf.Tensor
        L scores [N].

    Raises
    ------
    GradientError
        If it cannot be seen which tensors are the tokens of the layers.
    """
    if len(attentions) == 1:
        return [score]
    ends = _ends_of_layers(score, attentions, start)
    head = values_between(score, ends[-1])
    return [ReferenceCopy(head, ends[-1], end).of(score) for end in ends[:-1]] + [score]


def _ends_of_layers(score: tf.Tensor, attentions: Sequence[tf.Tensor], start: tf.Tensor) -> List[tf.Tensor]:
    """Return the tokens that each layer hands on."""
    path = values_between(score, start)
    place = {op.name: number for number, op in enumerate(path)}
    firsts = [place.get(tensor.op.name, 0) for tensor in attentions]
    crossed = [number for number in _crossed(path) if path[number].type not in _NOTHING]
    parts = [[n for n in crossed if low < n < high] for low, high in zip(firsts, [*firsts[1:], len(path)])]
    kinds = [[path[number].type for number in part] for part in parts]
    # behind the last layer the head follows: its tokens are where the other layers have theirs
    depth = len(kinds[0])
    if not depth or any(each != kinds[0] for each in [*kinds[:-1], kinds[-1][:depth]]):
        raise _refusal(attentions, "the layers do not end alike in one tensor through which all values pass")
    ends = [path[part[depth - 1]].outputs[0] for part in parts]
    for end in ends[:-1]:
        if end.dtype != ends[-1].dtype or not end.shape.is_compatible_with(ends[-1].shape):
            raise _refusal(attentions, f"'{end.name}' {end.shape} and '{ends[-1].name}' {ends[-1].shape} differ")
    return ends


def _crossed(path: Sequence[tf.Operation]) -> List[int]:
    """Return the places of the ops whose first output all values pass through."""
    place = {op.name: number for number, op in enumerate(path)}
    uses = [[place[user.name] for user in users(op) if user.name in place] for op in path]
    last_use = [max(each, default=number) for number, each in enumerate(uses)]
    found, furthest = [], 0
    for number, op in enumerate(path):
        others = [user for output in op.outputs[1:] for user in output.consumers() if user.name in place]
        if furthest <= number and not others:
            found.append(number)
        furthest = max(furthest, last_use[number])
    return found


def _refusal(attentions: Sequence[tf.Tensor], why: str) -> GradientError:
    return GradientError(
        f"the head behind the layers of attention '{attentions[0].name}' .. '{attentions[-1].name}' is not found: "
        f"{why}. LeGrad puts the tokens of each layer through it; use 'attention_rollout', or 'gradcam' at a layer of "
        "tokens"
    )
