"""Model randomisation: do the maps change when the weights do?"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from gradcam_tf1.engine.explain import NetExplainer
from gradcam_tf1.sanity.compared_maps import EDGES, MapQuestion, MapSet, of_engine
from gradcam_tf1.sanity.described_maps import DescribedMaps, Values
from gradcam_tf1.sanity.sanity_options import CASCADE
from gradcam_tf1.sanity.weight_draws import draw_all, with_drawn
from gradcam_tf1.sanity.weight_layers import WeightLayer


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
        Method -> measure -> float64 [N]; 0 for a map with one value everywhere, as one that its ReLU made empty; NaN
        where the net gives no score, no gradient arrives or the intact map has one value.
    empty, dead : dict
        Method -> number of maps with one value everywhere, and number of those without a gradient.
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
    before: Mapping[str, DescribedMaps],
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
    before : mapping
        Method -> maps of the intact net; the method "edges" ignores the net.
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
    first: Optional[RandomStep] = None  # of the cascade; drawing the first block alone is the same
    for mode in modes:
        done: List[WeightLayer] = []
        for block in blocks:
            done += block
            if first is not None and block is blocks[0]:
                yield replace(first, mode=mode)
                continue
            mixed = with_drawn(weights, fresh, done if mode == CASCADE else block, everything)
            found = question.ask(of_engine(explainer, mixed))
            found.maps[EDGES] = before[EDGES].maps
            step = _step(mode, block, before, found)
            first = first or step
            yield step


def _step(mode: str, block: Sequence[WeightLayer], before: Mapping[str, DescribedMaps], found: MapSet) -> RandomStep:
    after = {name: DescribedMaps(maps, before[name].names) for name, maps in found.maps.items()}
    similarity = {name: before[name].compare(maps, found.broken) for name, maps in after.items()}
    empty, dead = {}, {}
    for name, maps in found.maps.items():
        lost = ~found.broken & before[name].maps.varied & ~maps.varied
        empty[name], dead[name] = int((lost & ~maps.dead).sum()), int((lost & maps.dead).sum())
    shown = {name: maps.shown() for name, maps in found.maps.items()}
    return RandomStep(
        mode, tuple(layer.name for layer in block), similarity, empty, dead, int(found.broken.sum()), shown
    )
