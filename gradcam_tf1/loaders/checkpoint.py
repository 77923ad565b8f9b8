"""Load checkpoints: the graph comes from .meta or from the user's function, the values from index and data files."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import replace
from typing import Callable, Dict, Iterator, List, Optional, Tuple, Union

import numpy as np
from google.protobuf.message import DecodeError

from gradcam_tf1.errors import ModelFileError
from gradcam_tf1.graphdef.attributes import file_defaults
from gradcam_tf1.graphdef.checkpoint_files import private_checkpoint
from gradcam_tf1.graphdef.file_kinds import Content, identify
from gradcam_tf1.graphdef.restore_ops import CheckpointEntry, restored_entries
from gradcam_tf1.graphdef.training_ops import VARIABLES
from gradcam_tf1.loaders.checkpoint_state import find_prefix, holds_checkpoints, is_prefix
from gradcam_tf1.loaders.finish_loading import NOTHING, Declared, finish
from gradcam_tf1.loaders.frozen import read_message
from gradcam_tf1.loaders.moving_averages import SUFFIX as _AVERAGE
from gradcam_tf1.loaders.moving_averages import Averages
from gradcam_tf1.tf_runtime import tf, variable_keys
from gradcam_tf1.types import KeyTensors, LoadedModel

OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"
Build = Callable[[], object]  # may return KeyTensors or a dict with "input" and "logits"; other results are ignored


def is_checkpoint(content: Content) -> bool:
    """Whether this is a checkpoint's prefix, one of its files, or a folder with checkpoints."""
    if content.kind == "folder":
        return holds_checkpoints(content.path) or is_prefix(content.path.rstrip(os.sep))
    if content.kind == "missing":
        return is_prefix(content.path)
    return content.kind in ("meta graph", "meta graph text", "table", "shard", "checkpoint state")


def load_checkpoint(content: Content, build: Optional[Build], averages: Optional[Averages] = None) -> LoadedModel:
    """Load a frozen graph from a checkpoint and its .meta, or from a checkpoint and the user's build function.

    Parameters
    ----------
    content : Content
        A prefix, file or folder for which `is_checkpoint` is true.
    build : callable or None
        Builds the net in the default graph; None reads the .meta file.
    averages : Averages, optional
        Whether moving averages replace the values of variables.

    Returns
    -------
    LoadedModel
        The frozen graph.

    Raises
    ------
    ModelFileError
        If files are missing or damaged, or the prefix is not unique.
    """
    prefix = find_prefix(content)
    with open_values(prefix, averages) as values:
        if build is not None:
            return _from_function(values, build)
        meta = prefix + ".meta"
        if not os.path.isfile(meta):
            raise ModelFileError(
                f"{prefix} has no .meta file, so its graph is unknown; put {os.path.basename(meta)} beside it, "
                "or pass the function that builds the graph: load(prefix, build=function)"
            )
        message = read_message(meta, tf.MetaGraphDef, identify(meta).kind == "meta graph text")
        return fold_meta_graph(message, values, prefix, "checkpoint")


@contextmanager
def open_values(prefix: str, averages: Optional[Averages] = None) -> Iterator[Values]:
    """Open the values of a checkpoint, from a private copy that was checked. Raises ModelFileError if it is damaged."""
    with private_checkpoint(prefix) as copy:
        yield Values(prefix, copy, averages)


class Values:
    """The values of one checkpoint, read one by one when a graph needs them.

    Parameters
    ----------
    prefix : str
        The prefix of the checkpoint, for messages.
    copy : str
        The prefix of its private copy, which is read.
    averages : Averages, optional
        Whether moving averages replace the values of variables.
    """

    def __init__(self, prefix: str, copy: str, averages: Optional[Averages] = None) -> None:
        self.prefix, self._copy = prefix, copy
        self._averages = averages or Averages()
        with self._errors("its index"):
            self._reader = tf.train.NewCheckpointReader(copy)
            self.keys = set(self._reader.get_variable_to_shape_map())
        self._by_variable = self._object_keys()
        self.averaged: List[str] = []

    def find(self, names: List[str], entry: Optional[CheckpointEntry] = None) -> Optional[np.ndarray]:
        """Read the value of one variable.

        Parameters
        ----------
        names : list of str
            The names of the variable, the preferred one first.
        entry : CheckpointEntry, optional
            The entry that the graph's own saver restores; it comes before the names.

        Returns
        -------
        np.ndarray or None
            The value, None if the checkpoint has none. If there is only a moving average, this is used.

        Raises
        ------
        ModelFileError
            If the value cannot be read.
        """
        average = self._averages.key(names, self.keys, entry.key if entry else "")
        if average is not None:
            return self._read(CheckpointEntry(average, entry.slices if entry else None))
        if entry is not None and entry.key in self.keys:
            return self._read(entry)
        for name in names:
            for key in (name, self._by_variable.get(name, name)):
                if key in self.keys:
                    return self._read(CheckpointEntry(key))
        for name in names:
            if name + _AVERAGE in self.keys:
                self.averaged.append(name)
                return self._read(CheckpointEntry(name + _AVERAGE))
        return None

    def _read(self, entry: CheckpointEntry) -> np.ndarray:
        with self._errors(f"the value of {entry.key!r}"):
            value = np.asarray(self._reader.get_tensor(entry.key))
            return value if entry.slices is None else np.ascontiguousarray(value[entry.slices])

    def _object_keys(self) -> Dict[str, str]:
        """Return variable name -> key, for checkpoints of tf.train.Checkpoint and of Keras `save_weights`."""
        if OBJECT_GRAPH not in self.keys:
            return {}
        with self._errors("its object graph"):
            return variable_keys(self._reader.get_tensor(OBJECT_GRAPH))

    @contextmanager
    def _errors(self, what: str) -> Iterator[None]:
        try:
            yield
        except (tf.errors.OpError, RuntimeError, ValueError, IndexError, DecodeError) as error:
            first = str(error).split("\n")[0].replace(self._copy, self.prefix)
            raise ModelFileError(
                f"checkpoint {self.prefix} is damaged or incomplete, {what} cannot be read ({first}); copy it again, "
                "or save it again"
            ) from error


