"""Write an exported graph as one GraphDef file."""

from __future__ import annotations

import os
from typing import Tuple

from gradcam_tf1.atomic_files import write_whole
from gradcam_tf1.export.exported_graph import ExportedGraph
from gradcam_tf1.export.saved_model_writer import LABELS, labels_file

_FILE = "model.pb"


def write_frozen(exported: ExportedGraph, folder: str) -> Tuple[Tuple[str, ...], Tuple[str, ...]]:
    """Write model.pb and the class names.

    Parameters
    ----------
    exported : ExportedGraph
        What is written.
    folder : str
        Where; it exists.

    Returns
    -------
    tuple
        Names of the files inside the folder; sentences for the user.

    Raises
    ------
    OSError
        If a file cannot be written.
    """
    return write_with_labels(exported, folder, _FILE, exported.graph_def.SerializeToString()), ()


def write_with_labels(exported: ExportedGraph, folder: str, file: str, data: bytes) -> Tuple[str, ...]:
    """Write a model as one file, and the class names beside it; return the names of the files."""
    contents = {file: data}
    if exported.labels:
        contents[LABELS] = labels_file(exported.labels)
    for name, content in contents.items():
        write_whole(os.path.join(folder, name), content, name)
    return tuple(contents)
