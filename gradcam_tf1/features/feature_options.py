"""The options of `find_features`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Optional, Tuple

from gradcam_tf1.errors import OptionError
from gradcam_tf1.features.feature_unit import is_number, is_whole
from gradcam_tf1.features.pixel_colours import HIGHEST
from gradcam_tf1.images.image_files import MAX_PIXELS
from gradcam_tf1.methods.options import MAX_SEED


@dataclass(frozen=True)
class FeatureOptions:
    """Options of `find_features`.

    Attributes
    ----------
    steps : int
        Steps of the optimisation; 0 leaves the pictures out.
    rate : float
        Mean learning rate of Adam, which falls from twice this to zero.
    decay : float or None
        How much faster low frequencies change than high ones: their amplitudes fall as 1 / f ** decay. None: 1.5 for
        a class, which is an object with a surface, and 1 for a channel, which may be a fine pattern.
    prior : float or None
        How much the picture is drawn back to gray, against a gradient of mean size: what no view needs fades. None: 3
        for a class, 0 for a channel.
    alone : bool
        Whether a class is drawn as one object in the middle, where the net averages its evidence over the positions of
        a layer, instead of everywhere.
    clearing : float
        How much of the background of such an object is cleared away, against a gradient of mean size.
    jitter : int
        Most pixels that the picture is moved in each step.
    angle : float
        Most degrees that it is turned.
    zoom : float
        Most that it is enlarged or made smaller, as a share.
    values : (float, float)
        Range of the pixels, for nets of other than 0..255.
    top : int
        Number of images that are shown for each unit.
    n_images : int or None
        Only this number of images, chosen at random; None for all.
    max_pixels : int
        Larger images are not read.
    seed : int
        Of the first picture, the views, the noise images and `n_images`.
    progress : callable or None
        Called with what was done and the number of all such things, or None: steps of a picture, then images.

    Raises
    ------
    OptionError
        If a value has the wrong type or is not possible.
    """

    steps: int = 192
    rate: float = 0.025
    decay: Optional[float] = None
    prior: Optional[float] = None
    alone: bool = True
    clearing: float = 0.1
    jitter: int = 8
    angle: float = 180.0
    zoom: float = 0.4
    values: Tuple[float, float] = (0.0, HIGHEST)
    top: int = 9
    n_images: Optional[int] = None
    max_pixels: int = MAX_PIXELS
    seed: int = 0
    progress: Optional[Callable[[str, Optional[int]], None]] = None

    def __post_init__(self) -> None:
        wholes = {"steps": (0, None), "jitter": (0, None), "top": (1, 100), "n_images": (1, None)}
        for name, (low, high) in {**wholes, "max_pixels": (1, None), "seed": (0, MAX_SEED)}.items():
            value = getattr(self, name)
            if name == "n_images" and value is None:
                continue
            if not is_whole(value, low) or (high is not None and value > high):
                raise OptionError(f"{name} is a whole number{_between(low, high)}, not {value!r}")
        for name, most in (
            ("rate", 10),
            ("decay", 4),
            ("prior", 100),
            ("clearing", 100),
            ("angle", 180),
            ("zoom", 0.9),
        ):
            value = getattr(self, name)
            if name in ("decay", "prior") and value is None:
                continue
            if not is_number(value) or not 0 <= value <= most or (name == "rate" and value == 0):
                least = " above 0" if name == "rate" else " from 0"
                raise OptionError(f"{name} is a number{least} to {most}, not {value!r}")
        if not isinstance(self.alone, bool):
            raise OptionError(f"alone is True or False, not {self.alone!r}")
        ends = self.values
        if not isinstance(ends, (tuple, list)) or len(ends) != 2 or not all(map(is_number, ends)) or ends[0] >= ends[1]:
            raise OptionError(f"values are the lowest and the highest pixel value, such as (0, 255), not {ends!r}")
        if self.progress is not None and not callable(self.progress):
            raise OptionError(f"progress is a function of a name and a number, not {self.progress!r}")

    def decay_of(self, of_class: bool) -> float:
        """Return the decay for a class, or for a channel or direction."""
        return self.decay if self.decay is not None else 1.5 if of_class else 1.0

    def prior_of(self, of_class: bool) -> float:
        """Return the prior for a class, or for a channel or direction."""
        return self.prior if self.prior is not None else 3.0 if of_class else 0.0


def _between(low: int, high: Optional[int]) -> str:
    return f" from {low}" + ("" if high is None else f" to {high}")
