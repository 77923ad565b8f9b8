"""Methods that add up gradients on a way from an image that shows nothing to the image itself.

y(x) is the score of an input x [H, W, C] in the net's own range, x0 the start. By the fundamental theorem of calculus
the map adds up to y(x) - y(x0), on whatever way (completeness); how far the sum is off is said in the map's notes.
All maps are float32 [T, H, W, C], signed.
"""

from __future__ import annotations

from typing import Any, Callable, Iterator, Optional, Tuple

import numpy as np

from gradcam_tf1.methods.interfaces import ProbeBase
from gradcam_tf1.methods.iterated import IteratedMethod
from gradcam_tf1.methods.masking import Baseline, baseline_input, baseline_option
from gradcam_tf1.methods.noise import BACKWARD, in_chunks
from gradcam_tf1.methods.options import Option
from gradcam_tf1.types import LayerInfo

RULES = ("midpoint", "gauss-legendre")
GUIDED_RULES = ("trapezoid", "left")
BORDERS = ("nearest", "reflect", "constant")


def integrated_gradients(
    probe: ProbeBase,
    _layer: Optional[LayerInfo],
    *,
    baseline: Baseline,
    steps: int,
    rule: str,
    seed: int,
) -> np.ndarray:
    """Integrated gradients: (x - x0) * integral over a of dy/dx at x0 + a (x - x0), a = 0..1. arXiv 1703.01365

    https://arxiv.org/abs/1703.01365. For a linear net this is the gradient times (x - x0), exactly.
    baseline: x0, see `baseline_input`; seed: of the random one. rule: midpoint or gauss-legendre, of `steps` points.
    Returns: float32 [T, H, W, C], signed. Raises: OptionError.
    """
    shares, weights = _points(rule, steps)
    start = baseline_input(probe, baseline, seed)
    way = probe.image.astype(np.float64) - start
    totals = np.zeros((probe.targets, *way.shape))
    for first in range(0, steps, probe.chunk):
        part = slice(first, first + probe.chunk)
        inputs = (start + np.multiply.outer(shares[part], way)).astype(np.float32)
        for target in range(probe.targets):
            totals[target] += np.tensordot(weights[part], probe.pixel_grads(inputs, target), axes=1)
    return noted(probe, way * totals, start, _named(baseline))


def _points(rule: str, steps: int) -> Tuple[np.ndarray, np.ndarray]:
    """Places on 0..1 and their weights, which add up to 1."""
    if rule == "midpoint":
        return (np.arange(steps) + 0.5) / steps, np.full(steps, 1 / steps)
    places, weights = np.polynomial.legendre.leggauss(steps)
    return (places + 1) / 2, weights / 2


def blur_ig(probe: ProbeBase, _layer: Optional[LayerInfo], *, max_sigma: float, steps: int, border: str) -> np.ndarray:
    """Blur integrated gradients: sum_i dy/dx at (x_i + x_i+1) / 2 * (x_i - x_i+1). arXiv 2004.03383

    https://arxiv.org/abs/2004.03383. The way leads out of focus: x_i is the image under a Gaussian of
    max_sigma (i / steps)^2 pixels, so that no baseline colour is favoured; x0 is the most blurred one. The square makes
    the steps even: an image changes most where the blur is small (sum off by 1 % for 8 % at 50 even steps).
    border: what lies beyond the edge: nearest (the edge goes on), reflect, or constant (0 in the net's own range).
    Returns: float32 [T, H, W, C], signed. Raises: OptionError.
    """
    maps = np.zeros((probe.targets, *probe.image.shape))
    for pairs in in_chunks(_blurred_pairs(probe.image, max_sigma, steps, border), probe.chunk):
        inputs = pairs.mean(axis=1).astype(np.float32)
        for target in range(probe.targets):
            maps[target] += (probe.pixel_grads(inputs, target) * (pairs[:, 0] - pairs[:, 1])).sum(axis=0)
    return noted(probe, maps, _blurred(probe.image, max_sigma, border), "out of focus")


def _blurred_pairs(image: np.ndarray, max_sigma: float, steps: int, border: str) -> Iterator[np.ndarray]:
    """The ends of each step, the sharper one first: float64 [2, H, W, C] each."""
    near = image.astype(np.float64)
    for step in range(1, steps + 1):
        far = _blurred(image, max_sigma * (step / steps) ** 2, border)
        yield np.stack([near, far])
        near = far


def _blurred(image: np.ndarray, sigma: float, border: str) -> np.ndarray:
    from scipy.ndimage import gaussian_filter  # imported late: it takes a while

    return gaussian_filter(image.astype(np.float64), [sigma] * (image.ndim - 1) + [0], mode=border)


