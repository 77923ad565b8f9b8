"""The file of an older Keras tool: Python names that build a net, load its weights and prepare its image.

Naming code in a file is running it, so nothing happens here without --allow-code.
"""

from __future__ import annotations

import importlib
import inspect
import os
import sys
from contextlib import contextmanager
from typing import Any, Callable, Iterator, Mapping, NamedTuple, Sequence

import numpy as np

from gradcam_tf1.errors import GradCamError, OptionError
from gradcam_tf1.images.preprocessing import PRESETS, Preprocessing
from gradcam_tf1.images.source_kinds import iter_images

CODE = ("model_class", "loader_method", "process")
_RAISED = (Exception, SystemExit)  # what the user's code may raise; its exit(0) would look like success


class KerasNet(NamedTuple):
    """What an older tool's file makes.

    Attributes
    ----------
    model : Keras model
        With its weights.
    images : sequence of str
        Paths of the images.
    preset : Preprocessing or None
        For images whose values are prepared already; None if the file names no `process`.
    failed : sequence of str
        Why `process` failed for further images, which are left out.
    """

    model: Any
    images: Sequence[str]
    preset: Preprocessing | None
    failed: Sequence[str] = ()


def keras_net(keras: Mapping[str, Any], images: Sequence[str], allowed: bool, out_folder: str) -> KerasNet:
    """Return the net and the images of an older tool's file.

    Parameters
    ----------
    keras : mapping
        The keys of the file.
    images : sequence of str
        IMAGES of the command line; empty for the image that the file names.
    allowed : bool
        Whether the user allows code.
    out_folder : str
        Output folder of the run; what `process` returns is kept in its folder `prepared`.

    Raises
    ------
    OptionError
        If code is not allowed, a name does not exist, or the user's code fails.
    """
    _check_allowed(keras, allowed)
    model = _build_model(keras)
    if not keras.get("process"):
        return KerasNet(model, images, None)
    files, failed = _prepare_images(keras, images, os.path.join(os.path.expanduser(out_folder), "prepared"))
    gray = np.load(files[0], mmap_mode="r").shape[-1] == 1
    return KerasNet(model, files, PRESETS["gray-raw" if gray else "raw"], failed)


def _check_allowed(keras: Mapping[str, Any], allowed: bool) -> None:
    """Refuse a file that names Python code, unless the user allows it. Raises OptionError."""
    if "model_class" not in keras:
        raise OptionError(f"{', '.join(keras)} in a run file belong to model_class, the module that builds the net")
    named = [f"{key} {keras[key]!r}" for key in CODE if keras.get(key)]
    if not allowed:
        raise OptionError(
            f"the run file names Python code ({', '.join(named)}), and naming code is running it with your rights; "
            "look at the file and at these modules, then add --allow-code to the command"
        )


def _build_model(keras: Mapping[str, Any]) -> Any:
    """Build the Keras model that the file names, and load its weights.

    Parameters
    ----------
    keras : mapping
        model_class is a dotted module, class or function; loader_method its function, if it is a module or class;
        model_inputs the positional arguments; weight_path a file of weights.

    Returns
    -------
    Keras model

    Raises
    ------
    OptionError
        If a name does not exist, or the user's code fails.
    """
    builder = _find(keras, "model_class")
    method = keras.get("loader_method")
    if method:
        builder = _method(builder, str(keras["model_class"]), method)
    model = _call("loader_method" if method else "model_class", builder, _arguments(keras, "model_inputs"))
    if isinstance(model, Mapping) and "model" in model:
        model = model["model"]
    if not hasattr(model, "load_weights"):
        raise OptionError(f"model_class: the code returned a {type(model).__name__}, not a Keras model")
    path = keras.get("weight_path")
    if path is not None:
        _load_weights(model, path)
    return model


def _load_weights(model: Any, path: Any) -> None:
    if not isinstance(path, str) or not (_exists(path) or _exists(f"{path}.index")):
        raise OptionError(f"weight_path: no such file: {path!r}")
    try:
        model.load_weights(path)
    except Exception as error:  # Keras raises errors of many kinds
        raise OptionError(f"weight_path: {path!r} does not fit the net: {_first_line(error)}") from error


def _exists(path: str) -> bool:
    try:
        return os.path.exists(path)
    except ValueError:  # a character that no path can have
        return False


