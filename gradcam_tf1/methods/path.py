"""Methods that integrate gradients along a path from a baseline to the image.

y(x) is the score of an input x [H, W, C] in the net's own range, x0 the baseline. By the fundamental theorem of
calculus the map adds up to y(x) - y(x0) along any path (completeness); the map's notes say how far the sum is off. All
maps are float32 [T, H, W, C], signed.
"""

from __future__ import annotations

from typing import Any, Callable, Iterator, Optional, Tuple

import numpy as np

from gradcam_tf1.methods.interfaces import ProbeBase
from gradcam_tf1.methods.iterated import IteratedMethod
from gradcam_tf1.methods.masking import Baseline, baseline_input, baseline_option
from gradcam_tf1.methods.noise import BACKWARD, in_batches
from gradcam_tf1.methods.options import MAX_SEED, MOST_RUNS, Option
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
    """(x - x0) * integral over a of dy/dx at x0 + a (x - x0), a = 0..1.

    For a linear net this is the gradient times (x - x0), exactly.

    Parameters
    ----------
    probe : ProbeBase
        Has the image x.
    baseline : Baseline
        x0, see `baseline_input`.
    steps : int
        Points of the rule.
    rule : {"midpoint", "gauss-legendre"}
        Where they lie, and their weights.
    seed : int
        Of the random baseline.

    Returns
    -------
    np.ndarray
        float32 [T, H, W, C], signed.

    References
    ----------
    Integrated gradients, https://arxiv.org/abs/1703.01365
    """
    points, weights = path_points(rule, steps)
    start = baseline_input(probe, baseline, seed)
    distance = probe.image.astype(np.float64) - start
    totals = np.zeros((probe.targets, *distance.shape))
    for first in range(0, steps, probe.chunk):
        part = slice(first, first + probe.chunk)
        inputs = (start + np.multiply.outer(points[part], distance)).astype(np.float32)
        for target in range(probe.targets):
            totals[target] += np.tensordot(weights[part], probe.pixel_grads(inputs, target), axes=1)
    return noted(probe, distance * totals, start, named_baseline(baseline))


def path_points(rule: str, steps: int) -> Tuple[np.ndarray, np.ndarray]:
    """Return the points of a rule of `RULES` in 0..1, and their weights, which add up to 1: float64 [steps] each."""
    if rule == "midpoint":
        return (np.arange(steps) + 0.5) / steps, np.full(steps, 1 / steps)
    points, weights = np.polynomial.legendre.leggauss(steps)
    return (points + 1) / 2, weights / 2


def blur_ig(probe: ProbeBase, _layer: Optional[LayerInfo], *, max_sigma: float, steps: int, border: str) -> np.ndarray:
    """sum_i dy/dx at (x_i + x_i+1) / 2 * (x_i - x_i+1), along a path from a blurred image to the image.

    x_i is the image under a Gaussian of max_sigma (i / steps)^2 pixels, so that no baseline colour is favoured; x0 is
    the most blurred one. The square makes the steps even: an image changes most where the blur is small (at 50 steps
    the sum is off by 1 %, and by 8 % with an even sigma).

    Parameters
    ----------
    probe : ProbeBase
        Has the image.
    max_sigma : float
        Of the most blurred image, in pixels.
    steps : int
        Steps of the path.
    border : {"nearest", "reflect", "constant"}
        What lies beyond the edge: the edge pixel, the mirror image, or 0 in the net's own range.

    Returns
    -------
    np.ndarray
        float32 [T, H, W, C], signed.

    References
    ----------
    Blur integrated gradients, https://arxiv.org/abs/2004.03383
    """
    maps = np.zeros((probe.targets, *probe.image.shape))
    for pairs in in_batches(_blurred_pairs(probe.image, max_sigma, steps, border), probe.chunk):
        inputs = pairs.mean(axis=1).astype(np.float32)
        for target in range(probe.targets):
            maps[target] += (probe.pixel_grads(inputs, target) * (pairs[:, 0] - pairs[:, 1])).sum(axis=0)
    return noted(probe, maps, _blurred(probe.image, max_sigma, border), "the blurred image")


def _blurred_pairs(image: np.ndarray, max_sigma: float, steps: int, border: str) -> Iterator[np.ndarray]:
    """Yield the ends of each step, the sharper one first: float64 [2, H, W, C] each."""
    near = image.astype(np.float64)
    for step in range(1, steps + 1):
        far = _blurred(image, max_sigma * (step / steps) ** 2, border)
        yield np.stack([near, far])
        near = far


