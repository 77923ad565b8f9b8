"""The formats of an exported model: one function and one row each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Dict, Tuple

from gradcam_tf1.errors import OptionError
from gradcam_tf1.export.exported_graph import ExportedGraph
from gradcam_tf1.export.frozen_writer import frozen_files
from gradcam_tf1.export.onnx_writer import onnx_files
from gradcam_tf1.export.saved_model_writer import saved_model_files
from gradcam_tf1.export.tflite_writer import tflite_files


@dataclass(frozen=True)
class ExportFormat:
    """A format of exported models.

    Attributes
    ----------
    name : str
        As it is chosen.
    summary : str
        One line for people who choose.
    files : callable
        exported graph -> (path inside the output folder -> content, in the order in which they are written; sentences
        for the user).
    """

    name: str
    summary: str
    files: Callable[[ExportedGraph], Tuple[Dict[str, bytes], Tuple[str, ...]]]


FORMATS: Dict[str, ExportFormat] = {
    row.name: row
    for row in (
        ExportFormat(
            "saved_model", "SavedModel: TensorFlow Serving, TensorFlow 1.15 and 2, C, Java, Go", saved_model_files
        ),
        ExportFormat("frozen", "one GraphDef file, with the tensor names in export.json", frozen_files),
        ExportFormat("onnx", "ONNX: onnxruntime and others; needs the extra onnx", onnx_files),
        ExportFormat("tflite", "TFLite: phones and other small machines", tflite_files),
    )
}


def format_of(name: str) -> ExportFormat:
    """Return the format of a name. Raises OptionError."""
    if name not in FORMATS:
        raise OptionError(f"unknown format {name!r}; possible: {', '.join(FORMATS)}")
    return FORMATS[name]
