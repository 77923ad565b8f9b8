"""`load`: any TensorFlow 1 model becomes one frozen GraphDef. Each form is one row of a table."""

from __future__ import annotations

import os
from typing import Any, Callable, List, NamedTuple, Optional

from gradcam_tf1.errors import ModelFileError
from gradcam_tf1.graphdef.file_kinds import POSSIBLE, Content, identify, wrong
from gradcam_tf1.loaders import checkpoint, frozen, keras_h5, live_model, saved_model
from gradcam_tf1.loaders.moving_averages import Averages
from gradcam_tf1.tf_runtime import check_process
from gradcam_tf1.types import LoadedModel


class LoadOptions(NamedTuple):
    """What the user may say besides the source."""

    tag: Optional[str] = None
    signature: Optional[str] = None
    build: Optional[Callable[[], Any]] = None
    trust_model: bool = False
    averages: Averages = Averages()  # one of its own for each model


class LoaderRow(NamedTuple):
    """One kind of source: how to recognise it and how to load it."""

    recognise: Callable[[Any, LoadOptions], bool]
    load: Callable[[Any, LoadOptions], LoadedModel]


def _is_file(*kinds: str) -> Callable[[Any, LoadOptions], bool]:
    return lambda source, _: isinstance(source, Content) and source.kind in kinds


def _is_message(name: str) -> Callable[[Any, LoadOptions], bool]:
    return lambda source, _: type(source).__name__ == name and hasattr(source, "ParseFromString")


FORMS: List[LoaderRow] = [
    LoaderRow(_is_file("graph"), lambda source, _: frozen.load_graph_file(source.path)),
    LoaderRow(_is_file("graph text"), lambda source, _: frozen.load_graph_file(source.path, text=True)),
    LoaderRow(
        lambda source, _: isinstance(source, Content) and saved_model.is_saved_model(source),
        lambda source, options: saved_model.load_saved_model(
            source, options.tag, options.signature, options.trust_model, options.averages
        ),
    ),
    LoaderRow(
        lambda source, _: isinstance(source, Content) and checkpoint.is_checkpoint(source),
        lambda source, options: checkpoint.load_checkpoint(source, options.build, options.averages),
    ),
    LoaderRow(_is_file("HDF5"), lambda source, options: keras_h5.load_keras_file(source.path, options.trust_model)),
    LoaderRow(
        lambda source, _: live_model.is_session(source),
        lambda source, options: live_model.load_session(source.graph, source, averages=options.averages),
    ),
    LoaderRow(
        lambda source, _: live_model.is_pair(source),
        lambda source, options: live_model.load_session(source[0], source[1], averages=options.averages),
    ),
    LoaderRow(lambda source, _: keras_h5.is_model(source), lambda source, _: keras_h5.load_model(source)),
    LoaderRow(lambda source, _: live_model.is_graph(source), lambda source, _: live_model.load_graph(source)),
    LoaderRow(_is_message("GraphDef"), lambda source, _: frozen.load_graph_def(source)),
]


def load(
    source: Any,
    *,
    tag: Optional[str] = None,
    signature: Optional[str] = None,
    build: Optional[Callable[[], Any]] = None,
    trust_model: bool = False,
    moving_averages: bool = False,
) -> LoadedModel:
    """Load a TensorFlow 1 model, whatever its form, into one frozen graph.

    source: a path, a tf.GraphDef, a tf.keras model, a tf.Session, or a (tf.Graph, tf.Session) pair.
    tag, signature: which part of a SavedModel. build: the function that builds the graph of a checkpoint without .meta.
    trust_model: run the program code in a Keras file (Lambda layers), and let Keras and TensorFlow open the files that
        the model names. Ops of a graph that touch files or run code are cut away in any case.
    moving_averages: variables take the values of their tf.train.ExponentialMovingAverage instead of their own.

    Raises:
        ModelFileError: the file is missing, damaged, or of a kind that is not known; or it has no moving averages.
        RunError: in a process that was forked from one that had opened a net.
    """
    check_process()
    options = LoadOptions(tag, signature, build, trust_model, Averages(moving_averages))
    if isinstance(source, (str, os.PathLike)):
        source = identify(source)
    for form in FORMS:
        if form.recognise(source, options):
            return options.averages.told(form.load(source, options))
    if not isinstance(source, Content):
        raise ModelFileError(f"a {type(source).__name__} is not a model; expected {POSSIBLE}")
    if source.kind == "missing":
        raise ModelFileError(
            f"{source.path}: no such file or folder, and no checkpoint of that prefix; expected {POSSIBLE}"
        )
    raise wrong(source)


__all__ = ["load"]
