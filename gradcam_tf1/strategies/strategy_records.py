"""What a search for strategies found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, Optional, Tuple

import numpy as np

from gradcam_tf1.report.class_summary import UNIT
from gradcam_tf1.report.map_grid import grid_over
from gradcam_tf1.strategies.map_places import MapPlace


@dataclass(frozen=True, eq=False)
class Strategy:
    """One cluster of the maps of a class.

    Attributes
    ----------
    number : int
        From 0, the largest first.
    share : float
        Share of the class's maps.
    accuracy : float or None
        Share of images whose top class is the true one; None without truth.
    probability : float or None
        Mean probability of the class; None if the net has none.
    place : MapPlace
        Where the maps are high.
    mean : np.ndarray
        float64 [16, 16], the mean map on the image stretched to a square; its sum is 1.
    idents, names : tuple of str
        Ids in the report and names of the images, the nearest to the mean map first.
    """

    number: int
    share: float
    accuracy: Optional[float]
    probability: Optional[float]
    place: MapPlace
    mean: np.ndarray
    idents: Tuple[str, ...]
    names: Tuple[str, ...]

    @property
    def suspect(self) -> str:
        """Why the strategy is suspect; "" if it is not."""
        return self.place.suspect

    def as_json(self) -> Dict[str, Any]:
        """Return plain values for strategies.json and the report."""
        box = (0, 0, UNIT, UNIT)
        return {
            **{"count": len(self.idents), "share": self.share, "accuracy": self.accuracy},
            **{"probability": self.probability, "place": self.place.name, "suspect": self.suspect},
            **{"row": self.place.row, "column": self.place.column, "spread": self.place.spread},
            **{"border": self.place.border, "corner": self.place.corner},
            **{"grid": grid_over(self.mean, box, box).as_json(), "images": list(self.idents)},
        }


@dataclass(frozen=True)
class ClassStrategies:
    """The strategies of one class.

    Attributes
    ----------
    class_id : int
        The class.
    label : str or None
        Its name.
    count : int
        Number of its maps.
    strategies : tuple of Strategy
        The largest first.
    """

    class_id: int
    label: Optional[str]
    count: int
    strategies: Tuple[Strategy, ...]

    @property
    def name(self) -> str:
        """The label, else the number."""
        return self.label or f"class {self.class_id}"

    def as_json(self) -> Dict[str, Any]:
        """Return plain values."""
        clusters = [strategy.as_json() for strategy in self.strategies]
        return {"class_id": self.class_id, "label": self.label, "count": self.count, "clusters": clusters}


@dataclass(frozen=True)
class Strategies:
    """What a net looks at over a whole folder.

    Attributes
    ----------
    method, layer : str
        Whose maps were clustered.
    classes : tuple of ClassStrategies
        The class with most images first.
    few : dict
        Name of each class that has too few maps, with their number.
    empty, unread : int
        Maps without a positive value, and maps whose numbers cannot be read; they belong to no cluster.
    page : str
        Path of the page.
    """

    method: str
    layer: str
    classes: Tuple[ClassStrategies, ...]
    few: Dict[str, int]
    empty: int
    unread: int
    page: str

    @property
    def suspects(self) -> Tuple[Tuple[ClassStrategies, Strategy], ...]:
        """The suspect strategies, each with its class."""
        return tuple((each, found) for each in self.classes for found in each.strategies if found.suspect)

    def as_json(self) -> Dict[str, Any]:
        """Return plain values."""
        return {
            **{"method": self.method, "layer": self.layer, "empty": self.empty, "unread": self.unread},
            "few": self.few,
            "classes": [each.as_json() for each in self.classes],
        }
