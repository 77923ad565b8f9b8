"""Convert the stored numbers of an image, [H, W, channels] of any type, to RGB or bands, 0..255."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

import numpy as np

from gradcam_tf1.errors import ImageFileError
from gradcam_tf1.images.bands import ReadOptions, picked
from gradcam_tf1.images.window import Ends, Window, as_stored, between, check_inside, shades, three

_KINDS = {"u": "unsigned", "i": "signed", "f": "float"}


@dataclass(frozen=True)
class Samples:
    """The stored numbers of an image.

    Attributes
    ----------
    values : np.ndarray
        [H, W, channels], numbers as the file stores them.
    name : str
        Name of the image, for messages.
    full : tuple of float, optional
        The values of black and white that follow from the type of the numbers; None where it does not define them.
    said : tuple of float, optional
        The values of black and white in the file's header, None where it has none.
    inverted : bool
        Whether the minimum is white.
    """

    values: np.ndarray
    name: str
    full: Optional[Ends] = None
    said: Optional[Ends] = None
    inverted: bool = False

    def ends(self, window: Window) -> Ends:
        """Return the values of black and white; raise ImageFileError where nothing defines them."""
        if self.values.dtype == np.uint8 and self.full is not None:
            return self.full
        ends = window.ends or self.full or self.said
        if ends is None:
            bits, kind = 8 * self.values.dtype.itemsize, _KINDS[self.values.dtype.kind]
            raise ImageFileError(
                f"{self.name!r} has {bits}-bit {kind} pixels, and nothing says which values are black and white; give "
                "them: --window LOW,HIGH, in Python run=RunOptions(window=(low, high)), or none to keep the "
                "values as they are stored"
            )
        if ends != self.full:
            check_inside(self.values, ends, self.name)
        return ends


def as_wanted(samples: Samples, wanted: ReadOptions, rgb: Optional[str] = None) -> np.ndarray:
    """Convert stored numbers to the requested image.

    Parameters
    ----------
    samples : Samples
        The stored numbers.
    wanted : ReadOptions
        Channels, bands and window.
    rgb : str, optional
        What the channels are where they are a photograph: "gray", "gray+alpha", "rgb", "rgb+alpha",
        "rgb+premultiplied" or "rgb+other"; None for bands.

    Returns
    -------
    np.ndarray
        uint8 [H, W, 3], RGB, or the bands as uint8 or float32 [H, W, channels]; values 0..255, or as stored.

    Raises
    ------
    ImageFileError
        If the channels do not suit the net, or black and white are not defined.
    """
    count = samples.values.shape[2]
    if wanted.fits(count, samples.name):
        return _bands(samples, wanted.window)
    if wanted.bands and rgb != "gray":
        chosen = Samples(
            picked(samples.values, wanted.bands, samples.name),
            *(samples.name, samples.full, samples.said, samples.inverted),
        )
        return _shown(chosen, wanted.window)
    if rgb is None:
        raise ImageFileError(
            f"{samples.name!r} has {count} bands, but the net takes photographs of three; say which three, counted "
            "from 1: --bands 3,2,1, in Python style=Style(bands=(3, 2, 1))"
        )
    shown = _shown(samples, wanted.window)
    if rgb in ("gray+alpha", "rgb+alpha", "rgb+premultiplied") and not wanted.window.stored:
        return _on_white(shown, rgb)
    return three(shown[..., 0]) if rgb.startswith("gray") else np.ascontiguousarray(shown[..., :3])


def _bands(samples: Samples, window: Window) -> np.ndarray:
    """Return the bands without rounding: a net may have been trained on differences smaller than 8 bits can express."""
    values = samples.values
    if values.dtype == np.uint8 and samples.full == (0.0, 255.0):
        return np.ascontiguousarray(255 - values if samples.inverted else values)
    if window.stored:
        return as_stored(values, samples.name)
    bands = np.empty(values.shape, np.float32)
    low, high = samples.ends(window)
    for channel in range(values.shape[2]):
        scaled = between(values[..., channel], low, high)
        bands[..., channel] = 255.0 - scaled if samples.inverted else scaled
    return np.where(np.isnan(bands), np.float32(0), bands) if values.dtype.kind == "f" else bands


def _shown(samples: Samples, window: Window) -> np.ndarray:
    if window.stored and samples.values.dtype != np.uint8:
        return as_stored(samples.values, samples.name)
    return shades(samples.values, *samples.ends(window), samples.inverted)


def _on_white(shown: np.ndarray, rgb: str) -> np.ndarray:
    """Composite uint8 [H, W, 2 or 4] on white."""
    colours, alpha = shown[..., :-1].astype(np.float32), shown[..., -1:].astype(np.float32) / 255
    mixed = colours + 255 * (1 - alpha) if rgb == "rgb+premultiplied" else colours * alpha + 255 * (1 - alpha)
    mixed = np.rint(mixed.clip(0, 255)).astype(np.uint8)
    return three(mixed[..., 0]) if rgb == "gray+alpha" else mixed
