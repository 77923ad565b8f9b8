"""Start or join a Spark session, with errors that say what is missing."""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import contextmanager
from typing import Any, Iterator, Mapping, Optional

from gradcam_tf1.errors import OptionError

_APP = "gradcam-tf1"


@contextmanager
def cluster_session(master: Optional[str], conf: Mapping[str, str]) -> Iterator[Any]:
    """Yield a SparkSession: the active one, as under spark-submit, or a new one that ends with the block.

    Executors run this Python, unless PYSPARK_PYTHON or the configuration names another.

    Parameters
    ----------
    master : str or None
        "local[4]", "spark://host:7077", "yarn", "k8s://..."; None for what Spark's own configuration says.
    conf : mapping
        Spark's properties.

    Raises
    ------
    OptionError
        If pyspark or Java is missing, or the session cannot be started.
    """
    try:
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise OptionError("a cluster needs pyspark: pip install 'gradcam_tf1[spark]'") from error
    active = SparkSession.getActiveSession()
    if active is None and "SPARK_CONNECT_MODE_ENABLED" not in os.environ:
        _check_java()
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.appName(_APP)
    builder = builder if master is None else builder.master(master)
    for name, value in conf.items():
        builder = builder.config(name, value)
    try:
        spark = builder.getOrCreate()
    except Exception as error:  # of Java, or of py4j
        raise OptionError(f"the Spark session did not start: {_first_line(error)}") from error
    try:
        yield spark
    finally:
        if active is None:
            spark.stop()


def _check_java() -> None:
    home = os.environ.get("JAVA_HOME")
    if shutil.which(os.path.join(home, "bin", "java") if home else "java") is None:
        where = f"JAVA_HOME is {home!r}, where there is none" if home else "there is none on the PATH"
        raise OptionError(f"Spark needs Java (17 works for every version), and {where}; install it or set JAVA_HOME")


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
