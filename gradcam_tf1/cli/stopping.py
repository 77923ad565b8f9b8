"""Ctrl-C and SIGTERM: the run finishes its batch, and the folder can be resumed."""

from __future__ import annotations

import signal
import threading
from typing import Any

from gradcam_tf1.cli.terminal import say

STOPPED = 130  # exit code of a program that was interrupted
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopper:
    """Inside, the first signal only asks the run to stop; the second one ends it at once. Called, says whether to."""

    def __init__(self) -> None:
        self._asked = False
        self._before: dict[int, Any] = {}

    def __call__(self) -> bool:
        """Whether the run is to stop."""
        return self._asked

    def _ask(self, _number: int, _frame: Any) -> None:
        self._asked = True
        self._restore()
        say("stopping after this batch; again to stop at once", err=True)

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def __enter__(self) -> Stopper:
        if threading.current_thread() is threading.main_thread():  # no other may set handlers
            heard = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]  # nohup, &
            self._before = {number: signal.signal(number, self._ask) for number in heard}
        return self

    def __exit__(self, *exc_info: Any) -> None:
        self._restore()
