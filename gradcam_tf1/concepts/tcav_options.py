"""The options of `tcav`. No TensorFlow here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Optional

from gradcam_tf1.concepts.concept_options import check_whole
from gradcam_tf1.errors import OptionError
from gradcam_tf1.images.image_files import MAX_PIXELS
from gradcam_tf1.methods.options import MAX_SEED


@dataclass(frozen=True)
class TcavOptions:
    """Options of `tcav`.

    Attributes
    ----------
    layer : int, str or None
        One layer, as in `explain`; None for the bound one.
    pooled : bool
        Average the features over the positions, so that it does not matter where the concept lies; otherwise all
        positions count as they are, as in the paper.
    most_images : int
        Images of each folder, chosen at random where there are more; the features of the folders are in memory.
    max_pixels : int
        Larger images are not read.
    seed : int
        Random seed of the choice and of the splits.
    progress : callable or None
        Called with the name of each image that was read and the number of all of its folder.

    Raises
    ------
    OptionError
        If a value has the wrong type or is not possible.
    """

    layer: Any = None
    pooled: bool = False
    most_images: int = 200
    max_pixels: int = MAX_PIXELS
    seed: int = 0
    progress: Optional[Callable[[str, Optional[int]], None]] = None

    def __post_init__(self) -> None:
        if not isinstance(self.pooled, bool):
            raise OptionError(f"pooled is True or False, not {self.pooled!r}")
        check_whole("most_images", self.most_images, 15, None)
        check_whole("max_pixels", self.max_pixels, 1, None)
        check_whole("seed", self.seed, 0, MAX_SEED)
