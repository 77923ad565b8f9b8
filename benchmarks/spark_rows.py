"""The row of a cluster: a master and two workers of one core each on this machine, against `visualize_imgs`."""

from __future__ import annotations

import itertools
import os
import sys
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Iterator, Set

from material import mobilenet_path, photographs
from timing import Absent, Case, Ratio

from gradcam_tf1 import GradCamGraph, RunOptions, Style
from gradcam_tf1.tf_runtime import tf

sys.path.append(str(Path(__file__).resolve().parent.parent / "tests/support"))

PHOTOGRAPHS = 400


@contextmanager
def spark_folder() -> Iterator[Case]:
    """MobileNet 0.25, 400 photographs: a warm cluster with one and two workers of one core, and a run on one core."""
    from spark_cluster import Cluster, has_java, spark_on

    if not has_java() or find_spec("pyspark") is None:
        raise Absent("no Java or no pyspark here")
    mobilenet_path()  # absent before a cluster starts
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "photographs").mkdir()
        paths = photographs(PHOTOGRAPHS, folder / "photographs")
        cluster = Cluster(folder)
        try:
            settings = {"spark.sql.files.maxPartitionBytes": str(sum(map(os.path.getsize, paths)) // 6)}
            with spark_on(cluster.url, folder, settings) as spark:
                yield _case(spark, folder)
        finally:
            cluster.stop()


def _case(spark: Any, folder: Path) -> Case:
    from gradcam_tf1.spark.explain_dataframe import explain_images
    from gradcam_tf1.spark.image_files_frame import read_images

    model, places = mobilenet_path(), (str(folder / f"out{number}") for number in itertools.count())
    images = read_images(spark, str(folder / "photographs"))
    asked = {"methods": "gradcam", "preset": "inception"}
    one = explain_images(images.coalesce(1), model, **asked)
    two = explain_images(images, model, **asked)
    config = tf.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)
    net = GradCamGraph(model, preset="inception", config=config)

    def alone() -> None:
        cores = os.sched_getaffinity(0)
        _run_on({min(cores)})
        try:
            run = RunOptions(threads=1)
            photos, style = str(folder / "photographs"), Style(raw=True)
            net.visualize_imgs(photos, next(places), None, "gradcam", style=style, run=run)
        finally:
            _run_on(cores)

    alternatives = {
        "run, one core": alone,
        "one worker": lambda: one.write.parquet(next(places)),
        "two workers": lambda: two.write.parquet(next(places)),
    }
    targets = [Ratio("one worker", "run, one core", 1.25), Ratio("two workers", "one worker", 0.6)]
    return Case(alternatives, targets, rounds=3)


def _run_on(cores: Set[int]) -> None:
    """Keep all threads of this process on some cores."""
    for thread in os.listdir("/proc/self/task"):
        with suppress(ProcessLookupError):  # it has ended meanwhile
            os.sched_setaffinity(int(thread), cores)
