"""Draw the picture that activates a unit most: gradient ascent on its spectrum, under random views."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, List, NamedTuple, Sequence, Tuple

import numpy as np

from gradcam_tf1.errors import OptionError
from gradcam_tf1.features.adam import Adam
from gradcam_tf1.features.bound_units import BoundUnit
from gradcam_tf1.features.cut_pictures import CutPictures
from gradcam_tf1.features.feature_options import FeatureOptions
from gradcam_tf1.features.pixel_colours import NetValues
from gradcam_tf1.features.plain_pictures import PlainPictures
from gradcam_tf1.features.unit_net import UnitNet


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
    of_class = units[0].class_id is not None
    values = net.net_values()
    pictures, climb = _prepared(net, units, values, options)
    signs = np.array([unit.sign for unit in units], np.float32)[:, np.newaxis, np.newaxis, np.newaxis]
    coefficients, adam = pictures.start(len(units)), Adam(options.rate)
    started = pictures.pixels(coefficients)
    moved = np.zeros(len(units), bool)

    def uphill(seen: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
        grads, on = _uphill(net, climb, values.values(seen))
        moved[grads.any(axis=(1, 2, 3))] = True
        return values.grads(grads * signs), on

    for n in range(options.steps):
        grads, on = pictures.ascent(coefficients, uphill)
        grads = grads - options.prior_of(of_class) * on * _size(grads) * pictures.spectra.pulls(coefficients)
        coefficients += adam.step(grads) * (2 * (1 - n / options.steps))  # the last steps average over the views
        step()
    finished = _as_stored(pictures.pixels(coefficients), options)
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


class _Climb(NamedTuple):
    """What is climbed for units.

    Attributes
    ----------
    units : sequence of BoundUnit
        What is climbed: a class that is to be alone as the evidence for it in the middle.
    dead : sequence of BoundUnit
        What is climbed, in front of the layer's ReLU, where that switches a unit off.
    """

    units: Sequence[BoundUnit]
    dead: Sequence[BoundUnit]


def _prepared(
    net: UnitNet, units: Sequence[BoundUnit], values: NetValues, options: FeatureOptions
) -> Tuple[PlainPictures, _Climb]:
    """Return the pictures of units and what is climbed: a class that can be alone is an object that is cut out."""
    of_class = units[0].class_id is not None
    given = (net.sides, net.channels, options, options.decay_of(of_class))
    if of_class and options.alone:
        cut = CutPictures(*given)
        lone = net.alone(units, values.values(cut.pixels(cut.start(len(units)))))
        if lone is not None:
            behind = np.repeat(values.values(cut.background()), len(units), axis=0)
            cut.leave_room(net.climb(lone.directions, behind, rectified=False)[1])
            return cut, _Climb(*lone)
    return PlainPictures(*given), _Climb(units, units)


def _uphill(net: UnitNet, climb: _Climb, floats: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """Return the gradients; for a unit that a ReLU switches off those in front of it, which lead out of there.

    Also 1 for each unit that is on, 0 for the others, which nothing is to hold back: float32 [N, 1, 1, 1, 1].
    """
    grads = net.climb(climb.units, floats)[1]
    on = grads.any(axis=(1, 2, 3))
    off = np.flatnonzero(~on).tolist()
    if off:
        grads = grads.copy()
        grads[off] = net.climb([climb.dead[n] for n in off], floats[off], rectified=False)[1]
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
