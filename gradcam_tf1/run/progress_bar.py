"""Progress bars of tqdm, in terminals and notebooks."""

from __future__ import annotations

import sys
import threading
from typing import Any, Dict, Optional, Union

from gradcam_tf1.run.printable import shown
from gradcam_tf1.run.result import Result
from gradcam_tf1.types import MethodProgress

_NAME = 40  # letters of an image's name


class ProgressBar:
    """A progress bar for `RunOptions.progress` and `ExplainOptions.progress`, in a terminal or a notebook.

    It goes to stderr. Images of a run and runs of a method have a bar each; a bar closes when it is full, and the next
    call opens another one. Each thread has its own bar of methods.
    """

    def __init__(self) -> None:
        self._images: Any = None
        self._runs: Dict[int, Any] = {}

    def __call__(self, work: Union[Result, MethodProgress], total: Optional[int] = None) -> None:
        """Count an image of a run, or show how far a method has come.

        Parameters
        ----------
        work : Result or MethodProgress
            What was done.
        total : int or None
            The number of all images, if it is known.
        """
        if isinstance(work, MethodProgress):
            self._count_runs(work)
        else:
            self.count(work.relative, total)

    def count(self, name: str, total: Optional[int]) -> None:
        """Count an image of this name; `total` is the number of all images, None if it is unknown."""
        if self._images is None:
            self._images = _new_bar(total=total, unit="img")
        self._images.set_postfix_str(shown(name)[-_NAME:], refresh=False)
        self._images.update()
        if self._images.n == total:
            self._images.close()
            self._images = None

    @property
    def done(self) -> Dict[int, int]:
        """Finished runs of each open bar of a method, by thread."""
        return {thread: bar.n for thread, bar in self._runs.items()}

    def _count_runs(self, work: MethodProgress) -> None:
        thread = threading.get_ident()
        if not work.done:
            return
        if thread not in self._runs:
            self._runs[thread] = _new_bar(total=work.images * work.runs, desc=work.method, unit="run", leave=False)
        bar = self._runs[thread]
        bar.update(work.done - bar.n)
        if bar.n >= bar.total:
            self._runs.pop(thread).close()

    def close(self) -> None:
        """Close the bars that are not full, such as those of a run that was stopped."""
        if self._images is not None:
            self._images.close()
            self._images = None
        while self._runs:
            self._runs.popitem()[1].close()

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(self, *exc_info: Any) -> None:
        self.close()


def _new_bar(**options: Any) -> Any:
    from tqdm.auto import tqdm  # the bar of notebooks where this is one

    return tqdm(file=sys.stderr, **options)
