"""Copy the files of a checkpoint to a private folder and check them there; TensorFlow then opens the copy.

Given the original prefix, TensorFlow might open other files: it expands characters such as * in a name, and if a
folder has the name of the prefix, it reads the checkpoint that this folder names.
"""

from __future__ import annotations

import glob
import os
from contextlib import contextmanager
from typing import Iterator, List

from gradcam_tf1.errors import ModelFileError
from gradcam_tf1.graphdef.checkpoint_index import check_index, count_shards
from gradcam_tf1.graphdef.private_files import copy_file, private_folder
from gradcam_tf1.graphdef.single_file_checkpoint import check_single_file

_NAME = "variables"


@contextmanager
def private_checkpoint(prefix: str) -> Iterator[str]:
    """Copy and check a checkpoint; the copy exists inside the block.

    Parameters
    ----------
    prefix : str
        The common part of the file names.

    Yields
    ------
    str
        The prefix of the private copy.

    Raises
    ------
    ModelFileError
        If a file is missing, or damaged so that TensorFlow should not open it.
    """
    with private_folder() as folder:
        copy = os.path.join(folder, _NAME)
        copy_checkpoint(prefix, copy)
        yield copy


def copy_checkpoint(prefix: str, copy: str) -> None:
    """Copy the files of a checkpoint from one prefix to another and check the copy.

    Parameters
    ----------
    prefix, copy : str
        The common part of the file names, of the original and of the copy.

    Raises
    ------
    ModelFileError
        If a file is missing, or damaged so that TensorFlow should not open it.
    """
    try:
        if os.path.isfile(prefix) and not os.path.exists(prefix + ".index"):
            copy_file(prefix, copy)
            check_single_file(copy)
            return
        _copy_index_and_data(prefix, copy)
    except ModelFileError as error:
        raise ModelFileError(str(error).replace(copy, prefix)) from error


def _copy_index_and_data(prefix: str, copy: str) -> None:
    index = prefix + ".index"
    if not os.path.exists(index):
        raise ModelFileError(f"checkpoint {prefix} is incomplete: {index} is missing (found: {_beside(prefix)})")
    copy_file(index, copy + ".index")
    if os.path.getsize(copy + ".index") == 0:
        raise ModelFileError(f"{index} is empty (0 bytes); expected the index of a checkpoint")
    total = count_shards(copy + ".index")
    copied: List[str] = []
    for number in range(total):
        end = f".data-{number:05d}-of-{total:05d}"
        if not os.path.exists(prefix + end):
            raise ModelFileError(
                f"checkpoint {prefix} is incomplete: {prefix}{end} is missing (found: {_beside(prefix)})"
            )
        copy_file(prefix + end, copy + end)
        copied.append(copy + end)
    check_index(copy + ".index", copied)


def _beside(prefix: str) -> str:
    return ", ".join(sorted(os.path.basename(path) for path in glob.glob(glob.escape(prefix) + "*"))) or "nothing"
