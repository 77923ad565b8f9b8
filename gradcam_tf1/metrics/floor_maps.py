"""Maps that know nothing of the net: a method that does not beat them explains nothing. No TensorFlow here."""

from __future__ import annotations

from typing import Callable, Dict

import numpy as np

from gradcam_tf1.errors import OptionError
from gradcam_tf1.images.geometry import Placement
from gradcam_tf1.metrics.map_frames import on_original

_CENTRE = 0.25  # standard deviation of the Gaussian, as a share of each side


def floor_map(name: str, image: np.ndarray, seed: int = 0) -> np.ndarray:
    """Return a map made without the net.

    - random: uniform numbers, each pixel on its own; its highest pixel is a fair draw.
    - edges: the Sobel operator's magnitude, the root of the sum of squares over the channels.
    - centre: a Gaussian in the middle, its standard deviation a quarter of each side. Photographs have their object
      there.

    Parameters
    ----------
    name : str
        One of FLOORS.
    image : np.ndarray
        float32 [H, W, C].
    seed : int
        Of `random`; give each image its own.

    Returns
    -------
    np.ndarray
        float64 [H, W], >= 0.

    Raises
    ------
    OptionError
        If there is no such map, or the image is not [H, W, C].
    """
    if name not in _FLOORS:
        raise OptionError(f"no floor {name!r}; possible: {', '.join(FLOORS)}")
    if image.ndim != 3 or 0 in image.shape:
        raise OptionError(f"a floor is made of an image [H, W, C], this one is {list(image.shape)}")
    return _FLOORS[name](image, seed)


def floor_on_original(name: str, image: np.ndarray, placement: Placement, seed: int = 0) -> np.ndarray:
    """Return the same map on the original image.

    `random` is drawn there anew: enlarged numbers are averages of neighbours, except at the border, where the highest
    one would then be too often.

    Parameters
    ----------
    name : str
        One of FLOORS.
    image : np.ndarray
        float32 [H, W, C], the image at the net's input.
    placement : Placement
        How it was fitted.
    seed : int
        As in `floor_map`.

    Returns
    -------
    np.ndarray
        float64 [H0, W0], 0 where the net did not see the image.

    Raises
    ------
    OptionError
        As `floor_map`.
    """
    if name != "random":
        return on_original(floor_map(name, image, seed), None, placement)
    top, left, bottom, right = placement.seen
    placed = np.zeros(placement.original)
    placed[top:bottom, left:right] = _random(np.empty((bottom - top, right - left, 1)), seed)
    return placed


def _random(image: np.ndarray, seed: int) -> np.ndarray:
    return np.random.RandomState(seed).uniform(size=image.shape[:2])


def _edges(image: np.ndarray, _seed: int) -> np.ndarray:
    from scipy import ndimage  # imported here because it takes long to import

    squares = np.zeros(image.shape[:2])
    for channel in np.moveaxis(image.astype(np.float64), 2, 0):
        squares += sum(ndimage.sobel(channel, axis=axis, mode="nearest") ** 2 for axis in (0, 1))
    return np.asarray(np.sqrt(squares))


def _centre(image: np.ndarray, _seed: int) -> np.ndarray:
    down, across = (((np.arange(side) + 0.5) / side - 0.5) / _CENTRE for side in image.shape[:2])
    return np.asarray(np.exp(-0.5 * (down[:, np.newaxis] ** 2 + across**2)))


_FLOORS: Dict[str, Callable[[np.ndarray, int], np.ndarray]] = {
    "random": _random,
    "edges": _edges,
    "centre": _centre,
}
FLOORS = tuple(_FLOORS)
