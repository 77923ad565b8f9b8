"""Options that say on what, and with how much of it, the net computes."""

from __future__ import annotations

import re
from typing import Any, Callable

import click

from gradcam_tf1.cli.shared_options import with_options
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
        help="Where the net computes (default: a GPU); all: on every GPU, each its own batches.",
    ),
    click.option(
        "--intra-op", type=click.IntRange(min=1), metavar="N", help="Threads of one op (default: one per core)."
    ),
    click.option("--inter-op", type=click.IntRange(min=1), metavar="N", help="Ops at a time (default: one per core)."),
    click.option(
        "--gpu-memory-fraction",
        type=click.FloatRange(0, 1, min_open=True),
        metavar="SHARE",
        help="Most of a GPU's memory that is taken.",
    ),
    click.option("--allow-growth/--no-allow-growth", default=True, help="Take GPU memory as needed (default), or all."),
)
_TAKEN = ("device", "intra_op", "inter_op", "gpu_memory_fraction", "allow_growth")


def session_options(command: Callable) -> Callable:
    """What the session may use; `make_session` reads them."""
    return with_options(_OPTIONS)(command)


def make_session(options: dict[str, Any]) -> Callable[[], dict[str, Any]]:
    """What makes `config` and `devices` of a GradCamGraph of them, once TensorFlow is loaded.

    They are taken out of `options`.
    """
    given = {name: options.pop(name) for name in _TAKEN}
    return lambda: {"config": _config(**given), "devices": _gpus() if given["device"] == "all" else ()}


def _config(
    device: str | None,
    intra_op: int | None,
    inter_op: int | None,
    gpu_memory_fraction: float | None,
    allow_growth: bool,
) -> Any:
    """Raises: OptionError where a GPU was asked for that is not there."""
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
    """The number of the GPU."""
    number = device.partition(":")[2] or "0"
    if int(number) >= _count():
        raise _missing(device)
    return number


def _gpus() -> tuple[str, ...]:
    """TensorFlow's names of all GPUs."""
    if _count() == 0:
        raise _missing("all")
    return tuple(f"/gpu:{number}" for number in range(_count()))


def _count() -> int:
    return len(tf.config.experimental.list_physical_devices("GPU"))


def _missing(device: str) -> OptionError:
    return OptionError(f"--device {device}: TensorFlow {tf.__version__} sees {_count()} GPUs on this machine; try cpu")
