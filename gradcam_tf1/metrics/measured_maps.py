"""What every metric does first: a map that fits its image, the order of its pixels, scores in chunks."""

from __future__ import annotations

from typing import Iterable, Iterator, Optional

import numpy as np

from gradcam_tf1.errors import OptionError
from gradcam_tf1.metrics.metric_row import ScoreFunction

CHUNK = 32
CONSTANT = "the map is constant, so it orders no pixels"


def as_map(saliency: np.ndarray, image: Optional[np.ndarray] = None) -> np.ndarray:
    """Return a map as float64.

    Parameters
    ----------
    saliency : np.ndarray
        [H, W], one value a pixel. Any number of axes will do where a metric does not say otherwise.
    image : np.ndarray, optional
        [H, W, C], the image that the map belongs to.

    Raises
    ------
    OptionError
        If it is empty, has no real numbers, or has another size than the image.
    """
    values = np.asarray(saliency)
    if values.dtype.kind not in "buif" or not values.size:
        raise OptionError(f"a map has real numbers, at least one; this one is {values.dtype} {list(values.shape)}")
    if image is not None and np.shape(image)[:-1] != values.shape:
        raise OptionError(
            f"the map has size {list(values.shape)} and the image {list(np.shape(image)[:-1])}; measure a map at the "
            "size of its image"
        )
    return values.astype(np.float64)


def not_finite(values: np.ndarray) -> str:
    """Return why a map cannot be measured: it has values that are no numbers. "" if it can."""
    return "" if np.isfinite(values).all() else "the map has NaN or infinite values"


def span(image: np.ndarray) -> float:
    """Return the difference of the largest and the smallest value of an image; NaN or infinite where one is."""
    low, high = float(image.min()), float(image.max())
    return high - low


def in_units(values: np.ndarray) -> np.ndarray:
    """Return a map divided by its largest magnitude, so that sums and squares of huge or tiny values exist."""
    largest = np.abs(values).max()
    return np.asarray(values / largest) if largest > 0 else values


def too_large(value: float) -> str:
    """Return why a number is no result; "" if it is one."""
    return "" if np.isfinite(value) else "the value is too large for a number"


def is_constant(values: np.ndarray) -> bool:
    """Return whether all values are exactly the same, as on an image of one pixel."""
    return bool(values.min() == values.max())


def no_order(values: np.ndarray) -> str:
    """Return why a map orders no pixels, or ""."""
    return not_finite(values) or (CONSTANT if is_constant(values) else "")


def pixel_order(values: np.ndarray, seed: int) -> np.ndarray:
    """Return the pixels in the order of their importance, the largest value first.

    Equal values are ordered at random by the seed. In the order of the rows, the large areas of equal values that maps
    have (zero after a ReLU) would be taken from the top of the image to its bottom.

    Parameters
    ----------
    values : np.ndarray
        float64 [H, W], finite.
    seed : int
        The same seed gives the same order.

    Returns
    -------
    np.ndarray
        int64 [H*W], indices of the flattened map.
    """
    lots = np.random.RandomState(seed).permutation(values.size)
    return np.lexsort((lots, -values.ravel()))


def scores_of_images(images: Iterable[np.ndarray], score: ScoreFunction, chunk: int) -> np.ndarray:
    """Return the scores of images that are made one chunk at a time.

    Parameters
    ----------
    images : iterable of np.ndarray
        float32 [H, W, C] each; copied at once, so that one array may be changed from image to image.
    score : ScoreFunction
        Gets float32 [M, H, W, C] with M <= chunk, an array that holds other images at the next call.
    chunk : int
        Images per call.

    Returns
    -------
    np.ndarray
        float64, one score an image.

    Raises
    ------
    OptionError
        If the function does not return one number an image.
    """
    found = [np.empty(0)]
    for batch in _batches(images, chunk):
        scores = np.asarray(score(batch))
        if scores.shape != (len(batch),) or scores.dtype.kind not in "buif":
            raise OptionError(
                f"a score function returns one number an image: [{len(batch)}], not {list(scores.shape)} of "
                f"{scores.dtype}"
            )
        found.append(scores.astype(np.float64))
    return np.concatenate(found)


def _batches(images: Iterable[np.ndarray], chunk: int) -> Iterator[np.ndarray]:
    """Yield the images in batches, in one array that is filled again and again."""
    batch, count = np.empty((chunk, 0), np.float32), 0
    for image in images:
        if batch.shape[1:] != image.shape:
            batch = np.empty((chunk, *image.shape), np.float32)
        batch[count] = image
        count += 1
        if count == chunk:
            yield batch
            count = 0
    if count:
        yield batch[:count]


def no_scores(scores: np.ndarray) -> str:
    """Return why scores cannot be compared: the net answers NaN. "" if they can."""
    bad = int(np.sum(~np.isfinite(scores)))
    return f"the score is NaN or infinite for {bad} of {len(scores)} images" if bad else ""
