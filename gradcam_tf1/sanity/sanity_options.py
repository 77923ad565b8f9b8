"""The options of `sanity_check`. No TensorFlow here."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import Any, Callable, Optional, Sequence, Union

import numpy as np

from gradcam_tf1.errors import OptionError
from gradcam_tf1.methods.options import MAX_SEED
from gradcam_tf1.sanity.weight_draws import DRAWS

CASCADE, INDEPENDENT = "cascade", "independent"
MODES = (CASCADE, INDEPENDENT)
SHIFT = "shift"
CHECK_NAMES = ("repeat", "session", "batch", SHIFT)
SIMILARITY_NAMES = ("spearman", "ssim", "hog")


@dataclass(frozen=True)
class SanityOptions:
    """Options of `sanity_check`.

    Attributes
    ----------
    modes : str or sequence of str
        "cascade" draws the weights of all layers from the class scores down to one, "independent" those of this one
        alone; () for no randomisation.
    draw : {"normal", "permute"}
        Normal numbers with the mean and the deviation of the weight's own values, or these values in another order.
    blocks : int
        Largest number of steps: neighbouring layers are drawn together.
    checks : str or sequence of str
        "repeat", "session", "batch" and "shift": see docs/sanity.md.
    similarities : str or sequence of str
        "spearman", on which the verdicts rest and which is always taken, "ssim" and "hog".
    tolerance : float
        Maps are the same if ||a - b|| / ||a|| is at most this.
    n_images : int or None
        Only this number of images, chosen at random; None for all. They are in memory together.
    seed : int
        Of the weights and of `n_images`.
    progress : callable or None
        Called with the name of each finished step and the number of all steps.

    Raises
    ------
    OptionError
        If a value has the wrong type or is not possible.
    """

    modes: Union[str, Sequence[str]] = MODES
    draw: str = "normal"
    blocks: int = 8
    checks: Union[str, Sequence[str]] = CHECK_NAMES
    similarities: Union[str, Sequence[str]] = SIMILARITY_NAMES[:1]
    tolerance: float = 1e-3
    n_images: Optional[int] = 8
    seed: int = 0
    progress: Optional[Callable[[str, int], None]] = None

    def __post_init__(self) -> None:
        for name, possible in (("modes", MODES), ("checks", CHECK_NAMES), ("similarities", SIMILARITY_NAMES)):
            object.__setattr__(self, name, _chosen(name, getattr(self, name), possible))
        object.__setattr__(self, "similarities", tuple(dict.fromkeys([*SIMILARITY_NAMES[:1], *self.similarities])))
        if self.draw not in DRAWS:
            raise OptionError(f"draw is {' or '.join(DRAWS)}, not {self.draw!r}")
        for name, low, high in (("blocks", 1, None), ("n_images", 1, None), ("seed", 0, MAX_SEED)):
            value = getattr(self, name)
            if name == "n_images" and value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
                raise OptionError(f"{name} is a whole number, not {value!r}")
            if value < low or (high is not None and value > high):
                most = "" if high is None else f" and at most {high}"
                raise OptionError(f"{name} is at least {low}{most}, not {value}")
        if not _is_share(self.tolerance):
            raise OptionError(f"tolerance is a number from 0 and below 1, not {self.tolerance!r}")
        if self.progress is not None and not callable(self.progress):
            raise OptionError(f"progress is a function of a name and a number, not {self.progress!r}")


def _is_share(value: Any) -> bool:
    number = isinstance(value, Real) and not isinstance(value, bool)
    return number and 0 <= value < 1


def _chosen(name: str, given: Any, possible: Sequence[str]) -> Sequence[str]:
    names = [given] if isinstance(given, str) else given
    if not isinstance(names, (list, tuple)) or not all(item in possible for item in names):
        raise OptionError(f"{name} are names of {', '.join(possible)}, not {given!r}")
    return tuple(dict.fromkeys(names))
