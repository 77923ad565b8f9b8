"""The three concurrent stages of a run: read, explain, write. No TensorFlow here."""

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
    """The stages that every image passes through.

    Read and written images are at most one batch ahead of and behind the one that is explained; large images count for
    more, see BATCH_PIXELS. Images finished in an earlier run skip all stages.

    Attributes
    ----------
    read : callable
        Reads an image; called by the threads.
    explain : callable
        Explains a batch; called by the caller's thread, or for several devices by one thread each.
    write : callable
        Writes the files of an image; called by the threads.
    size : int
        Images per batch.
    threads : int
        Number of reader threads and writer threads.
    stop : callable
        Called before each batch; True leaves out this batch and all later ones.
    devices : int
        Number of batches explained at a time; for each one more is ready.
    stopped : bool
        Whether batches were left out.
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
        """Yield the results in the order of the images. An error of a stage is raised at its image."""
        ahead = 2 * self.size + self.threads
        with ThreadPoolExecutor(self.threads) as pool, ThreadPoolExecutor(self.devices) as nets:
            read = in_order(self._read, waiting, pool, ahead, lambda item: item.weight, BATCH_PIXELS)
            explained = self._explained(self._batches(read), nets)
            images = (image for batch in explained for image in batch)
            written = in_order(self._write, images, pool, ahead, lambda image: image.item.weight, BATCH_PIXELS)
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
        """Explain a batch. A partly finished one runs completely, since other batches change the last digits."""
        if all(item.done is not None for item in batch):
            return [ExplainedImage(item) for item in batch]
        return self.explain([item if item.done is None else self.read(item) for item in batch])

    def _write(self, image: ExplainedImage) -> Result:
        item = image.item
        if item.done is None:
            with turn(item.pixels):
                return self.write(image)
        item.image = None
        return item.done


def _pixels(batch: List[RunImage]) -> int:
    return sum(item.weight for item in batch)