def fold_meta_graph(
    meta: tf.MetaGraphDef, values: Values, source: str, kind: str, declared: Declared = NOTHING
) -> LoadedModel:
    """Make a frozen graph from a MetaGraphDef and a checkpoint, by the keys that the graph's own saver uses.

    Parameters
    ----------
    meta : MetaGraphDef
        The graph; changed in place.
    values : Values
        The checkpoint.
    source, kind : str
        For `LoadedModel`.
    declared : Declared
        The inputs and outputs that the model states.

    Returns
    -------
    LoadedModel
        The frozen graph.

    Raises
    ------
    ModelFileError
        If graph or checkpoint are damaged or do not fit.
    """
    declared = declared._replace(defaults=file_defaults(meta.meta_info_def.stripped_op_list))
    return _fold(meta.graph_def, values, source, kind, meta.saver_def.filename_tensor_name, declared)


def _fold(
    graph_def: tf.GraphDef, values: Values, source: str, kind: str, filename_tensor: str, declared: Declared
) -> LoadedModel:
    entries = _entries(graph_def, filename_tensor, source)
    aliases = {node.name: [node.name] for node in graph_def.node if node.op in VARIABLES}
    for node in graph_def.node:
        shared = node.attr["shared_name"].s.decode("utf-8", "replace") if node.name in aliases else ""
        if shared and shared != node.name:
            aliases[node.name].append(shared)

    def read(names: List[str]) -> Dict[str, np.ndarray]:
        stored = {name: values.find(aliases[name], entries.get(name)) for name in names}
        return {name: value for name, value in stored.items() if value is not None}

    model = finish(graph_def, source, kind, read, declared)
    if not values.averaged:
        return model
    note = f"{len(values.averaged)} variables have the values of their moving averages, the only ones in the checkpoint"
    return replace(model, notes=(*model.notes, note))


def _entries(graph_def: tf.GraphDef, filename_tensor: str, source: str) -> Dict[str, CheckpointEntry]:
    try:
        return restored_entries(graph_def, filename_tensor)
    except ModelFileError as error:
        raise ModelFileError(f"{source}: {error}") from error
    except (ValueError, TypeError, IndexError) as error:
        raise ModelFileError(f"{source}: its restore ops are damaged: {error}") from error


def _from_function(values: Values, build: Build) -> LoadedModel:
    graph = tf.Graph()
    with graph.as_default():
        returned = build()
        variables = tf.global_variables()
        if not variables:
            raise ModelFileError(
                f"the build function for {values.prefix} made no variables in the default graph; build the net there"
            )
        saver = tf.train.Saver(variables)  # its restore ops show how partitioned variables are stored
    filename = saver.saver_def.filename_tensor_name
    graph_def = graph.as_graph_def()
    return _fold(graph_def, values, values.prefix, "checkpoint", filename, declared_by(returned))


def declared_by(returned: object) -> Declared:
    """Return the tensor names that the function returned, as KeyTensors or a dict with `input` and `logits`."""
    if isinstance(returned, KeyTensors):
        returned = {"input": returned.input, "logits": returned.logits}
    if not isinstance(returned, dict):
        return NOTHING
    return Declared(_tensor_names(returned.get("input")), _tensor_names(returned.get("logits")))


def _tensor_names(tensor: Union[tf.Tensor, str, None]) -> Tuple[str, ...]:
    if tensor is None:
        return ()
    name = getattr(tensor, "name", tensor)
    return (name if ":" in name else name + ":0",)
