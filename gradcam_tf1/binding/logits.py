"""Which tensor holds the class scores before softmax or sigmoid."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Dict, NamedTuple, Sequence, Tuple

from gradcam_tf1.binding.binding_warnings import uses_batch_statistics
from gradcam_tf1.binding.graph_index import GraphIndex
from gradcam_tf1.binding.input_candidates import ImageTensor
from gradcam_tf1.binding.logit_candidates import OUTPUT, SOFTMAX, Head, Heads
from gradcam_tf1.binding.op_kinds import BIASES, CONVOLUTIONS, RANDOM, WEIGHTED
from gradcam_tf1.binding.pre_softmax import activation_before, before_activation, decided_by
from gradcam_tf1.binding.probabilities import shown_probabilities
from gradcam_tf1.binding.score_axes import class_count
from gradcam_tf1.binding.tensor_names import find_tensor
from gradcam_tf1.errors import BindingError


def choose_logits(walk: GraphIndex, sources: Sequence[ImageTensor], declared: Sequence[str]) -> Head:
    """The class scores of the net that the images go into.

    Candidates are what a softmax, sigmoid, loss or argmax is taken of, else the outputs of the graph, where images
    reach them through convolutions and no further layer follows. Of several, first the ones that the file declares,
    then those that are more than an output, those without training-mode batch norm or dropout, by how they are used, by
    convolutions before them.
    """
    finder = Heads(walk, walk.downstream([source.tensor for source in sources]))
    heads = finder.declared(declared) + finder.found()
    seen = _Depths(walk, sources)
    heads = [head for head in heads if seen.of(head.scores).convolutions and head.scores not in walk.looped]
    if not heads:
        raise BindingError(
            "no class scores found: no output of the graph depends on an image input through a convolution. "
            f"Image inputs found: {', '.join(s.tensor for s in sources) or 'none'}. Name input and logits"
        )
    most = max(seen.of(head.scores).convolutions for head in heads)
    serious = [head for head in heads if head.declared or 2 * seen.of(head.scores).convolutions >= most]
    shapes = {walk.dims(head.scores) for head in serious if head.strength > OUTPUT}
    ranks = [_rank(walk, head, seen.of(head.scores), shapes) for head in serious]
    best = _of_equals(walk, [head for head, rank in zip(serious, ranks) if rank == max(ranks)])
    same = [head for head in heads if head.scores == best.scores]
    rivals = [head for head in heads if head.scores != best.scores]
    others = _other_outputs(walk, best, finder.named(declared), [head for head in serious if head in rivals])
    return replace(_complete(best, same, rivals), others=others)


class _Depth(NamedTuple):
    """What lies before a tensor: convolutions behind one input, layers of all kinds, and nothing random (calm)."""

    convolutions: int
    layers: int
    calm: bool


class _Depths:
    """The depth of each tensor that is asked for; one look at every op, and one walk upstream for each tensor."""

    def __init__(self, walk: GraphIndex, sources: Sequence[ImageTensor]) -> None:
        self._walk = walk
        ops = [op for op in walk.ops if walk.outputs[op.name]]
        self._layers = {walk.outputs[op.name][0] for op in ops if op.type in WEIGHTED}
        self._restless = {
            out for op in ops if RANDOM.match(op.type) or uses_batch_statistics(walk, op)
            for out in walk.outputs[op.name]
        }  # fmt: skip
        convolutions = {walk.outputs[op.name][0] for op in ops if op.type in CONVOLUTIONS}
        self._behind = {each.tensor: convolutions & walk.downstream([each.tensor]) for each in sources}
        self._found: Dict[str, _Depth] = {}

    def of(self, name: str) -> _Depth:
        if name not in self._found:
            before = self._walk.upstream([name])
            counts = [len(behind & before) for start, behind in self._behind.items() if start in before]
            calm = self._restless.isdisjoint(before)
            self._found[name] = _Depth(max(counts, default=0), len(self._layers & before), calm)
        return self._found[name]


def _rank(walk: GraphIndex, head: Head, depth: _Depth, shapes: Any) -> Tuple[Any, ...]:
    # the same net again, without dropout, beside the one that is trained
    twin = walk.dims(head.scores) in shapes and walk.maker[head.scores].type in WEIGHTED | BIASES
    used = head.strength > OUTPUT or twin
    return head.declared, used, depth.calm, head.strength, depth.convolutions, depth.layers


def _other_outputs(walk: GraphIndex, best: Head, named: Dict[str, Head], found: Sequence[Head]) -> Tuple[str, ...]:
    """The outputs that could have been asked for instead, one for each set of scores.

    named: those that the file declares. found: candidates of the graph, for a file that declares none.
    """
    first: Dict[str, str] = {}
    for name, head in named.items():
        if head.scores != best.scores:
            first.setdefault(head.scores, name)
    if named:
        return tuple(first.values())
    related = walk.downstream([best.scores]) | walk.upstream([best.scores])
    for head in found:
        if head.scores not in related and walk.maker[head.scores].type != "Exit":  # a loop's state that nobody used
            first.setdefault(head.scores, head.probabilities or head.scores)
    return tuple(first.values())


def _of_equals(walk: GraphIndex, heads: Sequence[Head]) -> Head:
    """Of softmax heads the one built last, as retraining adds its own; of others the one with most classes.

    Of heads with as many classes (the towers of several GPUs) the first.
    """
    heads = sorted(heads, key=lambda head: walk.position[walk.maker[head.scores].name])
    counts = [class_count(walk, head.scores) or 0 for head in heads]
    return heads[counts.index(counts[-1] if heads[0].strength >= SOFTMAX else max(counts))]


def _complete(best: Head, same: Sequence[Head], others: Sequence[Head]) -> Head:
    """The head with the probabilities that any of its twins knows, and the rivals in its reason."""
    found = [head.probabilities for head in same if head.probabilities]
    names = list(dict.fromkeys(head.scores for head in others))
    rivals = f"; others that would do: {', '.join(names[:5])}" if names else ""
    return replace(best, probabilities=found[0] if found else None, why=best.why + rivals)


def requested_logits(walk: GraphIndex, spec: Any, sources: Sequence[ImageTensor]) -> Head:
    """The tensor a person named as logits; where it is a softmax, its logarithm, a sigmoid or a decision, the scores it
    is taken of, said so.
    """
    tensor = find_tensor(walk.graph, spec)
    name = decided_by(walk, tensor.name)
    if not walk.is_float(name) or walk.rank(name) == 0:
        raise BindingError(
            f"'{tensor.name}' is {tensor.dtype.name} of shape {tensor.shape}; class scores are floats with an axis of "
            "classes. Name the tensor before it"
        )
    found = activation_before(walk, name)
    if found is None and name == tensor.name:
        return Head(name, "named by the user")
    kind = "decision" if found is None else f"log {found.kind}" if found.log else found.kind
    scores = before_activation(walk, name if found is None else found.scores, whole=False)
    head = Head(
        scores,
        f"'{tensor.name}' was named, and it is the {kind} of this",
        probabilities=None if found is None or found.log else shown_probabilities(walk, found.output),
        warning=f"{kind} '{tensor.name}' bound as score; using '{scores}' before it instead",
    )
    return _with_objectness(walk, head, sources)


def _with_objectness(walk: GraphIndex, head: Head, sources: Sequence[ImageTensor]) -> Head:
    """The head as a detector where its scores are the class columns of one."""
    finder = Heads(walk, walk.downstream([source.tensor for source in sources]))
    scales = next((each for each in finder.detectors if each.scores == head.scores), None)
    return head if scales is None else replace(head, detectors=scales.detectors, why=f"{head.why}; {scales.why}")
