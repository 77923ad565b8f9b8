"""Which channels an image is read in: RGB for photographs, or as many bands as the net takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Sequence, Tuple

import numpy as np

from gradcam_tf1.errors import ImageFileError, OptionError
from gradcam_tf1.images.window import AUTOMATIC, Window, shades

PHOTOGRAPH = (1, 3)  # nets of so many channels take photographs: gray is mixed of RGB


@dataclass(frozen=True)
class ReadOptions:
    """channels: of the net; 1 and 3 stand for photographs, uint8 RGB, others for so many bands as they are stored.

    bands: the ones to draw, from 1; a net that takes photographs sees these of TIFF, PNM and .npy files. window: how
    measured values become 0..255.
    """

    channels: int = 3
    bands: Tuple[int, ...] = ()
    window: Window = AUTOMATIC

    @property
    def many(self) -> bool:
        """Whether bands are wanted as they are."""
        return self.channels not in PHOTOGRAPH

    def fits(self, channels: int, name: str) -> bool:
        """Whether an image of so many channels is taken as it is; False where RGB is wanted.

        Raises: ImageFileError where other bands are wanted than it has.
        """
        if not self.many or channels == self.channels:
            return self.many
        raise ImageFileError(
            f"{name!r} has {channels} channel{'s' if channels > 1 else ''}, but the net takes {self.channels}; give "
            "images of as many: multi-band TIFF, .npy arrays [H, W, channels] or, for 4, RGBA PNG"
        )


AS_PHOTOGRAPH = ReadOptions()


def check_bands(bands: Any) -> Tuple[int, ...]:
    """One or three numbers of bands, from 1; () for None. Raises: OptionError."""
    numbers = () if bands is None else tuple(bands) if isinstance(bands, (list, tuple, np.ndarray)) else (bands,)
    whole = all(isinstance(each, (int, np.integer)) and not isinstance(each, bool) and each >= 1 for each in numbers)
    if len(numbers) not in (0, 1, 3) or not whole:
        raise OptionError(f"bands are one or three whole numbers, counted from 1, such as 3,2,1, not {bands!r}")
    return tuple(int(each) for each in numbers)


def picked(values: np.ndarray, bands: Sequence[int], name: str) -> np.ndarray:
    """The bands of [H, W, channels] that are drawn, [H, W, 3]; by default the first three, of two the first in gray.

    Raises: ImageFileError where there is no such band.
    """
    count = values.shape[2]
    chosen = tuple(bands) or ((1, 2, 3) if count >= 3 else (1,))
    if max(chosen) > count:
        raise ImageFileError(f"{name!r} has {count} bands, counted from 1; there is no band {max(chosen)}")
    return values[..., [number - 1 for number in (chosen * 3)[:3]]]


SHARE = 2.0  # percent of the values of a band at each end that are drawn black or white where they are no pixels
_SAMPLE = 1_000_000


def drawn(values: np.ndarray, bands: Sequence[int] = (), name: str = "the image") -> np.ndarray:
    """uint8 [H, W, 3] of [H, W, channels], the three bands that are named, from 1.

    Values within 0..255 are drawn as they are. Of others, each band is stretched from its 2nd to its 98th percentile.
    Raises: ImageFileError where there is no such band.
    """
    if values.dtype == np.uint8 and values.shape[2] == 3 and not bands:
        return values
    shown = picked(values, bands, name)
    if shown.dtype == np.uint8:
        return np.ascontiguousarray(shown)
    if shown.min() >= 0 and shown.max() <= 255:
        return shades(shown, 0.0, 255.0)
    return np.stack([_stretched(shown[..., channel]) for channel in range(3)], axis=-1)


def _stretched(band: np.ndarray) -> np.ndarray:
    sample = band.ravel()[:: max(1, band.size // _SAMPLE)]
    low, high = (float(end) for end in np.percentile(sample, (SHARE, 100 - SHARE)))
    if low == high:
        low, high = float(band.min()), float(band.max())
    return shades(band, low, high) if low < high else np.zeros(band.shape, np.uint8)
