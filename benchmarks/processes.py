"""Rows whose alternatives are processes of their own: memory and start-up."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Iterator

from timing import MEGABYTES, OPS, Absent, Case, Difference, Ratio, Unit

from gradcam_tf1.nets.demo import demo_model, demo_scenes
from gradcam_tf1.tf_runtime import tf

SOON, LATE = "200", "2000"  # images


def alone(*task: str) -> Any:
    """The answer of a task of `alone.py`. Raises: RuntimeError with what a process that failed has said."""
    script = str(Path(__file__).with_name("alone.py"))
    command = [sys.executable, script, *task]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}:\n{done.stderr}")
    return json.loads(done.stdout)


@lru_cache(maxsize=None)
def _long_run() -> Any:
    needs_proc()
    return alone("long_run", SOON, LATE)


def needs_proc() -> None:
    """Raises: Absent where memory cannot be read."""
    if not os.path.exists("/proc/self/status"):
        raise Absent("memory is read from /proc/self/status, which only Linux has")


def _of_long_run(what: str, most: float, unit: Unit) -> Case:
    found = _long_run()[what]
    soon, late = f"after {SOON} images", f"after {LATE} images"
    alternatives = {soon: lambda: found[SOON], late: lambda: found[LATE]}
    return Case(alternatives, [Difference(late, soon, most)], unit, rounds=1)


@contextmanager
def demo_memory() -> Iterator[Case]:
    """The demo net, one long folder in a process of its own: resident memory."""
    yield _of_long_run("bytes", 20, MEGABYTES)


@contextmanager
def demo_ops() -> Iterator[Case]:
    """The same run: the number of ops in the graph."""
    yield _of_long_run("ops", 0, OPS)


@contextmanager
def vgg19_memory() -> Iterator[Case]:
    """VGG-19 from a frozen file: the most memory that loading, Grad-CAM and Guided Grad-CAM of 8 images ever take."""
    needs_proc()
    with TemporaryDirectory() as folder:
        path = os.path.join(folder, "vgg19.pb")
        alternatives = {"weights": lambda: alone("write_vgg19", path), "peak": lambda: alone("vgg19_peak", path)}
        limit = 2.5 if tf.__version__.startswith("1.") else 3.2
        yield Case(alternatives, [Ratio("peak", "weights", limit)], MEGABYTES, rounds=1)


@contextmanager
def start_up() -> Iterator[Case]:
    """A process that prints the first map of the demo net, against one that imports TensorFlow and cv2 and runs it."""
    about = (demo_model(), demo_scenes()[0].path)
    alternatives = {"run bare": lambda: alone("bare_run", *about), "first map": lambda: alone("first_map", *about)}
    yield Case(alternatives, [Ratio("first map", "run bare", 1.3)])
