"""Read and fit the images of a run, in batches that fit into memory. No TensorFlow here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Dict, Iterable, Iterator, List, Mapping, Optional, Tuple, Union

import numpy as np

from gradcam_tf1.errors import ImageFileError
from gradcam_tf1.images.bands import AS_PHOTOGRAPH, ReadOptions, drawn
from gradcam_tf1.images.clip_folders import ClipImage
from gradcam_tf1.images.fitted_clips import FittedClip
from gradcam_tf1.images.geometry import Fitted
from gradcam_tf1.images.image_files import MAX_PIXELS
from gradcam_tf1.images.memory_turns import turn
from gradcam_tf1.run.input_rows import InputReader
from gradcam_tf1.run.listing import Listed
from gradcam_tf1.run.result import Result
from gradcam_tf1.run.worker_threads import in_time

# Original images stay in memory until they are drawn (3 bytes per pixel), so large images make smaller batches.
BATCH_PIXELS = 48_000_000

ON_ERROR = ("skip", "stop")  # effect of a failed image on the run

Fit = Callable[[Any], Union[Fitted, FittedClip]]


@dataclass
class RunImage:
    """One image on its way through the run.

    Attributes
    ----------
    index : int
        Its number in the listing.
    file : ImageSource or Clip
        Where it is read from.
    targets : any
        Its targets, see `explain`.
    stem : str
        Its part of the names of written files.
    image : np.ndarray, ClipImage or None
        The original image as it is drawn, once it is read.
    fitted : Fitted, FittedClip or None
        The image at the size of the input, once it is read.
    error : str
        Why it failed; "" if it did not.
    figures : dict
        Name -> path of its written figures.
    done : Result or None
        Its result, if an earlier run has finished it.
    input_values : mapping
        Tensor name -> value of each further input as requested, see `input_rows`.
    inputs : dict
        Tensor name -> value of each further input as the net takes it.
    """

    index: int
    file: Listed
    targets: Any
    stem: str
    image: Optional[np.ndarray] = None
    fitted: Union[Fitted, FittedClip, None] = None
    error: str = ""
    figures: Dict[str, str] = field(default_factory=dict)
    done: Optional[Result] = None
    input_values: Mapping[str, Any] = field(default_factory=dict)
    inputs: Dict[str, Any] = field(default_factory=dict)

    @property
    def pixels(self) -> int:
        """Number of pixels of the original image that are in memory."""
        image = self.image
        return 0 if image is None else image.shape[0] * image.shape[1]

    @property
    def weight(self) -> int:
        """Memory use in pixels: of the image, and of the bytes of a file from a packed archive."""
        return self.pixels + getattr(self.file, "held", 0) // 3

    @property
    def area(self) -> int:
        """Number of pixels, also for a finished image, so that a resumed run has the same batches."""
        size = None if self.done is None else self.done.size
        return self.pixels if size is None else size[0] * size[1]


@dataclass(frozen=True)
class Reader:
    """Reads and fits images.

    Attributes
    ----------
    fit : callable
        Fits an image or clip to the input.
    max_pixels : int
        Larger images are refused.
    options : ReadOptions
        How files are read.
    timeout : float or None
        Time limit in seconds for each image; None for no limit.
    further : InputReader or None
        Converts the values of further inputs.
    """

    fit: Fit
    max_pixels: int = MAX_PIXELS
    options: ReadOptions = AS_PHOTOGRAPH
    timeout: Optional[float] = None
    further: Optional[InputReader] = None

    def __call__(self, item: RunImage) -> RunImage:
        """Read the image, the fitted image and the further inputs, or record the error."""
        file = item.file
        try:
            item.image, item.fitted = in_time(lambda: self._read(file), self.timeout, file.source)
            item.inputs = in_time(lambda: self._inputs(item.input_values, file.source), self.timeout, file.source)
        except ImageFileError as error:
            item.error, item.fitted = str(error), None
        if item.weight > item.pixels:
            item.file = item.file.emptied()
        return item

    def _read(self, file: Listed) -> Tuple[Any, Union[Fitted, FittedClip]]:
        values = file.read(self.max_pixels, self.options)
        with turn(values.shape[0] * values.shape[1]):
            fitted = self.fit(values)
            if isinstance(values, ClipImage):
                return values, fitted
            return drawn(values, self.options.bands if self.options.many else (), file.source), fitted

    def _inputs(self, input_values: Mapping[str, Any], source: str) -> Dict[str, Any]:
        if self.further is None:
            return {}
        try:
            return {name: self.further(name, value, self.options) for name, value in input_values.items()}
        except ImageFileError as error:
            message = str(error)
            raise ImageFileError(message if repr(source) in message else f"{source!r}: {message}") from error


def batches(images: Iterable[RunImage], size: int) -> Iterator[List[RunImage]]:
    """Yield consecutive images in batches of at most `size`, or fewer if the images are large."""
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
