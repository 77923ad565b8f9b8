"""A SavedModel as TensorFlow is given it: the one graph that was checked, and copies of the files that it needs.

TensorFlow looks at a folder in its own way: it takes the first of several graphs with the same tags, saved_model.cpb
before saved_model.pb before saved_model.pbtxt, and what lies there at that moment. Here it finds what was read.
"""

from __future__ import annotations

import os
from typing import Any

from gradcam_tf1.errors import ModelFileError
from gradcam_tf1.graphdef.checkpoint_files import copy_checkpoint
from gradcam_tf1.graphdef.private_files import copy_file
from gradcam_tf1.tf_runtime import saved_model_message

_VARIABLES = "variables"
_ASSETS = "assets"


def write_copy(folder: str, meta: Any, target: str, with_assets: bool) -> None:
    """Write a SavedModel of this MetaGraphDef alone into the folder `target`, with the variables beside it in `folder`.

    with_assets: copy the files that its initialisers read, too. Raises: ModelFileError.
    """
    saved = saved_model_message()(saved_model_schema_version=1)
    saved.meta_graphs.add().CopyFrom(meta)
    saved.DiscardUnknownFields()
    with open(os.path.join(target, "saved_model.pb"), "xb") as file:
        file.write(_bytes(saved, folder))
    if os.path.isdir(os.path.join(folder, _VARIABLES)):
        os.mkdir(os.path.join(target, _VARIABLES))
        places = (os.path.join(place, _VARIABLES, "variables") for place in (folder, target))
        copy_checkpoint(*places)
    for asset in saved.meta_graphs[0].asset_file_def if with_assets else ():
        _copy_asset(folder, asset.filename, target)


def _bytes(saved: Any, folder: str) -> bytes:
    try:
        return bytes(saved.SerializeToString())
    except (ValueError, SystemError) as error:  # of 2 GB and more
        raise ModelFileError(f"{folder}: its graph cannot be written down again: {error}") from error


def _copy_asset(folder: str, name: str, target: str) -> None:
    parts = name.split("/")
    if os.path.isabs(name) or os.path.normpath(name) != name or parts[0] in ("", ".."):
        raise ModelFileError(f"{folder}: the asset {name!r} is not a file below its folder {_ASSETS}")
    os.makedirs(os.path.join(target, _ASSETS, *parts[:-1]), exist_ok=True)
    path = os.path.join(target, _ASSETS, name)
    if not os.path.exists(path):
        copy_file(os.path.join(folder, _ASSETS, name), path)
