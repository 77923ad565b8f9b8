"""All candidates for the input, the scores and the layer of a graph, also where the choice fails."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Iterable, List, Optional, Sequence, Tuple

from gradcam_tf1.binding.array_nets import array_rank, features_of
from gradcam_tf1.binding.graph_index import GraphIndex
from gradcam_tf1.binding.input_candidates import image_sources
from gradcam_tf1.binding.logit_candidates import Heads
from gradcam_tf1.binding.op_kinds import CONVOLUTIONS, DECODERS, PARSERS, PIPELINE_ENDS, PLACEHOLDERS, is_training_op
from gradcam_tf1.binding.tensor_names import final_outputs
from gradcam_tf1.binding.token_nets import embedded_in, token_inputs
from gradcam_tf1.errors import BindingError
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import Shape

_SHORT = 3  # candidates of a kind in one sentence


@dataclass(frozen=True)
class Candidate:
    """A tensor that may be a key tensor."""

    name: str
    dtype: str  # numpy dtype name
    shape: Optional[Shape]  # static, None if the rank is unknown
    why: str  # what the tensor is
    fits: bool = True  # whether its name can be given as it is


@dataclass(frozen=True)
class Candidates:
    """Candidates for each key tensor, the most likely first."""

    input: Tuple[Candidate, ...] = ()
    logits: Tuple[Candidate, ...] = ()
    layer: Tuple[Candidate, ...] = ()


def find_candidates(graph: tf.Graph) -> Candidates:
    """Return the candidates of a graph, likely ones first; the graph is only read."""
    return candidates(GraphIndex(graph))


def candidates(index: GraphIndex) -> Candidates:
    """Return the candidates of an indexed graph, likely ones first."""
    inputs = _inputs(index)
    logits = _scores(index, [item.name for item in inputs])
    return Candidates(tuple(inputs), tuple(logits), tuple(_layers(index, inputs, logits)))


def _inputs(index: GraphIndex) -> List[Candidate]:
    """Return the inputs of images, then of signals and volumes, of texts, then all else that can be fed numbers."""
    texts = {text.ids: text.embedded for text in reversed(token_inputs(index))}
    taken = {source.tensor: source.origin for source in image_sources(index) if source.origin not in texts}
    fitting = [
        _candidate(index, name, _about_images(index, name) + (f", computed from '{origin}'" if origin else ""))
        for name, origin in taken.items()
    ]
    others = []
    for op in index.ops:
        if any(kind.search(op.type) for kind in (PIPELINE_ENDS, DECODERS, PARSERS)) or op.type in PLACEHOLDERS:
            names = [name for name in index.outputs[op.name] if name not in taken and _could_be_fed(index, name)]
            names = [name for name in names if name not in texts]
            arrays = [name for name in names if _takes_arrays(index, name)]
            fitting += [_candidate(index, name, "signals or volumes") for name in arrays]
            others += [_candidate(index, name, f"{op.type}, not of images") for name in names if name not in arrays]
    fitting += [_candidate(index, ids, f"token ids, embedded as '{embedded}'") for ids, embedded in texts.items()]
    return fitting + [replace(item, fits=False) for item in others]


def _about_images(index: GraphIndex, name: str) -> str:
    return "images" if index.rank(name) is not None else "images, if they are what it takes"


def _could_be_fed(index: GraphIndex, name: str) -> bool:
    dtype = index.tensors[name].dtype
    return (dtype.is_floating or dtype.is_integer) and index.rank(name) not in (0, 1) and name not in index.looped


def _takes_arrays(index: GraphIndex, name: str) -> bool:
    try:
        return array_rank(index, name) is not None
    except BindingError:
        return False


def _scores(index: GraphIndex, inputs: Sequence[str]) -> List[Candidate]:
    """Return the inputs of softmax, losses and decisions, then the outputs of the graph."""
    heads = sorted(Heads(index, index.downstream(inputs)).candidates(), key=lambda head: -head.strength)
    reasons = {head.scores: head.why for head in reversed(heads)}
    names = list(dict.fromkeys(head.scores for head in heads))
    outputs = [name for name in final_outputs(index.ops) if index.is_float(name) and index.rank(name) != 0]
    fed = {name for name in outputs if index.tensors[name].op.type in PLACEHOLDERS}  # those of a Saver
    names += [name for name in outputs if name not in reasons and name not in fed]
    return [_candidate(index, name, reasons.get(name, "an output of the graph")) for name in names]


def _layers(index: GraphIndex, inputs: Iterable[Candidate], logits: Iterable[Candidate]) -> List[Candidate]:
    """Return the feature maps between the first input and scores it reaches, else the outputs of convolutions."""
    first = next((item.name for item in inputs), None)
    text = embedded_in(index, first) if first else None
    first = first if text is None else text.embedded
    reached = index.downstream([first]) if first else set()
    end = next((item.name for item in logits if item.name in reached), None)
    if first and end:
        try:
            infos = [info for info in features_of(index, first, end).infos() if info.counted]
        except BindingError:
            infos = []
        if infos:
            return [_candidate(index, info.name, info.op) for info in reversed(infos)]
    ops = [op for op in reversed(index.ops) if op.type in CONVOLUTIONS and not is_training_op(op.name, op.type)]
    return [_candidate(index, index.outputs[op.name][0], op.type) for op in ops]


def _candidate(index: GraphIndex, name: str, why: str) -> Candidate:
    return Candidate(name, index.tensors[name].dtype.name, index.dims(name), why)


def in_short(found: Candidates) -> str:
    """List the first candidates of each kind in one sentence."""
    kinds = (("--input", found.input), ("--logits", found.logits), ("--layer", found.layer))
    named = [(option, [item.name for item in items if item.fits]) for option, items in kinds]
    parts = [f"{option} {_some(names)}" for option, names in named if names]
    return f"candidates are {'; '.join(parts)} (gradcam-tf1 inspect lists all)" if parts else "there are no candidates"


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(f"'{name}'" for name in names[:_SHORT])
    return shown + (f" and {len(names) - _SHORT} more" if len(names) > _SHORT else "")
