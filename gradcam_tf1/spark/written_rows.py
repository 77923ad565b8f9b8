"""Write the rows of a cluster as Parquet, and count them."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any, NamedTuple

from py4j.protocol import Py4JJavaError
from pyspark.errors import AnalysisException, PySparkException

from gradcam_tf1.errors import OptionError, RunError

_REASON = re.compile(r"(?m)^(?:Caused by: )?[\w.]+(?:Error|Exception): (.+)$")


class RowCounts(NamedTuple):
    """What was written.

    Attributes
    ----------
    images, failed, maps : int
        All images, those that could not be explained, and the maps.
    """

    images: int
    failed: int
    maps: int


def write_rows(explained: Any, out_folder: str) -> RowCounts:
    """Write the DataFrame of `explain_images` to a new folder, by Spark's commit protocol: all of it or nothing.

    Parameters
    ----------
    explained : pyspark.sql.DataFrame
        The rows.
    out_folder : str
        Any place that Spark can write to.

    Raises
    ------
    OptionError
        If the folder exists.
    RunError
        If the job fails; what its tasks have written is removed.
    """
    try:
        explained.write.parquet(out_folder)
    except AnalysisException as error:
        reason = str(error).splitlines()[0].split(". Set mode")[0]  # which belongs to Spark's own interface
        raise OptionError(f"{out_folder!r} cannot be written ({reason}); choose a new folder") from error
    except (PySparkException, Py4JJavaError) as error:
        _remove_empty(explained.sparkSession, out_folder)
        raise RunError(f"the job failed, and wrote nothing: {_reason(str(error))}") from error
    rows = explained.sparkSession.read.parquet(out_folder)
    images, failed, count = rows.selectExpr("count(distinct path)", "count_if(status = 'error')", "count(*)").head()
    return RowCounts(images, failed, count - failed)


def _remove_empty(spark: Any, folder: str) -> None:
    """Remove the folder that Spark leaves behind when a job fails, so that the next try may have its name."""
    with suppress(Py4JJavaError):  # not empty, or no right to
        path = spark._jvm.org.apache.hadoop.fs.Path(folder)
        path.getFileSystem(spark.sparkContext._jsc.hadoopConfiguration()).delete(path, False)


def _reason(text: str) -> str:
    """Return the innermost reason in a trace of Java and Python."""
    reasons = _REASON.findall(text)
    return reasons[-1] if reasons else text.strip().splitlines()[0]
