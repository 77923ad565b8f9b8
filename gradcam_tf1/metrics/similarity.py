"""How alike are two maps of one image? Ranks, structure, edges and the regions that they mark. No TensorFlow here."""

from __future__ import annotations

from typing import Any, Callable, Tuple

import numpy as np

from gradcam_tf1.errors import OptionError
from gradcam_tf1.metrics.map_box import BOX_SHARE, check_share

SSIM_WINDOW = 11  # pixels on which a Gaussian of 1.5 pixels ends
_HOG_CELL = 16  # pixels, as in the paper
_HOG_BLOCK = 3  # cells

# scikit-image is imported in the functions because it takes long to import.


def spearman(a: np.ndarray, b: np.ndarray, absolute: bool = False) -> float:
    """Return Spearman's rank correlation of the pixels: the correlation of their ranks, equal values sharing a rank.

    Parameters
    ----------
    a, b : np.ndarray
        Float [H, W], two maps of one size.
    absolute : bool
        Of the magnitudes; otherwise with the sign.

    Returns
    -------
    float
        -1..1; 1 for maps that order the pixels alike. NaN if a map is constant.

    Raises
    ------
    OptionError
        If the sizes differ or a value is not finite.

    References
    ----------
    https://arxiv.org/abs/1810.03292
    """
    a, b = _pair(a, b, absolute)
    if _is_constant(a) or _is_constant(b):
        return float("nan")
    return correlation_of_units(rank_unit_vector(a), rank_unit_vector(b))


