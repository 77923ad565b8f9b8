"""A real cluster of Apache Spark on this machine: a master and workers, each a process of the pyspark package."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any, Callable, Dict, Iterator, List, Mapping

import psutil

SUPPORT = str(Path(__file__).resolve().parent)
_DEPLOY = "org.apache.spark.deploy"
_SECONDS = 180
_HERE = ("--host", "127.0.0.1", "--webui-port", "0")
# Short programs start sooner without the second compiler.
_QUICK = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")


def has_java() -> bool:
    return shutil.which(java()) is not None


def java() -> str:
    home = os.environ.get("JAVA_HOME")
    return os.path.join(home, "bin", "java") if home else "java"


def wait_for(found: Callable[[], Any], what: str, seconds: float = _SECONDS) -> Any:
    """The first true value of found(), asked for ten times a second."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = found()
        if value:
            return value
        time.sleep(0.1)
    raise TimeoutError(f"{what} did not come within {seconds:g} s")


class Cluster:
    """One master and some workers of one core each.

    Attributes
    ----------
    url : str
        Of the master.
    folder : Path
        Logs, and what the workers and executors keep.
    """

    def __init__(self, folder: Path, workers: int = 2, memory: str = "1g") -> None:
        self.folder = folder
        self._processes: List[psutil.Process] = []
        self._environment = environment(folder)
        master = self._start("master", f"{_DEPLOY}.master.Master", *_HERE, "--port", "0")
        self.url = wait_for(lambda: self._said(master, r"Starting Spark master at (spark://\S+)"), "the master")
        for n in range(workers):
            options = ["--cores", "1", "--memory", memory, "--work-dir", str(folder / f"worker{n}"), self.url]
            self._start(f"worker{n}", f"{_DEPLOY}.worker.Worker", *_HERE, *options)

    def _start(self, name: str, main: str, *arguments: str) -> str:
        command = [java(), "-Xmx256m", *_QUICK, "-cp", str(_home() / "jars" / "*"), main, *arguments]
        with open(self.folder / f"{name}.log", "wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, env=self._environment)
        self._processes.append(psutil.Process(process.pid))
        return name

    def _said(self, name: str, pattern: str) -> str:
        found = re.search(pattern, (self.folder / f"{name}.log").read_text(errors="replace"))
        return found.group(1) if found else ""

    def executors(self) -> List[psutil.Process]:
        """The processes that run tasks."""
        below = [child for process in self._processes for child in process.children()]
        return [child for child in below if "CoarseGrainedExecutorBackend" in " ".join(child.cmdline())]

    def stop(self) -> None:
        """End the processes and all that they started, also those whose parent was killed."""
        for process in self._processes:
            process.kill()
        while True:
            left = [process for process in psutil.process_iter() if self._is_ours(process)]
            if not left:
                return
            for process in left:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            psutil.wait_procs(left, timeout=5)

    def _is_ours(self, process: psutil.Process) -> bool:
        if process.pid == os.getpid() or process.status() == psutil.STATUS_ZOMBIE:
            return False
        with suppress(psutil.Error):
            return process.environ().get("SPARK_LOCAL_DIRS") == self._environment["SPARK_LOCAL_DIRS"]
        return False


def environment(folder: Path) -> Dict[str, str]:
    """The variables of the cluster's processes: one machine, one folder, this Python."""
    scala = re.search(r"spark-core_([\d.]+)-", " ".join(os.listdir(_home() / "jars")))
    return {
        **os.environ,
        "SPARK_HOME": str(_home()),
        "SPARK_SCALA_VERSION": scala.group(1),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_LOCAL_HOSTNAME": "127.0.0.1",
        "SPARK_LOCAL_DIRS": str(folder / "local"),
        "PYSPARK_PYTHON": sys.executable,
    }


def _home() -> Path:
    import pyspark

    return Path(pyspark.__file__).parent


@contextmanager
def spark_on(master: str, folder: Path, settings: Mapping[str, str] = MappingProxyType({})) -> Iterator[Any]:
    """A SparkSession that keeps its files in the folder."""
    from pyspark.sql import SparkSession

    plain = {
        "spark.ui.enabled": "false",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        "spark.executorEnv.PYTHONPATH": SUPPORT,
        "spark.executor.memory": "512m",
        "spark.sql.codegen.wholeStage": "false",
        "spark.executor.extraJavaOptions": " ".join(_QUICK),
        "spark.driver.extraJavaOptions": " ".join(_QUICK),
        **settings,
    }
    with ExitStack() as stack:
        stack.enter_context(_variables(environment(folder)))
        builder = SparkSession.builder.master(master).appName("tests")
        for name, value in plain.items():
            builder = builder.config(name, value)
        spark = builder.getOrCreate()
        stack.callback(_end_gateway, spark)
        spark.sparkContext.setLogLevel("ERROR")
        yield spark


def _end_gateway(spark: Any) -> None:
    """Stop the session and its Java process, which pyspark keeps for the next one."""
    from pyspark import SparkContext

    gateway = SparkContext._gateway
    spark.stop()
    if gateway is not None:
        gateway.shutdown()
        gateway.proc.stdin.close()
        gateway.proc.wait(30)
        SparkContext._gateway = SparkContext._jvm = None


@contextmanager
def _variables(values: Dict[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
