"""Make one GraphDef file of an exported graph."""

from __future__ import annotations

from typing import Dict, Tuple

from gradcam_tf1.export.exported_graph import ExportedGraph
from gradcam_tf1.export.saved_model_writer import LABELS, label_lines

_FILE = "model.pb"


def frozen_files(exported: ExportedGraph) -> Tuple[Dict[str, bytes], Tuple[str, ...]]:
    """Return model.pb and the class names.

    Parameters
    ----------
    exported : ExportedGraph
        What is written.

    Returns
    -------
    tuple
        Path inside the folder -> content, in the order in which they are written; sentences for the user.
    """
    return with_labels(exported, _FILE, exported.graph_def.SerializeToString()), ()


def with_labels(exported: ExportedGraph, file: str, data: bytes) -> Dict[str, bytes]:
    """Return the content of a model that is one file, and of the class names beside it."""
    return {file: data, **({LABELS: label_lines(exported.labels)} if exported.labels else {})}
