"""Signals [N, L, C] and volumes [N, D, H, W, C] as a net takes them, and the way of a map back onto their axes.

No TensorFlow here. There is no geometry: arrays come preprocessed and of the input's own size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterable, Optional, Tuple

import numpy as np

from gradcam_tf1.errors import OptionError, TargetError
from gradcam_tf1.images.geometry import upsample
from gradcam_tf1.methods import METHODS
from gradcam_tf1.methods.choices import ChosenMethods
from gradcam_tf1.types import Binding, Cells

_SIGNAL_AXES = 3  # [N, L, C]


@dataclass(frozen=True)
class ArrayPlacement:
    """The axes of one signal, (L,), or volume, (D, H, W)."""

    sides: Tuple[int, ...]

    def place(self, map: np.ndarray, cells: Optional[Cells] = None) -> np.ndarray:
        """A map [l], [d, h, w] of any size, or the same with channels behind, on these axes: float32.

        Linear along each axis, clamped at the centres of the outer cells. cells: where they lie; None: stretched.
        Raises: OptionError for another number of axes.
        """
        map = np.asarray(map, np.float32)
        axes = len(self.sides)
        if map.ndim not in (axes, axes + 1) or 0 in map.shape:
            raise OptionError(f"a map here has {axes} axes, or one more for channels, got shape {list(map.shape)}")
        if map.ndim == axes:
            return upsample(map, self.sides, cells)
        return np.moveaxis(upsample(np.moveaxis(map, -1, 0), self.sides, cells), 0, -1)


def as_arrays(arrays: Any, binding: Binding) -> np.ndarray:
    """What was given as float32 [N, L, C], [N, H, W, C] or [N, D, H, W, C]; the axis of one channel may be left out.

    Raises: OptionError naming the shape that does not fit.
    """
    expected = binding.array_shape or (None, *binding.image_size, binding.channels)
    given = np.asarray(arrays)
    values = given[..., np.newaxis] if given.ndim == len(expected) - 1 and expected[-1] == 1 else given
    fits = values.ndim == len(expected) and all(
        side is None or side == have for side, have in zip(expected[1:], values.shape[1:])
    )
    if not fits or values.dtype.kind not in "uif" or values.size == 0:
        wanted = ", ".join(["N", *("any" if side is None else str(side) for side in expected[1:])])
        raise OptionError(
            f"the arrays are {given.dtype} {list(given.shape)}; '{binding.input}' takes floats [{wanted}]"
        )
    broken = int(values.size - np.isfinite(values).sum())
    if broken:
        raise OptionError(f"{broken} of the arrays' {values.size} values are NaN or infinite; give finite ones")
    return values.astype(np.float32)


def array_methods(methods: ChosenMethods, binding: Binding) -> ChosenMethods:
    """Return the methods with their options for arrays: zero as baseline where it is black by default.

    Raises
    ------
    OptionError
        For methods and baselines that are for images only.
    """
    check_methods(methods, binding)
    return {name: METHODS[name].array_options(options) for name, options in methods.items()}


def check_methods(methods: Iterable[str], binding: Binding) -> None:
    """Refuse methods that cannot explain this kind of input. Arrays of a net that takes images count as volumes.

    Raises
    ------
    OptionError
        Naming the method.
    """
    axes = len(binding.array_shape or ())
    kind = "clips" if binding.frame_order else "signals" if axes == _SIGNAL_AXES else "volumes"
    for name in methods:
        if kind not in METHODS[name].inputs:
            raise OptionError(
                f"{name} works on {' and '.join(METHODS[name].inputs)} only; for {kind} use another method"
            )


def no_such_target(*_given: Any) -> Any:
    """Reads targets that point into an image. Raises: TargetError."""
    raise TargetError(
        "regions, points and likenesses are targets of images; signals, volumes and clips have the others"
    )
