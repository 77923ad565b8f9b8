"""The terminal: text that is safe to print, a quiet import of TensorFlow, and figures in the system's viewer."""

from __future__ import annotations

import logging
import os
import pathlib
import sys
import tempfile
import warnings

import click

from gradcam_tf1.run.printable import shown as shown
from gradcam_tf1.run.results import Results
from gradcam_tf1.tf_runtime import tf

MAX_SHOWN = 10  # figures that are opened


def say(text: str = "", err: bool = False) -> None:
    """Print one or more lines to stdout, or to stderr."""
    click.echo(shown(text, multiline=True), err=err)


def warn(text: str) -> None:
    """Print a warning to stderr."""
    click.echo(click.style("Warning: ", fg="yellow") + shown(text), err=True)


def hold_back_log() -> None:
    """Keep the toolkit's log off the terminal: the commands print what a user should know."""
    log = logging.getLogger("gradcam_tf1")
    if not log.handlers:
        log.addHandler(logging.NullHandler())


def load_tensorflow() -> None:
    """Import TensorFlow without its log output; log settings of the user are kept.

    Its libraries print some lines while they load, whatever the settings. These are shown only if the import fails.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    if not sys.warnoptions:
        warnings.filterwarnings("ignore", category=FutureWarning)
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        warnings.filterwarnings("ignore", category=UserWarning, module="tensorflow|tf_keras")
    with tempfile.TemporaryFile() as held:
        stderr = os.dup(2)
        os.dup2(held.fileno(), 2)
        try:
            tf.__version__  # noqa: B018 - the first attribute imports it
        except BaseException:
            held.seek(0)
            os.write(stderr, held.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


def say_page(path: str) -> None:
    """Print where a page is and how to open it."""
    say(f"report: {path}")
    say(f"open it in a browser: {pathlib.Path(os.path.abspath(path)).as_uri()}")


def show_figures(results: Results) -> None:
    """Open at most ten figures in the system's viewer; without a display, print where they are."""
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
