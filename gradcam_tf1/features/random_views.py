"""A picture seen a little moved, turned and resized, as exact linear maps with their transposes. No TensorFlow here."""

from __future__ import annotations

from typing import Any, NamedTuple, Tuple

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
        self._gray = gray
        self._plain = view == View()
        if not self._plain:
            self._matrix = _samples(sides, view)
            self._around = (gray * (1 - self._matrix.sum(axis=1))).A

    def see(self, pictures: np.ndarray) -> np.ndarray:
        """Return what is seen: [N, H, W, C] of the same dtype."""
        if self._plain:
            return pictures
        flat = pictures.reshape(len(pictures), -1, pictures.shape[-1])
        matrix = self._matrix.astype(pictures.dtype)
        seen = np.stack([matrix @ picture for picture in flat]) + self._around.astype(pictures.dtype)
        return seen.reshape(pictures.shape)

    def grads(self, grads: np.ndarray) -> np.ndarray:
        """Return dy/dp from dy/dv, by the transpose of S."""
        if self._plain:
            return grads
        flat = grads.reshape(len(grads), -1, grads.shape[-1])
        matrix = self._matrix.T.astype(grads.dtype)
        return np.stack([matrix @ grad for grad in flat]).reshape(grads.shape)


def _samples(sides: Tuple[int, int], view: View) -> Any:
    """Return S as a sparse matrix [H W, H W]; pixels outside the picture have no weight."""
    from scipy import sparse  # imported here because it takes long to import

    height, width = sides
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float64)
    down, right = rows - (height - 1) / 2 - view.after[0], columns - (width - 1) / 2 - view.after[1]
    angle = np.deg2rad(view.angle)
    cos, sin = np.cos(angle) / view.zoom, np.sin(angle) / view.zoom
    # where each pixel comes from
    y = (cos * down + sin * right) + (height - 1) / 2 - view.before[0]
    x = (cos * right - sin * down) + (width - 1) / 2 - view.before[1]
    top, left = np.floor(y), np.floor(x)
    cells, weights = [], []
    for row, above in ((top, top + 1 - y), (top + 1, y - top)):
        for column, beside in ((left, left + 1 - x), (left + 1, x - left)):
            inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
            cells.append(np.where(inside, row * width + column, 0).astype(np.int32).ravel())
            weights.append(np.where(inside, above * beside, 0).astype(np.float32).ravel())
    starts = np.arange(0, 4 * height * width + 1, 4, dtype=np.int32)
    data, indices = np.stack(weights, axis=1).ravel(), np.stack(cells, axis=1).ravel()
    return sparse.csr_matrix((data, indices, starts), shape=(height * width, height * width))
