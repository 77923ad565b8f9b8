"""The tables of methods. A new method is one function and one row in its family's module."""

from __future__ import annotations

from typing import Dict, List, Sequence, Tuple, Union

from gradcam_tf1.errors import OptionError
from gradcam_tf1.methods.activation import HOST_ROWS
from gradcam_tf1.methods.families import Method
from gradcam_tf1.methods.fullgrad import FULLGRAD_ROWS
from gradcam_tf1.methods.layer import LAYER_ROWS
from gradcam_tf1.methods.noise import NOISE_ROWS, SMOOTH_ROWS
from gradcam_tf1.methods.path import PATH_ROWS
from gradcam_tf1.methods.perturbation import PERTURBATION_ROWS
from gradcam_tf1.methods.pixel import PIXEL_ROWS
from gradcam_tf1.methods.xrai import XRAI_ROWS

_ROWS: Tuple[Method, ...] = (
    *LAYER_ROWS,
    *HOST_ROWS,
    *SMOOTH_ROWS,
    *PERTURBATION_ROWS,
    *PIXEL_ROWS,
    *NOISE_ROWS,
    *PATH_ROWS,
    *XRAI_ROWS,
    *FULLGRAD_ROWS,
)

METHODS: Dict[str, Method] = {row.name: row for row in _ROWS}

METHOD_GROUPS: Dict[str, Tuple[str, ...]] = {"positive_negative": ("positive", "negative")}


def without_gradients() -> List[str]:
    """The methods that work where no gradient arrives."""
    return [row.name for row in _ROWS if not row.needs_grads]


def expand_methods(names: Union[str, Sequence[str]]) -> List[str]:
    """Method names with groups replaced by their members, each once, in order.

    Raises: OptionError listing what is possible.
    """
    if not isinstance(names, (str, list, tuple, set, dict)):
        raise OptionError(
            f"methods are {names!r}; give a name or a list of these: {', '.join([*METHODS, *METHOD_GROUPS])}"
        )
    given = [names] if isinstance(names, str) else list(names)
    expanded: List[str] = []
    for name in given:
        for member in METHOD_GROUPS.get(name, (name,)):
            if member not in METHODS:
                raise OptionError(f"no method {member!r}; possible: {', '.join([*METHODS, *METHOD_GROUPS])}")
            if member not in expanded:
                expanded.append(member)
    if not expanded:
        raise OptionError(f"no method was asked for; possible: {', '.join([*METHODS, *METHOD_GROUPS])}")
    return expanded