def guided_ig(
    probe: ProbeBase,
    _layer: Optional[LayerInfo],
    *,
    baseline: Baseline,
    steps: int,
    fraction: float,
    max_dist: float,
    rule: str,
    seed: int,
) -> np.ndarray:
    """Guided integrated gradients: sum_i dy/dx at x_i * (x_i+1 - x_i), where the score hardly changes. arXiv 2106.09788

    https://arxiv.org/abs/2106.09788. Every step takes 1 / steps off the L1 distance to x; of the pixels that may still
    move it moves the `fraction` with the smallest |dy/dx|, so that the way avoids steep, noisy places.
    max_dist: how far a pixel may be ahead of or behind the straight line, as a share of it: 0 is integrated gradients.
    rule: trapezoid takes the mean of dy/dx at both ends of a step; left takes x_i alone, as the authors' code does,
    and is far off the sum on a deep net (by 70 to 80 % on MobileNet, against 2 to 14 %), however many steps: the moved
    pixels are those whose gradient happens to be small at x_i.
    baseline, seed: x0, see `baseline_input`. Returns: float32 [T, H, W, C], signed. Raises: OptionError.
    """
    start = baseline_input(probe, baseline, seed)
    maps = []
    for target in range(probe.targets):
        here = start.astype(np.float64)
        grad = _gradient(probe, here, target)
        total = np.zeros(here.shape)
        for step in range(1, steps + 1):
            there = _guided_step(here, start, probe.image, np.abs(grad), (step / steps, max_dist, fraction))
            ahead = _gradient(probe, there, target)
            total += (grad if rule == "left" else (grad + ahead) / 2) * (there - here)
            here, grad = there, ahead
        maps.append(total)
    return noted(probe, np.stack(maps), start, _named(baseline))


def _gradient(probe: ProbeBase, here: np.ndarray, target: int) -> np.ndarray:
    return probe.pixel_grads(here[np.newaxis].astype(np.float32), target)[0].astype(np.float64)


def _guided_step(
    here: np.ndarray, start: np.ndarray, goal: np.ndarray, steepness: np.ndarray, how: Tuple[float, float, float]
) -> np.ndarray:
    """The next place on the way: `share` of it done, by the least steep pixels. All arrays [H, W, C]."""
    share, max_dist, fraction = how
    way = goal.astype(np.float64) - start
    lowest, highest = start + max(share - max_dist, 0) * way, start + min(share + max_dist, 1) * way
    left = (1 - share) * np.abs(way).sum()
    # towards the goal, whichever way that is for a pixel: none may be behind `lowest`
    there = np.where((here - lowest) * np.sign(way) < 0, lowest, here)
    surplus = np.abs(goal - there).sum() - left
    tolerance = 1e-9 * max(1.0, left)
    while surplus > tolerance:
        movable = there != highest
        if not movable.any():
            break
        ranked = np.where(movable, steepness, np.inf).ravel()
        threshold = np.partition(ranked, int(fraction * (ranked.size - 1)))[int(fraction * (ranked.size - 1))]
        chosen = movable & (steepness <= threshold)
        reach = np.abs(highest - there)[chosen].sum()
        part = min(1.0, surplus / reach) if reach > 0 else 1.0
        # all the way is set, not added up, so that those pixels are known to be there
        there = np.where(chosen, highest if part == 1.0 else there + part * (highest - there), there)
        surplus = np.abs(goal - there).sum() - left if part == 1.0 else 0.0
    return there


def noted(probe: ProbeBase, maps: np.ndarray, start: np.ndarray, name: str) -> np.ndarray:
    """The maps as float32, after noting how well each adds up to y(x) - y(x0). maps: [T, H, W, C]."""
    reached, started = probe.scores(np.stack([probe.image, start]).astype(np.float32))
    for target, (map, rise) in enumerate(zip(maps, (reached - started).astype(np.float64))):
        off = map.sum() - rise
        share = f", {abs(off / rise):.1%} off" if rise else ""
        gain = f"the score rises by {rise:.4g} from {name}"
        probe.note(target, f"completeness: the map adds up to {map.sum():.4g}, {gain}{share}")
    return maps.astype(np.float32)


def _named(baseline: Baseline) -> str:
    return baseline if isinstance(baseline, str) else "the given image"


def _runs(probe: ProbeBase, _layer: Optional[LayerInfo], *, steps: int, **_others: Any) -> int:
    return steps * probe.targets + 2


def _guided_runs(probe: ProbeBase, _layer: Optional[LayerInfo], *, steps: int, **_others: Any) -> int:
    """One gradient more: at the image itself."""
    return (steps + 1) * probe.targets + 2


def _row(
    name: str, summary: str, paper: str, compute: Callable[..., np.ndarray], *options: Option, runs: Any = _runs
) -> IteratedMethod:
    return IteratedMethod(name, summary, paper, compute, runs, space="pixels", unit=BACKWARD, options=options)


PATH_ROWS = (
    _row(
        "integrated_gradients",
        "gradients integrated along a path from a baseline",
        "https://arxiv.org/abs/1703.01365",
        integrated_gradients,
        baseline_option("black"),
        Option("steps", 50, low=1),
        Option("rule", "midpoint", choices=RULES),
        Option("seed", 0, low=0),
    ),
    _row(
        "blur_ig",
        "gradients integrated along a path from a blurred image",
        "https://arxiv.org/abs/2004.03383",
        blur_ig,
        Option("max_sigma", 50.0, above=0),
        Option("steps", 100, low=1),
        Option("border", "nearest", choices=BORDERS),
    ),
    _row(
        "guided_ig",
        "gradients integrated along a path where the score hardly changes",
        "https://arxiv.org/abs/2106.09788",
        guided_ig,
        baseline_option("black"),
        Option("steps", 200, low=1),
        Option("fraction", 0.25, above=0, high=1),
        Option("max_dist", 0.02, low=0, high=1),
        Option("rule", "trapezoid", choices=GUIDED_RULES),
        Option("seed", 0, low=0),
        runs=_guided_runs,
    ),
)
