"""Load ONNX models: onnx2tf converts them in a process of its own, and the result is treated as any frozen graph."""

from __future__ import annotations

import importlib.util
import logging
import os
from dataclasses import replace
from typing import Optional, Sequence, Tuple

from gradcam_tf1 import tf_runtime as runtime
from gradcam_tf1.errors import ModelFileError
from gradcam_tf1.graphdef.private_files import private_folder
from gradcam_tf1.loaders.converter_process import convert_apart
from gradcam_tf1.loaders.finish_loading import Declared, finish
from gradcam_tf1.loaders.frozen import read_graph
from gradcam_tf1.types import LoadedModel

_LOG = logging.getLogger(__name__)
Sides = Optional[Tuple[int, ...]]


def load_onnx_file(path: str, sides: Sides = None) -> LoadedModel:
    """Load a frozen graph from an ONNX file.

    Parameters
    ----------
    path : str
        The file.
    sides : tuple of int, optional
        Sides of its first input without the batch, for a file that leaves them open.

    Returns
    -------
    LoadedModel
        The frozen graph. Images lie with their channels last, whatever the file has.

    Raises
    ------
    ModelFileError
        If the file is refused or cannot be converted, or the graph computes something else than onnxruntime.
    """
    check_packages(path, ("onnx2tf", "onnxruntime"), "onnx")
    with private_folder() as folder:
        return converted(os.path.abspath(path), path, "ONNX", folder, sides)


def converted(file: str, source: str, kind: str, folder: str, sides: Sides) -> LoadedModel:
    """Convert an ONNX file in a private folder. The other parameters are those of `load_onnx_file` and `finish`."""
    _LOG.info("%s: onnx2tf converts it", source)
    request = {"path": file, "sides": sides}
    facts = convert_apart("gradcam_tf1.loaders.onnx_worker", request, folder, source)
    graph = read_graph(os.path.join(folder, "frozen.pb"))
    model = finish(graph, source, kind, declared=Declared(tuple(facts["inputs"]), tuple(facts["outputs"])))
    notes = [f"converted by onnx2tf; on a random batch it agrees with onnxruntime to {facts['difference']:.0e}"]
    if facts["alone"]:
        notes.append("onnx2tf converts this net only for one image at a time; a run takes longer")
    return replace(model, notes=(*notes, *model.notes))


def check_packages(path: str, packages: Sequence[str], extra: str) -> None:
    """Raise ModelFileError, with the way out, where the packages of an extra are missing."""
    absent = [name for name in packages if importlib.util.find_spec(name) is None]
    if not absent and runtime.IS_TF2:
        return
    missing = ", ".join(absent) or "TensorFlow 2"
    raise ModelFileError(
        f"{path}: {missing}: needed to convert it, and not here; make an environment with Python 3.10 to 3.12, "
        f"pip install '.[{extra}]' there, in the folder of the repository (it brings TensorFlow 2.19), convert the "
        "model with `gradcam-tf1 convert`, and give the frozen graph here"
    )
