"""From a picture of any values to pixels and on to the values that a net takes, each step with its gradient."""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from gradcam_tf1.errors import OptionError
from gradcam_tf1.images.preprocessing import GRAYS, Preprocessing

# The principal components of the colours of ImageNet's photographs (columns), and their standard deviations.
_COMPONENTS = np.array([[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]])
_DEVIATIONS = np.sqrt([0.2175, 0.0188, 0.0045])
# Relative to the first, which is brightness: a picture varies in it most, in the others as photographs do.
COLOURS = _COMPONENTS * _DEVIATIONS / _DEVIATIONS[0] * np.array([-1.0, 1.0, 1.0])

HIGHEST = 255.0


class PixelColours:
    """Pixels p = low + (high - low) * sigmoid(C x), with C the colours of photographs.

    Parameters
    ----------
    channels : int
        Channels of the pictures. For other than 3, C is the identity.
    low, high : float
        Range of the pixels.

    References
    ----------
    The components: https://doi.org/10.1145/3065386, section 4.1
    """

    def __init__(self, channels: int, low: float = 0.0, high: float = HIGHEST) -> None:
        self._colours = COLOURS if channels == 3 else np.eye(channels)
        self._low, self._range = low, high - low

    def pixels(self, pictures: np.ndarray) -> np.ndarray:
        """Return the pixels of pictures: [N, H, W, C] -> the same shape and dtype."""
        shares = expit(pictures @ self._colours.T.astype(pictures.dtype))
        return np.asarray(self._low + self._range * shares, pictures.dtype)

    def grads(self, pixels: np.ndarray, grads: np.ndarray) -> np.ndarray:
        """Return dy/dx from dy/dp, where `pixels` are those of x: [N, H, W, C] of the same dtype."""
        shares = (pixels - self._low) / self._range
        slopes = self._range * shares * (1 - shares)
        return np.asarray((grads * slopes) @ self._colours.astype(grads.dtype), grads.dtype)


class NetValues:
    """The values v = p A + b that a preset makes of pixels.

    Parameters
    ----------
    preset : Preprocessing
        What the net's preprocessing is.
    channels : int
        Channels of the pictures. One channel stands for red, green and blue alike where the preset takes RGB.
    taken : int
        Channels that the preset takes.

    Raises
    ------
    OptionError
        If the preset makes other values than its fields say, as a subclass may.
    """

    def __init__(self, preset: Preprocessing, channels: int, taken: int) -> None:
        spread = np.eye(channels) if channels == taken else np.ones((1, taken))
        self._matrix = spread @ _slopes(preset, taken)
        black = np.zeros((1, 1, 1, taken), np.float32)
        self._offset = np.asarray(preset(black), np.float64)[0, 0, 0]
        self._taken = taken
        samples = np.random.RandomState(0).uniform(0, HIGHEST, (1, 4, 4, taken))
        made, expected = np.asarray(preset(samples)), samples @ _slopes(preset, taken) + self._offset
        if made.shape != expected.shape or not np.allclose(made, expected, rtol=1e-4, atol=1e-4 * np.ptp(expected)):
            raise OptionError(
                f"the preprocessing ({preset.description}) is not (x * scale - mean) / std, so that its gradient is "
                "not known; give a Preprocessing of the package, preset=..."
            )

    def values(self, pixels: np.ndarray) -> np.ndarray:
        """Return what the net takes: [N, H, W, C] -> [N, H, W, c] of the same dtype."""
        return np.asarray(pixels @ self._matrix.astype(pixels.dtype) + self._offset.astype(pixels.dtype))

    def grads(self, grads: np.ndarray) -> np.ndarray:
        """Return dy/dp from dy/dv."""
        return np.asarray(grads @ self._matrix.T.astype(grads.dtype))

    def shown(self, pixels: np.ndarray) -> np.ndarray:
        """Return pixels with the channels that an image of the net has."""
        return np.broadcast_to(pixels, (*pixels.shape[:-1], self._taken))


def _slopes(preset: Preprocessing, taken: int) -> np.ndarray:
    """Return the matrix [taken, c] of a preset: what one unit of each channel adds to the net's values."""
    if preset.gray is not None:
        mixed = np.array(GRAYS[preset.gray])[:, np.newaxis]
    else:
        mixed = np.eye(taken)[::-1] if preset.order == "bgr" else np.eye(taken)
    return np.asarray(mixed * (preset.scale / np.array(preset.std, np.float64)))
