"""Explain more images than one machine can, on a cluster of Apache Spark.

In: a DataFrame of paths and file contents, a model, and what `visualize_imgs` takes.
Out: a DataFrame with a row for each map, with the numbers, the drawn images and the raw map; Parquet files.
Never: a job that fails because of an image, a second session in a Python worker, a path that an executor opens.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from gradcam_tf1.errors import OptionError

if TYPE_CHECKING:
    from gradcam_tf1.spark.explain_dataframe import explain_images as explain_images
    from gradcam_tf1.spark.image_files_frame import prepare_session as prepare_session
    from gradcam_tf1.spark.image_files_frame import read_images as read_images
    from gradcam_tf1.spark.run_folder import write_run_folder as write_run_folder
    from gradcam_tf1.spark.written_rows import write_rows as write_rows

_MODULES = {
    "explain_images": "explain_dataframe",
    "prepare_session": "image_files_frame",
    "read_images": "image_files_frame",
    "write_rows": "written_rows",
    "write_run_folder": "run_folder",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    except ImportError as error:
        if (error.name or "").split(".")[0] != "pyspark":
            raise
        raise OptionError("a cluster needs pyspark: pip install 'gradcam_tf1[spark]'") from error
