"""Pictures that fill the frame, from the coefficients of their spectra, and the way back. No TensorFlow here."""

from __future__ import annotations

from typing import Callable, NamedTuple, Tuple

import numpy as np

from gradcam_tf1.features.feature_options import FeatureOptions
from gradcam_tf1.features.pixel_colours import PixelColours
from gradcam_tf1.features.random_views import Viewer, draw_view
from gradcam_tf1.features.spectrum_pictures import SpectrumPictures

Uphill = Callable[[np.ndarray], Tuple[np.ndarray, np.ndarray]]


class Ascent(NamedTuple):
    """Where coefficients go.

    Attributes
    ----------
    grads : np.ndarray
        Float [N, *shape], dy/dz.
    on : np.ndarray
        float32 [N, 1, 1, 1, 1], 1 where the unit is on, 0 where a ReLU switches it off.
    """

    grads: np.ndarray
    on: np.ndarray


class PlainPictures:
    """Pixels p of coefficients z; the net sees V p on gray, with a random view V for each step.

    Parameters
    ----------
    sides : (int, int)
        Height and width.
    channels : int
        Channels of the pictures.
    options : FeatureOptions
        Views, range of the pixels, seed.
    decay : float
        How much faster low frequencies change.
    """

    def __init__(self, sides: Tuple[int, int], channels: int, options: FeatureOptions, decay: float) -> None:
        self.sides, self.options = sides, options
        self.gray = sum(options.values) / 2
        self.colours = PixelColours(channels, *options.values)
        self.random = np.random.RandomState(options.seed)
        self.spectra = SpectrumPictures(sides, channels, decay)

    def start(self, count: int) -> np.ndarray:
        """Return the coefficients of the first pictures, which are nearly gray: float32 [N, *shape]."""
        return np.repeat(self.spectra.start(self.options.seed)[np.newaxis], count, axis=0)

    def pixels(self, coefficients: np.ndarray) -> np.ndarray:
        """Return the pictures: float32 [N, H, W, C]."""
        return self.colours.pixels(self.spectra.pictures(coefficients))

    def ascent(self, coefficients: np.ndarray, uphill: Uphill) -> Ascent:
        """Return where the coefficients go, under a view that is drawn here.

        Parameters
        ----------
        coefficients : np.ndarray
            Float [N, *shape].
        uphill : callable
            From what the net sees to the gradients there, [N, H, W, C] each, and to 1 or 0 for each unit that is on.
        """
        pixels = self.pixels(coefficients)
        viewer = self.viewer(self.gray)
        grads, on = uphill(viewer.see(pixels))
        return Ascent(self.spectra.grads(self.colours.grads(pixels, viewer.grads(grads))), on)

    def viewer(self, around: float) -> Viewer:
        """Draw a view, with a value around the picture."""
        options = self.options
        return Viewer(self.sides, draw_view(self.random, options.jitter, options.angle, options.zoom), around)
