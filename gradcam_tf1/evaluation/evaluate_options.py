"""The options of `evaluate`. Declared once, here."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from typing import Any, Callable, Mapping, Optional, Sequence, Union

from gradcam_tf1.errors import OptionError
from gradcam_tf1.images.image_files import MAX_PIXELS
from gradcam_tf1.images.window import Window, make_window
from gradcam_tf1.methods.options import MAX_SEED
from gradcam_tf1.run.worker_threads import check_threads
from gradcam_tf1.types import MethodProgress

MEASURED = ("auto", "probability", "logit")
EXPLAINED = ("predicted", "truth")


@dataclass(frozen=True)
class EvaluateOptions:
    """Options of `evaluate`.

    Attributes
    ----------
    score : {"auto", "probability", "logit"}
        Which score of the explained class the metrics follow; "auto" for the probability if the graph has one, else
        the logit.
    target : {"predicted", "truth"}
        Explain the predicted class, or the class with the highest score among those that the boxes of the image name.
    boxes : str or None
        Where the objects are: a folder of VOC XML files, a COCO JSON file, or a CSV file.
    masks : str or None
        Folder with masks named like the images; what is not black is the object, whatever its class.
    class_map : mapping, str or None
        Class of the boxes -> classes of the net: ids, names, ranges such as "151-268", or lists of these; or the path
        of a JSON file that says so. Without it, the classes of the boxes are names of the net's classes.
    n_images : int or None
        Only this number of images, chosen at random.
    seed : int
        Of everything random: the floor, the metrics, the intervals, the choice of the images.
    confidence : float
        Of the intervals, above 0 and below 1.
    max_pixels : int
        Larger images are refused.
    threads : int or None
        Reader threads; None for one per core, at most 8.
    timeout : float or None
        Time limit in seconds for reading an image.
    window : (float, float), "none", Window or None
        How measured values become 0..255, see `RunOptions`.
    resume : bool
        Go on where an earlier evaluation with the same settings, model and images in this folder ended.
    page : bool
        Whether the folder gets a page for a browser.
    stop : callable or None
        Called before each image; True ends the evaluation, which can be resumed.
    progress : callable or None
        Called with the name of each finished image and the number of all images, None if unknown.
    method_progress : callable or None
        See `ExplainOptions.progress`.

    Raises
    ------
    OptionError
        If a value has the wrong type or is not possible.
    """

    score: str = "auto"
    target: str = "predicted"
    boxes: Optional[str] = None
    masks: Optional[str] = None
    class_map: Union[Mapping[str, Any], str, None] = None
    n_images: Optional[int] = None
    seed: int = 0
    confidence: float = 0.95
    max_pixels: int = MAX_PIXELS
    threads: Optional[int] = None
    timeout: Optional[float] = None
    window: Union[Window, Sequence[float], str, None] = None
    resume: bool = False
    page: bool = True
    stop: Optional[Callable[[], bool]] = None
    progress: Optional[Callable[[str, Optional[int]], None]] = None
    method_progress: Optional[Callable[[MethodProgress], None]] = None

    def __post_init__(self) -> None:
        for name, possible in (("score", MEASURED), ("target", EXPLAINED)):
            if getattr(self, name) not in possible:
                raise OptionError(f"{name} is one of {', '.join(possible)}, not {getattr(self, name)!r}")
        self._check_numbers()
        check_threads(self.threads)
        make_window(self.window)
        for name in ("resume", "page"):
            if not isinstance(getattr(self, name), bool):
                raise OptionError(f"{name} is True or False, not {getattr(self, name)!r}")
        for name in ("stop", "progress", "method_progress"):
            if getattr(self, name) is not None and not callable(getattr(self, name)):
                raise OptionError(f"{name} is a function, not {getattr(self, name)!r}")
        if self.target == "truth" and self.boxes is None:
            raise OptionError(
                "target 'truth' explains the class of the boxes; give boxes, or explain the predicted class"
            )
        if self.class_map is not None and self.boxes is None:
            raise OptionError("class_map says which classes of the net the boxes belong to; give boxes too")
        if self.boxes is not None and self.masks is not None:
            raise OptionError("boxes and masks both say where the object is; give one of them")

    def _check_numbers(self) -> None:
        for name, low, high in (("n_images", 1, None), ("seed", 0, MAX_SEED), ("max_pixels", 1, None)):
            value = getattr(self, name)
            if value is None and name == "n_images":
                continue
            if isinstance(value, bool) or not isinstance(value, Integral):
                raise OptionError(f"{name} is a whole number, not {value!r}")
            if int(value) < low or (high is not None and int(value) > high):
                bounds = f"at least {low}" if high is None else f"{low} to {high}"
                raise OptionError(f"{name} is {bounds}, not {value}")
        for name, top in (("confidence", 1.0), ("timeout", 1e6)):
            value = getattr(self, name)
            if value is None and name == "timeout":
                continue
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < top:
                raise OptionError(f"{name} is a number above 0 and below {top:g}, not {value!r}")
