"""The first images of a search, kept small with their maps until the concepts have their order and colours."""

from __future__ import annotations

from typing import Dict, List, Optional, Tuple

import numpy as np

from gradcam_tf1.concepts.concept_pictures import COLOURS, alone, shares, small, together
from gradcam_tf1.images.geometry import Placement
from gradcam_tf1.types import Cells


class DrawnImages:
    """Keeps at most `count` images.

    Parameters
    ----------
    count : int
        Images that are drawn.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._kept: Dict[int, Tuple[str, np.ndarray, np.ndarray, Placement, Optional[Cells]]] = {}
        self._order = np.zeros(0, int)
        self._full = np.zeros(0)

    def offer(
        self,
        index: int,
        name: str,
        image: np.ndarray,
        maps: np.ndarray,
        placement: Placement,
        cells: Optional[Cells],
    ) -> None:
        """Keep an image, uint8 [H, W, 3], and its maps, float [h, w, C], if there is room."""
        if len(self._kept) < self._count:
            copy, placement = small(image, placement)
            self._kept[index] = (name, copy, maps.astype(np.float32), placement, cells)

    def finish(self, order: np.ndarray, full: np.ndarray) -> None:
        """Take the order of the concepts, and the coefficients at full strength in that order."""
        self._order, self._full = order, full

    @property
    def indices(self) -> List[int]:
        """Numbers of the kept images."""
        return list(self._kept)

    def pictures(self, index: int) -> Tuple[str, List[np.ndarray]]:
        """Return the name of an image, and itself, all concepts together, and each of the first eight alone."""
        name, image, maps, placement, cells = self._kept[index]
        strengths = shares(maps[..., self._order], self._full, placement, cells)
        singles = [alone(image, strengths, c) for c in range(min(len(COLOURS), strengths.shape[-1]))]
        return name, [image, together(image, strengths), *singles]