def _prepare_images(keras: Mapping[str, Any], images: Sequence[str], folder: str) -> tuple[list[str], list[str]]:
    """Call `process` for each image, and write what it returns as .npy files, values as the net takes them.

    Parameters
    ----------
    keras : mapping
        process is a dotted function; process_inputs its positional arguments, the path of an image first.
    images : sequence of str
        Images in place of that path; empty for the path itself.
    folder : str
        Folder of the files; made if absent.

    Returns
    -------
    (list of str, list of str)
        Paths of the files, named after the images; and a sentence for each image that could not be prepared.

    Raises
    ------
    OptionError
        If the name does not exist, or no image can be prepared.
    """
    process = _find(keras, "process")
    given = _arguments(keras, "process_inputs")
    paths = [source.path for source in iter_images(list(images), "")] if images else [str(part) for part in given[:1]]
    if not paths:
        raise OptionError("process_inputs is empty; its first value is the path of the image")
    files: list[str] = []
    failed = []
    for number, path in enumerate(paths):
        try:
            pixels = _as_image(_call("process", process, [path, *given[1:]]), path)
        except OptionError as error:
            failed.append(f"{path!r}: {error}")
            continue
        parent = os.path.join(folder, str(number) if len(paths) > 1 else "")
        os.makedirs(parent, exist_ok=True)
        files.append(os.path.join(parent, f"{os.path.basename(path)}.npy"))
        np.save(files[-1], pixels)
    if not files:
        raise OptionError(failed[0])
    return files, failed


def _as_image(result: Any, path: str) -> np.ndarray:
    """Return what the user's function made of an image as float32 [H, W, C]."""
    if isinstance(result, (list, tuple)) and len(result) == 1:
        result = result[0]
    try:
        array = np.asarray(result, np.float32)
    except (ValueError, TypeError) as error:
        raise OptionError(f"process returned a {type(result).__name__} for {path!r}, not the pixels of it") from error
    array = array[0] if array.ndim == 4 and len(array) == 1 else array
    if array.ndim != 3 or 0 in array.shape:
        raise OptionError(f"process returned shape {list(np.shape(result))} for {path!r}; expected [1, H, W, channels]")
    return array


def _arguments(keras: Mapping[str, Any], key: str) -> list[Any]:
    value = keras.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise OptionError(f"{key} is {value!r}; give a list, the arguments in their order")
    return value


def _find(keras: Mapping[str, Any], key: str) -> Any:
    """Return what a dotted name names: the longest module in it, then attributes."""
    name = keras.get(key)
    parts = name.split(".") if isinstance(name, str) else []
    if not parts or not all(part.isidentifier() for part in parts):
        raise OptionError(f"{key} is {name!r}; write a dotted name, as in models.car_color")
    for count in range(len(parts), 0, -1):
        module = _import(key, ".".join(parts[:count]))
        if module is not None:
            return _attribute(module, parts[count:], key)
    raise OptionError(f"{key}: no module {parts[0]!r}; names are looked up from the current folder, {os.getcwd()!r}")


def _import(key: str, name: str) -> Any:
    """Import a module from the current folder or the installed packages; None if it does not exist."""
    with _current_folder():
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
                return None
            raise OptionError(f"{key}: {name} cannot be imported: {_first_line(error)}") from error
        except _RAISED as error:
            raise OptionError(f"{key}: {name} cannot be imported: {_first_line(error)}") from error


@contextmanager
def _current_folder() -> Iterator[None]:
    """Look up modules in the current folder first, like `python -m`."""
    folder = os.getcwd()
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        if folder in sys.path:  # the user's code may have changed the list
            sys.path.remove(folder)
    if os.getcwd() != folder:
        raise OptionError(
            f"the code of the run file changed the current folder to {os.getcwd()!r}, and the paths of this run are "
            "relative to the one before; take os.chdir out of it"
        )


def _attribute(found: Any, names: Sequence[str], key: str) -> Any:
    for name in names:
        try:
            found = getattr(found, name)
        except AttributeError as error:
            raise OptionError(f"{key}: {getattr(found, '__name__', found)} has no {name!r}") from error
        except _RAISED as error:
            raise OptionError(f"{key}: {name!r} cannot be read: {_first_line(error)}") from error
    return found


def _method(owner: Any, owner_name: str, name: Any) -> Callable[..., Any]:
    """Return a function of a module, or a method of a class; a plain method is taken from a new object."""
    if not isinstance(name, str) or not hasattr(owner, name):
        raise OptionError(f"loader_method: {owner_name} has no {name!r}")
    plain = inspect.isclass(owner) and inspect.isfunction(inspect.getattr_static(owner, name))
    found: Callable[..., Any] = getattr(_call("model_class", owner, []) if plain else owner, name)
    return found


def _call(key: str, function: Any, arguments: Sequence[Any]) -> Any:
    """Call the user's code. Raises OptionError with the reason; its cause keeps the traceback."""
    name = getattr(function, "__qualname__", None) or getattr(function, "__name__", repr(function))
    if not callable(function):
        raise OptionError(f"{key}: {name} is no function; name the function, or give loader_method")
    try:
        with _current_folder():
            return function(*arguments)
    except GradCamError:
        raise
    except _RAISED as error:
        raise OptionError(f"{key}: {name}(...) failed with {type(error).__name__}: {_first_line(error)}") from error


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
