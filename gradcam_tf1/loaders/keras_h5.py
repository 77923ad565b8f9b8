"""Keras: .h5 and .hdf5 files, rebuilt from their configuration in a private graph, and live tf.keras models."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from typing import Any, Dict, List, Tuple, Type

from gradcam_tf1 import tf_runtime as runtime
from gradcam_tf1.errors import ModelFileError
from gradcam_tf1.graphdef.private_files import copy_file, private_folder
from gradcam_tf1.loaders.finish_loading import Declared, finish
from gradcam_tf1.loaders.hdf5 import find_damage
from gradcam_tf1.loaders.keras_classes import check_classes
from gradcam_tf1.loaders.keras_config import parse_config, translate
from gradcam_tf1.loaders.keras_costly import counting_layers
from gradcam_tf1.loaders.keras_sizes import check_sizes, check_weights
from gradcam_tf1.loaders.live_model import load_session
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import LoadedModel


def _keras_errors() -> Tuple[Type[Exception], ...]:
    """What Keras raises, by version and layer, for a configuration or weights it cannot use."""
    return (ValueError, TypeError, LookupError, AttributeError, RuntimeError, OSError, tf.errors.OpError)


def load_keras_file(path: str, trusted: bool = False) -> LoadedModel:
    """A frozen graph from a Keras file that holds the architecture and the weights; trusted: its code is run."""
    with private_folder() as folder:
        copy = os.path.join(folder, "net.h5")
        copy_file(path, copy)
        return _load_copy(path, copy, trusted)


def _load_copy(path: str, copy: str, trusted: bool) -> LoadedModel:
    """path: how the file is called. copy: the one that is read."""
    notes: List[str] = []
    text, stored = _read_config(path, copy)
    config = parse_config(text, path)
    try:
        config = translate(config, notes, older=not runtime.IS_TF2)
        check_classes(config, path, trusted)
        check_sizes(config, path)
    except (LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ModelFileError(f"{path}: its architecture is not written as Keras writes it ({error!r})") from error
    graph = tf.Graph()
    # The default session is the one Keras uses while it is there: the user's own Keras session stays as it is, and the
    # learning phase belongs to the graph.
    with graph.as_default(), _session(graph) as session, session.as_default():
        model = _build(config, path)
        check_weights(model.weights, stored, path)  # nothing has room in memory yet
        model_graph = graph.as_graph_def()  # before Keras adds its assignments
        try:
            model.load_weights(copy)
        except _keras_errors() as error:
            reason = _first_line(error).replace(copy, path)
            raise ModelFileError(f"{path}: its weights do not fit its architecture: {reason}") from error
        declared = Declared(_names(model.inputs), _names(model.outputs))
        loaded = load_session(graph, session, path, "Keras h5", model_graph, declared)
    return replace(loaded, notes=(*notes, *loaded.notes))


def _session(graph: Any) -> Any:
    """Only weights pass through it: it need not take hold of the graphics card."""
    return tf.Session(graph=graph, config=tf.ConfigProto(device_count={"GPU": 0}))


def _read_config(path: str, copy: str) -> Tuple[Any, int]:
    """The text of the architecture, and how many numbers of weights the file holds."""
    import h5py

    damage = find_damage(copy)
    if damage:
        raise ModelFileError(f"{path} is damaged: {damage.replace(copy, path)}")
    try:
        with h5py.File(copy, "r") as file:
            if "model_config" in file.attrs:
                return file.attrs["model_config"], _stored_numbers(file)
            found = ", ".join(sorted(file.keys())[:5])
    except (OSError, KeyError, RuntimeError, ValueError) as error:
        reason = str(error).replace(copy, path)
        raise ModelFileError(f"{path} is damaged: HDF5 cannot open it ({reason})") from error
    raise ModelFileError(
        f"{path} holds weights only, without the architecture (found: {found}); save the whole model (model.save), or "
        "build it in your program, load these weights and pass the model object"
    )


def _stored_numbers(file: Any) -> int:
    sizes: List[int] = []

    def add(name: str, item: Any) -> None:
        if hasattr(item, "dtype") and item.dtype.kind == "f" and not name.startswith("optimizer_weights"):
            sizes.append(int(item.size or 0))

    file.visititems(add)
    return sum(sizes)


def _build(config: Dict[str, Any], path: str) -> Any:
    runtime.set_inference_phase()
    known = {"relu6": tf.nn.relu6, "swish": tf.nn.swish, "silu": tf.nn.swish}  # not listed by all versions
    known.update(counting_layers(path))
    try:
        model = runtime.keras().models.model_from_config(config, custom_objects=known)
    except ModelFileError:
        raise
    except _keras_errors() as error:
        raise ModelFileError(
            f"{path}: Keras cannot rebuild the net: {_first_line(error)}; build the net in your program "
            "and pass the live model object"
        ) from error
    if not model.inputs:
        raise ModelFileError(
            f"{path}: the net does not say its input shape; build it in your program and pass the model object"
        )
    return model


def _first_line(error: Exception) -> str:
    """The first line of a message; of a traced function's, which begins with its stack, the error at its end."""
    text = str(error).strip() or type(error).__name__
    inner = re.findall(r"^\s*\w+Error: (.*)", text, re.MULTILINE)
    return str(inner[-1] if inner else text.splitlines()[0])


def _names(tensors: Any) -> Any:
    return tuple(tensor.name for tensor in tensors)


def is_model(source: Any) -> bool:
    """Whether this is a live model of tf.keras, tf_keras or keras."""
    return hasattr(source, "get_config") and hasattr(source, "outputs") and hasattr(source, "layers")


def load_model(model: Any) -> LoadedModel:
    """A frozen graph from a live model: its part of the session's graph, or, in eager programs, the model traced."""
    if not model.inputs:
        raise ModelFileError("the Keras model does not know its input shape yet; call it once, or build it")
    graph = getattr(model.outputs[0], "graph", None)
    if graph is not None and graph.building_function is False:
        session = _session_of(model, graph)
        declared = Declared(_names(model.inputs), _names(model.outputs))
        return load_session(graph, session, "Keras model", "Keras model", declared=declared)
    try:
        graph_def, inputs, outputs = runtime.flatten_model(model)
    except _keras_errors() as error:
        raise ModelFileError(f"the Keras model cannot be traced: {_first_line(error)}") from error
    return finish(graph_def, "Keras model", "Keras model", declared=Declared(inputs, outputs))


def _session_of(model: Any, graph: Any) -> Any:
    """The session that holds the model's weights: the default one if it is this graph's, else Keras's own."""
    session = tf.get_default_session()
    if session is not None and session.graph is graph:
        return session
    with graph.as_default():
        return runtime.keras_session(model)
