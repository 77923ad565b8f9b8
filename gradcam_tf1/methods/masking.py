"""Masked pictures, a chunk at a time: what is hidden, what stands in its place, and what the net says then.

Memory: one chunk of masks and one of inputs exist at a time, with the copies the run makes of them; never all masked
pictures (512 of 224 x 224 x 3 would be 300 MB). A chunk is as many pictures as the net takes per run.
"""

from __future__ import annotations

from itertools import islice
from typing import Any, Iterable, Iterator, List, Tuple, TypeVar

import numpy as np

Item = TypeVar("Item")


def scored(probe: Any, masks: Iterable[np.ndarray], fill: np.ndarray) -> Iterator[Tuple[np.ndarray, np.ndarray]]:
    """Chunks of the masks, [m, H, W], with the scores [m, T] of x * mask + fill * (1 - mask), in order.

    masks: float32 [H, W] each, 0 (hidden) to 1 (shown); taken from the iterable only when their turn comes.
    """
    for group in in_chunks(masks, probe.chunk):
        chunk = np.array(group, np.float32)
        shown = chunk[..., np.newaxis]
        yield chunk, probe.scores(probe.image * shown + fill * (1 - shown))


def scores_of(probe: Any, masks: Iterable[np.ndarray], fill: np.ndarray) -> np.ndarray:
    """The scores of all masks: float64 [M, T]."""
    none = np.empty((0, probe.targets))
    return np.concatenate([none, *(scores for _, scores in scored(probe, masks, fill))])


def in_chunks(items: Iterable[Item], size: int) -> Iterator[List[Item]]:
    """Consecutive lists of at most `size` items."""
    iterator = iter(items)
    while True:
        group = list(islice(iterator, size))
        if not group:
            return
        yield group
