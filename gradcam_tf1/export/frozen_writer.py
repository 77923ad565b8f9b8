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
    contents = {_FILE: exported.graph_def.SerializeToString()}
    if exported.labels:
        contents[LABELS] = labels_file(exported.labels)
    for name, data in contents.items():
        write_whole(os.path.join(folder, name), data, name)
    return tuple(contents), ()
