"""The terminal: safe text, progress bars only where somebody watches, and figures opened where they can be seen."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import threading
import warnings
from typing import Any, Callable

import click

from gradcam_tf1.run.result import Result
from gradcam_tf1.run.results import Results
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import MethodProgress


def shown(text: Any, multiline: bool = False) -> str:
    """Text from files and models, with control characters and what the terminal cannot show escaped."""
    kept = "\n" if multiline else ""
    safe = "".join(char if char.isprintable() or char in kept else _escaped(char) for char in str(text))
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return safe.encode(encoding, "backslashreplace").decode(encoding)


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")


def say(text: str = "", err: bool = False) -> None:
    """One line (or several) on stdout, or on stderr."""
    click.echo(shown(text, multiline=True), err=err)


def warn(text: str) -> None:
    """A warning, on stderr."""
    click.echo(click.style("Warning: ", fg="yellow") + shown(text), err=True)


def load_tensorflow() -> None:
    """Import TensorFlow without its chatter; what the user has set for its log stays.

    Some of it is printed by its libraries while they load, whatever the settings say; that is held back, and shown
    only where the import fails.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    if not sys.warnoptions:
        warnings.filterwarnings("ignore", category=FutureWarning)
        warnings.filterwarnings("ignore", category=DeprecationWarning)
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


class Progress:
    """A bar on stderr, where stderr is a terminal; called with each result and the number of all images."""

    def __init__(self, quiet: bool) -> None:
        self._wanted = not quiet and sys.stderr.isatty()
        self._bar: Any = None

    def __call__(self, result: Result, total: int | None) -> None:
        """Count one image."""
        if not self._wanted:
            return
        if self._bar is None:
            from tqdm import tqdm

            self._bar = tqdm(total=total, unit="img", file=sys.stderr)
        self._bar.set_postfix_str(shown(result.relative)[-40:], refresh=False)
        self._bar.update()

    def __enter__(self) -> Callable[[Result, int | None], None]:
        return self

    def __exit__(self, *exc_info: Any) -> None:
        if self._bar is not None:
            self._bar.close()


class Steps:
    """What methods that run the net many times will cost, said once for each, and a bar where stderr is a terminal.

    Each device has a thread, and each thread that calls has its own bar.
    """

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet
        self._told: set[tuple[str, str]] = set()
        self._bars: dict[int, Any] = {}

    def __call__(self, work: MethodProgress) -> None:
        """Tell the cost, or count what was done since."""
        if self._quiet:
            return
        if (work.method, work.layer) not in self._told:
            self._told.add((work.method, work.layer))
            place = f" at {work.layer}" if work.layer else ""
            say(f"{work.method}{place}: {work.runs} {work.unit} for each image")
        if work.done and sys.stderr.isatty():
            self._show(work)

    def _show(self, work: MethodProgress) -> None:
        thread = threading.get_ident()
        if thread not in self._bars:
            from tqdm import tqdm

            total = work.images * work.runs
            self._bars[thread] = tqdm(total=total, desc=work.method, unit="run", file=sys.stderr, leave=False)
        bar = self._bars[thread]
        bar.update(work.done - bar.n)
        if bar.n >= bar.total:
            self._bars.pop(thread).close()

    def __enter__(self) -> Callable[[MethodProgress], None]:
        return self

    def __exit__(self, *exc_info: Any) -> None:
        while self._bars:
            self._bars.popitem()[1].close()


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
