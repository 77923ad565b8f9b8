"""The options of a run over many images, and its complete request. No TensorFlow here."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, Callable, Optional, Sequence, Union

from gradcam_tf1.drawing.figure_kinds import find_kinds
from gradcam_tf1.drawing.image_formats import LOSSLESS, check_image_format
from gradcam_tf1.drawing.spectrogram_axes import SpectrogramAxes
from gradcam_tf1.drawing.style import Style
from gradcam_tf1.engine.explain_options import ExplainOptions
from gradcam_tf1.errors import OptionError
from gradcam_tf1.images.image_files import MAX_PIXELS
from gradcam_tf1.images.window import Window, make_window
from gradcam_tf1.run.naming import check_naming
from gradcam_tf1.run.reading import ON_ERROR
from gradcam_tf1.run.result import Result
from gradcam_tf1.run.worker_threads import check_threads

_MOST_SECONDS = 1_000_000


@dataclass(frozen=True)
class RunOptions:
    """Options of `visualize_imgs` that concern the run, not its maps.

    Attributes
    ----------
    batch_size : int or None
        Images that run together; None for the batch size of the net.
    naming : {"source", "indexed"}
        Name the written files after the image, or after its number.
    image_format : {"png", "jpeg", "webp"}
        Format of overlays and pixel maps. All that is read back or compared is PNG: heat maps, figures, copies of the
        images, and overlays in the style "mask-only". So is an image that is too large for the format.
    n_images : int or None
        Explain only this number of images, chosen at random.
    seed : int
        Random seed of `n_images`: the same seed chooses the same images.
    figures : str or sequence of str
        Figures to draw of each image, names from FIGURES; each takes another pass through the net.
    axes : SpectrogramAxes or None
        What the rows and columns of spectrograms are, for the figure "spectrogram".
    max_pixels : int
        Larger images are refused.
    threads : int or None
        Reader and writer threads; None for one per core, at most 8.
    resume : bool
        Continue an earlier run with the same settings, model and images into this folder.
    on_error : {"skip", "stop"}
        Skip a failed image (the manifest has the reason), or stop the run.
    timeout : float or None
        Time limit in seconds for reading an image and for running a batch; images that exceed it fail.
    report : bool
        Also make a report of the run, for a browser, in the folder `report` of the output folder.
    window : (float, float), "none", Window or None
        How measured values become 0..255: the values that are black and white, or "none" for values as stored.
    stop : callable or None
        Called before each batch; True ends the run, which can be resumed.
    progress : callable or None
        Called with each Result and the number of all images, None if unknown; a ProgressBar, for example.

    Raises
    ------
    OptionError
        If a value has the wrong type or is not possible.
    """

    batch_size: Optional[int] = None
    naming: str = "source"
    image_format: str = LOSSLESS
    n_images: Optional[int] = None
    seed: int = 0
    figures: Union[str, Sequence[str]] = ()
    axes: Optional[SpectrogramAxes] = None
    max_pixels: int = MAX_PIXELS
    threads: Optional[int] = None
    resume: bool = False
    on_error: str = "skip"
    timeout: Optional[float] = None
    report: bool = False
    window: Union[Window, Sequence[float], str, None] = None
    stop: Optional[Callable[[], bool]] = None
    progress: Optional[Callable[[Result, Optional[int]], None]] = None

    def __post_init__(self) -> None:
        check_naming(self.naming)
        check_image_format(self.image_format)
        make_window(self.window)
        find_kinds(self.figures, self.axes)
        for name, low in (("batch_size", 1), ("n_images", 1), ("seed", 0), ("max_pixels", 1), ("threads", 1)):
            value, may_be_none = getattr(self, name), name not in ("seed", "max_pixels")
            if value is None and may_be_none:
                continue
            if isinstance(value, bool) or not isinstance(value, Integral):
                raise OptionError(f"{name} is a whole number, not {value!r}")
            if value < low:
                raise OptionError(f"{name} is at least {low}, not {value}")
        check_threads(self.threads)
        if self.on_error not in ON_ERROR:
            raise OptionError(f"on_error is {' or '.join(ON_ERROR)}, not {self.on_error!r}")
        if self.timeout is not None and not _is_timeout(self.timeout):
            raise OptionError(f"timeout is a number of seconds above 0, at most {_MOST_SECONDS}, not {self.timeout!r}")
        self._check_kinds()

    def _check_kinds(self) -> None:
        for name in ("resume", "report"):
            if not isinstance(getattr(self, name), bool):
                raise OptionError(f"{name} is True or False, not {getattr(self, name)!r}")
        for name in ("stop", "progress"):
            value = getattr(self, name)
            if value is not None and not callable(value):
                raise OptionError(f"{name} is a function, not {value!r}")


@dataclass(frozen=True)
class RunRequest:
    """The arguments of `visualize_imgs` besides the images and the output folder.

    Attributes
    ----------
    targets, methods, layers : any
        As in `visualize_imgs`; they are checked when the run is planned.
    score : str
        Score of plain classes.
    options : ExplainOptions
        Options of every method.
    style : Style
        How maps are drawn.
    run : RunOptions
        Options of the run.
    """

    targets: Any
    methods: Any
    layers: Any
    score: str
    options: ExplainOptions
    style: Style
    run: RunOptions


def _is_timeout(value: Any) -> bool:
    number = isinstance(value, Real) and not isinstance(value, bool)
    return number and 0 < value <= _MOST_SECONDS
