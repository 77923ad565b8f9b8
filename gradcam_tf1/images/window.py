"""Convert measured values to 0..255 by a window, for images whose type does not define white (medical and others)."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any, Iterable, Iterator, Optional, Tuple

import numpy as np

from gradcam_tf1.errors import ImageFileError, OptionError

STRIP = 1 << 20  # values converted at a time: the intermediate results take several times their memory
LEAST_INSIDE = 0.01  # minimum share of an image's values that lie in the window
Ends = Tuple[float, float]


@dataclass(frozen=True)
class Window:
    """Options of converting measured values to 0..255.

    It applies to DICOM, NIfTI and .npy files, and to TIFF and PNM of 16 or 32 bits, signed or float. Images of 8 bits
    ignore it. Give `centre` and `width`, or `low` and `high`, or `stored`, or none of them: then the window in the
    file's header is used, or else the slice's own minimum and maximum.

    Attributes
    ----------
    centre, width : float, optional
        The window is centre - width / 2 to centre + width / 2; DICOM files apply their own formula. width >= 1.
    slice : int, optional
        Slice of a volume, frame of a DICOM file or page of a TIFF file, from 0, negative from the end. By default the
        middle slice or frame, the first page.
    low, high : float, optional
        The values drawn black and white, low < high.
    stored : bool
        No window: keep the values as they are stored, as float32.

    Raises
    ------
    OptionError
        If a field has a wrong type or value, or the fields contradict each other. The message says what is possible.
    """

    centre: Optional[float] = None
    width: Optional[float] = None
    slice: Optional[int] = None
    low: Optional[float] = None
    high: Optional[float] = None
    stored: bool = False

    def __post_init__(self) -> None:
        for name in ("centre", "width", "low", "high"):
            object.__setattr__(self, name, _plain_number(name, getattr(self, name)))
        if self.slice is not None and (not isinstance(self.slice, (int, np.integer)) or isinstance(self.slice, bool)):
            raise OptionError(f"the slice of a window is a whole number, counted from 0, not {self.slice!r}")
        if not isinstance(self.stored, (bool, np.bool_)):
            raise OptionError(f"the field stored of a window is True or False, not {self.stored!r}")
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
        """The values that become black and white, None where neither pair of fields is set."""
        if self.low is not None and self.high is not None:
            return self.low, self.high
        if self.centre is not None and self.width is not None:
            return self.centre - self.width / 2, self.centre + self.width / 2
        return None


def _plain_number(name: str, value: Any) -> Any:
    """Return a number without numpy's type, or None; raise OptionError for anything else."""
    is_number = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    if value is not None and not is_number:
        raise OptionError(f"the {name} of a window is a number, not {value!r}")
    return value.item() if isinstance(value, np.generic) else value


AUTOMATIC = Window()


def make_window(window: Any) -> Window:
    """Return a Window from the forms that users write.

    Parameters
    ----------
    window : None, (low, high), "none" or Window
        None is automatic; "none" keeps the values as they are stored.

    Returns
    -------
    Window

    Raises
    ------
    OptionError
        If it is anything else.
    """
    if window is None or isinstance(window, Window):
        return window or AUTOMATIC
    if isinstance(window, str) and window == "none":
        return Window(stored=True)
    try:
        low, high = (float(end) for end in window)
    except (TypeError, ValueError):
        raise OptionError(f"a window is two numbers, low and high, or 'none', not {window!r}") from None
    return Window(low=low, high=high)


def pick_slice(window: Window, count: int, name: str) -> int:
    """Return the number of the slice to read, of `count`; raise ImageFileError where it does not exist."""
    if window.slice is None:
        return count // 2
    if not -count <= window.slice < count:
        raise ImageFileError(f"{name!r} has {count} slices, counted from 0; there is no slice {window.slice}")
    return window.slice % count


def linear(values: np.ndarray, centre: float, width: float) -> np.ndarray:
    """Apply DICOM's LINEAR window: gray 0..255 as float.

    Black is centre - 0.5 - (width - 1) / 2 and below, white is width - 1 above that.
    Source: DICOM PS3.3 C.11.2.1.2.1, https://dicom.nema.org/medical/dicom/current/output/chtml/part03/sect_C.11.2.html
    """
    if width <= 1:
        return np.where(values <= centre - 0.5, 0.0, 255.0)
    return (((values - (centre - 0.5)) / (width - 1) + 0.5) * 255.0).clip(0.0, 255.0)


