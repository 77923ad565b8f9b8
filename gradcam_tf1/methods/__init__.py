"""The tables of methods. A new method is one function and one row in its family's module."""

from __future__ import annotations

from typing import Any, Dict, List, NamedTuple, Sequence, Tuple, Union

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


class MethodChoice(NamedTuple):
    name: str
    options: Dict[str, Any]


def method(name: str, **options: Any) -> MethodChoice:
    return MethodChoice(name, options)


MethodSpec = Union[str, MethodChoice]


def choose_methods(given: Any) -> Dict[str, Dict[str, Any]]:
    from gradcam_tf1.methods.options import check_options

    items = [given] if isinstance(given, (str, MethodChoice)) else given
    if isinstance(items, (list, tuple, set, dict)):
        options = {each.name: each.options for each in items if isinstance(each, MethodChoice)}
        names = expand_methods([each.name if isinstance(each, MethodChoice) else each for each in items])
    else:
        options, names = {}, expand_methods(items)
    check_options(options, [METHODS[name] for name in names])
    return {name: options.get(name, {}) for name in names}
