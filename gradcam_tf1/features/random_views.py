"""A picture seen a little moved, turned and resized, as exact linear maps with their transposes. No TensorFlow here."""

from __future__ import annotations

from typing import Any, NamedTuple, Sequence, Tuple

import numpy as np


class View(NamedTuple):
    """How a picture is looked at; the defaults leave it as it is.

    Attributes
    ----------
    angle : float
        Degrees, counter-clockwise.
    zoom : float
        Factor of its size.
    before : (float, float)
        Pixels that it is moved down and to the right before that.
    after : (float, float)
        Pixels that it is moved after that.
    """

    angle: float = 0.0
    zoom: float = 1.0
    before: Tuple[float, float] = (0.0, 0.0)
    after: Tuple[float, float] = (0.0, 0.0)


def draw_view(random: np.random.RandomState, jitter: int, angle: float, zoom: float) -> View:
    """Draw a view.

    Parameters
    ----------
    random : np.random.RandomState
        Source of random numbers; each view takes as many.
    jitter : int
        Most pixels that the picture is moved along each axis before it is turned; half as many after that.
    angle : float
        Most degrees that it is turned; a quarter of the views is not turned.
    zoom : float
        Most that it is resized, as a share of its size.
    """
    shares = random.uniform(-1, 1, 6)
    turn = angle * shares[0] if random.uniform() > 0.25 else 0.0
    before = np.round(jitter * shares[2:4])
    after = np.round(jitter / 2 * shares[4:6])
    return View(turn, 1 + zoom * shares[1], (before[0], before[1]), (after[0], after[1]))


class Viewer:
    """Pictures of one size under a view: v = S p + (1 - S 1) * gray, where S samples bilinearly.

    Parameters
    ----------
    sides : (int, int)
        Height and width.
    view : View
        The view.
    gray : float
        Value around the picture.
    """

    def __init__(self, sides: Tuple[int, int], view: View, gray: float) -> None:
        self._plain = view == View()
        if not self._plain:
            weights, cells = _samples(sides, view)
            self._matrix = _as_matrix(weights, cells)
            self._around = gray * (1 - weights.sum(axis=1, keepdims=True))

    def see(self, pictures: np.ndarray) -> np.ndarray:
        """Return what is seen: [N, H, W, C] of the same dtype."""
        if self._plain:
            return pictures
        flat = pictures.reshape(len(pictures), -1, pictures.shape[-1])
        matrix = self._matrix.astype(pictures.dtype, copy=False)
        seen = np.stack([matrix @ picture for picture in flat]) + self._around.astype(pictures.dtype, copy=False)
        views: np.ndarray = seen.reshape(pictures.shape)
        return views

    def grads(self, grads: np.ndarray) -> np.ndarray:
        """Return dy/dp from dy/dv, by the transpose of S."""
        if self._plain:
            return grads
        flat = grads.reshape(len(grads), -1, grads.shape[-1])
        matrix = self._matrix.T.astype(grads.dtype, copy=False)
        return np.stack([matrix @ grad for grad in flat]).reshape(grads.shape)


def _samples(sides: Tuple[int, int], view: View) -> Tuple[np.ndarray, np.ndarray]:
    """Return the weights of the four pixels that make each pixel, and their numbers: [H W, 4] each."""
    height, width = sides
    down = (np.arange(height, dtype=np.float32) - (height - 1) / 2 - view.after[0])[:, np.newaxis]
    right = np.arange(width, dtype=np.float32) - (width - 1) / 2 - view.after[1]
    angle = np.deg2rad(view.angle)
    cos, sin = np.cos(angle) / view.zoom, np.sin(angle) / view.zoom
    # where each pixel comes from
    rows = _neighbours(cos * down + sin * right + ((height - 1) / 2 - view.before[0]), height)
    columns = _neighbours(cos * right - sin * down + ((width - 1) / 2 - view.before[1]), width)
    weights, cells = np.empty((height, width, 4), np.float32), np.empty((height, width, 4), np.int32)
    for n, (above, row) in enumerate(rows):
        for m, (beside, column) in enumerate(columns):
            np.multiply(above, beside, out=weights[..., 2 * n + m])
            np.add(row * width, column, out=cells[..., 2 * n + m])
    return weights.reshape(-1, 4), cells.reshape(-1, 4)


def _neighbours(places: np.ndarray, length: int) -> Sequence[Tuple[np.ndarray, np.ndarray]]:
    """Return the two pixels about each place along an axis, each with its weight: 0 outside the picture."""
    first = np.floor(places)
    share = (places - first).astype(np.float32)
    numbers = first.astype(np.int32)
    return [
        (weights * ((cells >= 0) & (cells < length)), np.clip(cells, 0, length - 1))
        for weights, cells in ((1 - share, numbers), (share, numbers + 1))
    ]


def _as_matrix(weights: np.ndarray, cells: np.ndarray) -> Any:
    """Return S as a sparse matrix [H W, H W]."""
    from scipy import sparse  # imported here because it takes long to import

    starts = np.arange(0, weights.size + 1, 4, dtype=np.int32)
    return sparse.csr_matrix((weights.ravel(), cells.ravel(), starts), shape=(len(weights), len(weights)))
