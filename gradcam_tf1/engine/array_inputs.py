"""Check signals [N, L, C] and volumes [N, D, H, W, C], and place maps on their axes. No TensorFlow here.

There is no geometry: arrays are preprocessed and have the size of the input.
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
    """The axes of a signal or volume, on which maps are placed.

    Attributes
    ----------
    sides : tuple of int
        (L,) of a signal, (D, H, W) of a volume.
    """

    sides: Tuple[int, ...]

    def place(self, map: np.ndarray, cells: Optional[Cells] = None) -> np.ndarray:
        """Resize a map to these axes: linear along each axis, clamped at the centres of the outer cells.

        Parameters
        ----------
        map : np.ndarray
            [l] or [d, h, w] of any size, optionally with a last axis of channels.
        cells : Cells or None
            Where the cells of the map lie on the input; None to stretch the map.

        Returns
        -------
        np.ndarray
            float32 [L] or [D, H, W], with channels if the map has them.

        Raises
        ------
        OptionError
            If the map has another number of axes.
        """
        map = np.asarray(map, np.float32)
        axes = len(self.sides)
        if map.ndim not in (axes, axes + 1) or 0 in map.shape:
            raise OptionError(f"the map has shape {list(map.shape)}; give {axes} axes, or one more for channels")
        if map.ndim == axes:
            return upsample(map, self.sides, cells)
        return np.moveaxis(upsample(np.moveaxis(map, -1, 0), self.sides, cells), 0, -1)


def as_arrays(arrays: Any, binding: Binding) -> np.ndarray:
    """Convert the arrays to float32 and check their shape.

    Parameters
    ----------
    arrays : array_like
        [N, L, C], [N, H, W, C] or [N, D, H, W, C]; the axis of a single channel may be missing.
    binding : Binding
        The key tensors of the net.

    Returns
    -------
    np.ndarray
        float32, with the axis of channels.

    Raises
    ------
    OptionError
        If the shape or dtype does not fit the net, or a value is not finite.
    """
    expected = binding.array_shape or (None, *binding.image_size, binding.channels)
    original = np.asarray(arrays)
    lacks_channels = original.ndim == len(expected) - 1 and expected[-1] == 1
    values = original[..., np.newaxis] if lacks_channels else original
    fits = values.ndim == len(expected) and all(
        side is None or side == actual for side, actual in zip(expected[1:], values.shape[1:])
    )
    if not fits or values.dtype.kind not in "uif" or values.size == 0:
        sides = ", ".join(["N", *("any" if side is None else str(side) for side in expected[1:])])
        raise OptionError(
            f"the arrays are {original.dtype} {list(original.shape)}; '{binding.input}' takes floats [{sides}]"
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


def no_such_target(*_target: Any) -> Any:
    """Refuse a target that points into an image. Raises TargetError."""
    raise TargetError(
        "regions, points and references are targets of images; signals, volumes and clips have all other targets"
    )
