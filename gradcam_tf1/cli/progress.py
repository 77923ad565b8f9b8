"""Reports while a run goes on: progress bars, counts of images, and the reaction to Ctrl-C and SIGTERM."""

from __future__ import annotations

import signal
import sys
import threading
from types import FrameType
from typing import Any, Callable, Container, Sequence

from gradcam_tf1.cli.terminal import say, shown, warn
from gradcam_tf1.run.listing import counted
from gradcam_tf1.run.progress_bar import ProgressBar
from gradcam_tf1.run.result import Result
from gradcam_tf1.run.results import Results
from gradcam_tf1.types import MethodProgress

MAX_REASONS = 100  # reasons of failed images that are printed
STOPPED = 130  # exit code of an interrupted program
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Progress:
    """A bar of images on stderr, if stderr is a terminal; call it with each result and the number of all images.

    `show` takes the name of an image in place of its result.
    """

    def __init__(self, quiet: bool) -> None:
        self._visible = not quiet and sys.stderr.isatty()
        self._bar = ProgressBar()

    def __call__(self, result: Result, total: int | None) -> None:
        """Count one image."""
        self.show(result.relative, total)

    def show(self, name: str, total: int | None) -> None:
        """Count one image of this name."""
        if self._visible:
            self._bar.count(name, total)

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *exc_info: Any) -> None:
        self._bar.close()


class MethodBars:
    """The cost of each method that runs the net many times, printed once, and its bar if stderr is a terminal."""

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet
        self._announced: set[tuple[str, str]] = set()
        self.bar = ProgressBar()

    def __call__(self, work: MethodProgress) -> None:
        """Print the cost at the first call, and move the bar."""
        if self._quiet:
            return
        if (work.method, work.layer) not in self._announced:
            self._announced.add((work.method, work.layer))
            layer = f" at {work.layer}" if work.layer else ""
            say(f"{work.method}{layer}: {work.runs} {work.unit} for each image")
        if sys.stderr.isatty():
            self.bar(work)

    def __enter__(self) -> MethodBars:
        return self

    def __exit__(self, *exc_info: Any) -> None:
        self.bar.close()


class Tally:
    """Counts images and empty maps, and keeps the first reasons of failed images.

    Parameters
    ----------
    progress : callable
        Gets each result and the number of all images after they are counted.
    failed : sequence of str
        Reasons of images that failed before the run.
    """

    def __init__(self, progress: Callable[[Result, int | None], None], failed: Sequence[str] = ()) -> None:
        self.explained = self.empty = 0
        self.failed = len(failed)
        self._reasons = [*failed[:MAX_REASONS]]
        self._progress = progress

    def __call__(self, result: Result, total: int | None) -> None:
        """Count one image."""
        if result.ok:
            self.explained += 1
        else:
            self.failed += 1
            if len(self._reasons) < MAX_REASONS:
                self._reasons.append(result.error)
        self.empty += sum(record.status == "empty" for record in result.maps)
        self._progress(result, total)

    def report(self, results: Results, printed: Container[str], quiet: bool) -> None:
        """Print the summary of the run, without the warnings that were printed before; if quiet, only failures."""
        for warning in () if quiet else results.warnings:
            if warning not in printed:
                warn(warning)
        for name, reason in results.left_out.items() if quiet else ():
            say(f"{name} was left out: {shown(reason)}", err=True)
        for reason in self._reasons:
            say(f"failed: {shown(reason)}", err=True)
        if self.failed > len(self._reasons):
            say(f"failed: and {self.failed - len(self._reasons)} more, see {results.manifest}", err=True)
        if quiet:
            return
        notes = [f"{counted(self.explained)} explained", f"{self.failed} failed"]
        notes += (
            [f"{self.empty} empty map{'' if self.empty == 1 else 's'} (manifest.jsonl says why)"] if self.empty else []
        )
        say(f"{', '.join(notes)}; results in {results.out_folder}")


class Stopper:
    """Handles Ctrl-C and SIGTERM: the first one stops the run after its batch or step, the second one at once."""

    def __init__(self, part: str = "batch") -> None:
        self._part = part
        self._stopping = False
        self._handlers: dict[int, Any] = {}

    def __call__(self) -> bool:
        """Return whether the run should stop."""
        return self._stopping

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True
        self._restore()
        say(f"stopping after this {self._part}; again to stop at once", err=True)

    def _restore(self) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers = {}

    def __enter__(self) -> Stopper:
        if threading.current_thread() is threading.main_thread():  # other threads may not set handlers
            heard = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]  # nohup, &
            self._handlers = {number: signal.signal(number, self._stop) for number in heard}
        return self

    def __exit__(self, *exc_info: Any) -> None:
        self._restore()


class Stopped(KeyboardInterrupt):
    """The first Ctrl-C or SIGTERM, raised between two steps: nothing is written yet. A second one may come later."""


def steps_of(progress: Progress, stop: Stopper) -> Callable[[str, int | None], None]:
    """Return what counts a step of this name, and raises Stopped if the user wants to stop."""

    def show(name: str, total: int | None) -> None:
        progress.show(name, total)
        if stop():
            raise Stopped

    return show
