"""Work in threads with answers in order, a bounded number in flight, and a time limit for each. No TensorFlow here."""

from __future__ import annotations

import os
import threading
from collections import deque
from concurrent.futures import Executor, Future
from typing import Any, Callable, Deque, Dict, Generator, Iterable, Optional, Tuple, TypeVar

from gradcam_tf1.errors import ImageFileError, OptionError
from gradcam_tf1.images.memory_turns import give_up, is_waiting

Item = TypeVar("Item")
Answer = TypeVar("Answer")

MOST_THREADS = 8


def check_threads(threads: int | None) -> int:
    """The number of threads; None: one for each core that the process may use, at most 8.

    Raises: OptionError for less than one.
    """
    if threads is None:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return min(cores, MOST_THREADS)
    if threads < 1:
        raise OptionError(f"threads is the number of threads that read and write images, at least 1, not {threads}")
    return threads


def in_order(
    work: Callable[[Item], Answer],
    items: Iterable[Item],
    pool: Executor,
    ahead: int,
    weight: Callable[[Item], int],
    limit: int,
) -> Generator[Answer, None, None]:
    """work(item) of each item, done by the pool, in the order of the items; an exception comes out at its place.

    At most `ahead` items are on the way, and no further one is taken while those that are weigh `limit` or more. The
    items are taken in the thread that asks for the answers; while it does something else, the pool works on.
    """
    waiting: Deque[Tuple[Item, Future]] = deque()
    try:
        for item in items:
            waiting.append((item, pool.submit(work, item)))
            while len(waiting) >= ahead or (waiting and sum(weight(each) for each, _ in waiting) >= limit):
                yield waiting.popleft()[1].result()
        while waiting:
            yield waiting.popleft()[1].result()
    finally:
        for _, future in waiting:
            future.cancel()


Answered = TypeVar("Answered")


def in_time(work: Callable[[], Answered], seconds: Optional[float], name: str) -> Answered:
    """work() of an image of this name. None: without a limit.

    A decoder cannot be stopped from outside: one that takes longer goes on in a thread of its own, which ends with the
    program at the latest and gives up its turn. While an image waits for its turn its time does not run out.
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

    thread = threading.Thread(target=run, name="image", daemon=True)
    thread.start()
    while not done.wait(seconds):
        if not is_waiting(thread.ident or 0):
            give_up(thread.ident or 0)
            raise ImageFileError(f"{name!r} took more than {seconds:g} s to read, the time limit of this run")
    if "error" in outcome:
        raise outcome["error"]
    return outcome["answer"]
