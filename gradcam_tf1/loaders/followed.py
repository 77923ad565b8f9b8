"""Follow a net while it is trained: a frozen copy of its graph, and the present values of its variables."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Callable, Dict, Iterator, List, Optional

import numpy as np

from gradcam_tf1.errors import ModelFileError
from gradcam_tf1.graphdef.fold_variables import Read, Values
from gradcam_tf1.loaders.checkpoint import Build, declared_by
from gradcam_tf1.loaders.finish_loading import NOTHING, Declared, finish
from gradcam_tf1.loaders.keras_h5 import is_traced, load_traced, names_of_tensors, session_of
from gradcam_tf1.loaders.live_model import SessionValues, copy_graph, session_runner, variable_readers
from gradcam_tf1.loaders.moving_averages import Averages
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import LoadedModel

_BATCH_BYTES = 64 * 2**20  # values in memory at a time, besides those of the two sessions


@dataclass(frozen=True)
class FollowedModel:
    """A net whose weights change.

    Attributes
    ----------
    model : LoadedModel
        The net with the values of now; `variables` names those that can be assigned, all of float.
    settled : dict
        Name -> value of the other variables (counters, switches), which the net has as constants.
    read : callable
        Session -> the present values of all variables, in batches. The session is the one that trains; None for a
        Keras model of an eager program.
    """

    model: LoadedModel
    settled: Values
    read: Callable[[Optional[tf.Session]], Iterator[Values]]


def follow_session(
    session: tf.Session, build: Optional[Build] = None, moving_averages: bool = False, declared: Declared = NOTHING
) -> FollowedModel:
    """Follow the net of a session. Nothing is added to its graph.

    Parameters
    ----------
    session : tf.Session
        The session that trains, also a monitored one.
    build : callable, optional
        Builds the net for inference in the default graph, with variables of the names that the session's graph has. It
        may return what the `build` of `load` returns. Default: the session's own graph.
    moving_averages : bool
        Use the averages of tf.train.ExponentialMovingAverage for all variables that have one.
    declared : Declared
        The inputs and outputs that the model states.

    Raises
    ------
    ModelFileError
        If the graph cannot be copied, variables cannot be read, or `build` makes variables that the session lacks.
    """
    averages = Averages(moving_averages)
    trained = copy_graph(session.graph, "training graph")
    readers = variable_readers(trained, averages)
    graph_def, declared = (trained, declared) if build is None else _built(build)

    def values(names: List[str]) -> Values:
        return SessionValues(readers, session_runner(session)).read(names)

    record = _Recorder(values)
    model = finish(graph_def, "training graph", "live session", record.read, declared)
    if build is not None and record.missing:
        raise ModelFileError(
            f"build makes {len(record.missing)} variables that the training graph does not have, the first is "
            f"'{record.missing[0]}'; use the same names and scopes as in training"
        )

    def read(now: Optional[tf.Session]) -> Iterator[Values]:
        present = SessionValues(readers, session_runner(now))
        return (present.read(names) for names in record.batches())

    return record.followed(averages.with_note(model), read)


def _built(build: Build) -> Any:
    graph = tf.Graph()
    with graph.as_default():
        declared = declared_by(build())
    return graph.as_graph_def(), declared


def follow_keras(model: tf.keras.Model, moving_averages: bool = False) -> FollowedModel:
    """Follow a live Keras model of a graph or an eager program.

    Parameters
    ----------
    model : tf.keras.Model
        A model of tf.keras, tf_keras or keras, with known inputs.
    moving_averages : bool
        As in `follow_session`; for models of graph programs only.

    Raises
    ------
    ModelFileError
        If the model has no input shape yet, cannot be traced, or moving averages are requested of an eager program.
    """
    if not is_traced(model):
        declared = Declared(names_of_tensors(model.inputs), names_of_tensors(model.outputs))
        return follow_session(session_of(model), None, moving_averages, declared)
    if moving_averages:
        raise ModelFileError(
            "moving averages are variables of a graph, and this Keras model is of an eager program; leave "
            "moving_averages out"
        )
    loaded, captured = load_traced(model)
    record = _Recorder(lambda names: {name: captured[name].numpy() for name in names})
    record.read(list(captured))
    return record.followed(loaded, lambda _: map(record.values, record.batches()))


class _Recorder:
    """Notes which variables a loader reads, and how large they are."""

    def __init__(self, values: Read) -> None:
        self.values = values
        self.missing: List[str] = []
        self._bytes: Dict[str, int] = {}
        self._settled: Values = {}

    def read(self, names: List[str]) -> Values:
        found = self.values(names)
        self.missing += [name for name in names if name not in found]
        self._bytes.update({name: value.nbytes for name, value in found.items()})
        # copies: the array of a session may share its memory with the variable
        self._settled.update({name: np.array(value) for name, value in found.items() if not _is_float(value)})
        return found

    def batches(self) -> Iterator[List[str]]:
        """Split the names into batches of about _BATCH_BYTES."""
        batch: List[str] = []
        size = 0
        for name, count in self._bytes.items():
            if batch and size + count > _BATCH_BYTES:
                yield batch
                batch, size = [], 0
            batch.append(name)
            size += count
        if batch:
            yield batch

    def followed(self, model: LoadedModel, read: Callable[[Optional[tf.Session]], Iterator[Values]]) -> FollowedModel:
        changing = tuple(name for name in self._bytes if name not in self._settled)
        return FollowedModel(replace(model, variables=changing), self._settled, read)


def _is_float(value: np.ndarray) -> bool:
    """Whether a net can have the variable as one, see `large_weights.is_weight`."""
    return bool(np.issubdtype(value.dtype, np.floating))
