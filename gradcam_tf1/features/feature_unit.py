"""What of a net is looked at: a class, a channel or a direction."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import Any, List, Optional, Sequence, Tuple

import numpy as np

from gradcam_tf1.errors import OptionError
from gradcam_tf1.targets import ClassSpec


@dataclass(frozen=True)
class FeatureUnit:
    """One unit: the score of a class, or v . A of a layer's features A, averaged over the positions.

    Attributes
    ----------
    class_spec : int, str or None
        Id or name of a class, whose logit is meant. Give this, or a channel, or a direction.
    layer : int, str, tf.Tensor or None
        A layer as in `explain`; None for the bound layer. Not for a class.
    channel : int or None
        Number of a channel of the layer, from 0.
    direction : sequence of float or None
        v, one number for each channel of the layer.
    position : (int, int) or None
        Row and column of one position of the layer; None for the mean over all.
    negative : bool
        Whether pictures are meant that lower the value.
    cosine : float
        Power p of the cosine of v and A: each position counts (v . A) * max(cos, 0.1) ** p, so that pictures point in
        the direction itself instead of being strong only. 0 for v . A.

    Raises
    ------
    OptionError
        If a field has a wrong type, or the fields do not go together.
    """

    class_spec: ClassSpec = None
    layer: Any = None
    channel: Optional[int] = None
    direction: Optional[Sequence[float]] = None
    position: Optional[Tuple[int, int]] = None
    negative: bool = False
    cosine: float = 0.0

    def __post_init__(self) -> None:
        given = [self.class_spec is not None, self.channel is not None, self.direction is not None]
        if sum(given) != 1:
            raise OptionError("a unit is a class, a channel or a direction; give exactly one of these")
        if self.class_spec is not None and (self.layer is not None or self.position is not None or self.cosine):
            raise OptionError("a class has no layer, position or cosine; give a channel or a direction for these")
        if self.channel is not None and not is_whole(self.channel, 0):
            raise OptionError(f"channel is a number from 0, not {self.channel!r}")
        if self.direction is not None:
            object.__setattr__(self, "direction", _vector(self.direction))
        if self.position is not None and not _is_position(self.position):
            raise OptionError(f"position is (row, column) of the layer, from 0, not {self.position!r}")
        if not isinstance(self.negative, bool):
            raise OptionError(f"negative is True or False, not {self.negative!r}")
        if not is_number(self.cosine) or not 0 <= self.cosine <= 8:
            raise OptionError(f"cosine is a power from 0 to 8, not {self.cosine!r}")
        if self.negative and self.cosine:
            raise OptionError("cosine and negative do not go together; give the opposite direction")


def as_units(units: Any) -> List[FeatureUnit]:
    """Return units as a list; classes may be given by id or name. Raises OptionError."""
    given = units if isinstance(units, (list, tuple)) else [units]
    if not given:
        raise OptionError("no unit is given; give a class, or FeatureUnit(layer=..., channel=...)")
    found = []
    for unit in given:
        if not isinstance(unit, (FeatureUnit, str)) and not is_whole(unit, 0):
            raise OptionError(f"a unit is a FeatureUnit, or the id or name of a class, not {unit!r}")
        found.append(unit if isinstance(unit, FeatureUnit) else FeatureUnit(unit))
    return found


def is_whole(number: Any, low: int) -> bool:
    """Return whether this is a whole number, at least `low`."""
    return isinstance(number, (int, np.integer)) and not isinstance(number, bool) and bool(number >= low)


def is_number(value: Any) -> bool:
    """Return whether this is a finite number of usual size."""
    number: Any = value
    return isinstance(number, Real) and type(value) is not bool and abs(float(value)) < 1e9


def _is_position(position: Any) -> bool:
    return isinstance(position, (tuple, list)) and len(position) == 2 and all(is_whole(side, 0) for side in position)


def _vector(direction: Any) -> Tuple[float, ...]:
    try:
        vector = np.asarray(direction, np.float64)
    except (TypeError, ValueError):
        raise OptionError(f"direction is a sequence of numbers, not {direction!r}") from None
    if vector.ndim != 1 or not np.isfinite(vector).all() or not vector.any():
        raise OptionError("direction is a sequence of finite numbers, one for each channel, and not all zero")
    return tuple(vector.tolist())
