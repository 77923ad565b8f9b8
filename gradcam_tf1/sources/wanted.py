"""What a picture is read for: photographs in RGB, or as many bands as a net takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Sequence, Tuple

import numpy as np

from gradcam_tf1.errors import ImageFileError, OptionError
from gradcam_tf1.sources.window import AUTOMATIC, Window

PHOTOGRAPH = (1, 3)  # nets of so many channels take photographs: gray is mixed of RGB


@dataclass(frozen=True)
class Wanted:
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
        """Whether a picture of so many channels is taken as it is; False where RGB is wanted.

        Raises: ImageFileError where other bands are wanted than it has.
        """
        if not self.many or channels == self.channels:
            return self.many
        raise ImageFileError(
            f"{name!r} has {channels} channel{'s' if channels > 1 else ''}, but the net takes {self.channels}; give "
            "pictures of as many: multi-band TIFF, .npy arrays [H, W, channels] or, for 4, RGBA PNG"
        )


AS_PHOTOGRAPH = Wanted()


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
