"""TensorFlow does not survive a fork: its threads stay behind, and whoever waits for them waits for ever.

That holds for a net that the child opens itself, too: what computes belongs to the process, not to the session.
"""

from __future__ import annotations

import os
from typing import List

from gradcam_tf1.errors import RunError

_home: List[int] = []  # the process whose sessions were opened first


def claim_process() -> None:
    """Take down that sessions are opened here. Raises: RunError as `check_process`."""
    check_process()
    _home[:] = [os.getpid()]


def is_forked() -> bool:
    """Whether this process was forked from one that had opened a net."""
    return bool(_home) and _home != [os.getpid()]


def check_process() -> None:
    """Raises: RunError in a process that was forked from one that had opened a net."""
    if is_forked():
        raise RunError(
            "this process was forked from one that had opened a net, and TensorFlow's threads are not in it: it must "
            "open its own net, in a process that is started afresh; use multiprocessing.get_context('spawn')"
        )
