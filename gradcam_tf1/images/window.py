"""From measured values to 0..255: the window of medical and other images whose white is not that of their type."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any, Iterable, Iterator, Optional, Tuple

import numpy as np

from gradcam_tf1.errors import ImageFileError, OptionError

STRIP = 1 << 20  # values that are in work at a time: what they need meanwhile is several times as much
LEAST_INSIDE = 0.01  # share of the values of an image that a window must show
Ends = Tuple[float, float]


@dataclass(frozen=True)
class Window:
    """How measured values become 0..255: of DICOM, NIfTI, .npy, and TIFF or PNM of 16 and 32 bits, signed or floats.

    centre, width: the values that are shown between black and white, both or none (then those of the header, else the
    slice's own least and greatest). low, high: the same by its ends. stored: no window, the values go on as they are.
    slice: of a volume, from 0, or from the end where negative; None: the middle one, of a TIFF of several pages the
    first. Images of 8 bits do not look at it.
    """

    centre: Optional[float] = None
    width: Optional[float] = None
    slice: Optional[int] = None
    low: Optional[float] = None
    high: Optional[float] = None
    stored: bool = False

    def __post_init__(self) -> None:
        if (self.centre is None) != (self.width is None):
            raise OptionError("a window has a centre and a width; one of them alone says nothing")
        if self.width is not None and not self.width >= 1:
            raise OptionError(f"the width of a window is at least 1, not {self.width}")
        if (self.low is None) != (self.high is None):
            raise OptionError("a window has a low and a high end; one of them alone says nothing")
        if self.low is not None and self.high is not None and not -1e300 < self.low < self.high < 1e300:
            raise OptionError(f"a window goes from LOW to a greater HIGH, not from {self.low:g} to {self.high:g}")
        if (self.centre is not None) + (self.low is not None) + self.stored > 1:
            raise OptionError("a window is a centre and a width, or its two ends, or none; give one of them")

    @property
    def ends(self) -> Optional[Ends]:
        """The values that become black and white, None where it does not say."""
        if self.low is not None and self.high is not None:
            return self.low, self.high
        if self.centre is not None and self.width is not None:
            return self.centre - self.width / 2, self.centre + self.width / 2
        return None


AUTOMATIC = Window()


def make_window(given: Any) -> Window:
    """The window as one writes it: None, (low, high), "none" for values as they are stored, or a Window.

    Raises: OptionError for anything else.
    """
    if given is None or isinstance(given, Window):
        return given or AUTOMATIC
    if isinstance(given, str) and given == "none":
        return Window(stored=True)
    try:
        low, high = (float(end) for end in given)
    except (TypeError, ValueError):
        raise OptionError(f"a window is two numbers, low and high, or 'none', not {given!r}") from None
    return Window(low=low, high=high)


def pick_slice(window: Window, count: int, name: str) -> int:
    """Which of so many slices. Raises: ImageFileError where there is no such one."""
    if window.slice is None:
        return count // 2
    if not -count <= window.slice < count:
        raise ImageFileError(f"{name!r} has {count} slices, counted from 0; there is no slice {window.slice}")
    return window.slice % count


def linear(values: np.ndarray, centre: float, width: float) -> np.ndarray:
    """Gray 0..255 as float, by DICOM's LINEAR: black up to centre - 0.5 - (width - 1) / 2, white width - 1 above.

    Source: DICOM PS3.3 C.11.2.1.2.1, https://dicom.nema.org/medical/dicom/current/output/chtml/part03/sect_C.11.2.html
    """
    if width <= 1:
        return np.where(values <= centre - 0.5, 0.0, 255.0)
    return (((values - (centre - 0.5)) / (width - 1) + 0.5) * 255.0).clip(0.0, 255.0)


def linear_exact(values: np.ndarray, centre: float, width: float) -> np.ndarray:
    """Gray 0..255 as float, by DICOM's LINEAR_EXACT: black up to centre - width / 2, white from centre + width / 2."""
    return (((values - centre) / width + 0.5) * 255.0).clip(0.0, 255.0)


def sigmoid(values: np.ndarray, centre: float, width: float) -> np.ndarray:
    """Gray 0..255 as float, by DICOM's SIGMOID: 255 / (1 + exp(-4 (x - centre) / width))."""
    return 255.0 / (1.0 + np.exp((-4.0 * (values - centre) / width).clip(-700.0, 700.0)))


def span(values: np.ndarray) -> np.ndarray:
    """Gray 0..255 as float, from the least to the greatest finite value; black where all are equal."""
    ends = finite_ends(values)
    return np.zeros(values.shape) if ends is None else between(values, *ends)


def finite_ends(values: np.ndarray) -> Optional[Ends]:
    """The least and the greatest finite value, None where they are equal or there is none."""
    low, high = extremes(strips(values))
    return (low, high) if low < high else None


def extremes(parts: Iterable[np.ndarray]) -> Ends:
    """The least and the greatest finite value of some arrays; both 0 where there is none."""
    finite = (part[np.isfinite(part)] if part.dtype.kind == "f" else part for part in parts)
    found = [(float(part.min()), float(part.max())) for part in finite if part.size] or [(0.0, 0.0)]
    return min(low for low, _ in found), max(high for _, high in found)


def check_inside(values: np.ndarray, ends: Ends, name: str) -> None:
    """Raises: ImageFileError where the window shows hardly a value, so that the image would be black and white."""
    within = between_ends = 0
    with np.errstate(invalid="ignore"):  # what is no number lies nowhere
        for part in strips(values):
            within += int(np.count_nonzero((part >= ends[0]) & (part <= ends[1])))
            between_ends += int(np.count_nonzero((part > ends[0]) & (part < ends[1])))
    if within < LEAST_INSIDE * values.size or (not between_ends and within < values.size):
        low, high = extremes(strips(values))
        raise ImageFileError(
            f"{name!r} has values from {low:g} to {high:g}, of which {within / values.size:.2%} lie in the window from "
            f"{ends[0]:g} to {ends[1]:g}: nothing would be seen; give a window for these values, or none"
        )


def between(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """0..255 as float64, `low` and below black, `high` and above white; what is no number stays none."""
    return ((values.astype(np.float64) - low) / (high - low) * 255.0).clip(0.0, 255.0)


def shades(values: np.ndarray, low: float, high: float, invert: bool = False) -> np.ndarray:
    """The same as uint8, of any shape, a strip at a time; what is no number is black. invert: `low` is white."""
    shown = np.empty(values.shape, np.uint8)
    for part, into in zip(strips(values), strips(shown)):
        gray = between(part, low, high)
        gray = 255.0 - gray if invert else gray
        into[...] = np.rint(np.where(np.isnan(gray), 0.0, gray)).astype(np.uint8)
    return shown


def strips(values: np.ndarray) -> Iterator[np.ndarray]:
    """Views of some rows each."""
    rows = max(1, STRIP * len(values) // max(1, values.size))
    for top in range(0, len(values), rows):
        yield values[top : top + rows]


def three(gray: np.ndarray) -> np.ndarray:
    """[H, W] as [H, W, 3], three equal channels."""
    return np.repeat(gray[..., np.newaxis], 3, axis=2)


def as_stored(values: np.ndarray, name: str) -> np.ndarray:
    """Values that go on without a window: float32 of the same shape. Raises: ImageFileError where one is not finite."""
    numbers = values.astype(np.float32)
    if not np.isfinite(numbers).all():
        raise ImageFileError(f"{name!r} holds NaN or infinite values; with --window LOW,HIGH NaN is black")
    return numbers


def import_extra(module: str, what: str, name: str) -> Any:
    """The optional package that reads this kind of file.

    Raises: ImageFileError that says how to install it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImageFileError(
            f"{name!r} is a {what} file, which {module.split('.')[0]} reads: pip install 'gradcam_tf1[medical]'"
        ) from error
