"""Baselines that are files: a question reads each of them once, however many images it explains."""

from __future__ import annotations

from threading import Lock
from typing import Dict, List, Sequence

import numpy as np

from gradcam_tf1.errors import OptionError
from gradcam_tf1.images.geometry import fit_to_input
from gradcam_tf1.images.given_images import as_image
from gradcam_tf1.images.image_files import ImageFile, list_images

MOST_BASELINES = 256  # images of 224 x 224: 150 MB
_KEPT_BYTES = 256 << 20  # of decoded files; those beyond are read for each image anew
_IMAGE_AXES = 3


class BaselineFiles:
    """The images of a path, listed and read when they are needed first. Threads may share it.

    Parameters
    ----------
    path : str
        An image, a folder or a pattern.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._lock = Lock()
        self._files: List[ImageFile] = []
        self._read: Dict[str, np.ndarray] = {}

    def __repr__(self) -> str:
        return repr(self.path)

    def __len__(self) -> int:
        """Return the number of images. Raises ImageFileError if there is none."""
        with self._lock:
            return len(self._listed())

    def images(self, shape: Sequence[int]) -> List[np.ndarray]:
        """Return the images stretched to the input [H, W, C], float32, 0..255.

        Raises
        ------
        OptionError
            If the net takes no images, or there are more than 256.
        ImageFileError
            If there is none, or one cannot be read.
        """
        if len(shape) != _IMAGE_AXES:
            raise OptionError(f"baselines of a path ({self.path!r}) are for nets that take images; give an array")
        height, width, channels = shape
        with self._lock:
            files = self._listed()
            if len(files) > MOST_BASELINES:
                raise OptionError(f"{self.path!r} has {len(files)} images; give 1 to {MOST_BASELINES} baselines")
            images = (self._image(file.path, channels) for file in files)
            return [fit_to_input(image, (height, width), (None, None), "stretch").pixels for image in images]

    def _listed(self) -> List[ImageFile]:
        self._files = self._files or list_images(self.path)
        return self._files

    def _image(self, path: str, channels: int) -> np.ndarray:
        if path in self._read:
            return self._read[path]
        image = as_image(path, channels=channels)
        if sum(each.nbytes for each in self._read.values()) + image.nbytes <= _KEPT_BYTES:
            self._read[path] = image
        return image
