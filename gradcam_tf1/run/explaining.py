"""One batch of images through the net; and what came out onto the disk."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from queue import Queue
from typing import Any, Callable, Dict, List, Optional, Sequence

from gradcam_tf1.atomic_files import make_folders
from gradcam_tf1.drawing.figure_kinds import FigureMaker
from gradcam_tf1.errors import ImageFileError, OutOfMemoryError, RegionError, RunError, TimeLimitError
from gradcam_tf1.run.naming import Namer
from gradcam_tf1.run.reading import RunImage
from gradcam_tf1.run.result import FAILED, Result
from gradcam_tf1.run.target_rows import row_key
from gradcam_tf1.run.writing import MapWriter
from gradcam_tf1.types import Explanation, MethodProgress


@dataclass
class ExplainedImage:
    """An image and what the net said of it: row n of the explanation; None where it failed."""

    item: RunImage
    explanation: Optional[Explanation] = None
    n: int = 0


def one_at_a_time(steps: Callable[[MethodProgress], None]) -> Callable[[MethodProgress], None]:
    """The same for callers in several threads."""
    lock = threading.Lock()

    def told(work: MethodProgress) -> None:
        with lock:
            steps(work)

    return told


class Explainers:
    """An Explainer for each device; a batch goes to one that is free. Called by no more threads than there are."""

    def __init__(self, explainers: Sequence[Explainer]) -> None:
        self._all = explainers
        self._free: Queue[Explainer] = Queue()
        for one in explainers:
            self._free.put(one)

    def __len__(self) -> int:
        return len(self._all)

    def explain(self, batch: Sequence[RunImage]) -> List[ExplainedImage]:
        """See `Explainer.explain`."""
        one = self._free.get()
        try:
            return one.explain(batch)
        finally:
            self._free.put(one)

    @property
    def notes(self) -> List[str]:
        """What there is to say about the run, each sentence once."""
        return list(dict.fromkeys(note for one in self._all for note in one.notes))


class Explainer:
    """Explains batches of fitted images with one net; one thread at a time calls it.

    asked: keyword arguments of `explain`. figures: makes what is drawn besides the maps themselves. timeout: seconds
    that a batch may take. Where the memory is not enough, fewer images go through the net together from then on, and
    a sentence in `notes` says so.
    """

    def __init__(
        self,
        net: Any,
        asked: Dict[str, Any],
        figures: FigureMaker,
        namer: Namer,
        folder: str,
        timeout: Optional[float] = None,
    ) -> None:
        self.notes: List[str] = []
        self._timeout = timeout
        self._most: Optional[int] = None
        self._net = net
        self._asked = asked
        self._figures = figures
        self._namer = namer
        self._folder = folder

    def explain(self, batch: Sequence[RunImage]) -> List[ExplainedImage]:
        """Answers in the order of the batch; images of one fitted shape go through the net together."""
        groups: Dict[Any, List[RunImage]] = {}
        for item in batch:
            if item.fitted is not None:
                groups.setdefault(_key(item), []).append(item)
        found: Dict[int, ExplainedImage] = {}
        for group in groups.values():
            found.update(self._group(group))
        return [found.get(item.index) or ExplainedImage(item) for item in batch]

    def _group(self, group: List[RunImage]) -> Dict[int, ExplainedImage]:
        """The answers of each image that worked, by its index."""
        if self._most is not None and len(group) > self._most:
            return self._parts(group, self._most)
        try:
            return self._answers(group)
        except (RegionError, ImageFileError) as error:  # a mask or point that does not fit one of the images
            return self._failed(group, str(error)) if len(group) == 1 else self._parts(group, 1)
        except TimeLimitError as error:
            return self._failed(group, str(error))
        except (OutOfMemoryError, MemoryError) as error:
            if len(group) == 1:
                return self._failed(group, f"the memory is not enough for this image: {str(error) or 'MemoryError'}")
            self._most = len(group) // 2
            self.notes.append(f"the memory is not enough for {len(group)} images at a time: {self._most} from then on")
        except RunError as error:
            if None not in self._net.binding.image_size:
                raise
            # a net of free size has its limits too: too small an image shrinks to nothing
            return self._failed(group, f"{error}; its pixels came to {_size(group[0])}, another may do")
        return self._parts(group, self._most)

    def _parts(self, group: List[RunImage], size: int) -> Dict[int, ExplainedImage]:
        parts = [self._group(group[start : start + size]) for start in range(0, len(group), size)]
        return {index: each for part in parts for index, each in part.items()}

    def _failed(self, group: List[RunImage], reason: str) -> Dict[int, ExplainedImage]:
        for item in group:
            item.error = f"{item.file.path!r}: {reason}"
        return {}

    def _answers(self, group: List[RunImage]) -> Dict[int, ExplainedImage]:
        same = all(item.targets is group[0].targets for item in group)
        targets = group[0].targets if same else [item.targets for item in group]
        fitted = [item.fitted for item in group]
        inputs = {name: [item.inputs[name] for item in group] for name in group[0].inputs}
        asked = {**self._asked, "inputs": inputs or None}
        with self._net.time_limit(self._timeout):
            explanation = self._net.explain(fitted, targets, **asked)
            for item, reason in zip(group, explanation.failures):
                if reason:
                    self._failed([item], reason)
            paths = [{} if item.done is not None or item.error else self._paths(item) for item in group]
            for path in (path for each in paths for path in each.values()):
                make_folders(self._folder, path)
            self._figures.make(self._net, [item.image for item in group], fitted, paths, targets, inputs)
        for item, figures in zip(group, paths):
            item.figures = figures
        return {p.index: ExplainedImage(p, explanation, n) for n, p in enumerate(group) if not p.error}

    def _paths(self, item: RunImage) -> Dict[str, str]:
        names = {kind: self._namer.figure(item.stem, kind) for kind in self._figures.names}
        return {kind: os.path.join(self._folder, *name.split("/")) for kind, name in names.items()}


def _key(item: RunImage) -> Any:
    """Equal for images that can go through the net together."""
    shapes = [(name, _pixels(value).shape) for name, value in item.inputs.items()]
    return _pixels(item.fitted).shape, row_key(item.targets), tuple(shapes)


def _pixels(value: Any) -> Any:
    return getattr(value, "pixels", value)


def _size(item: RunImage) -> str:
    height, width = item.fitted.pixels.shape[-3:-1] if item.fitted else (0, 0)
    return f"{height}x{width}"


def write_explained(answer: ExplainedImage, writer: MapWriter, labels: Any) -> Result:
    """Write the images of one answer; its pixels are let go. Raises: OSError where a file cannot be written."""
    item, explanation, n = answer.item, answer.explanation, answer.n
    size = None if item.image is None else (item.image.shape[0], item.image.shape[1])
    predicted, targets = FAILED, []
    if explanation is not None and item.image is not None:
        predicted = int(explanation.predicted[n])
        targets = writer.write(item.image, item.stem, explanation, n, labels)
        item.figures = {**item.figures, **writer.write_original(item.image, item.stem)}
    item.image = item.fitted = answer.explanation = None
    item.inputs = {}
    return Result(
        predicted,
        source=item.file.path,
        relative=item.file.relative,
        index=item.index,
        error=item.error,
        size=size,
        targets=targets,
        figures=item.figures,
    )
