"""Pictures of one object that is cut out of its background, and the way back. No TensorFlow here."""

from __future__ import annotations

from typing import Tuple

import cv2
import numpy as np
from scipy.special import expit

from gradcam_tf1.features.feature_options import FeatureOptions
from gradcam_tf1.features.plain_pictures import Ascent, PlainPictures, Uphill
from gradcam_tf1.features.spectrum_pictures import SpectrumPictures

_SHARP = 4.0  # of the opacity's slope against the colours': an object has an edge
_VIEWS = 2  # for each step, each with a background of its own
_ROUGH = 40 / 255  # deviation of a background's values, as a share of their range
_PATCHES = (2, 9)  # fewest patches of a background along a side, and one more than the most
_ROOM = 2.5  # half width of the window in mean distances: an object, and not two
_STEEP = 4  # power of the distance, for a window with an edge


class CutPictures(PlainPictures):
    """Pixels p with opacity o = w sigmoid(4 x); the net sees V(o p) + (1 - V o) b on random backgrounds b.

    What is drawn must be recognised on any background: it has an outline and a surface of its own, and is no hole in
    something else. The picture is the object on gray.

    Parameters
    ----------
    sides, channels, options, decay
        As for `PlainPictures`.

    References
    ----------
    Transparency: Differentiable Image Parameterizations, https://doi.org/10.23915/distill.00012
    """

    def __init__(self, sides: Tuple[int, int], channels: int, options: FeatureOptions, decay: float) -> None:
        super().__init__(sides, channels, options, decay)
        self.spectra = SpectrumPictures(sides, channels + 1, decay)
        self._channels = channels
        self._windows = np.ones((1, *sides, 1), np.float32)

    def background(self) -> np.ndarray:
        """Draw a background, a colour with some soft patches: float32 [1, H, W, C]."""
        low, high = self.options.values
        height, width = self.sides
        patches = self.random.randint(*_PATCHES)
        rough = self.random.normal(0, _ROUGH * (high - low), (patches, patches, self._channels))
        soft = cv2.resize(rough, (width, height), interpolation=cv2.INTER_CUBIC).reshape(1, height, width, -1)
        return np.clip(self.random.uniform(low, high, self._channels) + soft, low, high).astype(np.float32)

    def leave_room(self, grads: np.ndarray) -> None:
        """Set the windows w = exp(-(d / 2.5 r)^4), with d the distance from the middle, and r how far a unit looks.

        Parameters
        ----------
        grads : np.ndarray
            Float [N, H, W, C]: gradients of the units on a background. r is the root of the mean square distance of
            the squared gradient from its centre; where there is no gradient, the window is the whole picture.
        """
        places = np.indices(self.sides).astype(np.float64)
        middle = (np.array(self.sides).reshape(2, 1, 1) - 1) / 2
        away = np.sqrt(np.square(places - middle).sum(axis=0))
        reaches = [_reach(np.square(each, dtype=np.float64).sum(axis=-1), places) for each in grads]
        windows = [np.exp(-((away / (_ROOM * reach)) ** _STEEP)) if reach else np.ones(self.sides) for reach in reaches]
        self._windows = np.stack(windows)[..., np.newaxis].astype(np.float32)

    def pixels(self, coefficients: np.ndarray) -> np.ndarray:
        """Return the objects on gray: float32 [N, H, W, C]."""
        pixels, opacity = self._painted(coefficients)
        return np.asarray(self.gray + self._windows * opacity * (pixels - self.gray))

    def ascent(self, coefficients: np.ndarray, uphill: Uphill) -> Ascent:
        """Return where the coefficients go, under views on backgrounds that are drawn here."""
        pixels, opacity = self._painted(coefficients)
        seen = self._windows * opacity
        by_pixels, by_opacity = np.zeros_like(pixels), np.zeros_like(opacity)
        on = np.zeros((len(pixels), 1, 1, 1, 1), np.float32)
        for _ in range(_VIEWS):
            viewer, behind = self.viewer(0.0), self.background()
            grads, each_on = uphill(viewer.see(seen * pixels) + (1 - viewer.see(seen)) * behind)
            back = viewer.grads(grads)
            by_pixels += seen * back
            by_opacity += (pixels * back - viewer.grads(grads * behind)).sum(axis=-1, keepdims=True)
            on += each_on / _VIEWS
        by_opacity *= self._windows
        by_opacity -= self.options.clearing * on[..., 0] * np.abs(by_opacity).mean(axis=(1, 2, 3), keepdims=True)
        by_opacity *= _SHARP * opacity * (1 - opacity)
        grads = np.concatenate([self.colours.grads(pixels, by_pixels), by_opacity], axis=-1)
        return Ascent(self.spectra.grads(grads), on)

    def _painted(self, coefficients: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
        """Return the pixels, and how opaque they are before the window: [N, H, W, C] and [N, H, W, 1]."""
        values = self.spectra.pictures(coefficients)
        return self.colours.pixels(values[..., :-1]), expit(_SHARP * values[..., -1:])


def _reach(weights: np.ndarray, places: np.ndarray) -> float:
    """Return how far weights [H, W] lie from their centre, 0 where there are none."""
    total = weights.sum()
    if not total:
        return 0.0
    centre = (weights * places).sum(axis=(1, 2), keepdims=True) / total
    return float(np.sqrt((weights * np.square(places - centre).sum(axis=0)).sum() / total))
