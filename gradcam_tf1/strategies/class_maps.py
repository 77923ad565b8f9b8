"""The maps of each class, read from the report of a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, Iterable, List, Optional, Tuple

import numpy as np

from gradcam_tf1.errors import OptionError
from gradcam_tf1.report.map_grid import MapGrid
from gradcam_tf1.strategies.map_places import FINE, pooled

Record = Dict[str, Any]


@dataclass
class ClassMaps:
    """The pooled maps of one class.

    Attributes
    ----------
    class_id : int
        The explained class.
    label : str or None
        Its name.
    idents, names : list of str
        Ids and names of the images.
    maps : list of np.ndarray
        float64 [16, 16] each, with the sum 1.
    right : list of bool or None
        Whether the top class of each image is the true one; None where the truth is not known.
    probabilities : list of float or None
        Of the class.
    """

    class_id: int
    label: Optional[str]
    idents: List[str] = field(default_factory=list)
    names: List[str] = field(default_factory=list)
    maps: List[np.ndarray] = field(default_factory=list)
    right: List[Optional[bool]] = field(default_factory=list)
    probabilities: List[Optional[float]] = field(default_factory=list)


class MapCollector:
    """Collects the maps of one method and layer by class; 2 kB of memory for a map.

    Parameters
    ----------
    method, layer : str or None
        Name of the method and of the layer; None takes the first of the run. A part of the layer's name is enough.

    Attributes
    ----------
    key : (str, str) or None
        The method and the layer that were taken.
    empty, unread : int
        Maps without a positive value, and maps whose numbers cannot be read.
    """

    def __init__(self, method: Optional[str], layer: Optional[str]) -> None:
        self._method = method
        self._layer = layer
        self.key: Optional[Tuple[str, str]] = None
        self._seen: Dict[Tuple[str, str], None] = {}
        self._classes: Dict[int, ClassMaps] = {}
        self.empty = self.unread = 0

    def add(self, record: Record, right: Optional[bool]) -> None:
        """Add the maps of an image whose targets are plain classes."""
        for target in record["targets"]:
            if target["class_id"] < 0 or target["about"]:
                continue
            map = self._choose(target["maps"])
            if map is not None:
                self._add(record, target, map, right)

    def _choose(self, maps: Iterable[Record]) -> Optional[Record]:
        for map in maps:
            key = (map["method"], map["layer"])
            self._seen[key] = None
            is_wanted = self._method in (None, key[0]) and (self._layer is None or self._layer in key[1])
            if self.key is None and is_wanted and (map["grid"] is not None or map["status"] == "empty"):
                self.key = key
            if key == self.key:
                return map
        return None

    def _add(self, record: Record, target: Record, map: Record, right: Optional[bool]) -> None:
        if map["grid"] is None:
            self.empty += map["status"] == "empty"
            self.unread += map["status"] != "empty"
            return
        shares = pooled(_on_square(MapGrid.from_json(map["grid"]), record["size"]))
        if shares is None:
            self.empty += 1
            return
        found = self._classes.setdefault(target["class_id"], ClassMaps(target["class_id"], target["label"]))
        found.idents.append(record["id"])
        found.names.append(record["name"])
        found.maps.append(shares)
        found.right.append(right)
        found.probabilities.append(target["probability"])

    def classes(self) -> List[ClassMaps]:
        """Return the classes, most images first.

        Raises
        ------
        OptionError
            If the run has no such maps, or none with numbers.
        """
        if self.key is None:
            kinds = ", ".join(f"{method} at {layer}" if layer else method for method, layer in self._seen) or "none"
            wanted = " at ".join(filter(None, (self._method or "a method", self._layer)))
            raise OptionError(
                f"the run has no map of {wanted} whose numbers can be read; it has {kinds}, and "
                "`gradcam-tf1 run --report` keeps the numbers of all"
            )
        return sorted(self._classes.values(), key=lambda each: (-len(each.maps), each.class_id))


def _on_square(grid: MapGrid, size: Any) -> np.ndarray:
    """Return a map on the image stretched to a square: float [48, 48], 0 where the net did not look."""
    rows, columns = ((np.arange(FINE) + 0.5) / FINE * side for side in size)
    values = np.asarray(grid.at(rows, columns), np.float64)
    top, left, bottom, right = grid.seen
    values[(rows < top) | (rows > bottom)] = 0
    values[:, (columns < left) | (columns > right)] = 0
    return values
