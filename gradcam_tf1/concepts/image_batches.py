"""Images of a folder in batches of one size, read ahead; those that cannot be used, each with its reason."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Callable, Container, Dict, Iterator, List, Optional

import numpy as np

from gradcam_tf1.engine.bound_net import BoundNet
from gradcam_tf1.errors import ImageFileError, OptionError
from gradcam_tf1.images.geometry import Fitted
from gradcam_tf1.run.image_stream import StreamOptions, open_stream
from gradcam_tf1.run.listing import is_piped
from gradcam_tf1.run.manifest_lines import readable
from gradcam_tf1.run.reading import RunImage

Progress = Optional[Callable[[str, Optional[int]], None]]


@dataclass
class ImageBatches:
    """The images of a folder, which can be read several times.

    Attributes
    ----------
    net : BoundNet
        Fits the images.
    images : str or list of str
        As in `visualize_imgs`.
    folder : str
        The output folder, whose images are skipped.
    options : StreamOptions
        Which images are read.
    size : int
        Images of a batch.
    progress : callable or None
        Called with the name of each image and the number of all.
    failed : dict
        Name of each image that was left out, with the reason.
    """

    net: BoundNet
    images: Any
    folder: str
    options: StreamOptions
    size: int
    progress: Progress = None
    failed: Dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if is_piped(self.images):
            raise OptionError("the images are read several times, and standard input only once; give a folder or list")

    def batches(self, only: Optional[Container[int]] = None) -> Iterator[List[RunImage]]:
        """Yield the images in order, up to `size` of one shape together. Raises ImageFileError if none can be read."""
        stream = open_stream(self.net, self.images, self.folder, self.options)
        waiting: List[RunImage] = []
        read = 0
        with closing(stream.images(only=only)) as images:
            for image in images:
                if self.progress is not None:
                    self.progress(image.file.relative, stream.count)
                if not isinstance(image.fitted, Fitted):
                    self.failed[readable(image.file.relative)] = image.error
                    continue
                read += 1
                if waiting and (len(waiting) == self.size or _shape(waiting[0]) != _shape(image)):
                    yield waiting
                    waiting = []
                waiting.append(image)
        if waiting:
            yield waiting
        if not read:
            raise ImageFileError(next(iter(self.failed.values()), "no image is left"))


def stacked(images: List[RunImage]) -> np.ndarray:
    """Return the fitted pixels of a batch: float32 [N, H, W, channels]."""
    return np.stack([image.fitted.pixels for image in images if image.fitted is not None]).astype(np.float32)


def _shape(image: RunImage) -> Any:
    return None if image.fitted is None else image.fitted.pixels.shape
