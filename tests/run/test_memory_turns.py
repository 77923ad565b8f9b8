"""Large images are decoded, fitted and drawn one after the other, however many threads there are; others are not."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from gradcam_tf1.errors import ImageFileError
from gradcam_tf1.images import memory_turns
from gradcam_tf1.images.memory_turns import LARGE, turn
from gradcam_tf1.run.batch_explainer import ExplainedImage
from gradcam_tf1.run.reading import BATCH_PIXELS, Reader, RunImage
from gradcam_tf1.run.result import Result
from gradcam_tf1.run.stages import Stages

IMAGE = np.zeros((5, 5, 3), np.uint8)


class Counter:
    """How many threads are at work at once, at most."""

    def __init__(self):
        self.lock = threading.Lock()
        self.now = self.most = 0

    def work(self, answer=None):
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(0.02)
        with self.lock:
            self.now -= 1
        return answer


class File:
    source = "a.png"

    def read(self, _max_pixels, _wanted):
        return IMAGE


@pytest.mark.parametrize(("large", "most"), [(24, [1]), (25, [2, 3, 4])])
def test_images_that_are_fitted_and_drawn(large, most, monkeypatch):
    monkeypatch.setattr(memory_turns, "LARGE", large)
    fits, writes = Counter(), Counter()
    stages = Stages(
        Reader(fits.work, 1000),
        lambda batch: [ExplainedImage(image) for image in batch],
        lambda answer: writes.work(Result(0, index=answer.item.index)),
        *(4, 4),
    )
    images = [RunImage(index, File(), None, str(index)) for index in range(16)]
    assert [result.index for result in stages.run(images)] == list(range(16))
    assert fits.most in most
    assert writes.most in most


def test_a_small_one_does_not_wait():
    counter = Counter()

    def large(_):
        with turn(LARGE + 1):
            counter.work()

    with ThreadPoolExecutor(4) as pool, turn(LARGE + 1):
        waiting = [pool.submit(large, None) for _ in range(3)]
        with turn(LARGE):
            pass
        time.sleep(0.05)
        assert not any(future.done() for future in waiting)
    assert counter.most == 1


class Packed:
    """An image of a packed archive: its bytes are in memory until it is read."""

    source = "a.png"

    def __init__(self, held, counts):
        self.held, self.counts = held, counts
        counts["now"] += 1
        counts["most"] = max(counts["most"], counts["now"])

    def read(self, _max_pixels, _wanted):
        raise ImageFileError("no image")

    def emptied(self):
        self.counts["now"] -= 1
        return File()


@pytest.mark.parametrize(
    ("held", "most"), [(3 * BATCH_PIXELS, [1]), (1 * BATCH_PIXELS, [2, 3]), (3, list(range(4, 13)))]
)
def test_bytes_of_packed_archives_count_as_pixels_do(held, most):
    """Of images that fail too: a batch of them is only put together when all are read."""
    counts = {"now": 0, "most": 0}
    stages = Stages(
        Reader(None, 1000),
        lambda batch: [ExplainedImage(image) for image in batch],
        lambda answer: Result(index=answer.item.index, error=answer.item.error),
        *(4, 4),
    )
    images = (RunImage(index, Packed(held, counts), None, str(index)) for index in range(30))
    assert [result.error for result in stages.run(images)] == ["no image"] * 30
    assert counts["now"] == 0
    assert counts["most"] in most
