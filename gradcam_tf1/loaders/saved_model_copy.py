"""Write the private copy of a SavedModel that TensorFlow loads: the checked graph alone, and copies of its files.

In the original folder, TensorFlow might load something else: it takes the first of several graphs with the same tags,
prefers saved_model.cpb to saved_model.pb to saved_model.pbtxt, and reads the files again.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from gradcam_tf1.errors import ModelFileError
from gradcam_tf1.graphdef.checkpoint_files import copy_checkpoint
from gradcam_tf1.graphdef.private_files import copy_file
from gradcam_tf1.tf_runtime import saved_model_message, tf

if TYPE_CHECKING:
    from gradcam_tf1.tf_runtime import SavedModel

_VARIABLES = "variables"
_ASSETS = "assets"


def write_copy(folder: str, meta: tf.MetaGraphDef, target: str, with_assets: bool) -> None:
    """Write a SavedModel with one graph, and the variables of the original.

    Parameters
    ----------
    folder : str
        The original SavedModel, with its variables and assets.
    meta : MetaGraphDef
        The graph to write.
    target : str
        The folder to write into.
    with_assets : bool
        Copy the files that its initialisers read, too.

    Raises
    ------
    ModelFileError
        If variables are damaged, or an asset lies outside the folder.
    """
    saved = saved_model_message()(saved_model_schema_version=1)
    saved.meta_graphs.add().CopyFrom(meta)
    saved.DiscardUnknownFields()
    with open(os.path.join(target, "saved_model.pb"), "xb") as file:
        file.write(_bytes(saved, folder))
    if os.path.isdir(os.path.join(folder, _VARIABLES)):
        os.mkdir(os.path.join(target, _VARIABLES))
        original, copy = (os.path.join(parent, _VARIABLES, "variables") for parent in (folder, target))
        copy_checkpoint(original, copy)
    for asset in saved.meta_graphs[0].asset_file_def if with_assets else ():
        _copy_asset(folder, asset.filename, target)


def _bytes(saved: SavedModel, folder: str) -> bytes:
    try:
        return bytes(saved.SerializeToString())
    except (ValueError, SystemError) as error:  # 2 GB or more
        raise ModelFileError(f"{folder}: its graph cannot be copied: {error}") from error


def _copy_asset(folder: str, name: str, target: str) -> None:
    parts = name.split("/")
    if os.path.isabs(name) or os.path.normpath(name) != name or parts[0] in ("", ".."):
        raise ModelFileError(f"{folder}: the asset {name!r} is not a file below its folder {_ASSETS}")
    os.makedirs(os.path.join(target, _ASSETS, *parts[:-1]), exist_ok=True)
    path = os.path.join(target, _ASSETS, name)
    if not os.path.exists(path):
        copy_file(os.path.join(folder, _ASSETS, name), path)
