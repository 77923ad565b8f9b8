"""Draw the picture that activates a unit most: gradient ascent on its spectrum, under random views."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, List, Optional, Sequence, Tuple

import numpy as np

from gradcam_tf1.errors import OptionError
from gradcam_tf1.features.bound_units import BoundUnit
from gradcam_tf1.features.feature_options import FeatureOptions
from gradcam_tf1.features.pixel_colours import PixelColours
from gradcam_tf1.features.random_views import Viewer, draw_view
from gradcam_tf1.features.spectrum_pictures import SpectrumPictures
from gradcam_tf1.features.unit_net import UnitNet

_FIRST, _SECOND, _TINY = 0.9, 0.999, 1e-8  # Adam's rates of forgetting, and what keeps it from dividing by zero


@dataclass(frozen=True, eq=False)
class DrawnPicture:
    """The picture of a unit.

    Attributes
    ----------
    pixels : np.ndarray
        float32 [H, W, C], whole numbers where the range is 0..255.
    start, reached : float
        Value of the unit on the first picture and on this one.
    note : str
        What is wrong with it, "" if nothing is.
    """

    pixels: np.ndarray
    start: float
    reached: float
    note: str = ""


class Adam:
    """Steps uphill, each coefficient at its own rate.

    Parameters
    ----------
    rate : float
        Learning rate.

    References
    ----------
    https://arxiv.org/abs/1412.6980
    """

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._count = 0
        self._mean: Optional[np.ndarray] = None
        self._square: Optional[np.ndarray] = None

    def step(self, grads: np.ndarray) -> np.ndarray:
        """Return what is added to the coefficients."""
        if self._mean is None or self._square is None:
            self._mean, self._square = np.zeros_like(grads), np.zeros_like(grads)
        self._count += 1
        self._mean += (1 - _FIRST) * (grads - self._mean)
        self._square += (1 - _SECOND) * (grads * grads - self._square)
        bias = np.sqrt(1 - _SECOND**self._count) / (1 - _FIRST**self._count)
        # the tiny number is that of the paper's second form, on the scale of the gradients
        largest = np.sqrt(self._square.max(axis=tuple(range(1, grads.ndim)), keepdims=True))
        return np.asarray(self._rate * bias * self._mean / (np.sqrt(self._square) + _TINY * largest + 1e-30))


def draw_pictures(
    net: UnitNet, units: Sequence[BoundUnit], options: FeatureOptions, step: Callable[[], None]
) -> List[DrawnPicture]:
    """Draw a picture for each of some units of one `key`.

    Each starts from the same nearly gray picture and sees the same views, so that it does not depend on the others.

    Parameters
    ----------
    net : UnitNet
        The net.
    units : sequence of BoundUnit
        The units.
    options : FeatureOptions
        Steps, views, seed.
    step : callable
        Called after each step.

    Raises
    ------
    OptionError, GradientError, RunError
        If jitter is as large as the picture, or the gradient by the pixels is not known, does not exist, or is not
        finite.
    """
    if options.jitter >= min(net.sides):
        raise OptionError(f"jitter {options.jitter} moves pictures of {net.sides[0]} x {net.sides[1]} out of sight; "
                          f"give at most {min(net.sides) - 1}")  # fmt: skip
    low, high = options.values
    spectra = SpectrumPictures(net.sides, net.channels, options.decay_of(units[0].class_id is not None))
    colours, values = PixelColours(net.channels, low, high), net.net_values()
    signs = np.array([unit.sign for unit in units], np.float32)[:, np.newaxis, np.newaxis, np.newaxis]
    coefficients = np.repeat(spectra.start(options.seed)[np.newaxis], len(units), axis=0)
    random, adam = np.random.RandomState(options.seed), Adam(options.rate)
    started = colours.pixels(spectra.pictures(coefficients))
    climbed = _climbed(net, units, values.values(started), options)
    moved = np.zeros(len(units), bool)
    for n in range(options.steps):
        pixels = colours.pixels(spectra.pictures(coefficients))
        viewer = Viewer(net.sides, draw_view(random, options.jitter, options.angle, options.zoom), (low + high) / 2)
        grads, on = _uphill(net, climbed, units, values.values(viewer.see(pixels)))
        moved |= grads.any(axis=(1, 2, 3))
        grads = colours.grads(pixels, viewer.grads(values.grads(grads * signs)))
        grads = spectra.grads(grads)
        grads -= options.prior_of(units[0].class_id is not None) * on * _size(grads) * spectra.pulls(coefficients)
        coefficients += adam.step(grads) * (2 * (1 - n / options.steps))  # the last steps average over the views
        step()
    finished = _as_stored(colours.pixels(spectra.pictures(coefficients)), options)
    start, reached = (_own_values(net, units, values.values(each)) for each in (started, finished))
    return [
        DrawnPicture(
            values.shown(finished[n]),
            float(start[n]),
            float(reached[n]),
            "" if moved[n] else "no pixel changes the value: its gradient was zero in every step",
        )
        for n in range(len(units))
    ]


def _climbed(
    net: UnitNet, units: Sequence[BoundUnit], floats: np.ndarray, options: FeatureOptions
) -> Sequence[BoundUnit]:
    """Return what is climbed for units: for a class that is to be alone, its evidence in the middle."""
    if not options.alone or units[0].class_id is None:
        return units
    return net.alone(units, floats) or units


def _uphill(
    net: UnitNet, climbed: Sequence[BoundUnit], units: Sequence[BoundUnit], floats: np.ndarray
) -> Tuple[np.ndarray, np.ndarray]:
    """Return the gradients; for a unit that a ReLU switches off those in front of it, which lead out of there.

    Also 1 for each unit that is on, 0 for the others, which nothing is to hold back: float32 [N, 1, 1, 1, 1].
    """
    grads = net.climb(climbed, floats)[1]
    on = grads.any(axis=(1, 2, 3))
    off = np.flatnonzero(~on).tolist()
    if off:
        grads = grads.copy()
        # a class that is off in the middle may not be elsewhere
        grads[off] = net.climb([units[n] for n in off], floats[off], rectified=climbed[0].place.of_class)[1]
    return grads, on.astype(np.float32).reshape(-1, 1, 1, 1, 1)


def _size(grads: np.ndarray) -> np.ndarray:
    """Return the root mean square of each picture's gradient."""
    return np.asarray(np.sqrt(np.square(grads).mean(axis=tuple(range(1, grads.ndim)), keepdims=True)))


def _as_stored(pixels: np.ndarray, options: FeatureOptions) -> np.ndarray:
    """Return pixels as a file holds them: whole numbers, where the range is that of a file."""
    low, high = options.values
    return np.rint(pixels) if (low, high) == (0, 255) else pixels


def _own_values(net: UnitNet, units: Sequence[BoundUnit], floats: np.ndarray) -> np.ndarray:
    return np.diagonal(net.measure_floats(units, floats))
