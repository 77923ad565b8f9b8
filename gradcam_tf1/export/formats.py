"""The formats of an exported model: one function and one row each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Dict, Tuple

from gradcam_tf1.errors import OptionError
from gradcam_tf1.export.exported_graph import ExportedGraph
from gradcam_tf1.export.frozen_writer import write_frozen
from gradcam_tf1.export.onnx_writer import write_onnx
from gradcam_tf1.export.saved_model_writer import write_saved_model
from gradcam_tf1.export.tflite_writer import write_tflite


@dataclass(frozen=True)
class ExportFormat:
    """A format of exported models.

    Attributes
    ----------
    name : str
        As it is chosen.
    summary : str
        One line for people who choose.
    write : callable
        (exported graph, existing folder) -> names of the files that it wrote inside, and sentences for the user.
    """

    name: str
    summary: str
    write: Callable[[ExportedGraph, str], Tuple[Tuple[str, ...], Tuple[str, ...]]]


FORMATS: Dict[str, ExportFormat] = {
    row.name: row
    for row in (
        ExportFormat(
            "saved_model", "SavedModel: TensorFlow Serving, TensorFlow 1.15 and 2, C, Java, Go", write_saved_model
        ),
        ExportFormat("frozen", "one GraphDef file, with the tensor names in export.json", write_frozen),
        ExportFormat("onnx", "ONNX: onnxruntime and others; needs the extra onnx", write_onnx),
        ExportFormat("tflite", "TFLite: phones and other small machines", write_tflite),
    )
}


def format_of(name: str) -> ExportFormat:
    """Return the format of a name. Raises OptionError."""
    if name not in FORMATS:
        raise OptionError(f"unknown format {name!r}; possible: {', '.join(FORMATS)}")
    return FORMATS[name]
