"""Whether this process may still use the sessions that it knows. No TensorFlow here."""

from __future__ import annotations

import os
from typing import List

from gradcam_tf1.errors import RunError

# A forked process lacks the threads of TensorFlow: a session that was opened before the fork would hang in it.
_opened_in: List[int] = []  # id of the process that opened a session


def claim_process() -> None:
    """Record that this process opens a session. Raises RunError as `check_process` does."""
    check_process()
    _opened_in[:] = [os.getpid()]


def is_forked() -> bool:
    """Whether this process was forked from one that had opened a session."""
    return bool(_opened_in) and _opened_in != [os.getpid()]


def check_process() -> None:
    """Raise RunError in a process that was forked from one that had opened a session."""
    if is_forked():
        raise RunError(
            "this process was forked from one that had opened a net, and TensorFlow's threads do not survive a fork; "
            "open the net in a process that is started anew: use multiprocessing.get_context('spawn')"
        )