def rank_unit_vector(map: np.ndarray) -> np.ndarray:
    """Return the ranks of the pixels, less their mean and divided by their norm: float64 [H * W].

    Equal values share the mean of their ranks. Spearman's correlation is the product of two of these.
    """
    flat = map.ravel()
    order = flat.argsort()
    ordered = flat[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    ends = np.append(starts[1:], flat.size)
    ranks = np.empty(flat.size)
    ranks[order] = np.repeat((starts + ends - 1) / 2.0, ends - starts)
    return _unit_vector(ranks)


def ssim(a: np.ndarray, b: np.ndarray, absolute: bool = False) -> float:
    """Return the mean structural similarity of the maps, each divided by its largest magnitude.

    The window is a Gaussian of 1.5 pixels, the range 0..1. With the sign, zero is put at 0.5: SSIM multiplies a term of
    the means by one of the changes, so maps that are opposite in both would look alike otherwise.

    Parameters
    ----------
    a, b, absolute
        As in `spearman`; each side has 11 pixels or more.

    Returns
    -------
    float
        -1..1; 1 for equal maps up to a positive factor. NaN if a map is constant.

    Raises
    ------
    OptionError
        If the sizes differ, a side is below 11 pixels, or a value is not finite.

    References
    ----------
    https://doi.org/10.1109/TIP.2003.819861, https://arxiv.org/abs/1810.03292
    """
    a, b = _pair(a, b, absolute)
    if _is_constant(a) or _is_constant(b):
        return float("nan")
    return ssim_of_scaled(ssim_scaled(a, absolute), ssim_scaled(b, absolute))


def ssim_scaled(map: np.ndarray, absolute: bool) -> np.ndarray:
    """Return the map in 0..1: zero stays zero for magnitudes and becomes 0.5 for signed values."""
    scaled: np.ndarray = map / np.abs(map).max()
    return scaled if absolute else (scaled + 1) / 2


def ssim_of_scaled(a: np.ndarray, b: np.ndarray) -> float:
    """Return the mean structural similarity of maps in 0..1."""
    if min(a.shape) < SSIM_WINDOW:
        raise OptionError(
            f"SSIM needs maps of {SSIM_WINDOW} x {SSIM_WINDOW} pixels or more, these are {a.shape[0]} x {a.shape[1]}; "
            "place them on the image"
        )
    from skimage.metrics import structural_similarity

    compare: Callable[..., Any] = structural_similarity  # without types
    return float(compare(a, b, data_range=1.0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False))


def hog_similarity(a: np.ndarray, b: np.ndarray, absolute: bool = False) -> float:
    """Return the correlation of the maps' histograms of oriented gradients.

    Nine directions, cells of 16 x 16 pixels in blocks of 3 x 3; in maps with a side below 48 pixels the cells are as
    large as three of them fit.

    Parameters
    ----------
    a, b, absolute
        As in `spearman`; each side has 6 pixels or more.

    Returns
    -------
    float
        -1..1; 1 for maps whose edges are alike. NaN if a map is constant.

    Raises
    ------
    OptionError
        If the sizes differ, a side is below 6 pixels, or a value is not finite.

    References
    ----------
    https://doi.org/10.1109/CVPR.2005.177, https://arxiv.org/abs/1810.03292
    """
    a, b = _pair(a, b, absolute)
    if _is_constant(a) or _is_constant(b):
        return float("nan")
    return correlation_of_units(hog_unit_vector(a), hog_unit_vector(b))


def hog_unit_vector(map: np.ndarray) -> np.ndarray:
    """Return the histograms of oriented gradients, less their mean and divided by their norm: float [K].

    Zero where they are all equal. The correlation of two maps' histograms is the product of two of these.
    """
    if min(map.shape) < 2 * _HOG_BLOCK:
        raise OptionError(
            f"histograms of gradients need maps of 6 x 6 pixels or more, these are {map.shape[0]} x {map.shape[1]}; "
            "place them on the image"
        )
    from skimage.feature import hog

    cell = min(_HOG_CELL, min(map.shape) // _HOG_BLOCK)
    return _unit_vector(
        hog(
            map / np.abs(map).max(),
            orientations=9,
            pixels_per_cell=(cell, cell),
            cells_per_block=(_HOG_BLOCK, _HOG_BLOCK),
        )
    )


def correlation_of_units(a: np.ndarray, b: np.ndarray) -> float:
    """Return the product of two vectors of norm 1, in -1..1; NaN if one is zero."""
    return float(np.clip(_product(a, b), -1.0, 1.0)) if a.any() and b.any() else float("nan")


def region_iou(a: np.ndarray, b: np.ndarray, share: float = BOX_SHARE, absolute: bool = False) -> float:
    """Return the IoU of the regions above `share` of each map's maximum: |A and B| / |A or B|.

    Parameters
    ----------
    a, b : np.ndarray
        Float [H, W], two maps of one size.
    share : float
        Threshold as a share of the maximum, 0 <= share < 1.
    absolute : bool
        Of the magnitudes; otherwise of the positive values.

    Returns
    -------
    float
        0..1; 1 for equal regions. NaN if a map is constant or has no value above zero.

    Raises
    ------
    OptionError
        If the sizes differ, a value is not finite or `share` is out of bounds.

    References
    ----------
    https://arxiv.org/abs/1610.02391
    """
    check_share(share)
    a, b = _pair(a, b, absolute)
    if _is_constant(a) or _is_constant(b) or a.max() <= 0 or b.max() <= 0:
        return float("nan")
    first, second = a > share * a.max(), b > share * b.max()
    return float((first & second).sum() / (first | second).sum())


def _pair(a: np.ndarray, b: np.ndarray, absolute: bool) -> Tuple[np.ndarray, np.ndarray]:
    """Return both as float64, their magnitudes if `absolute`; refuse what cannot be compared."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if a.ndim != 2 or not a.size or a.shape != b.shape or not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise OptionError(
            f"maps to compare have finite values in [H, W] and one size, these are {list(a.shape)} and {list(b.shape)}"
        )
    return (np.abs(a), np.abs(b)) if absolute else (a, b)


def _is_constant(values: np.ndarray) -> bool:
    return bool(values.min() == values.max())


def _unit_vector(values: np.ndarray) -> np.ndarray:
    """Return the values less their mean, divided by their norm; zero where they are all equal."""
    if _is_constant(values):
        return np.zeros_like(values)
    centred = values - values.mean()
    return np.asarray(centred / np.sqrt(_product(centred, centred)))


def _product(a: np.ndarray, b: np.ndarray) -> Any:
    """Return the inner product of two vectors, without the threads of BLAS, which take longer to start than this."""
    return np.einsum("i,i->", a, b)
