"""Which tensor holds the class scores before softmax or sigmoid."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Dict, Sequence, Tuple

from gradcam_tf1.binding.doubts import uses_batch_statistics
from gradcam_tf1.binding.heads import SOFTMAX, Head, declared_heads, found_heads, shown_probabilities
from gradcam_tf1.binding.inputs import Source, convolutions_between
from gradcam_tf1.binding.kinds import (
    RANDOM,
    WEIGHTED,
)
from gradcam_tf1.binding.names import find_tensor
from gradcam_tf1.binding.scores import activation_before, before_activation, class_count
from gradcam_tf1.binding.walk import Walk
from gradcam_tf1.errors import BindingError


def choose_logits(walk: Walk, sources: Sequence[Source], declared: Sequence[str]) -> Head:
    """The class scores of the net that the pictures go into.

    Candidates are what a softmax, sigmoid, cross-entropy or argmax is taken of, else the outputs of the graph, where
    pictures reach them through convolutions and no further layer follows. Of several, first the ones that the file
    declares, then those without training-mode batch norm or dropout, by how they are used, by convolutions before them.
    """
    reached = walk.downstream([source.tensor for source in sources])
    heads = declared_heads(walk, declared, reached) + found_heads(walk, reached)
    counted: Dict[str, int] = {}
    for head in heads:
        if head.scores not in counted:
            counted[head.scores] = _convolutions(walk, sources, head.scores)
    heads = [head for head in heads if counted[head.scores]]
    if not heads:
        raise BindingError(
            "no class scores found: no output of the graph depends on a picture input through a convolution. "
            f"Picture inputs found: {', '.join(s.tensor for s in sources) or 'none'}. Name input and logits"
        )
    most = max(counted[head.scores] for head in heads)
    serious = [head for head in heads if head.declared or 2 * counted[head.scores] >= most]
    ranks = [_rank(walk, head, counted[head.scores]) for head in serious]
    best = _of_equals(walk, [head for head, rank in zip(serious, ranks) if rank == max(ranks)])
    same = [head for head in heads if head.scores == best.scores]
    return _complete(best, same, [h for h in heads if h.scores != best.scores])


def _rank(walk: Walk, head: Head, convolutions: int) -> Tuple[Any, ...]:
    before = walk.makers(walk.upstream([head.scores]))
    calm = not any(RANDOM.match(op.type) or uses_batch_statistics(walk, op) for op in before)
    return head.declared, calm, head.strength, convolutions, sum(op.type in WEIGHTED for op in before)


def _of_equals(walk: Walk, heads: Sequence[Head]) -> Head:
    """Of softmax heads the one built last, as retraining adds its own; of others the one with most classes.

    Of heads with as many classes (the towers of several GPUs) the first.
    """
    heads = sorted(heads, key=lambda head: walk.position[walk.maker[head.scores].name])
    counts = [class_count(walk, head.scores) or 0 for head in heads]
    return heads[counts.index(counts[-1] if heads[0].strength >= SOFTMAX else max(counts))]


def _convolutions(walk: Walk, sources: Sequence[Source], scores: str) -> int:
    before = walk.upstream([scores])
    return max([convolutions_between(walk, s.tensor, before) for s in sources if s.tensor in before] or [0])


def _complete(best: Head, same: Sequence[Head], others: Sequence[Head]) -> Head:
    """The head with the probabilities that any of its twins knows, and the rivals in its reason."""
    found = [head.probabilities for head in same if head.probabilities]
    names = list(dict.fromkeys(head.scores for head in others))
    rivals = f"; others that would do: {', '.join(names[:5])}" if names else ""
    return replace(best, probabilities=found[0] if found else None, why=best.why + rivals)


def requested_logits(walk: Walk, spec: Any) -> Head:
    """The tensor a person named as logits; where it is a softmax or sigmoid, the scores it is taken of, said so."""
    tensor = find_tensor(walk.graph, spec)
    if not tensor.dtype.is_floating or tensor.shape.rank == 0:
        raise BindingError(
            f"'{tensor.name}' is {tensor.dtype.name} of shape {tensor.shape}; class scores are floats with an axis of "
            "classes. Name the tensor before it"
        )
    found = activation_before(walk, tensor.name)
    if found is None:
        return Head(tensor.name, "named by the user")
    scores = before_activation(walk, found.scores, whole=False)
    return Head(
        scores,
        f"'{tensor.name}' was named, and it is the {found.kind} of this",
        probabilities=shown_probabilities(walk, found.output),
        warning=f"{found.kind} '{tensor.name}' bound as score; using '{scores}' before it instead",
    )
