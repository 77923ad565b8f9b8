"""Players: parts of an input that are shown or hidden as a whole: superpixels, cells of a grid or given labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterable, Iterator, Tuple, Union

import numpy as np

from gradcam_tf1.errors import OptionError
from gradcam_tf1.methods.interfaces import ProbeBase
from gradcam_tf1.methods.options import Option

Segments = Union[str, np.ndarray]

SEGMENTS = ("slic", "grid")
# of superpixels: how much nearness counts against likeness of colour; the next value where colours are too noisy
_COMPACTNESS = (10.0, 100.0, 1000.0)


@dataclass(frozen=True)
class Players:
    """A division of the input into P parts.

    Attributes
    ----------
    labels : np.ndarray
        intp [H, W], 0..P-1: the part of each position; any number of axes.
    count : int
        P.
    """

    labels: np.ndarray
    count: int

    def masks(self, coalitions: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Yield [H, W] for each coalition [P], of its dtype: bool or 0..1."""
        return (coalition[self.labels] for coalition in coalitions)

    def painted(self, values: np.ndarray) -> np.ndarray:
        """Return a map of values [T, P]: float32 [T, H, W]."""
        return np.asarray(values, np.float32)[:, self.labels]


def segments_option(default: str) -> Option:
    """Return the option `segments`: how the input is divided, see `players_of`."""
    return Option(
        "segments",
        default,
        kind=object,
        choices=SEGMENTS,
        others="an array of labels",
        for_images=("slic",),
        for_arrays="grid",
    )


def players_of(probe: ProbeBase, segments: Segments, count: int) -> Players:
    """Divide the input.

    Parameters
    ----------
    probe : ProbeBase
        Has the image.
    segments : str or np.ndarray
        "slic": superpixels. "grid": cells. Or labels int [H, W] of the input's size, one value for each part.
    count : int
        Superpixels: how many at most. Grid: about how many cells. Unused for labels.

    Returns
    -------
    Players
        Its parts are numbered in the order of their labels.

    Raises
    ------
    OptionError
        For labels of another shape or dtype.

    References
    ----------
    SLIC, https://doi.org/10.1109/TPAMI.2012.120
    """
    sides = probe.image.shape[:-1]
    if not isinstance(segments, str):
        labels = _checked(segments, sides)
    elif segments == "grid":
        labels = _grid(sides, count)
    else:
        labels = _superpixels(probe.pixels, count)
    values, inverse = np.unique(labels, return_inverse=True)
    return Players(inverse.reshape(sides).astype(np.intp), len(values))


def most_players(probe: ProbeBase, segments: Segments, count: int) -> int:
    """Return P, or what it is at most for superpixels: the same for all images of one size."""
    if isinstance(segments, str) and segments == "slic":
        return min(count, int(np.prod(probe.image.shape[:-1])))
    return players_of(probe, segments, count).count


def _checked(segments: Any, sides: Tuple[int, ...]) -> np.ndarray:
    labels = np.asarray(segments)
    if labels.shape != sides or labels.dtype.kind not in "iu":
        raise OptionError(
            f"segments are {labels.dtype} {list(labels.shape)}; they must be whole numbers of the input's size, "
            f"{list(sides)}, one value for each part, or one of {', '.join(SEGMENTS)}"
        )
    return labels


def _grid(sides: Tuple[int, ...], count: int) -> np.ndarray:
    """Return the labels of cells, about `count`, as many along each axis: int [H, W]."""
    wanted = max(1, round(count ** (1 / len(sides))))
    labels = np.zeros(sides, np.intp)
    for axis, length in enumerate(sides):
        cells = min(wanted, length)
        places = np.arange(length) * cells // length
        labels = labels * cells + places.reshape([-1 if other == axis else 1 for other in range(len(sides))])
    return labels


def _superpixels(pixels: np.ndarray, count: int) -> np.ndarray:
    """Return labels of at most `count` superpixels of an image float32 [H, W, 3], of half of it or more: int [H, W]."""
    low, high = float(pixels.min()), float(pixels.max())
    image = (pixels.astype(np.float64) - low) / max(high - low, 1e-6)
    labels = np.zeros(pixels.shape[:-1], np.intp)
    for compactness in _COMPACTNESS:
        found = _slic(image, count, compactness)
        if found.max() > labels.max():
            labels = found
        # noise has no superpixels: its fragments are merged into a few
        if labels.max() + 1 >= count / 2:
            break
    return labels


def _slic(image: np.ndarray, count: int, compactness: float) -> np.ndarray:
    """Return labels 0.. of at most `count` superpixels of an image [H, W, C], 0..1: int [H, W]."""
    from skimage.segmentation import slic  # imported late: it takes a while

    asked = count
    while asked > 1:
        labels = slic(
            image,
            n_segments=asked,
            compactness=compactness,
            convert2lab=image.shape[-1] == 3,
            channel_axis=-1,
            start_label=0,
        )
        values, places = np.unique(labels, return_inverse=True)
        if len(values) <= count:
            return np.asarray(places.reshape(labels.shape))
        asked = min(asked - 1, asked * count // len(values))  # the algorithm takes the number as a hint
    return np.zeros(image.shape[:-1], np.intp)
