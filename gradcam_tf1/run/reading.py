"""The images of a run on their way: read, fitted, in batches that memory can hold. No TensorFlow here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Dict, Iterable, Iterator, List, Mapping, Optional, Tuple

import numpy as np

from gradcam_tf1.errors import ImageFileError
from gradcam_tf1.images.bands import AS_PHOTOGRAPH, ReadOptions, drawn
from gradcam_tf1.images.clip_folders import ClipImage
from gradcam_tf1.images.geometry import Fitted
from gradcam_tf1.images.image_files import MAX_PIXELS
from gradcam_tf1.images.image_source import ImageSource
from gradcam_tf1.images.memory_turns import turn
from gradcam_tf1.run.result import Result
from gradcam_tf1.run.worker_threads import in_time

# Original images of one batch are held until they are drawn on; large ones make smaller batches (3 bytes a pixel).
BATCH_PIXELS = 48_000_000


ON_ERROR = ("skip", "stop")  # what an image that failed does to the run


@dataclass
class RunImage:
    """One image: what is asked of it, then what was read and fitted and drawn, or why it could not be.

    given: for each further input what was given for this image, inputs: what goes into the net for it.
    done: its result, where an earlier run has finished it.
    """

    index: int
    file: ImageSource
    targets: Any
    stem: str
    image: Optional[np.ndarray] = None
    fitted: Optional[Fitted] = None
    error: str = ""
    figures: Dict[str, str] = field(default_factory=dict)
    done: Optional[Result] = None
    given: Mapping[str, Any] = field(default_factory=dict)
    inputs: Dict[str, Any] = field(default_factory=dict)

    @property
    def pixels(self) -> int:
        """How many of the original image are held."""
        image = self.image
        return 0 if image is None else image.shape[0] * image.shape[1]

    @property
    def weight(self) -> int:
        """The memory that it takes, in pixels: of the image, and of the file where that was in a packed archive."""
        return self.pixels + getattr(self.file, "held", 0) // 3

    @property
    def area(self) -> int:
        """The same, and of a finished image how many it had: batches begin where they began before."""
        size = None if self.done is None else self.done.size
        return self.pixels if size is None else size[0] * size[1]


@dataclass(frozen=True)
class Reader:
    """Reads and fits images. wanted: what of a file, see `ReadOptions`. timeout: seconds that one may take, None: any.

    further: makes of what was given for an input what goes into it, see `inputs.InputReader`.
    """

    fit: Callable[[np.ndarray], Fitted]
    max_pixels: int = MAX_PIXELS
    wanted: ReadOptions = AS_PHOTOGRAPH
    timeout: Optional[float] = None
    further: Optional[Callable[..., Any]] = None

    def __call__(self, item: RunImage) -> RunImage:
        """Fill in the image as it is drawn, the fitted image and the further inputs, or the error."""
        file = item.file
        try:
            item.image, item.fitted = in_time(lambda: self._read(file), self.timeout, file.source)
            item.inputs = in_time(lambda: self._inputs(item.given, file.source), self.timeout, file.source)
        except ImageFileError as error:
            item.error, item.fitted = str(error), None
        if item.weight > item.pixels:
            item.file = item.file.emptied()
        return item

    def _read(self, file: ImageSource) -> Tuple[np.ndarray, Fitted]:
        values = file.read(self.max_pixels, self.wanted)
        with turn(values.shape[0] * values.shape[1]):
            fitted = self.fit(values)
            if isinstance(values, ClipImage):
                return values, fitted
            return drawn(values, self.wanted.bands if self.wanted.many else (), file.source), fitted

    def _inputs(self, given: Mapping[str, Any], source: str) -> Dict[str, Any]:
        if self.further is None:
            return {}
        try:
            return {name: self.further(name, value, self.wanted) for name, value in given.items()}
        except ImageFileError as error:
            told = str(error)
            raise ImageFileError(told if repr(source) in told else f"{source!r}: {told}") from error


def batches(images: Iterable[RunImage], size: int) -> Iterator[List[RunImage]]:
    """Consecutive images, at most `size`, and fewer where they are large."""
    batch: List[RunImage] = []
    pixels = 0
    for item in images:
        batch.append(item)
        pixels += item.area
        if len(batch) >= size or pixels >= BATCH_PIXELS:
            yield batch
            batch, pixels = [], 0
    if batch:
        yield batch
