"""Recipro-CAM: the score of the features of one position alone, with nothing else left of the layer."""

from __future__ import annotations

from itertools import product
from typing import Any, Iterator, Sequence

import numpy as np

from gradcam_tf1.methods.interfaces import ProbeBase
from gradcam_tf1.methods.iterated import IteratedMethod
from gradcam_tf1.methods.masking import in_chunks
from gradcam_tf1.methods.options import Option
from gradcam_tf1.types import LayerInfo

_KERNEL = (0.25, 0.5, 0.25)  # of one axis; on two axes 1/16, 1/8, 1/4


def reciprocam(probe: ProbeBase, layer: LayerInfo, *, gaussian: bool) -> np.ndarray:
    """y(A * M_ij) - min_ab y(A * M_ab), M_ij the mask of position ij, the same for all channels.

    M_ij is 1 at the position and 0 elsewhere, or a Gaussian of three cells along each axis, 1/4, 1/8 and 1/16 on two
    axes, cut off at the border. The paper also divides by the range, which a drawn map is anyway.

    Parameters
    ----------
    probe : ProbeBase
        Has the image.
    layer : LayerInfo
        A single layer.
    gaussian : bool
        Whether M_ij is the Gaussian.

    Returns
    -------
    np.ndarray
        float32 [T, h, w], 0 and above.

    Raises
    ------
    GradientError
        For a layer of tokens.

    References
    ----------
    Recipro-CAM, https://arxiv.org/abs/2209.14074
    """
    features = probe.own_features(layer)
    grid = features.shape[:-1]
    scores = [
        probe.scores_at(layer, features * np.array(group, np.float32)[..., np.newaxis])
        for group in in_chunks(_masks(grid, gaussian), probe.chunk)
    ]
    maps = np.moveaxis(np.concatenate(scores), 0, -1).reshape((-1, *grid))
    return np.asarray(maps - maps.min(axis=tuple(range(1, maps.ndim)), keepdims=True))


def _masks(grid: Sequence[int], gaussian: bool) -> Iterator[np.ndarray]:
    """Yield the mask of each position, row by row: float64 [h, w]."""
    axes = [_windows(length, gaussian) for length in grid]
    for rows in product(*axes):
        mask = rows[0]
        for row in rows[1:]:
            mask = np.multiply.outer(mask, row)
        yield mask


def _windows(length: int, gaussian: bool) -> np.ndarray:
    """Return the mask of each place of one axis: [length, length]."""
    if not gaussian:
        return np.eye(length)
    beside, centre, _ = _KERNEL
    return centre * np.eye(length) + beside * (np.eye(length, k=1) + np.eye(length, k=-1))


def reciprocam_runs(probe: ProbeBase, layer: LayerInfo, **_options: Any) -> int:
    """Return the number of positions."""
    return int(np.prod(probe.own_features(layer).shape[:-1]))


RECIPRO_ROWS = (
    IteratedMethod(
        "reciprocam",
        "the score of each position's features alone",
        "https://arxiv.org/abs/2209.14074",
        reciprocam,
        reciprocam_runs,
        uses_layer=True,
        rectified=True,
        unit="forward passes from the layer on",
        options=(Option("gaussian", True),),
    ),
)