def _blurred(image: np.ndarray, sigma: float, border: str) -> np.ndarray:
    from scipy.ndimage import gaussian_filter  # imported late: it takes a while

    return np.asarray(gaussian_filter(image.astype(np.float64), [sigma] * (image.ndim - 1) + [0], mode=border))


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
    """sum_i dy/dx at x_i * (x_i+1 - x_i), along a path where the score hardly changes.

    Every step reduces the L1 distance to x by 1 / steps of the whole. Of the pixels that may still move, it moves the
    `fraction` with the smallest |dy/dx|, so that the path avoids steep, noisy regions.

    Parameters
    ----------
    probe : ProbeBase
        Has the image x.
    baseline : Baseline
        x0, see `baseline_input`.
    steps : int
        Steps of the path.
    fraction : float
        Share of the movable pixels that move at once.
    max_dist : float
        How far a pixel may be ahead of or behind the straight line, as a share of it; 0 gives integrated gradients.
    rule : {"trapezoid", "left"}
        The mean of dy/dx at both ends of a step, or dy/dx at x_i alone, as in the authors' code. "left" is far off the
        sum on a deep net, however many steps there are (by 70 to 80 % on MobileNet, against 2 to 14 %): the moved
        pixels are those whose gradient happens to be small at x_i.
    seed : int
        Of the random baseline.

    Returns
    -------
    np.ndarray
        float32 [T, H, W, C], signed.

    References
    ----------
    Guided integrated gradients, https://arxiv.org/abs/2106.09788
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
    return noted(probe, np.stack(maps), start, named_baseline(baseline))


def _gradient(probe: ProbeBase, here: np.ndarray, target: int) -> np.ndarray:
    return np.asarray(probe.pixel_grads(here[np.newaxis].astype(np.float32), target)[0], np.float64)


def _guided_step(
    here: np.ndarray, start: np.ndarray, goal: np.ndarray, steepness: np.ndarray, limits: Tuple[float, float, float]
) -> np.ndarray:
    """Return the next point of the path: `share` of it done, by the least steep pixels. All arrays are [H, W, C]."""
    share, max_dist, fraction = limits
    distance = goal.astype(np.float64) - start
    lowest, highest = start + max(share - max_dist, 0) * distance, start + min(share + max_dist, 1) * distance
    left = (1 - share) * np.abs(distance).sum()
    # none may be behind `lowest`, seen in the pixel's own direction
    there = np.where((here - lowest) * np.sign(distance) < 0, lowest, here)
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
        # a whole distance is set, not added up, so that rounding does not keep a pixel from its goal
        there = np.where(chosen, highest if part == 1.0 else there + part * (highest - there), there)
        surplus = np.abs(goal - there).sum() - left if part == 1.0 else 0.0
    return there


def noted(probe: ProbeBase, maps: np.ndarray, start: np.ndarray, name: str) -> np.ndarray:
    """Note how well each map adds up to y(x) - y(x0).

    Parameters
    ----------
    probe : ProbeBase
        Has the image x; takes the notes.
    maps : np.ndarray
        float64 [T, H, W, C].
    start : np.ndarray
        [H, W, C], x0; or [B, H, W, C], of which the mean score counts.
    name : str
        What x0 is, in words.

    Returns
    -------
    np.ndarray
        The maps as float32.
    """
    starts = start if start.ndim > probe.image.ndim else start[np.newaxis]
    inputs = (each.astype(np.float32) for each in (probe.image, *starts))
    scores = np.concatenate([probe.scores(chunk) for chunk in in_batches(inputs, probe.chunk)]).astype(np.float64)
    for target, (map, rise) in enumerate(zip(maps, scores[0] - scores[1:].mean(axis=0))):
        note_sum(probe, target, float(map.sum()), float(rise), name)
    return maps.astype(np.float32)


def note_sum(probe: ProbeBase, target: int, total: float, rise: float, name: str, what: str = "the map adds") -> None:
    """Note how far a sum is from the rise of the score."""
    share = f", {abs((total - rise) / rise):.1%} off" if rise else ""
    gain = f"the score rises by {rise:.4g} from {name}"
    probe.note(target, f"completeness: {what} up to {total:.4g}, {gain}{share}")


def named_baseline(baseline: Baseline) -> str:
    """Return what a baseline is, in words."""
    return baseline if isinstance(baseline, str) else "the given image"


def _runs(probe: ProbeBase, _layer: Optional[LayerInfo], *, steps: int, **_others: Any) -> int:
    return steps * probe.targets + 2


def _guided_runs(probe: ProbeBase, _layer: Optional[LayerInfo], *, steps: int, **_others: Any) -> int:
    """One gradient more: at the image itself."""
    return (steps + 1) * probe.targets + 2


def _row(
    name: str,
    summary: str,
    paper: str,
    compute: Callable[..., np.ndarray],
    *options: Option,
    runs: Callable[..., int] = _runs,
) -> IteratedMethod:
    return IteratedMethod(name, summary, paper, compute, runs, space="pixels", unit=BACKWARD, options=options)


PATH_ROWS = (
    _row(
        "integrated_gradients",
        "gradients integrated along a path from a baseline",
        "https://arxiv.org/abs/1703.01365",
        integrated_gradients,
        baseline_option("black"),
        Option("steps", 50, low=1, high=MOST_RUNS),
        Option("rule", "midpoint", choices=RULES),
        Option("seed", 0, low=0, high=MAX_SEED),
    ),
    _row(
        "blur_ig",
        "gradients integrated along a path from a blurred image",
        "https://arxiv.org/abs/2004.03383",
        blur_ig,
        Option("max_sigma", 50.0, above=0),
        Option("steps", 100, low=1, high=MOST_RUNS),
        Option("border", "nearest", choices=BORDERS),
    ),
    _row(
        "guided_ig",
        "gradients integrated along a path where the score hardly changes",
        "https://arxiv.org/abs/2106.09788",
        guided_ig,
        baseline_option("black"),
        Option("steps", 200, low=1, high=MOST_RUNS),
        Option("fraction", 0.25, above=0, high=1),
        Option("max_dist", 0.02, low=0, high=1),
        Option("rule", "trapezoid", choices=GUIDED_RULES),
        Option("seed", 0, low=0, high=MAX_SEED),
        runs=_guided_runs,
    ),
)
