"""The options of a search for strategies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional

import numpy as np

from gradcam_tf1.errors import OptionError
from gradcam_tf1.images.image_files import MAX_PIXELS
from gradcam_tf1.strategies.cluster_maps import LEAST_MAPS, MOST_CLUSTERS


@dataclass(frozen=True)
class StrategyOptions:
    """Options of `find_strategies`.

    Attributes
    ----------
    method : str or None
        Whose maps are clustered; None for the first method of the run.
    layer : str or None
        A part of the name of the layer; None for the first layer of the method.
    truth : str or None
        "folders" or the path of a CSV file of image and label, as in `write_report`; None if it is not known.
    clusters : int or None
        Number of clusters of each class, 1 to 8; None finds it from the maps.
    least_images : int
        Classes with fewer maps are left out; at least 3.
    max_pixels : int
        Larger originals and heat maps are not read.
    seed : int
        Random seed of k-means.

    Raises
    ------
    OptionError
        If a value has the wrong type or is not possible.
    """

    method: Optional[str] = None
    layer: Optional[str] = None
    truth: Optional[str] = None
    clusters: Optional[int] = None
    least_images: int = 12
    max_pixels: int = MAX_PIXELS
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("method", "layer"):
            value = getattr(self, name)
            if value is not None and not isinstance(value, str):
                raise OptionError(f"{name} is a name, not {value!r}")
        if self.clusters is not None:
            _check("clusters", self.clusters, 1, MOST_CLUSTERS)
        _check("least_images", self.least_images, LEAST_MAPS, None)
        _check("max_pixels", self.max_pixels, 1, None)
        _check("seed", self.seed, 0, 2**32 - 1)


def _check(name: str, value: Any, low: int, high: Optional[int]) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise OptionError(f"{name} is a whole number, not {value!r}")
    if value < low or (high is not None and value > high):
        upper = "" if high is None else f", at most {high}"
        raise OptionError(f"{name} is at least {low}{upper}, not {value}")
