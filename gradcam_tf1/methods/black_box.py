"""Methods that see a net as a black box: parts of the input are shown and hidden, and the scores are compared."""

from __future__ import annotations

from typing import Any, Callable, Optional

import numpy as np

from gradcam_tf1.methods.interfaces import ProbeBase
from gradcam_tf1.methods.iterated import IteratedMethod
from gradcam_tf1.methods.mask_sampler import MaskSampler
from gradcam_tf1.methods.masking import Baseline, baseline_option
from gradcam_tf1.methods.options import MAX_SEED, MOST_RUNS, Option
from gradcam_tf1.methods.players import Segments, most_players, segments_option
from gradcam_tf1.methods.sensitivity_indices import hsic, hsic_runs, sobol, sobol_runs
from gradcam_tf1.methods.shapley_values import kernelshap, kernelshap_runs, shapley_sampling, shapley_sampling_runs
from gradcam_tf1.methods.surrogate import lime, lime_runs
from gradcam_tf1.types import LayerInfo

_MOST_PARTS = 10_000


def _of_parts(
    name: str,
    summary: str,
    paper: str,
    values_of: Callable[..., np.ndarray],
    runs_of: Callable[..., int],
    *options: Option,
    segments: str,
    count: int,
    baseline: str,
    **more: Any,
) -> IteratedMethod:
    """Return the row of a function (sampler, seed, options) -> values [P, T], and (P, options) -> number of runs."""

    def compute(
        probe: ProbeBase,
        _layer: Optional[LayerInfo],
        *,
        segments: Segments,
        count: int,
        seed: int,
        baseline: Baseline,
        **given: Any,
    ) -> np.ndarray:
        sampler = MaskSampler(probe, segments, count, baseline, seed)
        values = values_of(sampler, seed=seed, **given)
        return sampler.map_of(values, runs_of(sampler.most, **given))

    def runs(probe: ProbeBase, _layer: Optional[LayerInfo], *, segments: Segments, count: int, **given: Any) -> int:
        return runs_of(most_players(probe, segments, count), **given)

    taken = (
        segments_option(segments),
        Option("count", count, low=1, high=_MOST_PARTS),
        *options,
        Option("seed", 0, low=0, high=MAX_SEED),
        baseline_option(baseline),
    )
    return IteratedMethod(name, summary, paper, compute, runs, options=taken, **more)


BLACK_BOX_ROWS = (
    _of_parts(
        "lime",
        "parts weighed by a linear model of the score near the image",
        "https://arxiv.org/abs/1602.04938",
        lime,
        lime_runs,
        Option("samples", 1000, low=2, high=MOST_RUNS),
        Option("width", 0.25, above=0),
        Option("ridge", 1.0, low=0),
        segments="slic",
        count=50,
        baseline="mean",
    ),
    _of_parts(
        "kernelshap",
        "what each part adds to the score: Shapley values by a weighted fit",
        "https://arxiv.org/abs/1705.07874",
        kernelshap,
        kernelshap_runs,
        Option("samples", 1000, low=2, high=MOST_RUNS),
        segments="slic",
        count=50,
        baseline="mean",
    ),
    _of_parts(
        "shapley_sampling",
        "what each part adds to the score: Shapley values by random orders",
        "https://doi.org/10.1016/j.cor.2008.04.004",
        shapley_sampling,
        shapley_sampling_runs,
        Option("permutations", 20, low=1, high=MOST_RUNS),
        Option("antithetic", True),
        segments="slic",
        count=50,
        baseline="mean",
    ),
    _of_parts(
        "sobol",
        "the share of each part in the variance of the score",
        "https://arxiv.org/abs/2111.04138",
        sobol,
        sobol_runs,
        Option("samples", 32, low=2, high=MOST_RUNS),
        segments="grid",
        count=64,
        baseline="zero",
        rectified=True,
    ),
    _of_parts(
        "hsic",
        "how much the score depends on each part",
        "https://arxiv.org/abs/2206.06219",
        hsic,
        hsic_runs,
        Option("samples", 1500, low=2, high=100_000),
        segments="grid",
        count=49,
        baseline="zero",
        rectified=True,
    ),
)
