"""Opens figures where somebody can see them; never waits."""

from __future__ import annotations

import os
import sys

import click

from gradcam_tf1.cli.terminal import say, warn
from gradcam_tf1.results import Results

MAX_SHOWN = 10


def show_figures(results: Results) -> None:
    """Hand the figures to the system's viewer, at most ten; without a display, say where they are."""
    count, first = 0, []
    figures = (item for result in results for item in result.figures.items())
    for path in (path for name, path in figures if name != "original"):
        count += 1
        if count <= MAX_SHOWN:
            first.append(path)
    if not _has_display():
        say(f"no display to open figures on: {count} figures are in {results.out_folder}")
        return
    for path in first:
        if click.launch(path) != 0:
            warn(f"the system has no viewer that opens {path}")
            return
    if count > MAX_SHOWN:
        say(f"opened {MAX_SHOWN} of {count} figures; all are in {results.out_folder}")


def _has_display() -> bool:
    return sys.platform in ("win32", "darwin") or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
