"""Write the rows of a cluster as Parquet, and count them."""

from __future__ import annotations

from typing import Any, NamedTuple

from gradcam_tf1.errors import OptionError


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
    """
    from pyspark.sql.utils import AnalysisException

    try:
        explained.write.parquet(out_folder)
    except AnalysisException as error:
        reason = str(error).splitlines()[0]
        raise OptionError(f"{out_folder!r} cannot be written ({reason}); choose a new folder") from error
    rows = explained.sparkSession.read.parquet(out_folder)
    images, failed, count = rows.selectExpr("count(distinct path)", "count_if(status = 'error')", "count(*)").head()
    return RowCounts(images, failed, count - failed)
