"""Turn a TensorFlow 1 model of any form into one frozen graph; each form is one row of `FORMS`.

In: a path, a GraphDef, a Keras model, a session or a (graph, session) pair, and the options of `load`.
Out: a `LoadedModel`: the frozen, repaired GraphDef and what the model states about its inputs and outputs.
Never: code from a file (without `trust_model`), a change to the user's graph, session or files.
"""

from __future__ import annotations

import logging
import os
import time
from typing import Any, Callable, List, NamedTuple, Optional, Sequence, Tuple

from gradcam_tf1.errors import ModelFileError, OptionError
from gradcam_tf1.forked_process import check_process
from gradcam_tf1.graphdef.file_kinds import POSSIBLE, Content, identify, wrong
from gradcam_tf1.loaders import (
    checkpoint,
    frozen,
    keras_archive,
    keras_h5,
    live_model,
    onnx_model,
    saved_model,
    torch_model,
)
from gradcam_tf1.loaders.checkpoint import Build
from gradcam_tf1.loaders.finish_loading import whole
from gradcam_tf1.loaders.moving_averages import Averages
from gradcam_tf1.types import LoadedModel

_LOG = logging.getLogger(__name__)


class LoadOptions(NamedTuple):
    """The arguments of `load` besides the source.

    Attributes
    ----------
    tag, signature, build, trust_model, input_shape
        As in `load`.
    averages : Averages
        Whether moving averages are used, and which were found; a new object for each model.
    """

    tag: Optional[str] = None
    signature: Optional[str] = None
    build: Optional[Build] = None
    trust_model: bool = False
    averages: Averages = Averages()
    input_shape: Optional[Tuple[int, ...]] = None


class LoaderRow(NamedTuple):
    """One form of model.

    Attributes
    ----------
    recognise : callable
        (source, options) -> whether the source has this form. A path arrives as a `Content`, any other source as given.
    load : callable
        (source, options) -> LoadedModel.
    """

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
    LoaderRow(_is_file("ONNX"), lambda source, options: onnx_model.load_onnx_file(source.path, options.input_shape)),
    LoaderRow(
        _is_file("torch"),
        lambda source, options: torch_model.load_torch_file(source.path, options.input_shape, options.trust_model),
    ),
    LoaderRow(
        lambda source, _: torch_model.is_module(source),
        lambda source, options: torch_model.load_module(source, options.input_shape),
    ),
    LoaderRow(
        _is_file("Keras archive"),
        lambda source, options: keras_archive.load_keras_archive(source.path, options.trust_model),
    ),
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
    build: Optional[Build] = None,
    trust_model: bool = False,
    moving_averages: bool = False,
    input_shape: Optional[Sequence[int]] = None,
) -> LoadedModel:
    """Load a TensorFlow 1 model of any form into one frozen graph.

    The form is recognised by content, not by file name. The source is not changed.

    Parameters
    ----------
    source : path, tf.GraphDef, tf.keras model, tf.Session, tf.Graph, (tf.Graph, tf.Session) or torch.nn.Module
        A path is that of a frozen graph (.pb, .pbtxt), a checkpoint (its prefix, folder or one of its files), a
        SavedModel (its folder or saved_model.pb), a Keras .h5 or .keras, an ONNX file or a file of torch.save(model). A
        tf.Graph alone must have no variables. ONNX and torch need the extras of these names.
    tag : str, optional
        SavedModel only: the tags of the graph to load, separated by commas ("serve,gpu"). Default: "serve", else the
        only graph.
    signature : str, optional
        SavedModel only: the signature that names the inputs and outputs. Default: "serving_default", else the only
        one; if there are several, inputs and outputs are searched in the graph.
    build : callable, optional
        Checkpoint only: a function without arguments that builds the net in the default graph. It replaces the .meta
        file. It may return `KeyTensors` or a dict with "input" and "logits".
    trust_model : bool
        Run program code in a Keras file (Lambda layers) or torch file, and let Keras and TensorFlow open files that
        the model names.
        Set it only if you trust the author. Ops of a graph that touch files or run code are cut in any case.
    moving_averages : bool
        Checkpoint, SavedModel and session only: use the values of tf.train.ExponentialMovingAverage for all variables
        that have one.
    input_shape : sequence of int, optional
        Torch and ONNX only: the sides of one input in their order, without the batch, (3, 224, 224). A torch model
        needs it, and an ONNX file that leaves sides open.

    Returns
    -------
    LoadedModel
        The frozen graph, declared inputs and outputs, and notes on repairs.

    Raises
    ------
    ModelFileError
        If the source is missing, damaged or of an unknown kind, needs `trust_model`, or has no moving averages
        although they are requested.
    RunError
        In a process that was forked from one that had opened a net.
    """
    return whole(
        load_apart(
            source,
            tag=tag,
            signature=signature,
            build=build,
            trust_model=trust_model,
            moving_averages=moving_averages,
            input_shape=input_shape,
        )
    )


def load_apart(source: Any, **chosen: Any) -> LoadedModel:
    """Do what `load` does, but leave the large values apart: `graph_def` is None, see `LoadedModel.apart`."""
    check_process()
    options = _options(**chosen)
    if isinstance(source, (str, os.PathLike)):
        source = identify(source)
    for form in FORMS:
        if form.recognise(source, options):
            started = time.monotonic()
            loaded = options.averages.with_note(form.load(source, options))
            _LOG.debug("read %s %r in %.3f s", loaded.kind, loaded.source, time.monotonic() - started)
            return loaded
    if not isinstance(source, Content):
        raise ModelFileError(f"a {type(source).__name__} is not a model; expected {POSSIBLE}")
    if source.kind == "missing":
        raise ModelFileError(
            f"{source.path}: no such file or folder, and no checkpoint with this prefix; expected {POSSIBLE}"
        )
    raise wrong(source)


def _options(
    tag: Any = None,
    signature: Any = None,
    build: Any = None,
    trust_model: Any = False,
    moving_averages: Any = False,
    input_shape: Any = None,
) -> LoadOptions:
    """Return the checked arguments of `load`. Raises OptionError."""
    for name, value in (("tag", tag), ("signature", signature)):
        if value is not None and not isinstance(value, str):
            raise OptionError(f"{name} is a string, not {value!r}")
    if build is not None and not callable(build):
        raise OptionError(f"build is a function that builds the graph, not {build!r}")
    for name, value in (("trust_model", trust_model), ("moving_averages", moving_averages)):
        if not isinstance(value, bool):
            raise OptionError(f"{name} is True or False, not {value!r}")
    return LoadOptions(tag, signature, build, trust_model, Averages(moving_averages), check_sides(input_shape))


def check_sides(input_shape: Any) -> Optional[Tuple[int, ...]]:
    """Return the sides of an input as a tuple. Raises OptionError if they are no whole numbers from 1 up."""
    if input_shape is None:
        return None
    whole = isinstance(input_shape, (tuple, list)) and all(type(side) is int and side > 0 for side in input_shape)
    if not whole or not 1 <= len(input_shape) <= 4:
        raise OptionError(
            f"input_shape is {input_shape!r}; give the sides of one input without the batch: (3, 224, 224)"
        )
    return tuple(input_shape)


__all__ = ["check_sides", "load", "load_apart", "whole"]
