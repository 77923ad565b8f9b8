"""Model randomisation: do the maps change when the weights do?"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from gradcam_tf1.engine.explain import NetExplainer
from gradcam_tf1.metrics.similarity import hog_similarity, spearman, ssim
from gradcam_tf1.sanity.compared_maps import EDGES, ComparedMap, MapQuestion, MapSet, of_engine
from gradcam_tf1.sanity.sanity_options import CASCADE
from gradcam_tf1.sanity.weight_draws import draw_all, with_drawn
from gradcam_tf1.sanity.weight_layers import WeightLayer

ABSOLUTE, SIGNED = "absolute", "signed"

SIMILARITIES: Dict[str, Callable[..., float]] = {"spearman": spearman, "ssim": ssim, "hog": hog_similarity}
MEASURES = tuple(f"{name} {kind}" for kind in (ABSOLUTE, SIGNED) for name in SIMILARITIES)

Values = Dict[str, Dict[str, np.ndarray]]  # method -> measure -> float64 [N]


@dataclass(frozen=True)
class RandomStep:
    """The maps after some layers were drawn anew, compared with those of the intact net.

    Attributes
    ----------
    mode : {"cascade", "independent"}
        Whether all layers from the class scores down to these are drawn, or these alone.
    layers : tuple of str
        The layers that this step adds.
    similarity : dict
        Method -> measure -> float64 [N]; 0 for a map that its ReLU made empty, NaN where the net gives no score, no
        gradient arrives or the intact map is empty.
    empty, dead : dict
        Method -> number of maps that the ReLU made empty, and number of those without a gradient.
    broken : int
        Number of images without a finite score.
    maps : dict
        Method -> the map of the first image, float32 [H, W].
    """

    mode: str
    layers: Tuple[str, ...]
    similarity: Values
    empty: Dict[str, int] = field(default_factory=dict)
    dead: Dict[str, int] = field(default_factory=dict)
    broken: int = 0
    maps: Dict[str, np.ndarray] = field(default_factory=dict)


def blocks_of(layers: Sequence[WeightLayer], most: int) -> List[Tuple[WeightLayer, ...]]:
    """Put neighbouring layers together, so that there are at most `most` blocks of nearly one size."""
    places = np.array_split(np.arange(len(layers)), min(most, len(layers)))
    return [tuple(layers[place] for place in block) for block in places]


def randomise(
    explainer: NetExplainer,
    question: MapQuestion,
    intact: MapSet,
    weights: Mapping[str, np.ndarray],
    blocks: Sequence[Tuple[WeightLayer, ...]],
    modes: Sequence[str],
    draw: str,
    seed: int,
) -> Iterator[RandomStep]:
    """Draw the weights of one block after the other, and compare the maps.

    The net of `explainer` does not change: its weights are fed.

    Parameters
    ----------
    explainer : NetExplainer
        The net.
    question : MapQuestion
        Its classes are fixed.
    intact : MapSet
        The maps of the intact net.
    weights : mapping
        Tensor -> value of all weights of the intact net.
    blocks : sequence
        The layers that are drawn together, those of the class scores first.
    modes : sequence of str
        Of MODES.
    draw, seed
        As in `weight_draws.drawn`.

    Yields
    ------
    RandomStep
    """
    everything = [layer for block in blocks for layer in block]
    fresh = draw_all(weights, everything, draw, seed)
    for mode in modes:
        done: List[WeightLayer] = []
        for block in blocks:
            done += block
            mixed = with_drawn(weights, fresh, done if mode == CASCADE else block, everything)
            found = question.ask(of_engine(explainer, mixed))
            found.maps[EDGES] = intact.maps[EDGES]
            yield _step(mode, block, intact, found)


def _step(mode: str, block: Sequence[WeightLayer], intact: MapSet, found: MapSet) -> RandomStep:
    similarity = {name: compare(intact.maps[name], maps, found.broken) for name, maps in found.maps.items()}
    empty, dead = {}, {}
    for name, maps in found.maps.items():
        lost = ~found.broken & intact.maps[name].filled & ~maps.filled
        empty[name], dead[name] = int((lost & ~maps.dead).sum()), int((lost & maps.dead).sum())
    shown = {name: maps.absolute[0] for name, maps in found.maps.items()}
    return RandomStep(
        mode, tuple(layer.name for layer in block), similarity, empty, dead, int(found.broken.sum()), shown
    )


def compare(
    first: ComparedMap, second: ComparedMap, broken: Optional[np.ndarray] = None, rows: Optional[Sequence[int]] = None
) -> Dict[str, np.ndarray]:
    """Return the similarity of maps by every measure.

    Parameters
    ----------
    first, second : ComparedMap
        N maps each.
    broken : np.ndarray or None
        bool [N], where there is no value.
    rows : sequence of int or None
        For each map of the first set, the number of the one that it is compared with; None for the same image.

    Returns
    -------
    dict
        Measure -> float64 [N]. Where no map has negative values, the signed measures are the absolute ones.
    """
    count = len(first.signed)
    others = range(count) if rows is None else rows
    if rows is None and first is second:  # a method that does not look at the net
        return {measure: np.where(first.filled, 1.0, np.nan) for measure in MEASURES}
    signs = first.has_signs or second.has_signs
    values = {measure: np.full(count, np.nan) for measure in MEASURES}
    for n, other in enumerate(others):
        if (broken is not None and broken[n]) or not first.filled[n] or second.dead[other]:
            continue
        for name, function in SIMILARITIES.items():
            plain = _similarity(function, first.absolute[n], second.absolute[other])
            values[f"{name} {ABSOLUTE}"][n] = plain
            values[f"{name} {SIGNED}"][n] = (
                _similarity(function, first.signed[n], second.signed[other]) if signs else plain
            )
    return values


def _similarity(function: Callable[..., float], first: np.ndarray, second: np.ndarray) -> float:
    return function(first, second) if second.any() else 0.0


def chance(intact: MapSet) -> Values:
    """Return how alike the maps of different images are: what any two maps of a method have in common."""
    count = len(intact.broken)
    others = [(n + 1) % count for n in range(count)]
    broken = np.full(count, count < 2)
    return {name: compare(maps, maps, broken, others) for name, maps in intact.maps.items()}


def against_edges(intact: MapSet) -> Values:
    """Return how alike the maps and the edges of their images are."""
    edges = intact.maps[EDGES]
    return {name: compare(maps, edges) for name, maps in intact.maps.items()}
