"""Check signals [N, L, C], volumes [N, D, H, W, C] and token ids [N, T]. No TensorFlow here.

There is no geometry: arrays are preprocessed and have the size of the input.
"""

from __future__ import annotations

from typing import Any, Dict, Iterable

import numpy as np

from gradcam_tf1.errors import OptionError, TargetError
from gradcam_tf1.methods import METHODS
from gradcam_tf1.methods.choices import ChosenMethods
from gradcam_tf1.types import Binding

_SIGNAL_AXES = 3  # [N, L, C]


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


def as_token_ids(texts: Any, binding: Binding) -> np.ndarray:
    """Convert the token ids of texts to integers and check them.

    Parameters
    ----------
    texts : array_like
        [N, T], or [T] for one text.
    binding : Binding
        The key tensors of the net.

    Returns
    -------
    np.ndarray
        int64 [N, T].

    Raises
    ------
    OptionError
        If they are no ids of the net's vocabulary, or not as many in each text as the net takes.
    """
    length = (binding.array_shape or (None, None))[1]
    expected = f"'{binding.token_ids}' takes token ids [N, {'any' if length is None else length}]"
    lengths = {len(row) for row in texts if isinstance(row, (list, tuple, np.ndarray))} if np.iterable(texts) else set()
    if len(lengths) > 1:
        raise OptionError(f"the texts have {min(lengths)} to {max(lengths)} tokens; {expected}; pad or cut them")
    ids = np.asarray(texts)
    ids = ids[np.newaxis] if ids.ndim == 1 else ids
    if ids.dtype.kind == "O":
        raise OptionError(f"the token ids are no numbers of 64 bits; {expected}, from 0 to {binding.vocabulary - 1}")
    if ids.ndim != 2 or ids.size == 0 or ids.dtype.kind not in "uif" or (length or ids.shape[1]) != ids.shape[1]:
        raise OptionError(f"the texts are {ids.dtype} {list(ids.shape)}; {expected}; pad or cut them")
    if (ids != np.floor(ids)).any() or ids.min() < 0 or ids.max() >= binding.vocabulary:
        raise OptionError(
            f"the token ids are {ids.min()} to {ids.max()}; the net's vocabulary has {binding.vocabulary}: give whole "
            f"numbers from 0 to {binding.vocabulary - 1}"
        )
    return ids.astype(np.int64)


def rows_of_ids(ids: np.ndarray, binding: Binding) -> Dict[str, np.ndarray]:
    """Return the ids of texts, and the further inputs that follow from them, by tensor name: [N, T] each."""
    tokens = (ids != 0).astype(np.int64)
    values = {"mask": tokens, "segments": np.zeros_like(tokens)}
    follow = {name: values[kind] for name, kind in binding.text_inputs.items()}
    return {binding.token_ids: ids, **follow}


def random_token_ids(binding: Binding, count: int, free: int) -> np.ndarray:
    """Return random texts of a net, int64 [count, T]; `free` is T where the net takes any number."""
    length = (binding.array_shape or (None, None))[1] or free
    return np.random.RandomState(0).randint(0, binding.vocabulary, (count, length)).astype(np.int64)


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
