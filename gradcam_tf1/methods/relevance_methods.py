"""Layer-wise relevance propagation: the composites of the literature, and Relevance-CAM.

The score is handed down from layer to layer until the pixels have it; the rules are in `gradients.relevance_rules`,
what other ops do in `gradients.relevance_path`. Batch norms and biases are folded into the layer before them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Tuple

import numpy as np

from gradcam_tf1.errors import OptionError
from gradcam_tf1.gradients.relevance import RelevanceComposite
from gradcam_tf1.gradients.relevance_rules import SMALL
from gradcam_tf1.methods.base import Fetched, Fetches, FetchKey, MapTask, Method, RawMaps
from gradcam_tf1.methods.interfaces import GraphOpsBase
from gradcam_tf1.methods.layer_maps import InputGrid
from gradcam_tf1.methods.options import MOST_FACTOR, Option
from gradcam_tf1.methods.single_layers import layer_maps, single_keys

FIRST_RULES = ("same", "epsilon", "zplus", "alpha_beta", "gamma", "flat", "w2", "zb")

NO_RELEVANCE = "no relevance arrives: the score is zero, or nothing before it speaks for the score"
BACH = "https://doi.org/10.1371/journal.pone.0130140"
MONTAVON = "https://doi.org/10.1007/978-3-030-28954-6_10"
KOHLBRENNER = "https://arxiv.org/abs/1910.09840"


@dataclass(frozen=True)
class RelevanceMethod(Method):
    """The relevance of each pixel, a signed map of the input's size and channels.

    Attributes
    ----------
    name, summary, paper : str
        As in `Method`: a lower-case identifier, one line for people who choose, the URL of the source.
    composite : RelevanceComposite
        The rule of each kind of layer, and the numbers that are no option.
    options : tuple of Option
        "first", the rule of the first layers, and those of "epsilon", "gamma", "alpha" and "beta" that the rules take.
    """

    composite: RelevanceComposite
    options: Tuple[Option, ...] = ()

    @property
    def space(self) -> str:
        """Drawn as saliency."""
        return "pixels"

    @property
    def signed(self) -> bool:
        """Negative relevance speaks against the class."""
        return True

    @property
    def uses_layer(self) -> bool:
        """There is no layer."""
        return False

    @property
    def reason_if_zero(self) -> str:
        """What it means that a map is zero everywhere."""
        return NO_RELEVANCE

    def chosen(self, options: Mapping[str, Any]) -> RelevanceComposite:
        """Return the composite with options.

        Raises
        ------
        OptionError
            If alpha - beta is not 1.
        """
        values = self.filled(options)
        first = values.pop("first", self.composite.first)
        settings = self.composite.settings._replace(**values)
        if "alpha" in values and abs(settings.alpha - settings.beta - 1) > 1e-6:
            raise OptionError(
                f"alpha - beta of {self.name} must be 1, so that relevance is kept; {settings.alpha:g} - "
                f"{settings.beta:g} is {settings.alpha - settings.beta:g}"
            )
        return self.composite._replace(first=first, settings=settings)

    def takes_range(self, options: Mapping[str, Any]) -> bool:
        """Whether the map depends on the smallest and the largest value of the input."""
        return self.chosen(options).first == "zb"

    def fetches(self, ops: GraphOpsBase, task: MapTask) -> Fetches:
        """Return the map, the score and where relevance starts, of each slot."""
        how = self.chosen(task.options)
        found: Fetches = {}
        for slot in task.slots:
            found[FetchKey("relevance", slot=slot)] = ops.relevance(how, slot)
            found[FetchKey("start", slot=slot)], found[FetchKey("score", slot=slot)] = ops.relevance_start(slot)
        return found

    def finish(self, fetched: Fetched, task: MapTask, grid: InputGrid) -> Dict[str, RawMaps]:  # noqa: ARG002
        """Return the map for no layer."""
        return {"": RawMaps(np.stack([fetched[FetchKey("relevance", slot=slot)] for slot in task.slots], axis=1))}

    def notes(self, ops: GraphOpsBase, task: MapTask) -> Dict[str, List[Tuple[str, ...]]]:
        """Say which rule how many layers have."""
        return {"": [(ops.relevance_note(self.chosen(task.options), slot),) for slot in task.slots]}

    def findings(self, fetched: Fetched, task: MapTask) -> Dict[str, List[List[Tuple[str, ...]]]]:
        """Say how much of the score each map has."""
        columns = [
            [conserved(*parts) for parts in zip(*(fetched[FetchKey(what, slot=slot)] for what in _PARTS))]
            for slot in task.slots
        ]
        return {"": [[(column[n],) for column in columns] for n in range(len(columns[0]))]}


_PARTS = ("relevance", "start", "score")
_SLACK = 1e-3  # of rounding, as a share of the score


def conserved(relevance: np.ndarray, start: np.ndarray, score: np.ndarray) -> str:
    """Return one sentence on how much of a score its map has.

    Parameters
    ----------
    relevance : np.ndarray
        The map.
    start, score : np.ndarray
        What the relevance of the net's outputs adds up to, and the score.
    """
    total, begun, value = float(relevance.sum(dtype=np.float64)), float(start), float(score)
    share = f", {total / begun:.1%} of it" if begun else ""
    same = abs(begun - value) <= 1e-4 * max(abs(begun), abs(value))
    source = f"the score is {value:.4g}" if same else f"relevance starts with {begun:.4g} for a score of {value:.4g}"
    rest = "biases, epsilon, softmaxes between layers and units without a summand of the rule's sign keep the rest"
    if begun and not -_SLACK <= total / begun <= 1 + _SLACK:
        rest = (
            "a bias against what it is added to, a missing summand of one sign, or a softmax between layers, makes a "
            "unit hand down more than it has, or the opposite, and layers multiply that; lrp_zplus does not do so in a "
            "layer with weights"
        )
    return f"conservation: the map adds up to {total:.4g}, {source}{share}; {rest}"


@dataclass(frozen=True)
class RelevanceCam(Method):
    """ReLU(sum_k alpha_k A_k), alpha_k the mean over the positions of the relevance of channel k.

    Relevance starts at the logits z with z_c for the class c and -z_j / (C - 1) for each other class j, so that what
    all classes share cancels out, and follows the z+ rule.

    References
    ----------
    Lee et al. 2021, CVPR,
    https://openaccess.thecvf.com/content/CVPR2021/html/Lee_Relevance-CAM_Your_Model_Already_Knows_Where_To_Look_CVPR_2021_paper.html
    """

    composite: RelevanceComposite

    @property
    def follows_score(self) -> bool:
        """Whether the map is zero where the score has no gradient: other classes have a part in it."""
        return False

    @property
    def reason_if_zero(self) -> str:
        """What it means that a map is zero everywhere."""
        return NO_RELEVANCE

    def fetches(self, ops: GraphOpsBase, task: MapTask) -> Fetches:
        """Return the map, or its channels, of each single layer and slot."""
        rows = [(slot, ops.relevance_cams(self.composite, task.layers, slot, task.by_channel)) for slot in task.slots]
        return {key: cam for slot, cams in rows for key, cam in zip(single_keys(task, slot), cams)}

    def finish(self, fetched: Fetched, task: MapTask, grid: InputGrid) -> Dict[str, RawMaps]:
        """Return the maps of each layer; those of layers taken together are added up."""
        return layer_maps(fetched, task, grid, self)


def _row(name: str, summary: str, paper: str, composite: RelevanceComposite, *options: Option) -> RelevanceMethod:
    first = Option("first", composite.first, choices=FIRST_RULES, for_images=("zb",), for_arrays="same")
    return RelevanceMethod(name, summary, paper, composite, (*options, first))


_EPSILON = Option("epsilon", SMALL, low=0, high=MOST_FACTOR)
_GAMMA = Option("gamma", 0.25, low=0, high=MOST_FACTOR)

RELEVANCE_ROWS = (
    _row("lrp_epsilon", "relevance by the epsilon rule", BACH, RelevanceComposite("epsilon", "epsilon"), _EPSILON),
    _row("lrp_gamma", "relevance that favours evidence for", MONTAVON, RelevanceComposite("gamma", "gamma"), _GAMMA),
    _row(
        "lrp_alpha_beta",
        "relevance with weights for both signs",
        BACH,
        RelevanceComposite("alpha_beta", "alpha_beta"),
        Option("alpha", 2.0, low=1, high=MOST_FACTOR),
        Option("beta", 1.0, low=0, high=MOST_FACTOR),
    ),
    _row("lrp_zplus", "relevance of positive contributions", MONTAVON, RelevanceComposite("zplus", "zplus")),
    _row(
        "lrp_epsilon_plus_flat",
        "z+ in convolutions, epsilon in dense layers, flat in the first",
        KOHLBRENNER,
        RelevanceComposite("zplus", "epsilon", "flat"),
        _EPSILON,
    ),
    _row(
        "lrp_epsilon_alpha2_beta1",
        "alpha 2, beta 1 in convolutions, epsilon in dense layers",
        KOHLBRENNER,
        RelevanceComposite("alpha_beta", "epsilon"),
        _EPSILON,
    ),
    _row(
        "lrp_epsilon_alpha2_beta1_flat",
        "the same with the flat rule in the first layer",
        KOHLBRENNER,
        RelevanceComposite("alpha_beta", "epsilon", "flat"),
        _EPSILON,
    ),
    _row(
        "lrp_epsilon_gamma_box",
        "gamma in convolutions, epsilon in dense layers, z^B in the first",
        MONTAVON,
        RelevanceComposite("gamma", "epsilon", "zb"),
        _EPSILON,
        _GAMMA,
    ),
    _row(
        "deep_taylor",
        "z+ in all layers, z^B in the first",
        "https://arxiv.org/abs/1512.02479",
        RelevanceComposite("zplus", "zplus", "zb"),
    ),
    RelevanceCam(
        "relevance_cam",
        "features weighted by the relevance of their channels",
        "https://openaccess.thecvf.com/content/CVPR2021/html/"
        "Lee_Relevance-CAM_Your_Model_Already_Knows_Where_To_Look_CVPR_2021_paper.html",
        RelevanceComposite("zplus", "zplus"),
    ),
)
