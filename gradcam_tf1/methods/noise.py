"""SmoothGrad and its relatives: maps averaged over noisy copies of the image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Iterator, List, Optional, Tuple, Union

import numpy as np

from gradcam_tf1.errors import OptionError
from gradcam_tf1.methods.interfaces import ProbeBase
from gradcam_tf1.methods.iterated import IteratedMethod
from gradcam_tf1.methods.options import MAX_SEED, MOST_FACTOR, MOST_RUNS, Option
from gradcam_tf1.types import LayerInfo

KINDS = ("smoothgrad", "squaregrad", "vargrad")


def _options(samples: int) -> Tuple[Option, ...]:
    """Return the options of `Noise` but its kind; samples: by default."""
    return (
        Option("samples", samples, low=1, high=MOST_RUNS),
        Option("level", 0.15, low=0, high=MOST_FACTOR),
        Option("seed", 0, low=0, high=MAX_SEED),
    )


@dataclass(frozen=True)
class Noise:
    """How maps of noisy copies are combined; M_i is the map of x + e_i, e_i ~ N(0, (level (max x - min x))^2).

    Attributes
    ----------
    kind : {"smoothgrad", "squaregrad", "vargrad"}
        mean_i M_i; mean_i M_i^2; or mean_i M_i^2 - (mean_i M_i)^2.
    samples : int
        Number of copies.
    level : float
        Deviation as a share of the image's range; 0.1 to 0.2 is usual.
    seed : int
        The noise is the same for every image, whatever its batch.

    Raises
    ------
    OptionError
        For an unknown kind, or a value of another type or out of bounds.

    References
    ----------
    SmoothGrad, https://arxiv.org/abs/1706.03825
    SquareGrad, https://arxiv.org/abs/1806.10758
    VarGrad, https://arxiv.org/abs/1810.03307
    """

    kind: str = "smoothgrad"
    samples: int = 25
    level: float = 0.15
    seed: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise OptionError(f"no noise {self.kind!r}; possible: {', '.join(KINDS)}")
        for option in _options(samples=25):
            option.check("noise", getattr(self, option.name))

    def copies(self, images: np.ndarray, sides: int = 3) -> Iterator[np.ndarray]:
        """Yield one noisy copy of all images after the other.

        Parameters
        ----------
        images : np.ndarray
            float32 [..., H, W, C].
        sides : int
            The number of axes of one image.

        Yields
        ------
        np.ndarray
            float32, of the same shape.
        """
        random = np.random.RandomState(self.seed)
        axes = tuple(range(-sides, 0))
        spread = images.max(axis=axes, keepdims=True) - images.min(axis=axes, keepdims=True)
        for _ in range(self.samples):
            yield (images + self.level * spread * random.standard_normal(images.shape[-sides:])).astype(np.float32)


def as_noise(noise: Union[Noise, str, None]) -> Optional[Noise]:
    """Return a Noise as it is, or one of the usual strength by its kind.

    Raises
    ------
    OptionError
        For anything else.
    """
    if noise is None or isinstance(noise, Noise):
        return noise
    if not isinstance(noise, str):
        raise OptionError(f"noise is a Noise or one of {', '.join(KINDS)}, not {noise!r}")
    return Noise(noise)


class Spread:
    """Mean and variance of maps that come one by one, in float64."""

    def __init__(self) -> None:
        self._count = 0
        self._mean: Any = 0.0
        self._squares: Any = 0.0

    def add(self, map: np.ndarray) -> None:
        """Add one more map."""
        self._count += 1
        # Welford's update: equal maps give a variance of exactly 0
        off = map - self._mean
        self._mean = self._mean + off / self._count
        self._squares = self._squares + off * (map - self._mean)

    def result(self, kind: str) -> np.ndarray:
        """Return the maps combined as `Noise.kind` says: float32."""
        variance = self._squares / self._count
        combined = {"smoothgrad": self._mean, "squaregrad": variance + self._mean**2, "vargrad": variance}[kind]
        return np.asarray(combined, np.float32)


def smooth_gradient(probe: ProbeBase, noise: Noise) -> np.ndarray:
    """Return dy/dx of every target, combined over noisy copies: float32 [T, H, W, C]."""
    spreads = [Spread() for _ in range(probe.targets)]
    for inputs in in_batches(noise.copies(probe.image, probe.image.ndim), probe.chunk):
        for target, spread in enumerate(spreads):
            for grad in probe.pixel_grads(inputs, target):
                spread.add(grad)
    return np.stack([spread.result(noise.kind) for spread in spreads])


def in_batches(inputs: Iterator[np.ndarray], size: int) -> Iterator[np.ndarray]:
    """Yield arrays of one shape, `size` of them stacked at a time."""
    waiting: List[np.ndarray] = []
    for array in inputs:
        waiting.append(array)
        if len(waiting) == size:
            yield np.stack(waiting)
            waiting = []
    if waiting:
        yield np.stack(waiting)


def smoothgrad(probe: ProbeBase, _layer: Optional[LayerInfo], *, samples: int, level: float, seed: int) -> np.ndarray:
    """mean_i dy/dx at x + e_i: float32 [T, H, W, C], signed; the options as in `Noise`.

    References
    ----------
    SmoothGrad, https://arxiv.org/abs/1706.03825
    """
    return smooth_gradient(probe, Noise("smoothgrad", samples, level, seed))


def squaregrad(probe: ProbeBase, _layer: Optional[LayerInfo], *, samples: int, level: float, seed: int) -> np.ndarray:
    """mean_i (dy/dx at x + e_i)^2: float32 [T, H, W, C], >= 0; the options as in `Noise`.

    References
    ----------
    SquareGrad, https://arxiv.org/abs/1806.10758
    """
    return smooth_gradient(probe, Noise("squaregrad", samples, level, seed))


def vargrad(probe: ProbeBase, _layer: Optional[LayerInfo], *, samples: int, level: float, seed: int) -> np.ndarray:
    """The variance of dy/dx over x + e_i: float32 [T, H, W, C], >= 0; the options as in `Noise`.

    It is 0 where the gradient does not change.

    References
    ----------
    VarGrad, https://arxiv.org/abs/1810.03307
    """
    return smooth_gradient(probe, Noise("vargrad", samples, level, seed))


def smoothgradcampp(probe: ProbeBase, layer: LayerInfo, *, samples: int, level: float, seed: int) -> np.ndarray:
    """ReLU(sum_k w_k A_k), w_k = sum_ij a ReLU(D1_k), a = D2 / (2 D2 + D3 sum_ij(A_k)), 0 where that is 0 / 0.

    Dn is the mean of g^n over noisy copies of the image; A are the features of the image itself. One copy without noise
    gives Grad-CAM++. The options are as in `Noise`.

    Returns
    -------
    np.ndarray
        float32 [T, h, w], before the ReLU.

    References
    ----------
    Smooth Grad-CAM++, https://arxiv.org/abs/1908.01224
    """
    noise = Noise("smoothgrad", samples, level, seed)
    features = probe.own_features(layer).astype(np.float64)
    positions = tuple(range(features.ndim - 1))
    maps = []
    for target in range(probe.targets):
        first, second, third = _mean_powers(probe, layer, noise, target)
        below = 2.0 * second + features.sum(axis=positions) * third
        alphas = np.divide(second, below, out=np.zeros_like(second), where=below != 0)
        maps.append(features @ (alphas * np.maximum(first, 0)).sum(axis=positions))
    return np.array(maps, np.float32)


def _mean_powers(probe: ProbeBase, layer: LayerInfo, noise: Noise, target: int) -> np.ndarray:
    """Return the means of g, g^2 and g^3 over the copies: float64 [3, h, w, K]."""
    sums: Any = 0.0
    for inputs in in_batches(noise.copies(probe.image, probe.image.ndim), probe.chunk):
        grads = probe.layer_grads(layer, inputs, target)[1].astype(np.float64)
        sums = sums + np.stack([(grads**power).sum(axis=0) for power in (1, 2, 3)])
    return np.asarray(sums / noise.samples)


def _runs(probe: ProbeBase, _layer: Optional[LayerInfo], *, samples: int, **_others: Any) -> int:
    return samples * probe.targets


def _row(name: str, summary: str, paper: str, compute: Callable[..., np.ndarray]) -> IteratedMethod:
    return IteratedMethod(name, summary, paper, compute, _runs, "pixels", unit=BACKWARD, options=_options(samples=25))


BACKWARD = "forward and backward passes of the whole net"

NOISE_ROWS = (
    _row("smoothgrad", "gradient averaged over noisy copies", "https://arxiv.org/abs/1706.03825", smoothgrad),
    _row("squaregrad", "squared gradient averaged over noisy copies", "https://arxiv.org/abs/1806.10758", squaregrad),
    _row("vargrad", "variance of the gradient over noisy copies", "https://arxiv.org/abs/1810.03307", vargrad),
)

SMOOTH_ROWS = (
    IteratedMethod(
        "smoothgradcampp",
        "Grad-CAM++ averaged over noisy copies",
        "https://arxiv.org/abs/1908.01224",
        smoothgradcampp,
        _runs,
        uses_layer=True,
        rectified=True,
        unit=BACKWARD,
        options=_options(samples=16),
    ),
)
