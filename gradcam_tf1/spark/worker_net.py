"""The net of one Python worker of an executor: opened once, kept across tasks, on what Spark gave the task."""

from __future__ import annotations

import logging
import os
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import cv2
from pyspark import TaskContext

from gradcam_tf1.engine.bound_net import BoundNet
from gradcam_tf1.engine.session_runner import session_config
from gradcam_tf1.errors import OptionError
from gradcam_tf1.tf_runtime import tf

_LOG = logging.getLogger(__name__)


def task_cores() -> int:
    """Return the number of cores of the task: spark.task.cpus."""
    context = TaskContext.get()
    return 1 if context is None else max(1, int(context.cpus()))


def task_gpus() -> Tuple[str, ...]:
    """Return the addresses of the GPUs of the task; () if it has none."""
    context = TaskContext.get()
    given = None if context is None else context.resources().get("gpu")
    return () if given is None else tuple(given.addresses)


class WorkerNet:
    """Keeps the net that this process opened last."""

    def __init__(self) -> None:
        self._key: Optional[str] = None
        self._net: Optional[BoundNet] = None
        self._gpus: Optional[Tuple[str, ...]] = None

    def get(self, key: str, make: Callable[[Dict[str, Any]], BoundNet], config: Any = None) -> BoundNet:
        """Return the net of this key; it is opened where the last one had another.

        Parameters
        ----------
        key : str
            Equal for tasks that may share a net.
        make : callable
            Opens the net, with the arguments `config` and `devices` of GradCamGraph.
        config : tf.ConfigProto or None
            Configuration of the sessions; what is set wins over Spark.

        Raises
        ------
        OptionError
            If the task has other GPUs than an earlier one of this process.
        """
        devices = self._see(task_gpus())
        if self._net is None or self._key != key:
            if self._net is not None:
                self._net.close()
                self._net = None
            cores = task_cores()
            cv2.setNumThreads(cores)
            self._net = make({"config": task_config(cores, bool(devices), config), "devices": devices})
            self._key = key
            _LOG.info("process %d opened the net, with %d cores and GPUs %s", os.getpid(), cores, self._gpus)
        return self._net

    def _see(self, gpus: Tuple[str, ...]) -> List[str]:
        """Let TensorFlow see the GPUs of the task only, and return their names for several.

        TensorFlow chooses its GPUs once per process.
        """
        if self._gpus is None:
            see_gpus(gpus, os.environ)
            self._gpus = gpus
        if self._gpus != gpus:
            raise OptionError(
                f"this Python worker has GPUs {', '.join(self._gpus) or 'none'}, and a task with {', '.join(gpus)} "
                "came to it; give each executor the GPUs of one task: spark.executor.resource.gpu.amount equal to "
                "spark.task.resource.gpu.amount"
            )
        return [f"/gpu:{number}" for number in range(len(gpus))] if len(gpus) > 1 else []


def see_gpus(addresses: Sequence[str], environment: Any) -> None:
    """Set the variables by which CUDA shows these GPUs only; none of them for a task without.

    Addresses are those of nvidia-smi, which counts in the order of the bus; CUDA's own order is another.
    """
    environment["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID"
    environment["CUDA_VISIBLE_DEVICES"] = ",".join(addresses) or "-1"


def task_config(cores: int, on_gpus: bool, config: Optional[tf.ConfigProto] = None) -> tf.ConfigProto:
    """Return a session configuration with as many threads as the task has cores, unless `config` sets them."""
    made: tf.ConfigProto = session_config(config)
    made.intra_op_parallelism_threads = made.intra_op_parallelism_threads or cores
    made.inter_op_parallelism_threads = made.inter_op_parallelism_threads or cores
    if not on_gpus:
        made.device_count["GPU"] = 0
    return made


KEPT = WorkerNet()
