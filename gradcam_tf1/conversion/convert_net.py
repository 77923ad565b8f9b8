"""Write a net as a frozen graph for TensorFlow 1.15; it is read back and compared before it is kept."""

from __future__ import annotations

import os
import uuid
from dataclasses import dataclass
from typing import Any, Tuple

import numpy as np

from gradcam_tf1.atomic_files import write_whole
from gradcam_tf1.binding.graph_index import GraphIndex
from gradcam_tf1.binding.tensor_names import final_outputs
from gradcam_tf1.conversion.cleaned_graph import cleaned_graph, grouped_convolutions
from gradcam_tf1.conversion.same_answers import (
    TOLERANCE,
    check_steady,
    difference,
    random_inputs,
    same_names,
    scores_of,
)
from gradcam_tf1.errors import ConversionError, GradCamError, OptionError
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.loaders import load_apart, whole
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import Binding, KeyTensors, LoadedModel

_FOUND = KeyTensors()
_LIMIT = 2**31 - 1  # bytes of a protobuf file
_LONGEST_NAME = 255  # bytes


@dataclass(frozen=True)
class Converted:
    """A written frozen graph.

    Attributes
    ----------
    path : str
        The file.
    source, kind : str
        The model that it was made of, and its form.
    binding : Binding
        The key tensors; they have the same names in both.
    named : tuple of str
        Those of "input", "logits" and "layer" that have to be named when the file is opened.
    size : int
        Bytes of the file.
    difference : float
        Largest difference of the class scores between the model and the file, as a share of the largest score.
    notes : tuple of str
        One sentence for each change or doubt.
    """

    path: str
    source: str
    kind: str
    binding: Binding
    named: Tuple[str, ...]
    size: int
    difference: float
    notes: Tuple[str, ...]


def convert(
    source: Any, path: str, *, tensors: KeyTensors = _FOUND, output: Any = None, overwrite: bool = False
) -> Converted:
    """Write a net of any form as one frozen graph that TensorFlow 1.15 and later load.

    Ops that no output needs are left out, and switches such as is_training are fixed. The file is read back and run on
    random inputs. It is kept only if its class scores are those of the source.

    Parameters
    ----------
    source : path, LoadedModel, tf.GraphDef, Keras model, tf.Session, tf.Graph or (tf.Graph, tf.Session)
        What `load` takes or returns.
    path : str
        The .pb file to write, in an existing folder.
    tensors : KeyTensors
        Names of the key tensors. Those left out are found automatically.
    output : str, int or None
        Which output of a net with several, as in GradCamGraph.
    overwrite : bool
        Replace an existing file.

    Returns
    -------
    Converted
        The key tensors, and how well the scores agree.

    Raises
    ------
    OptionError
        If there is a file already, or no folder.
    ConversionError
        If the scores differ, are random or not finite, or the graph exceeds 2 GB.
    ExportError
        If TensorFlow 1.15 lacks an op of the net.
    ModelFileError, BindingError, RunError
        If the source cannot be loaded, bound or run.
    """
    path = _checked_path(path, overwrite)
    model = source if isinstance(source, LoadedModel) else load_apart(source)
    with GradCamGraph(model, tensors=tensors, output=output) as net:
        inputs = random_inputs(net.binding)
        scores = scores_of(net, inputs)
        doubt = check_steady(net, inputs, scores)
        ends = final_outputs(GraphIndex(net.graph).ops)
        graph_def, changes = cleaned_graph(whole(model), net.binding, ends, grouped_convolutions(net.graph))
        size = graph_def.ByteSize()
        if size > _LIMIT:
            raise ConversionError(f"the frozen graph has {size:,} bytes; a .pb file holds 2 GB at most")
        off, named = _write(path, graph_def, net, inputs, scores)
        notes = (*net.model.notes, *net.binding.warnings, *changes, *filter(None, [doubt]))
        return Converted(path, net.model.source, net.model.kind, net.binding, named, size, off, notes)


def _checked_path(path: Any, overwrite: bool) -> str:
    """Return the path if a file can be written there. Raises OptionError otherwise."""
    if not isinstance(path, (str, os.PathLike)) or not os.fspath(path) or "\0" in str(path):
        raise OptionError(f"the file to write is a path, not {path!r}")
    path = str(os.path.expanduser(os.fspath(path)))
    folder = os.path.dirname(path)
    if len(os.path.basename(os.fsencode(path))) > _LONGEST_NAME:
        raise OptionError(f"{path[:60]!r}... has a longer name than a file can have; name a shorter one")
    if not os.path.isdir(folder or "."):
        raise OptionError(f"there is no folder {folder!r} to write into; make it first")
    if os.path.lexists(path) and not (overwrite and os.path.isfile(path)):
        advice = "write another file, or give --overwrite (overwrite=True)" if os.path.isfile(path) else "name a file"
        raise OptionError(f"{path!r} exists already; {advice}")
    return str(path)


def _write(
    path: str, graph_def: tf.GraphDef, net: GradCamGraph, inputs: np.ndarray, scores: np.ndarray
) -> Tuple[float, Tuple[str, ...]]:
    """Write the file beside its place, compare it, and move it there; return what `_compare` returns."""
    unchecked = os.path.join(os.path.dirname(path), f".{uuid.uuid4().hex}.tmp")
    try:
        write_whole(unchecked, graph_def.SerializeToString(), "frozen graph")
    except OSError as error:
        raise OptionError(f"{path!r} cannot be written: {error.strerror or error}") from error
    try:
        answer = _compare(unchecked, net, inputs, scores)
        os.replace(unchecked, path)
    finally:
        if os.path.exists(unchecked):
            os.unlink(unchecked)
    return answer


def _compare(path: str, net: GradCamGraph, inputs: np.ndarray, scores: np.ndarray) -> Tuple[float, Tuple[str, ...]]:
    """Return how far the scores of a written file differ, and which tensors have to be named to open it.

    Raises ConversionError if they differ too much, or the file does not run.
    """
    binding = net.binding
    feed = {name: value for name, value in binding.feeds.items() if getattr(value, "ndim", 0)}
    names = KeyTensors(input=binding.input, logits=binding.logits, probabilities=binding.probabilities, feed=feed)
    try:
        with GradCamGraph(path, tensors=names) as written:
            off = difference(scores, scores_of(written, inputs))
    except GradCamError as error:
        raise ConversionError(f"the written graph does not work, and was removed: {error}") from error
    if off > TOLERANCE:
        raise ConversionError(
            f"the written graph answers random inputs differently from {net.model.source} (by {off:.3g} of the largest "
            "score), and was removed; this should not happen: please report it"
        )
    return off, _to_name(path, binding)


def _to_name(path: str, binding: Binding) -> Tuple[str, ...]:
    """Return which key tensors are not found in the file without a hint."""
    try:
        with GradCamGraph(path) as written:
            return same_names(binding, written.binding)
    except GradCamError:
        return ("input", "logits")
