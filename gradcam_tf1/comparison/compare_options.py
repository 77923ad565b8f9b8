"""The options of `compare_nets`. Declared once, here."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import Any, Callable, Optional, Sequence, Union

import numpy as np

from gradcam_tf1.comparison.map_agreement import MEASURES
from gradcam_tf1.engine.explain_options import ExplainOptions
from gradcam_tf1.errors import OptionError
from gradcam_tf1.images.image_files import MAX_PIXELS
from gradcam_tf1.images.window import Window, make_window
from gradcam_tf1.methods.choices import Methods, choose_methods
from gradcam_tf1.run.worker_threads import check_threads

_MOST_SHOWN = 1000  # images on the page
_EXPLAIN = ExplainOptions()


@dataclass(frozen=True)
class CompareOptions:
    """Options of `compare_nets`.

    Attributes
    ----------
    methods : str, MethodChoice or list of these
        Methods whose maps are compared.
    score : {"logit", "probability", "log_probability", "margin", "down"}
        What of a class the maps explain.
    explain : ExplainOptions
        Noise and smoothing of the maps.
    min_class_agreement : float
        The models differ if a smaller share of the images has the same top class, 0..1.
    max_score_difference : float
        The models differ if the probability of any class on any image differs by more, 0..1.
    min_map_similarity : float
        The models differ if the mean similarity of the maps of any method is smaller, -1..1.
    map_measure : {"spearman", "ssim", "iou"}
        Which similarity that is: Spearman's correlation of all pixels; the structural similarity, for maps that are
        zero almost everywhere; the IoU of the regions above 15 % of the maximum.
    n_images : int or None
        Only this number of images, chosen at random.
    seed : int
        Random seed of `n_images` and of the intervals.
    shown : int
        Number of images on the page, those that differ most.
    max_pixels : int
        Larger images are refused.
    threads : int or None
        Reader threads; None for one per core, at most 8.
    timeout : float or None
        Time limit in seconds for reading an image.
    window : (float, float), "none", Window or None
        How measured values become 0..255, see `RunOptions`.
    resume : bool
        Go on where an earlier comparison of the same models in this folder ended.
    stop : callable or None
        Called before each image; True ends the comparison early, which can be resumed.
    progress : callable or None
        Called with the name of each image and the number of all, None if unknown.

    Raises
    ------
    OptionError
        If a value has the wrong type or is not possible.
    """

    methods: Methods = "gradcam"
    score: str = "logit"
    explain: ExplainOptions = _EXPLAIN
    min_class_agreement: float = 0.99
    max_score_difference: float = 0.05
    min_map_similarity: float = 0.9
    map_measure: str = MEASURES[0]
    n_images: Optional[int] = None
    seed: int = 0
    shown: int = 12
    max_pixels: int = MAX_PIXELS
    threads: Optional[int] = None
    timeout: Optional[float] = None
    window: Union[Window, Sequence[float], str, None] = None
    resume: bool = False
    stop: Optional[Callable[[], bool]] = None
    progress: Optional[Callable[[str, Optional[int]], None]] = None

    def __post_init__(self) -> None:
        choose_methods(self.methods)
        make_window(self.window)
        check_threads(self.threads)
        if not isinstance(self.explain, ExplainOptions):
            raise OptionError(f"explain is {self.explain!r}; give explain=ExplainOptions(...)")
        if self.explain.inputs is not None or self.explain.fuse is not None:
            raise OptionError("compare takes no inputs of single images and one layer of each model; leave out inputs")
        if self.map_measure not in MEASURES:
            raise OptionError(f"map_measure is one of {', '.join(MEASURES)}, not {self.map_measure!r}")
        self._check_limits()
        self._check_numbers()
        if not isinstance(self.resume, bool):
            raise OptionError(f"resume is True or False, not {self.resume!r}")
        for name in ("stop", "progress"):
            if getattr(self, name) is not None and not callable(getattr(self, name)):
                raise OptionError(f"{name} is a function, not {getattr(self, name)!r}")

    def _check_limits(self) -> None:
        for name, low in (("min_class_agreement", 0), ("max_score_difference", 0), ("min_map_similarity", -1)):
            value = getattr(self, name)
            if not _is_number(value) or not low <= value <= 1:
                raise OptionError(f"{name} is a number from {low} to 1, not {value!r}")
        if self.timeout is not None and not (_is_number(self.timeout) and self.timeout > 0):
            raise OptionError(f"timeout is a number of seconds above 0, not {self.timeout!r}")

    def _check_numbers(self) -> None:
        for name, low, high in (
            ("n_images", 1, None),
            ("seed", 0, (1 << 32) - 1),
            ("shown", 0, _MOST_SHOWN),
            ("max_pixels", 1, None),
        ):
            value: Any = getattr(self, name)
            if value is None and name == "n_images":
                continue
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
                raise OptionError(f"{name} is a whole number, not {value!r}")
            if value < low or (high is not None and value > high):
                raise OptionError(f"{name} is at least {low}{f' and at most {high}' * (high is not None)}, not {value}")


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)