def linear_exact(values: np.ndarray, centre: float, width: float) -> np.ndarray:
    """Apply DICOM's LINEAR_EXACT window: gray 0..255 as float, black at centre - width / 2, white at + width / 2."""
    return (((values - centre) / width + 0.5) * 255.0).clip(0.0, 255.0)


def sigmoid(values: np.ndarray, centre: float, width: float) -> np.ndarray:
    """Apply DICOM's SIGMOID window: gray 255 / (1 + exp(-4 (x - centre) / width)) as float."""
    gray: np.ndarray = 255.0 / (1.0 + np.exp((-4.0 * (values - centre) / width).clip(-700.0, 700.0)))
    return gray


def span(values: np.ndarray) -> np.ndarray:
    """Return gray 0..255 as float, from the minimum to the maximum of the finite values; black where they are equal."""
    ends = finite_ends(values)
    return np.zeros(values.shape) if ends is None else between(values, *ends)


def finite_ends(values: np.ndarray) -> Optional[Ends]:
    """Return the minimum and maximum of the finite values, None where they are equal or there is none."""
    low, high = extremes(strips(values))
    return (low, high) if low < high else None


def extremes(parts: Iterable[np.ndarray]) -> Ends:
    """Return the minimum and maximum of the finite values of several arrays; (0, 0) where there is none."""
    finite = (part[np.isfinite(part)] if part.dtype.kind == "f" else part for part in parts)
    ends = [(float(part.min()), float(part.max())) for part in finite if part.size] or [(0.0, 0.0)]
    return min(low for low, _ in ends), max(high for _, high in ends)


def check_inside(values: np.ndarray, ends: Ends, name: str) -> None:
    """Raise ImageFileError where fewer than 1 % of the values, or none strictly inside, lie in the window."""
    within = between_ends = 0
    with np.errstate(invalid="ignore"):  # NaN lies in no window
        for part in strips(values):
            within += int(np.count_nonzero((part >= ends[0]) & (part <= ends[1])))
            between_ends += int(np.count_nonzero((part > ends[0]) & (part < ends[1])))
    if within < LEAST_INSIDE * values.size or (not between_ends and within < values.size):
        low, high = extremes(strips(values))
        raise ImageFileError(
            f"{name!r} has values from {low:g} to {high:g}, of which {within / values.size:.2%} lie in the window from "
            f"{ends[0]:g} to {ends[1]:g}: nothing would be visible; give a window for these values, or none"
        )


def between(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Scale values linearly to 0..255 as float64, `low` and below black, `high` and above white; NaN stays NaN."""
    return ((values.astype(np.float64) - low) / (high - low) * 255.0).clip(0.0, 255.0)


def shades(values: np.ndarray, low: float, high: float, invert: bool = False) -> np.ndarray:
    """Do the same as uint8, strip by strip; NaN becomes black, and with `invert` `low` becomes white."""
    shown = np.empty(values.shape, np.uint8)
    for part, into in zip(strips(values), strips(shown)):
        gray = between(part, low, high)
        gray = 255.0 - gray if invert else gray
        into[...] = np.rint(np.where(np.isnan(gray), 0.0, gray)).astype(np.uint8)
    return shown


def strips(values: np.ndarray) -> Iterator[np.ndarray]:
    """Yield views of some rows each, of about STRIP values."""
    rows = max(1, STRIP * len(values) // max(1, values.size))
    for top in range(0, len(values), rows):
        yield values[top : top + rows]


def three(gray: np.ndarray) -> np.ndarray:
    """Repeat gray [H, W] as three equal channels, [H, W, 3]."""
    return np.repeat(gray[..., np.newaxis], 3, axis=2)


def as_stored(values: np.ndarray, name: str) -> np.ndarray:
    """Return values without a window as float32 of the same shape; raise ImageFileError where one is not finite."""
    numbers = values.astype(np.float32)
    if not np.isfinite(numbers).all():
        raise ImageFileError(f"{name!r} holds NaN or infinite values; with --window LOW,HIGH NaN is black")
    return numbers


def import_extra(module: str, what: str, name: str) -> Any:
    """Import the optional package that reads a kind of file; raise ImageFileError on how to install it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImageFileError(
            f"{name!r} is a {what} file, which {module.split('.')[0]} reads: pip install 'gradcam_tf1[medical]'"
        ) from error
