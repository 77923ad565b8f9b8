"""Load Keras .h5 and .hdf5 files, rebuilt from their configuration in a private graph, and live tf.keras models."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Callable, Dict, Iterable, List, Tuple, Type, Union

from gradcam_tf1 import tf_runtime as runtime
from gradcam_tf1.errors import ModelFileError
from gradcam_tf1.graphdef.private_files import copy_file, private_folder
from gradcam_tf1.loaders.finish_loading import Declared, finish
from gradcam_tf1.loaders.hdf5 import find_damage
from gradcam_tf1.loaders.keras_calls import check_calls, number_calls
from gradcam_tf1.loaders.keras_classes import check_classes
from gradcam_tf1.loaders.keras_config import Part, parse_config, translate
from gradcam_tf1.loaders.keras_costly import counting_layers
from gradcam_tf1.loaders.keras_sizes import check_sizes, check_weights
from gradcam_tf1.loaders.live_model import load_session
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import LoadedModel

if TYPE_CHECKING:
    import h5py


def _keras_errors() -> Tuple[Type[Exception], ...]:
    """Return the errors that Keras raises, by version and layer, for a configuration or weights it cannot use."""
    return (ValueError, TypeError, LookupError, AttributeError, RuntimeError, OSError, tf.errors.OpError)


def load_keras_file(path: str, trusted: bool = False) -> LoadedModel:
    """Load a frozen graph from a Keras file with architecture and weights.

    Parameters
    ----------
    path : str
        The .h5 file.
    trusted : bool
        Run program code in the file (Lambda layers).

    Returns
    -------
    LoadedModel
        The frozen graph.

    Raises
    ------
    ModelFileError
        If the file is damaged, holds weights only, needs trust, or Keras cannot rebuild the net.
    """
    with private_folder() as folder:
        copy = os.path.join(folder, "net.h5")
        copy_file(path, copy)
        return _load_copy(path, copy, trusted)


def _load_copy(path: str, copy: str, trusted: bool) -> LoadedModel:
    """Load the private copy of a file; `path` is the original, for messages."""
    text, stored = _read_config(path, copy)

    return rebuild(path, text, stored, trusted, lambda model: _fill(model, copy), "Keras h5")


def _fill(model: tf.keras.Model, copy: str) -> None:
    """Load weights, by names if the file has those of the layers: Keras 2 and 3 order parallel layers differently."""
    import h5py

    with h5py.File(copy, "r") as file:
        stored = file.get("model_weights", file)
        names = {name for name in stored if len(stored[name].attrs.get("weight_names", ()))}
    model.load_weights(copy, by_name=names == {layer.name for layer in model.layers if layer.weights})


def rebuild(
    path: str, text: Union[str, bytes], stored: int, trusted: bool, fill: Callable[[tf.keras.Model], None], kind: str
) -> LoadedModel:
    """Rebuild a net from its configuration in a private graph, and freeze it.

    Parameters
    ----------
    path : str
        The file, for messages.
    text : str or bytes
        The configuration, JSON.
    stored : int
        How many weight values the file holds.
    trusted : bool
        Run program code in the configuration (Lambda layers).
    fill : callable
        Gives the net its weights.
    kind : str
        For `LoadedModel`.

    Raises
    ------
    ModelFileError
        If the net is refused or cannot be rebuilt, or its weights do not fit.
    """
    notes: List[str] = []
    config = parse_config(text, path)
    try:
        number_calls(config)
        config = translate(config, notes, older=not runtime.IS_TF2)
        check_classes(config, path, trusted)
        check_sizes(config, path)
        check_calls(config, path)
    except (LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ModelFileError(f"{path}: its architecture does not have the form of Keras ({error!r})") from error
    graph = tf.Graph()
    # Keras uses the default session if there is one, so the user's Keras session does not change. The learning phase
    # belongs to the graph.
    with graph.as_default(), _session(graph) as session, session.as_default():
        model = _build(config, path)
        check_weights(model.weights, stored, path)  # before memory is allocated
        model_graph = graph.as_graph_def()  # before Keras adds assignments
        try:
            fill(model)
        except _keras_errors() as error:
            raise ModelFileError(f"{path}: its weights do not fit its architecture: {_first_line(error)}") from error
        declared = Declared(names_of_tensors(model.inputs), names_of_tensors(model.outputs))
        loaded = load_session(graph, session, path, kind, model_graph, declared)
    return replace(loaded, notes=(*notes, *loaded.notes))


def _session(graph: tf.Graph) -> tf.Session:
    """Make a session on the CPU: it only stores and returns weights, so no GPU memory is needed."""
    return tf.Session(graph=graph, config=tf.ConfigProto(device_count={"GPU": 0}))


def _read_config(path: str, copy: str) -> Tuple[Union[str, bytes], int]:
    """Return the text of the architecture, and how many weight values the file holds."""
    import h5py

    damage = find_damage(copy)
    if damage:
        raise ModelFileError(f"{path} is damaged: {damage.replace(copy, path)}; copy it again, or save it again")
    try:
        with h5py.File(copy, "r") as file:
            if "model_config" in file.attrs:
                return file.attrs["model_config"], _stored_numbers(file)
            found = ", ".join(sorted(file.keys())[:5])
    except (OSError, KeyError, RuntimeError, ValueError) as error:
        reason = str(error).replace(copy, path)
        raise ModelFileError(
            f"{path} is damaged: HDF5 cannot open it ({reason}); copy it again, or save it again"
        ) from error
    raise ModelFileError(
        f"{path} holds weights only, without the architecture (found: {found}); save the whole model (model.save), or "
        "build it in your program, load these weights and pass the model object"
    )


def _stored_numbers(file: h5py.File) -> int:
    sizes: List[int] = []

    def add(name: str, item: Union[h5py.Group, h5py.Dataset]) -> None:
        if hasattr(item, "dtype") and item.dtype.kind == "f" and not name.startswith("optimizer_weights"):
            sizes.append(int(item.size or 0))

    file.visititems(add)
    return sum(sizes)


def _build(config: Part, path: str) -> tf.keras.Model:
    runtime.set_inference_phase()
    known = {"relu6": tf.nn.relu6, "swish": tf.nn.swish, "silu": tf.nn.swish}  # some versions do not know these names
    known.update(counting_layers(path))
    try:
        model = runtime.keras().models.model_from_config(config, custom_objects=known)
    except ModelFileError:
        raise
    except _keras_errors() as error:
        raise ModelFileError(
            f"{path}: Keras cannot rebuild the net: {_first_line(error)}; build the net in your own program "
            "and pass the live model object"
        ) from error
    if not model.inputs:
        raise ModelFileError(
            f"{path}: the net has no input shape; build it in your own program and pass the live model object"
        )
    return model


def _first_line(error: Exception) -> str:
    """Return the first line of a message, or the last error in it: errors of traced functions begin with a stack."""
    text = str(error).strip() or type(error).__name__
    inner = re.findall(r"^\s*\w+Error: (.*)", text, re.MULTILINE)
    return str(inner[-1] if inner else text.splitlines()[0])


def names_of_tensors(tensors: Iterable[tf.Tensor]) -> Tuple[str, ...]:
    """Return the names of the tensors."""
    return tuple(tensor.name for tensor in tensors)


def is_model(source: object) -> bool:
    """Whether a source is a live model of tf.keras, tf_keras or keras."""
    return hasattr(source, "get_config") and hasattr(source, "outputs") and hasattr(source, "layers")


def load_model(model: tf.keras.Model) -> LoadedModel:
    """Load a frozen graph from a live Keras model: a copy of its session's graph, or a trace in eager programs.

    Parameters
    ----------
    model : tf.keras.Model
        A model with known inputs.

    Returns
    -------
    LoadedModel
        The frozen graph.

    Raises
    ------
    ModelFileError
        If the model has no input shape yet or cannot be traced.
    """
    if not is_traced(model):
        session = session_of(model)
        declared = Declared(names_of_tensors(model.inputs), names_of_tensors(model.outputs))
        return load_session(session.graph, session, "Keras model", "Keras model", declared=declared)
    return load_traced(model)[0]


def is_traced(model: tf.keras.Model) -> bool:
    """Whether a live model has no graph of its own, as in an eager program. Raises ModelFileError without inputs."""
    if not model.inputs:
        raise ModelFileError("the Keras model has no input shape yet; call it once, or build it")
    graph = getattr(model.outputs[0], "graph", None)
    return graph is None or graph.building_function is not False


def load_traced(model: tf.keras.Model) -> Tuple[LoadedModel, Dict[str, tf.Variable]]:
    """Load a live model by tracing it; also return the variable behind each constant that was one.

    Raises
    ------
    ModelFileError
        If the model cannot be traced.
    """
    try:
        (graph_def, inputs, outputs), captured = runtime.flatten_model(model)
    except _keras_errors() as error:
        raise ModelFileError(f"the Keras model cannot be traced: {_first_line(error)}") from error
    return finish(graph_def, "Keras model", "Keras model", declared=Declared(inputs, outputs)), captured


def session_of(model: tf.keras.Model) -> tf.Session:
    """Return the session with the model's weights: the default session if it runs its graph, else that of Keras."""
    graph = model.outputs[0].graph
    session = tf.get_default_session()
    if session is not None and session.graph is graph:
        return session
    with graph.as_default():
        return runtime.keras_session(model)
