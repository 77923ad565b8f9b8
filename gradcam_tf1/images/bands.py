"""Choose the channels of an image: RGB for photographs, or as many bands as the net takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Sequence, Tuple

import numpy as np

from gradcam_tf1.errors import ImageFileError, OptionError
from gradcam_tf1.images.window import AUTOMATIC, Window, shades

PHOTOGRAPH = (1, 3)  # nets with these numbers of channels take photographs; gray is mixed from RGB


def check_bands(bands: Any) -> Tuple[int, ...]:
    """Return bands as a tuple of ints, () for None; raise OptionError unless they are one or three numbers from 1."""
    numbers = () if bands is None else tuple(bands) if isinstance(bands, (list, tuple, np.ndarray)) else (bands,)
    whole = all(isinstance(band, (int, np.integer)) and not isinstance(band, bool) and band >= 1 for band in numbers)
    if len(numbers) not in (0, 1, 3) or not whole:
        raise OptionError(f"bands are one or three whole numbers, counted from 1, such as 3,2,1, not {bands!r}")
    return tuple(int(band) for band in numbers)


@dataclass(frozen=True)
class ReadOptions:
    """Options of reading an image.

    Attributes
    ----------
    channels : int
        Number of channels of the net. 1 and 3 read a photograph, uint8 RGB; any other number reads the bands as stored.
    bands : tuple of int
        The one or three bands to draw, counted from 1; () for the first three. A net that takes photographs gets these
        bands of TIFF, PNM and .npy files.
    window : Window
        How measured values become 0..255.

    Raises
    ------
    OptionError
        If a field has a wrong type or value. The message says what is possible.
    """

    channels: int = 3
    bands: Tuple[int, ...] = ()
    window: Window = AUTOMATIC

    def __post_init__(self) -> None:
        whole = isinstance(self.channels, (int, np.integer)) and not isinstance(self.channels, bool)
        if not whole or self.channels < 1:
            raise OptionError(f"channels is a whole number, at least 1, not {self.channels!r}")
        object.__setattr__(self, "bands", check_bands(self.bands))
        if not isinstance(self.window, Window):
            raise OptionError(f"window is a Window, such as Window(low=0, high=4095), not {self.window!r}")

    @property
    def many(self) -> bool:
        """Whether bands are read as they are stored."""
        return self.channels not in PHOTOGRAPH

    def fits(self, channels: int, name: str) -> bool:
        """Return whether an image is read as its stored bands; False where it is read as RGB.

        Parameters
        ----------
        channels : int
            Number of channels of the image.
        name : str
            Name of the image, for messages.

        Returns
        -------
        bool

        Raises
        ------
        ImageFileError
            If the net takes another number of bands than the image has.
        """
        if not self.many or channels == self.channels:
            return self.many
        raise ImageFileError(
            f"{name!r} has {channels} channel{'s' if channels > 1 else ''}, but the net takes {self.channels}; give "
            "images of as many: multi-band TIFF, .npy arrays [H, W, channels] or, for 4, RGBA PNG"
        )


AS_PHOTOGRAPH = ReadOptions()


def picked(values: np.ndarray, bands: Sequence[int], name: str) -> np.ndarray:
    """Return the bands to draw of [H, W, channels], as [H, W, 3].

    By default these are the first three; of one or two channels the first, in gray. Raise ImageFileError where a band
    does not exist.
    """
    count = values.shape[2]
    chosen = tuple(bands) or ((1, 2, 3) if count >= 3 else (1,))
    if max(chosen) > count:
        raise ImageFileError(f"{name!r} has {count} bands, counted from 1; there is no band {max(chosen)}")
    return values[..., [number - 1 for number in (chosen * 3)[:3]]]


SHARE = 2.0  # percent of a band's values at each end that become black or white, where values are not 0..255
_SAMPLE = 1_000_000
_LEAST = 1.0  # a float image of 0..1 is as bright as one of 0..255, and would be black if drawn as that


def drawn(values: np.ndarray, bands: Sequence[int] = (), name: str = "the image") -> np.ndarray:
    """Return three bands of an image as an RGB image to draw on.

    Values within 0..255 are kept. Others, and floats that are all at most 1, are no pixels: each band is stretched from
    its 2nd to its 98th percentile.

    Parameters
    ----------
    values : np.ndarray
        uint8 or float [H, W, channels].
    bands : sequence of int
        One or three bands, counted from 1; () for the first three.
    name : str
        Name of the image, for messages.

    Returns
    -------
    np.ndarray
        uint8 [H, W, 3].

    Raises
    ------
    ImageFileError
        If a band does not exist.
    """
    if values.dtype == np.uint8 and values.shape[2] == 3 and not bands:
        return values
    shown = picked(values, bands, name)
    if shown.dtype == np.uint8:
        return np.ascontiguousarray(shown)
    if shown.min() >= 0 and (_LEAST if shown.dtype.kind == "f" else 0) < shown.max() <= 255:
        return shades(shown, 0.0, 255.0)
    return np.stack([_stretched(shown[..., channel]) for channel in range(3)], axis=-1)


def _stretched(band: np.ndarray) -> np.ndarray:
    sample = band.ravel()[:: max(1, band.size // _SAMPLE)]
    low, high = (float(end) for end in np.percentile(sample, (SHARE, 100 - SHARE)))
    if low == high:
        low, high = float(band.min()), float(band.max())
    return shades(band, low, high) if low < high else np.zeros(band.shape, np.uint8)
