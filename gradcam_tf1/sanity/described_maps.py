"""How alike are the maps of a method and other maps? What a similarity needs of a map is made once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Dict, Mapping, Optional, Sequence, Tuple

import numpy as np

from gradcam_tf1.metrics.similarity import (
    correlation_of_units,
    hog_unit_vector,
    rank_unit_vector,
    ssim_of_scaled,
    ssim_scaled,
)
from gradcam_tf1.sanity.compared_maps import EDGES, ComparedMap, MapSet

ABSOLUTE, SIGNED = "absolute", "signed"


@dataclass(frozen=True)
class Similarity:
    """A similarity in two parts.

    Attributes
    ----------
    describe : callable
        (float32 [H, W], whether it is of magnitudes) -> what is compared.
    compare : callable
        Two descriptions -> -1..1.
    needs_pixels : bool
        Whether it has windows of pixels, so that the maps of a layer are enlarged first. Ranks need no enlarging: it
        would only add values between those of the cells.
    """

    describe: Callable[[np.ndarray, bool], np.ndarray]
    compare: Callable[[np.ndarray, np.ndarray], float]
    needs_pixels: bool


SIMILARITIES: Dict[str, Similarity] = {
    "spearman": Similarity(lambda map, _: rank_unit_vector(map), correlation_of_units, False),
    "ssim": Similarity(ssim_scaled, ssim_of_scaled, True),
    "hog": Similarity(lambda map, _: hog_unit_vector(map), correlation_of_units, True),
}

Measured = Dict[str, np.ndarray]  # measure -> float64 [N]
Values = Dict[str, Measured]  # method -> measure -> float64 [N]


def measures_of(names: Sequence[str]) -> Tuple[str, ...]:
    """Return the measures of these similarities: each of the magnitudes and with the sign."""
    return tuple(f"{name} {kind}" for kind in (ABSOLUTE, SIGNED) for name in names)


class DescribedMaps:
    """Maps with their descriptions, which are made when they are first compared.

    Parameters
    ----------
    maps : ComparedMap
        N maps.
    names : sequence of str
        Of SIMILARITIES.
    """

    def __init__(self, maps: ComparedMap, names: Sequence[str]) -> None:
        self.maps = maps
        self.names = tuple(names)
        self._varied = maps.varied
        self._placed: Optional[ComparedMap] = None
        self._found: Dict[Tuple[str, str, int], np.ndarray] = {}

    def described(self, name: str, kind: str, n: int) -> np.ndarray:
        """Return what a similarity compares of map n."""
        key = (name, kind, n)
        if key not in self._found:
            similarity = SIMILARITIES[name]
            maps = self.maps
            if similarity.needs_pixels:
                maps = self._placed = self._placed or maps.placed()
            self._found[key] = similarity.describe(getattr(maps, kind)[n], kind == ABSOLUTE)
        return self._found[key]

    def compare(
        self, other: DescribedMaps, broken: Optional[np.ndarray] = None, rows: Optional[Sequence[int]] = None
    ) -> Measured:
        """Return the similarity with other maps by every measure.

        Parameters
        ----------
        other : DescribedMaps
            Of the same names.
        broken : np.ndarray or None
            bool [N], where there is no value.
        rows : sequence of int or None
            For each map, the number of the other one that it is compared with; None for the same number.

        Returns
        -------
        dict
            Measure -> float64 [N]: 0 where only the other map has one value everywhere, NaN where this one has. Where
            no map has negative values, the signed measures are the absolute ones.
        """
        first, second = self.maps, other.maps
        measures = measures_of(self.names)
        if rows is None and first is second:  # a method that does not look at the net
            return {measure: np.where(self._varied, 1.0, np.nan) for measure in measures}
        values = {measure: np.full(len(first.signed), np.nan) for measure in measures}
        signs = first.has_signs or second.has_signs
        for n, m in enumerate(range(len(first.signed)) if rows is None else rows):
            if (broken is not None and broken[n]) or not self._varied[n] or second.dead[m]:
                continue
            for name in self.names:
                plain = self._pair(other, name, ABSOLUTE, n, m)
                values[f"{name} {ABSOLUTE}"][n] = plain
                values[f"{name} {SIGNED}"][n] = self._pair(other, name, SIGNED, n, m) if signs else plain
        return values

    def _pair(self, other: DescribedMaps, name: str, kind: str, n: int, m: int) -> float:
        if not other._varied[m]:
            return 0.0
        return SIMILARITIES[name].compare(self.described(name, kind, n), other.described(name, kind, m))


def described(found: MapSet, names: Sequence[str]) -> Dict[str, DescribedMaps]:
    """Return the maps of each method with their descriptions."""
    return {method: DescribedMaps(maps, names) for method, maps in found.maps.items()}


def chance(maps: Mapping[str, DescribedMaps]) -> Values:
    """Return how alike the maps of different images are: what any two maps of a method have in common."""
    return {name: _of_neighbours(each) for name, each in maps.items()}


def _of_neighbours(maps: DescribedMaps) -> Measured:
    """Compare each map with the next one of those that can be compared."""
    varied = maps.maps.varied
    places = np.flatnonzero(varied)
    others = np.arange(len(varied))
    others[places] = np.roll(places, -1)
    return maps.compare(maps, others == np.arange(len(varied)), others.tolist())


def against_edges(maps: Mapping[str, DescribedMaps]) -> Values:
    """Return how alike the maps, at the size of the net's input, and the edges of their images are."""
    edges = maps[EDGES]
    return {name: DescribedMaps(each.maps.placed(), each.names).compare(edges) for name, each in maps.items()}
