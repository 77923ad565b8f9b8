"""Work on a picture that may take so long and no longer, and that nobody waits for behind that. No TensorFlow here."""

from __future__ import annotations

import threading
from typing import Any, Callable, Dict, Optional, TypeVar

from gradcam_tf1.errors import ImageFileError
from gradcam_tf1.sources.turns import give_up, is_waiting

Answer = TypeVar("Answer")


def in_time(work: Callable[[], Answer], seconds: Optional[float], name: str) -> Answer:
    """work() of a picture of this name. None: without a limit.

    A decoder cannot be stopped from outside: one that takes longer goes on in a thread of its own, which ends with the
    program at the latest and gives up its turn. While a picture waits for its turn its time does not run out.
    Raises: ImageFileError where it takes longer; else what work raises.
    """
    if seconds is None:
        return work()
    done = threading.Event()
    outcome: Dict[str, Any] = {}

    def run() -> None:
        try:
            outcome["answer"] = work()
        except BaseException as error:  # noqa: BLE001 - it is raised where the work was asked for
            outcome["error"] = error
        done.set()

    thread = threading.Thread(target=run, name="picture", daemon=True)
    thread.start()
    while not done.wait(seconds):
        if not is_waiting(thread.ident or 0):
            give_up(thread.ident or 0)
            raise ImageFileError(f"{name!r} took more than {seconds:g} s to read, the time limit of this run")
    if "error" in outcome:
        raise outcome["error"]
    return outcome["answer"]
