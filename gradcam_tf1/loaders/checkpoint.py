"""Checkpoints: the graph from .meta or from the user's function, the values from the index and data files."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

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
Build = Callable[[], Any]


def is_checkpoint(content: Content) -> bool:
    """Whether this is a prefix, one of a checkpoint's files, or a folder that holds checkpoints."""
    if content.kind == "folder":
        return holds_checkpoints(content.path) or is_prefix(content.path.rstrip(os.sep))
    if content.kind == "missing":
        return is_prefix(content.path)
    return content.kind in ("meta graph", "meta graph text", "table", "shard", "checkpoint state")


def load_checkpoint(content: Content, build: Optional[Build], averages: Optional[Averages] = None) -> LoadedModel:
    """A frozen graph from .meta + checkpoint, or from checkpoint + the user's graph-building function."""
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
    """The values of a checkpoint, read from a private copy that was looked through. Raises: ModelFileError."""
    with private_checkpoint(prefix) as copy:
        yield Values(prefix, copy, averages)


class Values:
    """The values of one checkpoint, read one by one when a graph wants them."""

    def __init__(self, prefix: str, copy: str, averages: Optional[Averages] = None) -> None:
        """prefix: how the checkpoint is called. copy: the prefix of its private copy."""
        self.prefix, self._copy = prefix, copy
        self._averages = averages or Averages()
        with self._errors("its index"):
            self._reader = tf.train.NewCheckpointReader(copy)
            self.keys = set(self._reader.get_variable_to_shape_map())
        self._by_variable = self._object_keys()
        self.averaged: List[str] = []

    def find(self, names: List[str], entry: Optional[CheckpointEntry] = None) -> Optional[np.ndarray]:
        """The value a graph's own saver would restore, else the one under a name of the variable, else None."""
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
        """Variable name -> key, for checkpoints of tf.train.Checkpoint and Keras `save_weights`."""
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
                f"checkpoint {self.prefix} is damaged or incomplete, {what} cannot be read: {first}"
            ) from error


def fold_meta_graph(meta: Any, values: Values, source: str, kind: str, declared: Declared = NOTHING) -> LoadedModel:
    """A frozen graph from a MetaGraphDef (changed in place) and a checkpoint, by the names its own saver uses."""
    declared = declared._replace(defaults=file_defaults(meta.meta_info_def.stripped_op_list))
    return _fold(meta.graph_def, values, source, kind, meta.saver_def.filename_tensor_name, declared)


def _fold(
    graph_def: Any, values: Values, source: str, kind: str, filename_tensor: str, declared: Declared
) -> LoadedModel:
    entries = _entries(graph_def, filename_tensor, source)
    aliases = {node.name: [node.name] for node in graph_def.node if node.op in VARIABLES}
    for node in graph_def.node:
        shared = node.attr["shared_name"].s.decode("utf-8", "replace") if node.name in aliases else ""
        if shared and shared != node.name:
            aliases[node.name].append(shared)

    def read(wanted: List[str]) -> Dict[str, np.ndarray]:
        found = {name: values.find(aliases[name], entries.get(name)) for name in wanted}
        return {name: value for name, value in found.items() if value is not None}

    model = finish(graph_def, source, kind, read, declared)
    if not values.averaged:
        return model
    note = f"{len(values.averaged)} variables take their moving averages, the only values in the checkpoint"
    return replace(model, notes=(*model.notes, note))


def _entries(graph_def: Any, filename_tensor: str, source: str) -> Dict[str, CheckpointEntry]:
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
                f"the graph-building function for {values.prefix} made no variables in the default graph"
            )
        saver = tf.train.Saver(variables)  # its restore ops say how partitioned variables are stored
    filename = saver.saver_def.filename_tensor_name
    graph_def = graph.as_graph_def()
    return _fold(graph_def, values, values.prefix, "checkpoint", filename, _declared(returned))


def _declared(returned: Any) -> Declared:
    """Tensor names of what the function returned: KeyTensors, or a dict with `input` and `logits`; else nothing."""
    if isinstance(returned, KeyTensors):
        returned = {"input": returned.input, "logits": returned.logits}
    if not isinstance(returned, dict):
        return NOTHING
    return Declared(_tensor_names(returned.get("input")), _tensor_names(returned.get("logits")))


def _tensor_names(given: Any) -> Tuple[str, ...]:
    if given is None:
        return ()
    name = getattr(given, "name", given)
    return (name if ":" in name else name + ":0",)
