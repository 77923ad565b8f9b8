"""What could be the input, the scores and the layer of a graph, also where nobody can decide."""

from __future__ import annotations

from dataclasses import replace
from typing import Iterable, List, Sequence

from gradcam_tf1.binding.array_nets import array_rank, features_of
from gradcam_tf1.binding.graph_index import GraphIndex
from gradcam_tf1.binding.input_candidates import image_sources
from gradcam_tf1.binding.logit_candidates import Heads
from gradcam_tf1.binding.op_kinds import CONVOLUTIONS, DECODERS, PARSERS, PIPELINE_ENDS, PLACEHOLDERS, is_training_op
from gradcam_tf1.binding.tensor_names import final_outputs
from gradcam_tf1.errors import BindingError
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import Candidate, Candidates

_SHORT = 3  # of each in one sentence


def find_candidates(graph: tf.Graph) -> Candidates:
    """The candidates of a graph, the likely ones first; the graph is only read."""
    return candidates(GraphIndex(graph))


def candidates(walk: GraphIndex) -> Candidates:
    """The same of a graph that was walked over."""
    inputs = _inputs(walk)
    logits = _scores(walk, [item.name for item in inputs])
    return Candidates(tuple(inputs), tuple(logits), tuple(_layers(walk, inputs, logits)))


def _inputs(walk: GraphIndex) -> List[Candidate]:
    """What takes images, then what takes signals and volumes, then all else that can be fed numbers."""
    taken = {source.tensor: source.origin for source in image_sources(walk)}
    found = [
        _candidate(walk, name, f"images; it is made from '{origin}'" if origin else "images")
        for name, origin in taken.items()
    ]
    others = []
    for op in walk.ops:
        if any(kind.search(op.type) for kind in (PIPELINE_ENDS, DECODERS, PARSERS)) or op.type in PLACEHOLDERS:
            names = [name for name in walk.outputs[op.name] if name not in taken and _could_be_fed(walk, name)]
            arrays = [name for name in names if _takes_arrays(walk, name)]
            found += [_candidate(walk, name, "signals or volumes") for name in arrays]
            others += [_candidate(walk, name, f"{op.type}, not of images") for name in names if name not in arrays]
    return found + [replace(item, fits=False) for item in others]


def _could_be_fed(walk: GraphIndex, name: str) -> bool:
    dtype = walk.tensors[name].dtype
    return (dtype.is_floating or dtype.is_integer) and walk.rank(name) not in (0, 1) and name not in walk.looped


def _takes_arrays(walk: GraphIndex, name: str) -> bool:
    try:
        return array_rank(walk, name) is not None
    except BindingError:
        return False


def _scores(walk: GraphIndex, inputs: Sequence[str]) -> List[Candidate]:
    """What softmax, losses and decisions are taken of, then what the graph puts out."""
    heads = sorted(Heads(walk, walk.downstream(inputs)).found(), key=lambda head: -head.strength)
    reasons = {head.scores: head.why for head in reversed(heads)}
    names = list(dict.fromkeys(head.scores for head in heads))
    outputs = [name for name in final_outputs(walk.ops) if walk.is_float(name) and walk.rank(name) != 0]
    names += [name for name in outputs if name not in reasons]
    return [_candidate(walk, name, reasons.get(name, "an output of the graph")) for name in names]


def _layers(walk: GraphIndex, inputs: Iterable[Candidate], logits: Iterable[Candidate]) -> List[Candidate]:
    """The feature maps between the first input and scores that are connected, else what convolutions put out."""
    first = next((item.name for item in inputs), None)
    reached = walk.downstream([first]) if first else set()
    end = next((item.name for item in logits if item.name in reached), None)
    if first and end:
        try:
            infos = [info for info in features_of(walk, first, end).infos() if info.counted]
        except BindingError:
            infos = []
        if infos:
            return [_candidate(walk, info.name, info.op) for info in reversed(infos)]
    ops = [op for op in reversed(walk.ops) if op.type in CONVOLUTIONS and not is_training_op(op.name, op.type)]
    return [_candidate(walk, walk.outputs[op.name][0], op.type) for op in ops]


def _candidate(walk: GraphIndex, name: str, why: str) -> Candidate:
    return Candidate(name, walk.tensors[name].dtype.name, walk.dims(name), why)


def in_short(found: Candidates) -> str:
    """The first of each in one sentence."""
    kinds = (("--input", found.input), ("--logits", found.logits), ("--layer", found.layer))
    named = [(option, [item.name for item in items if item.fits]) for option, items in kinds]
    parts = [f"{option} {_some(names)}" for option, names in named if names]
    return f"candidates are {'; '.join(parts)} (gradcam-tf1 inspect lists all)" if parts else "there are no candidates"


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(f"'{name}'" for name in names[:_SHORT])
    return shown + (f" and {len(names) - _SHORT} more" if len(names) > _SHORT else "")
