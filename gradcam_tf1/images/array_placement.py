"""Place maps on the axes of signals and volumes. No TensorFlow here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Tuple

import numpy as np

from gradcam_tf1.errors import OptionError
from gradcam_tf1.images.geometry import upsample
from gradcam_tf1.types import Cells


@dataclass(frozen=True)
class ArrayPlacement:
    """The axes of a signal or volume, on which maps are placed.

    Attributes
    ----------
    sides : tuple of int
        (L,) of a signal, (D, H, W) of a volume.
    """

    sides: Tuple[int, ...]

    def place(self, map: np.ndarray, cells: Optional[Cells] = None) -> np.ndarray:
        """Resize a map to these axes: linear along each axis, clamped at the centres of the outer cells.

        Parameters
        ----------
        map : np.ndarray
            [l] or [d, h, w] of any size, optionally with a last axis of channels.
        cells : Cells or None
            Where the cells of the map lie on the input; None to stretch the map.

        Returns
        -------
        np.ndarray
            float32 [L] or [D, H, W], with channels if the map has them.

        Raises
        ------
        OptionError
            If the map has another number of axes.
        """
        map = np.asarray(map, np.float32)
        axes = len(self.sides)
        if map.ndim not in (axes, axes + 1) or 0 in map.shape:
            raise OptionError(f"the map has shape {list(map.shape)}; give {axes} axes, or one more for channels")
        if map.ndim == axes:
            return upsample(map, self.sides, cells)
        return np.moveaxis(upsample(np.moveaxis(map, -1, 0), self.sides, cells), 0, -1)
