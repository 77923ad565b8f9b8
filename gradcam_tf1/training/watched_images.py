"""The fixed images of a training: read once, named for the tags, in groups that run together. No TensorFlow here."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterator, List, Tuple

import numpy as np

from gradcam_tf1.engine.bound_net import BoundNet
from gradcam_tf1.errors import GradCamError, ImageFileError, TargetError
from gradcam_tf1.images.given_images import as_image
from gradcam_tf1.images.image_files import list_images
from gradcam_tf1.run.naming import UniqueNames, slug

Report = Callable[[str], None]


@dataclass(frozen=True)
class WatchedGroup:
    """Images of one shape at the input.

    Attributes
    ----------
    names : list of str
        Their parts of the tags.
    images : list of np.ndarray
        [H, W, channels] each.
    numbers : list of int
        Their places among all images that were given.
    """

    names: List[str]
    images: List[np.ndarray]
    numbers: List[int]


class WatchedImages:
    """The images of a training that can be read.

    Parameters
    ----------
    given : any
        As `TrainingMaps.images`.
    net : BoundNet
        The net that explains them.
    report : callable
        Called with a sentence for each image that cannot be read.

    Raises
    ------
    ImageFileError
        If there is no image, or none can be read.
    """

    def __init__(self, given: Any, net: BoundNet, report: Report) -> None:
        unique = UniqueNames()
        groups: Dict[Tuple[int, ...], WatchedGroup] = {}
        self.count = 0
        for number, (name, item) in enumerate(_listed(given)):
            self.count += 1
            try:
                image = as_image(item, net.takes_own_range, net.channels_in)
                shape = net.fit_pixels(image).pixels.shape
            except GradCamError as error:
                report(f"image {name!r} is left out: {error}")
                continue
            group = groups.setdefault(shape, WatchedGroup([], [], []))
            group.names.append(unique(slug(os.path.splitext(name)[0]) or f"image-{number}"))
            group.images.append(image)
            group.numbers.append(number)
        if not groups:
            raise ImageFileError(f"none of the {self.count} images can be explained; give others")
        self.groups = list(groups.values())

    def rows(self, per_image: Any, group: WatchedGroup) -> Any:
        """Return the rows of one group, where targets have one list for each image; otherwise what is given."""
        if not isinstance(per_image, (list, tuple, np.ndarray)) or not len(per_image):
            return per_image
        if not all(isinstance(row, (list, tuple, np.ndarray)) for row in per_image):
            return per_image
        self._check(per_image)
        return [per_image[number] for number in group.numbers]

    def inputs(self, values: Any, group: WatchedGroup) -> Any:
        """Return the rows of one group of each further input."""
        for rows in (values or {}).values():
            self._check(rows)
        return values and {name: np.asarray(rows)[group.numbers] for name, rows in values.items()}

    def _check(self, rows: Any) -> None:
        if len(rows) != self.count:
            raise TargetError(f"{len(rows)} rows are given for {self.count} images; give one row for each image")


def _listed(given: Any) -> Iterator[Tuple[str, Any]]:
    """Yield a name and what to read for each image."""
    if isinstance(given, (str, os.PathLike)):
        yield from ((file.relative, file.path) for file in list_images(given))
    elif isinstance(given, (list, tuple)) or (isinstance(given, np.ndarray) and given.ndim == 4):
        for number, item in enumerate(given):
            if isinstance(item, (str, os.PathLike)):
                yield from _listed(item)
            else:
                yield f"image-{number}", item
    else:
        yield "image-0", given
