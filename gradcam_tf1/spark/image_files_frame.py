"""Read image files as a Spark DataFrame, from any file system that Spark knows."""

from __future__ import annotations

import os
import re
from typing import Any, List, Sequence, Union

from pyspark.errors import AnalysisException

from gradcam_tf1.errors import ImageFileError, OptionError
from gradcam_tf1.images.file_names import EXTENSIONS
from gradcam_tf1.images.safe_open import MAX_BYTES

# By default Spark counts 4 MB for opening a file, so that each image becomes a task, and hands 10,000 images to Python
# at a time.
SESSION_SETTINGS = {
    "spark.sql.files.openCostInBytes": str(16 << 10),
    "spark.sql.files.maxPartitionBytes": str(32 << 20),
    "spark.sql.execution.arrow.maxRecordsPerBatch": "16",
}
PathLike = Union[str, "os.PathLike[str]"]
_SPECIAL = r"[][{}*?\\]"  # of patterns
_COLON = "^file:.*:[^/]*$"  # Hadoop takes such a name for a URI


def prepare_session(spark: Any) -> None:
    """Set what reading many small files needs in a SparkSession: SESSION_SETTINGS, unless they are set already."""
    for name, value in SESSION_SETTINGS.items():
        if spark.sparkContext.getConf().get(name) is None:
            spark.conf.set(name, value)


def read_images(spark: Any, images: Union[PathLike, Sequence[PathLike]]) -> Any:
    """List image files, to be read by the executors.

    Folders are searched recursively for files with a known extension. Spark leaves out names that begin with "_"
    or ".". A file of more bytes than are read becomes a row without content.

    Parameters
    ----------
    spark : SparkSession
        Gets SESSION_SETTINGS.
    images : path or list of paths
        Folders, files or patterns: local paths that every executor has, or hdfs://, s3a://, gs://.

    Returns
    -------
    pyspark.sql.DataFrame
        Columns `path`, `content`, `length`.

    Raises
    ------
    OptionError
        If no path is given.
    ImageFileError
        If a path does not exist, there is no image, or a local name has a colon.
    """
    paths = _paths(images)
    prepare_session(spark)
    reader = spark.read.format("binaryFile").option("recursiveFileLookup", "true")
    try:
        files = reader.option("pathGlobFilter", _pattern()).load(paths)
    except AnalysisException as error:
        raise ImageFileError(f"Spark cannot list {paths}: {str(error).splitlines()[0]}") from error
    if not files.select("path").head(1):
        raise ImageFileError(f"no images in {paths}; names end in {', '.join(EXTENSIONS)}, in any case")
    colon = files.where(files["path"].rlike(_COLON)).select("path").head(1)
    if colon:
        raise ImageFileError(
            f"{colon[0]['path']!r} has a colon in its name, which Spark cannot open on a local disk; rename it"
        )
    if not files.where(files.length > MAX_BYTES).select("path").head(1):  # which reads no content
        return files.select("path", "content", "length")
    small = files.where(files.length <= MAX_BYTES).select("path", "content", "length")
    large = files.where(files.length > MAX_BYTES).selectExpr("path", "cast(null as binary) as content", "length")
    return small.union(large)


def _paths(images: Any) -> List[str]:
    """Return the paths as Spark understands them. Raises OptionError for what is no path."""
    try:
        paths = [os.fspath(path) for path in ([images] if isinstance(images, (str, os.PathLike)) else images)]
    except TypeError:
        paths = []
    if not paths or not all(isinstance(path, str) and path for path in paths):
        raise OptionError(f"images are given as a path or a list of paths, not {images!r}")
    return [_literal(path) for path in paths]


def _literal(path: str) -> str:
    """Return the path of a file or folder of this machine so that Spark sees no pattern and no scheme in its name."""
    if not os.path.exists(path):  # a pattern, or a path of another file system
        return path
    return re.sub(_SPECIAL, r"\\\g<0>", os.path.abspath(path) if ":" in path else path)


def _pattern() -> str:
    """Return the pattern of the names of images, in any case."""
    any_case = ("".join(f"[{c}{c.upper()}]" if c.isalpha() else c for c in extension) for extension in EXTENSIONS)
    return f"*.{{{','.join(any_case)}}}"
