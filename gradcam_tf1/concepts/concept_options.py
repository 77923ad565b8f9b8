"""The options of a search for concepts. No TensorFlow here."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import Any, Callable, Optional

import numpy as np

from gradcam_tf1.errors import OptionError
from gradcam_tf1.images.image_files import MAX_PIXELS
from gradcam_tf1.methods.options import MAX_SEED

DFF, CRAFT = "dff", "craft"
SEARCHES = (DFF, CRAFT)
MOST_CONCEPTS = 64
_USUAL = {DFF: 6, CRAFT: 10}


@dataclass(frozen=True)
class ConceptOptions:
    """Options of `find_concepts`.

    Attributes
    ----------
    method : {"dff", "craft"}
        Deep feature factorisation of the features of all images; or CRAFT, of crops of the images of one class.
    concepts : int or None
        Number of concepts, 2 to 64; None for 6 (dff) or 10 (craft).
    layer : int, str or None
        One layer, as in `explain`; None for the bound one.
    target : int, str or None
        CRAFT: the class by id or name; None for the class that most images are predicted as.
    samples : int
        Most rows that are factorised, drawn at random from all positions (dff) or crops (craft); so many rows of
        float32 are in memory, twice.
    rectify : bool
        Take the positive part of features that may be negative; otherwise these are refused.
    crop : float
        CRAFT: side of the crops as a share of the sides of the input.
    designs : int
        CRAFT: masks per concept and image for the importance, a power of two; (concepts + 1) times as many runs of
        the layers after this one.
    ranked_images : int
        CRAFT: images that the importance is the mean of.
    shown : int
        Images whose concept maps are drawn.
    n_images : int or None
        Only this number of images, chosen at random; None for all.
    max_pixels : int
        Larger images are not read.
    seed : int
        Random seed of `n_images`, of the sample, of the factors and of the masks.
    progress : callable or None
        Called with the name of each image that was read and the number of all.

    Raises
    ------
    OptionError
        If a value has the wrong type or is not possible.
    """

    method: str = DFF
    concepts: Optional[int] = None
    layer: Any = None
    target: Any = None
    samples: int = 10_000
    rectify: bool = False
    crop: float = 0.3
    designs: int = 32
    ranked_images: int = 16
    shown: int = 12
    n_images: Optional[int] = None
    max_pixels: int = MAX_PIXELS
    seed: int = 0
    progress: Optional[Callable[[str, Optional[int]], None]] = None

    def __post_init__(self) -> None:
        if self.method not in SEARCHES:
            raise OptionError(f"method is {' or '.join(SEARCHES)}, not {self.method!r}")
        if self.method == DFF and self.target is not None:
            raise OptionError("dff looks at the images of all classes; leave target out, or take method craft")
        for name, low, high in (
            ("concepts", 2, MOST_CONCEPTS),
            ("samples", 100, None),
            ("designs", 4, 4096),
            ("ranked_images", 1, None),
            ("shown", 0, 1000),
            ("n_images", 1, None),
            ("max_pixels", 1, None),
            ("seed", 0, MAX_SEED),
        ):
            value = getattr(self, name)
            if value is not None or name not in ("concepts", "n_images"):
                check_whole(name, value, low, high)
        if self.designs & (self.designs - 1):
            raise OptionError(f"designs is a power of two, not {self.designs}")
        crop: Any = self.crop
        if isinstance(crop, bool) or not isinstance(crop, Real) or not 0.05 <= float(crop) < 1:
            raise OptionError(f"crop is a number from 0.05 and below 1, not {crop!r}")

    @property
    def count(self) -> int:
        """Number of concepts."""
        return _USUAL[self.method] if self.concepts is None else self.concepts


def check_whole(name: str, value: Any, low: int, high: Optional[int]) -> None:
    """Raise OptionError if a value is no whole number of the range."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise OptionError(f"{name} is a whole number, not {value!r}")
    if value < low or (high is not None and value > high):
        upper = "" if high is None else f", at most {high}"
        raise OptionError(f"{name} is at least {low}{upper}, not {value}")
