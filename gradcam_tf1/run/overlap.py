"""Work in threads, answers in order, never more than so much on the way. No TensorFlow here."""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import Executor, Future
from typing import Callable, Deque, Generator, Iterable, Tuple, TypeVar

from gradcam_tf1.errors import OptionError

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
        raise OptionError(f"threads is the number of threads that read and write pictures, at least 1, not {threads}")
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
