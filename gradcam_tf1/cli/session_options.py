"""Command-line options that choose the devices, threads and memory of the sessions."""

from __future__ import annotations

import re
from typing import Any, Callable

import click

from gradcam_tf1.cli.shared_options import Command, with_options
from gradcam_tf1.engine.session_runner import session_config
from gradcam_tf1.errors import OptionError
from gradcam_tf1.tf_runtime import tf


def _device(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    if value is not None and re.fullmatch(r"all|cpu|gpu(:\d{1,3})?", value.lower()) is None:
        raise click.BadParameter(f"{value!r} is not a device; possible: all, cpu, gpu, gpu:0, gpu:1, ...")
    return None if value is None else value.lower()


_OPTIONS = (
    click.option(
        "--device",
        metavar="cpu|gpu[:N]|all",
        callback=_device,
        help="Device that runs the net (default: a GPU, if there is one); all: spread the batches over all GPUs.",
    ),
    click.option(
        "--intra-op",
        type=click.IntRange(min=1),
        metavar="N",
        help="Threads that one TensorFlow op may use (default: one per core).",
    ),
    click.option(
        "--inter-op",
        type=click.IntRange(min=1),
        metavar="N",
        help="TensorFlow ops that may run at the same time (default: one per core).",
    ),
    click.option(
        "--gpu-memory-fraction",
        type=click.FloatRange(0, 1, min_open=True),
        metavar="SHARE",
        help="Largest share of the GPU memory to use.",
    ),
    click.option(
        "--allow-growth/--no-allow-growth",
        default=True,
        help="Reserve GPU memory as needed (default), or all of it at the start.",
    ),
)
_NAMES = ("device", "intra_op", "inter_op", "gpu_memory_fraction", "allow_growth")


def session_options(command: Command) -> Command:
    """Add the options of sessions; `make_session` reads them."""
    return with_options(_OPTIONS)(command)


def make_session(options: dict[str, Any]) -> Callable[[], dict[str, Any]]:
    """Take the options of sessions out of `options`.

    Returns
    -------
    callable
        Returns the arguments `config` and `devices` of a GradCamGraph. Call it after TensorFlow is loaded. It raises
        OptionError if a GPU is missing.
    """
    values = {name: options.pop(name) for name in _NAMES}
    return lambda: {"config": _config(**values), "devices": _gpus() if values["device"] == "all" else ()}


def _config(
    device: str | None,
    intra_op: int | None,
    inter_op: int | None,
    gpu_memory_fraction: float | None,
    allow_growth: bool,
) -> tf.ConfigProto:
    """Return the session's configuration. Raises OptionError if the requested GPU is missing."""
    config = session_config()
    config.intra_op_parallelism_threads = intra_op or 0
    config.inter_op_parallelism_threads = inter_op or 0
    config.gpu_options.allow_growth = allow_growth
    if gpu_memory_fraction is not None:
        config.gpu_options.per_process_gpu_memory_fraction = gpu_memory_fraction
    if device == "cpu":
        config.device_count["GPU"] = 0
    elif device is not None and device != "all":
        config.gpu_options.visible_device_list = _gpu(device)
    return config


def _gpu(device: str) -> str:
    """Return the number of the GPU."""
    number = device.partition(":")[2] or "0"
    if int(number) >= _count():
        raise _missing(device)
    return number


def _gpus() -> tuple[str, ...]:
    """Return TensorFlow's names of all GPUs."""
    if _count() == 0:
        raise _missing("all")
    return tuple(f"/gpu:{number}" for number in range(_count()))


def _count() -> int:
    return len(tf.config.experimental.list_physical_devices("GPU"))


def _missing(device: str) -> OptionError:
    return OptionError(f"--device {device}: TensorFlow {tf.__version__} sees {_count()} GPUs on this machine; try cpu")
