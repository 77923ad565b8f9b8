"""From measured values to gray: the window of medical pictures."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any, Optional

import numpy as np

from gradcam_tf1.errors import ImageFileError, OptionError


@dataclass(frozen=True)
class Window:
    """How DICOM and NIfTI files become pictures; other pictures do not look at it.

    centre, width: the values that are shown between black and white, both or none (then those of the header, else the
    slice's own least and greatest). slice: of a volume, from 0, or from the end where negative; None: the middle one.
    """

    centre: Optional[float] = None
    width: Optional[float] = None
    slice: Optional[int] = None

    def __post_init__(self) -> None:
        if (self.centre is None) != (self.width is None):
            raise OptionError("a window has a centre and a width; one of them alone says nothing")
        if self.width is not None and not self.width >= 1:
            raise OptionError(f"the width of a window is at least 1, not {self.width}")


AUTOMATIC = Window()


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
    finite = values[np.isfinite(values)]
    if not finite.size or finite.min() == finite.max():
        return np.zeros(values.shape)
    least, greatest = float(finite.min()), float(finite.max())
    return ((values - least) / (greatest - least) * 255.0).clip(0.0, 255.0)


def to_gray(shown: np.ndarray) -> np.ndarray:
    """Gray 0..255 [H, W] as uint8 [H, W, 3]; what is no number is black."""
    gray = np.rint(np.where(np.isnan(shown), 0.0, shown)).astype(np.uint8)
    return np.repeat(gray[..., np.newaxis], 3, axis=2)


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
