"""Work in threads, with results in order, bounded memory and a time limit per image. No TensorFlow here."""

from __future__ import annotations

import os
import threading
from collections import deque
from concurrent.futures import Executor, Future
from typing import Any, Callable, Deque, Dict, Generator, Iterable, Optional, Tuple, TypeVar

from gradcam_tf1.errors import ImageFileError, OptionError
from gradcam_tf1.images.memory_turns import give_up, is_waiting

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")

MAX_THREADS = 8


def check_threads(threads: int | None) -> int:
    """Return the number of threads; for None one per core that the process may use, at most 8.

    Raises
    ------
    OptionError
        If the number is below 1.
    """
    if threads is None:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return min(cores, MAX_THREADS)
    if threads < 1:
        raise OptionError(f"threads is the number of threads that read and write images, at least 1, not {threads}")
    return threads


def in_order(
    work: Callable[[Item], Outcome],
    items: Iterable[Item],
    pool: Executor,
    ahead: int,
    weight: Callable[[Item], int],
    limit: int,
) -> Generator[Outcome, None, None]:
    """Yield work(item) of each item, computed by a pool, in the order of the items. Errors are raised in order too.

    The caller's thread takes the items, and the pool continues while the caller does something else.

    Parameters
    ----------
    work : callable
        Called by the pool.
    items : iterable
        Items, taken one at a time.
    pool : Executor
        The threads.
    ahead : int
        Maximum number of items in work.
    weight : callable
        Returns the weight of an item.
    limit : int
        No further item is taken while those in work weigh this much.
    """
    waiting: Deque[Tuple[Item, Future[Outcome]]] = deque()
    try:
        for item in items:
            waiting.append((item, pool.submit(work, item)))
            while len(waiting) >= ahead or (waiting and sum(weight(taken) for taken, _ in waiting) >= limit):
                yield waiting.popleft()[1].result()
        while waiting:
            yield waiting.popleft()[1].result()
    finally:
        for _, future in waiting:
            future.cancel()


def in_time(work: Callable[[], Outcome], seconds: Optional[float], name: str) -> Outcome:
    """Return work() of an image, with a time limit.

    A decoder cannot be stopped from outside: a slow one continues in its own thread until it or the program ends, and
    gives up its turn. Waiting for a turn does not count.

    Parameters
    ----------
    work : callable
        Reads the image.
    seconds : float or None
        The limit; None for no limit.
    name : str
        Name of the image, for the message.

    Raises
    ------
    ImageFileError
        If the limit is exceeded. Errors of `work` are raised as well.
    """
    if seconds is None:
        return work()
    done = threading.Event()
    outcome: Dict[str, Any] = {}

    def run() -> None:
        try:
            outcome["value"] = work()
        except BaseException as error:  # noqa: BLE001 - raised in the thread of the caller
            outcome["error"] = error
        done.set()

    thread = threading.Thread(target=run, name="image", daemon=True)
    thread.start()
    while not done.wait(seconds):
        if not is_waiting(thread.ident or 0):
            give_up(thread.ident or 0)
            raise ImageFileError(f"{name!r} took more than {seconds:g} s to read, the time limit of this run")
    if "error" in outcome:
        raise outcome["error"]
    value: Outcome = outcome["value"]
    return value
