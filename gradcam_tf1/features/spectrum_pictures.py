"""Pictures as Fourier spectra, and the gradient of a score by the spectrum. No TensorFlow here."""

from __future__ import annotations

from typing import Tuple

import numpy as np
from scipy import fft

from gradcam_tf1.errors import OptionError

_GAIN = 0.25  # of the optimiser's steps: one step of a coefficient moves a picture by little
_START = 0.01  # deviation of the first coefficients: the first picture is nearly gray


class SpectrumPictures:
    """Pictures x = F^-1(s * z) for coefficients z, with F^-1 the orthonormal inverse Fourier transform.

    The scale s(f) = 0.25 / max(f, f_min) ** decay makes equal steps of all coefficients change low frequencies most, as
    in photographs, whose amplitudes fall as 1 / f.

    Parameters
    ----------
    sides : (int, int)
        Height and width of the pictures.
    channels : int
        Their channels.
    decay : float
        Exponent of the scale; 0 treats all frequencies alike.

    Attributes
    ----------
    shape : tuple of int
        Shape of the coefficients of one picture: [C, H, W // 2 + 1, 2], the last axis real and imaginary part.

    References
    ----------
    Feature Visualization, https://doi.org/10.23915/distill.00007
    """

    def __init__(self, sides: Tuple[int, int], channels: int, decay: float = 1.0) -> None:
        height, width = sides
        if min(sides) < 2:
            raise OptionError(f"a picture of {height}x{width} has no frequencies; its sides are at least 2 pixels")
        self._sides = sides
        frequencies = np.hypot(fft.fftfreq(height)[:, np.newaxis], fft.rfftfreq(width))
        scale = _GAIN / np.maximum(frequencies, 1 / max(sides)) ** decay
        self._scale = scale[..., np.newaxis]
        # a real picture has each of these columns twice, as conjugates, the first and a middle one excepted
        twice = np.full(width // 2 + 1, 2.0)
        twice[[0, -1] if width % 2 == 0 else [0]] = 1
        self._twice = twice[:, np.newaxis]
        self._back = (scale * twice)[..., np.newaxis]
        self.shape = (channels, *scale.shape, 2)

    def start(self, seed: int) -> np.ndarray:
        """Return the coefficients of a first picture: float32 of `shape`."""
        return np.random.RandomState(seed).normal(0, _START, self.shape).astype(np.float32)

    def pictures(self, coefficients: np.ndarray) -> np.ndarray:
        """Return the pictures of coefficients.

        Parameters
        ----------
        coefficients : np.ndarray
            Float [N, *shape].

        Returns
        -------
        np.ndarray
            [N, H, W, C] of the same dtype; any values.
        """
        scaled = coefficients * self._scale.astype(coefficients.dtype)
        found = fft.irfft2(scaled[..., 0] + 1j * scaled[..., 1], s=self._sides, norm="ortho")
        return np.ascontiguousarray(np.moveaxis(found, 1, -1))

    def grads(self, grads: np.ndarray) -> np.ndarray:
        """Return dy/dz from dy/dx: [N, H, W, C] -> [N, *shape]. It is the transpose of `pictures`, which is linear."""
        found = fft.rfft2(np.moveaxis(grads, -1, 1), norm="ortho")
        parts: np.ndarray = np.stack([found.real, found.imag], axis=-1) * self._back.astype(grads.dtype)
        return parts

    def pulls(self, coefficients: np.ndarray) -> np.ndarray:
        """Return dy/dz of y = |z|^2 / 2 over both halves of the plane: how gray the picture is, as photographs go."""
        return np.asarray(coefficients * self._twice.astype(coefficients.dtype))
