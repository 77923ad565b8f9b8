"""The choice of the tensor of class scores, before softmax or sigmoid."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Collection, Dict, NamedTuple, Sequence, Set, Tuple

from gradcam_tf1.binding.binding_warnings import uses_batch_statistics
from gradcam_tf1.binding.decoded import ImageTensor
from gradcam_tf1.binding.graph_index import Dims, GraphIndex
from gradcam_tf1.binding.logit_candidates import Heads
from gradcam_tf1.binding.op_kinds import BIASES, COLLECTIONS, CONVOLUTIONS, FILLED, RANDOM, WEIGHTED
from gradcam_tf1.binding.pre_softmax import activation_before, before_activation, decided_by, shown_probabilities
from gradcam_tf1.binding.rescaled import rescaled_activation
from gradcam_tf1.binding.score_axes import class_count
from gradcam_tf1.binding.score_heads import OUTPUT, SOFTMAX, Head
from gradcam_tf1.binding.tensor_names import find_tensor
from gradcam_tf1.errors import BindingError
from gradcam_tf1.tf_runtime import tf

_LOOP_ENDS = {"Exit", "While", "StatelessWhile"}


def choose_logits(index: GraphIndex, sources: Sequence[ImageTensor], declared: Sequence[str]) -> Head:
    """Choose the class scores of the net.

    Candidates are inputs of a softmax, sigmoid, loss or argmax, and outputs of the graph, if they depend on images
    through convolutions and no further layer follows. In order of precedence: declared by the file; more than an
    output; without training-mode batch norm and dropout; by their use; by the number of convolutions before them.

    Parameters
    ----------
    index : GraphIndex
        The graph.
    sources : sequence of ImageTensor
        The image inputs.
    declared : sequence of str
        Outputs that the model file declares.

    Returns
    -------
    Head
        The class scores.

    Raises
    ------
    BindingError
        If there are no candidates.
    """
    finder = Heads(index, index.downstream([source.tensor for source in sources]))
    heads = finder.declared(declared) + finder.candidates()
    depths = _Depths(index, sources)
    heads = [head for head in heads if depths.of(head.scores).convolutions and head.scores not in index.looped]
    if not heads:
        raise BindingError(
            "no class scores found: no output of the graph depends on an image input through a convolution; "
            f"image inputs found: {', '.join(s.tensor for s in sources) or 'none'}; name input and logits"
        )
    most = max(depths.of(head.scores).convolutions for head in heads)
    serious = [head for head in heads if head.declared or 2 * depths.of(head.scores).convolutions >= most]
    shapes = {index.dims(head.scores) for head in serious if head.strength > OUTPUT}
    ranks = [_rank(index, head, depths.of(head.scores), shapes) for head in serious]
    best = _of_equals(index, [head for head, rank in zip(serious, ranks) if rank == max(ranks)])
    same = [head for head in heads if head.scores == best.scores]
    rivals = [head for head in heads if head.scores != best.scores]
    others = _other_outputs(index, best, finder.named(declared), [head for head in serious if head in rivals])
    return replace(_complete(best, same, rivals), others=others)


class _Depth(NamedTuple):
    """What lies before a tensor.

    Attributes
    ----------
    convolutions : int
        Convolutions after one of the inputs; the largest count. Of texts, layers of all kinds.
    layers : int
        Layers of all kinds.
    calm : bool
        Whether there are neither random ops nor batch statistics.
    """

    convolutions: int
    layers: int
    calm: bool


class _Depths:
    """The depths of tensors, computed on demand with one upstream search per tensor."""

    def __init__(self, index: GraphIndex, sources: Sequence[ImageTensor]) -> None:
        self._index = index
        ops = [op for op in index.ops if index.outputs[op.name]]
        self._layers = {index.outputs[op.name][0] for op in ops if op.type in WEIGHTED}
        self._restless = {
            out for op in ops if RANDOM.match(op.type) or uses_batch_statistics(index, op)
            for out in index.outputs[op.name]
        }  # fmt: skip
        convolutions = {index.outputs[op.name][0] for op in ops if op.type in CONVOLUTIONS}
        self._after = {
            source.tensor: (self._layers if source.texts else convolutions) & index.downstream([source.tensor])
            for source in sources
        }
        self._known: Dict[str, _Depth] = {}

    def of(self, name: str) -> _Depth:
        """Return the depth of a tensor."""
        if name not in self._known:
            before = self._index.upstream([name])
            counts = [len(after & before) for start, after in self._after.items() if start in before]
            calm = self._restless.isdisjoint(before)
            self._known[name] = _Depth(max(counts, default=0), len(self._layers & before), calm)
        return self._known[name]


def _rank(
    index: GraphIndex, head: Head, depth: _Depth, shapes: Collection[Dims]
) -> Tuple[bool, bool, bool, int, int, int]:
    # a copy of the net without dropout, next to the one that is trained
    twin = index.dims(head.scores) in shapes and index.maker[head.scores].type in WEIGHTED | BIASES
    used = head.strength > OUTPUT or twin
    return head.declared, used, depth.calm, head.strength, depth.convolutions, depth.layers


def _other_outputs(
    index: GraphIndex, best: Head, named: Dict[str, Head], candidates: Sequence[Head]
) -> Tuple[str, ...]:
    """Return the outputs that the user could request instead, one for each set of scores.

    named: those that the file declares. candidates: those of the graph, for a file that declares none.
    """
    first: Dict[str, str] = {}
    for name, head in named.items():
        if head.scores != best.scores:
            first.setdefault(head.scores, name)
    if named:
        return tuple(first.values())
    related = index.downstream([best.scores]) | index.upstream([best.scores])
    used: Set[str] = set()  # what ends a round of the loops whose states lead to the scores
    for op in index.ops:
        if op.type in _LOOP_ENDS and not related.isdisjoint(index.outputs[op.name]):
            used.add(_condition(index, op))
    for head in candidates:
        if head.scores in related or _is_unused_state(index, head.scores, used):
            continue
        if not _lends_its_size(index, head.scores, related):
            first.setdefault(head.scores, head.probabilities or head.scores)
    return tuple(first.values())


def _lends_its_size(index: GraphIndex, name: str, related: Set[str]) -> bool:
    """Return whether the net uses the size of a tensor for zeros or ones, as for a class token: no output then."""
    users = (op for op, _ in index.users[name] if op.type in FILLED)
    return any(not related.isdisjoint(index.outputs[op.name]) for op in users)


def _is_unused_state(index: GraphIndex, name: str, used: Collection[str]) -> bool:
    """Return whether a tensor is a state of a loop, or the list of them, whose other states lead to the scores."""
    op = index.maker[name]
    if op.type in COLLECTIONS:
        op = index.maker[index.inputs[op.name][-1 if op.type.startswith("TensorArray") else 0]]
        while op.type == "Identity":
            index.walk()
            op = index.maker[index.inputs[op.name][0]]
        return op.type in _LOOP_ENDS and _condition(index, op) in used
    return op.type in _LOOP_ENDS


def _condition(index: GraphIndex, end: tf.Operation) -> str:
    """Return the tensor that ends a loop, the same for all its states; or the name of a loop that is a single op."""
    if end.type != "Exit":
        return str(end.name)
    switch = index.maker[index.inputs[end.name][0]]
    return index.inputs[switch.name][1] if switch.type == "Switch" else end.name


def _of_equals(index: GraphIndex, heads: Sequence[Head]) -> Head:
    """Choose between equal heads: of softmax heads the last, since retraining adds its own; else that of most classes.

    Of heads with equally many classes (towers on several GPUs), the first is chosen.
    """
    heads = sorted(heads, key=lambda head: index.position[index.maker[head.scores].name])
    counts = [class_count(index, head.scores) or 0 for head in heads]
    return heads[counts.index(counts[-1] if heads[0].strength >= SOFTMAX else max(counts))]


def _complete(best: Head, same: Sequence[Head], others: Sequence[Head]) -> Head:
    """Add the probabilities known for the same scores, and name the other candidates in the reason."""
    known = [head.probabilities for head in same if head.probabilities]
    names = list(dict.fromkeys(head.scores for head in others))
    rivals = f"; other possible logits: {', '.join(names[:5])}" if names else ""
    return replace(best, probabilities=known[0] if known else None, why=best.why + rivals)


def requested_logits(index: GraphIndex, spec: Any, sources: Sequence[ImageTensor]) -> Head:
    """Check the tensor that the user names as logits.

    A softmax, its logarithm, also times a number, a sigmoid or a decision is replaced by the scores before it, with a
    warning.

    Parameters
    ----------
    index : GraphIndex
        The graph.
    spec : object
        What `find_tensor` takes.
    sources : sequence of ImageTensor
        The image inputs.

    Returns
    -------
    Head
        The class scores.

    Raises
    ------
    BindingError
        If the tensor does not hold class scores.
    """
    tensor = find_tensor(index.graph, spec)
    name = decided_by(index, tensor.name)
    if not index.is_float(name) or index.rank(name) == 0:
        raise BindingError(
            f"'{tensor.name}' is {tensor.dtype.name} of shape {tensor.shape}; class scores are floats with an axis of "
            "classes; name the tensor before it"
        )
    plain = activation_before(index, name)
    activation = plain or rescaled_activation(index, name)
    if activation is None and name == tensor.name:
        return Head(name, "named by the user")
    kind = "decision" if activation is None else f"log {activation.kind}" if activation.log else activation.kind
    kind = kind if plain == activation else f"rescaled {kind}"
    scores = before_activation(index, name if activation is None else activation.scores, whole=False)
    head = Head(
        scores,
        f"the user named '{tensor.name}', which is the {kind} of this",
        probabilities=None if activation is None or activation.log else shown_probabilities(index, activation.output),
        warning=f"{kind} '{tensor.name}' bound as score; using '{scores}' before it instead",
    )
    return _with_objectness(index, head, sources)


def _with_objectness(index: GraphIndex, head: Head, sources: Sequence[ImageTensor]) -> Head:
    """Add the scales of a detector if the scores are its class columns."""
    finder = Heads(index, index.downstream([source.tensor for source in sources]))
    detector = next((known for known in finder.detectors if known.scores == head.scores), None)
    return head if detector is None else replace(head, detectors=detector.detectors, why=f"{head.why}; {detector.why}")
