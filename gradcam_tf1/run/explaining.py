"""One batch of pictures through the net; and what came out onto the disk."""

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
    """A picture and what the net said of it: row n of the explanation; None where it failed."""

    picture: RunImage
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
    """Explains batches of fitted pictures with one net; one thread at a time calls it.

    asked: keyword arguments of `explain`. figures: makes what is drawn besides the maps themselves. timeout: seconds
    that a batch may take. Where the memory is not enough, fewer pictures go through the net together from then on, and
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
        """Answers in the order of the batch; pictures of one fitted shape go through the net together."""
        groups: Dict[Any, List[RunImage]] = {}
        for picture in batch:
            if picture.fitted is not None:
                groups.setdefault(_key(picture), []).append(picture)
        found: Dict[int, ExplainedImage] = {}
        for group in groups.values():
            found.update(self._group(group))
        return [found.get(picture.index) or ExplainedImage(picture) for picture in batch]

    def _group(self, group: List[RunImage]) -> Dict[int, ExplainedImage]:
        """The answers of each picture that worked, by its index."""
        if self._most is not None and len(group) > self._most:
            return self._parts(group, self._most)
        try:
            return self._answers(group)
        except (RegionError, ImageFileError) as error:  # a mask or point that does not fit one of the pictures
            return self._failed(group, str(error)) if len(group) == 1 else self._parts(group, 1)
        except TimeLimitError as error:
            return self._failed(group, str(error))
        except (OutOfMemoryError, MemoryError) as error:
            if len(group) == 1:
                return self._failed(group, f"the memory is not enough for this picture: {str(error) or 'MemoryError'}")
            self._most = len(group) // 2
            self.notes.append(
                f"the memory is not enough for {len(group)} pictures at a time: {self._most} from then on"
            )
        except RunError as error:
            if None not in self._net.binding.image_size:
                raise
            # a net of free size has its limits too: too small a picture shrinks to nothing
            return self._failed(group, f"{error}; its pixels came to {_size(group[0])}, another may do")
        return self._parts(group, self._most)

    def _parts(self, group: List[RunImage], size: int) -> Dict[int, ExplainedImage]:
        parts = [self._group(group[start : start + size]) for start in range(0, len(group), size)]
        return {index: each for part in parts for index, each in part.items()}

    def _failed(self, group: List[RunImage], reason: str) -> Dict[int, ExplainedImage]:
        for picture in group:
            picture.error = f"{picture.file.path!r}: {reason}"
        return {}

    def _answers(self, group: List[RunImage]) -> Dict[int, ExplainedImage]:
        same = all(picture.targets is group[0].targets for picture in group)
        targets = group[0].targets if same else [picture.targets for picture in group]
        fitted = [picture.fitted for picture in group]
        inputs = {name: [picture.inputs[name] for picture in group] for name in group[0].inputs}
        asked = {**self._asked, "inputs": inputs or None}
        with self._net.time_limit(self._timeout):
            explanation = self._net.explain(fitted, targets, **asked)
            for picture, reason in zip(group, explanation.failures):
                if reason:
                    self._failed([picture], reason)
            paths = [{} if picture.done is not None or picture.error else self._paths(picture) for picture in group]
            for path in (path for each in paths for path in each.values()):
                make_folders(self._folder, path)
            self._figures.make(self._net, [picture.image for picture in group], fitted, paths, targets, inputs)
        for picture, figures in zip(group, paths):
            picture.figures = figures
        return {p.index: ExplainedImage(p, explanation, n) for n, p in enumerate(group) if not p.error}

    def _paths(self, picture: RunImage) -> Dict[str, str]:
        names = {kind: self._namer.figure(picture.stem, kind) for kind in self._figures.names}
        return {kind: os.path.join(self._folder, *name.split("/")) for kind, name in names.items()}


def _key(picture: RunImage) -> Any:
    """Equal for pictures that can go through the net together."""
    shapes = [(name, _pixels(value).shape) for name, value in picture.inputs.items()]
    return _pixels(picture.fitted).shape, row_key(picture.targets), tuple(shapes)


def _pixels(value: Any) -> Any:
    return getattr(value, "pixels", value)


def _size(picture: RunImage) -> str:
    height, width = picture.fitted.pixels.shape[-3:-1] if picture.fitted else (0, 0)
    return f"{height}x{width}"


def write_explained(item: ExplainedImage, writer: MapWriter, labels: Any) -> Result:
    """Write the pictures of one answer; its pixels are let go. Raises: OSError where a file cannot be written."""
    picture, explanation, n = item.picture, item.explanation, item.n
    size = None if picture.image is None else (picture.image.shape[0], picture.image.shape[1])
    predicted, targets = FAILED, []
    if explanation is not None and picture.image is not None:
        predicted = int(explanation.predicted[n])
        targets = writer.write(picture.image, picture.stem, explanation, n, labels)
        picture.figures = {**picture.figures, **writer.write_original(picture.image, picture.stem)}
    picture.image = picture.fitted = item.explanation = None
    picture.inputs = {}
    return Result(
        predicted,
        source=picture.file.path,
        relative=picture.file.relative,
        index=picture.index,
        error=picture.error,
        size=size,
        targets=targets,
        figures=picture.figures,
    )
