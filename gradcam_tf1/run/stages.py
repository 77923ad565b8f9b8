"""The three stages of a run: readers, the session, writers, all at work at the same time. No TensorFlow here."""

from __future__ import annotations

from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import Callable, Generator, Iterable, Iterator, List, Optional

from gradcam_tf1.images.memory_turns import turn
from gradcam_tf1.run.batch_explainer import ExplainedImage
from gradcam_tf1.run.reading import BATCH_PIXELS, RunImage, batches
from gradcam_tf1.run.result import Result
from gradcam_tf1.run.worker_threads import in_order


@dataclass
class Stages:
    """What happens to each image. read and write are called by `threads` threads, explain by the caller's.

    size: images of one batch. Read before their turn are as many as the next batch has, and as many are held until
    they are written; large ones count for more, see BATCH_PIXELS. Images that are done pass through.
    stop: asked before each batch whether that one and all behind it are to be left out; stopped: whether they were.
    devices: above one, that many threads call explain, and for each a batch is waiting.
    """

    read: Callable[[RunImage], RunImage]
    explain: Callable[[List[RunImage]], List[ExplainedImage]]
    write: Callable[[ExplainedImage], Result]
    size: int
    threads: int
    stop: Optional[Callable[[], bool]] = None
    devices: int = 1
    stopped: bool = False

    def run(self, waiting: Iterable[RunImage]) -> Generator[Result, None, None]:
        """The results, in the order of the images. Raises: whatever a stage raises, at that image's place."""
        ahead = 2 * self.size + self.threads
        with ThreadPoolExecutor(self.threads) as pool, ThreadPoolExecutor(self.devices) as nets:
            read = in_order(self._read, waiting, pool, ahead, lambda one: one.weight, BATCH_PIXELS)
            explained = self._explained(self._batches(read), nets)
            answers = (answer for batch in explained for answer in batch)
            written = in_order(self._write, answers, pool, ahead, lambda one: one.item.weight, BATCH_PIXELS)
            with closing(read), closing(explained), closing(written):
                yield from written

    def _batches(self, read: Iterable[RunImage]) -> Iterator[List[RunImage]]:
        for batch in batches(read, self.size):
            if self.stop is not None and self.stop():
                self.stopped = True
                return
            yield batch

    def _explained(
        self, batches: Iterable[List[RunImage]], nets: Executor
    ) -> Generator[List[ExplainedImage], None, None]:
        if self.devices == 1:  # the caller's thread has nothing else to do
            return (self._explain(batch) for batch in batches)
        return in_order(self._explain, batches, nets, 2 * self.devices, _pixels, self.devices * BATCH_PIXELS)

    def _read(self, item: RunImage) -> RunImage:
        return item if item.done is not None else self.read(item)

    def _explain(self, batch: List[RunImage]) -> List[ExplainedImage]:
        """A batch that was half done goes through the net whole: in other company the last digits would differ."""
        if all(item.done is not None for item in batch):
            return [ExplainedImage(item) for item in batch]
        return self.explain([item if item.done is None else self.read(item) for item in batch])

    def _write(self, answer: ExplainedImage) -> Result:
        item = answer.item
        if item.done is None:
            with turn(item.pixels):
                return self.write(answer)
        item.image = None
        return item.done


def _pixels(batch: List[RunImage]) -> int:
    return sum(item.weight for item in batch)
