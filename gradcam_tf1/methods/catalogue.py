"""The table of all methods."""

from __future__ import annotations

import re
from typing import Dict, List, Tuple

from gradcam_tf1.errors import OptionError
from gradcam_tf1.methods.activation import NUMPY_ROWS
from gradcam_tf1.methods.attention import ATTENTION_ROWS
from gradcam_tf1.methods.base import Method
from gradcam_tf1.methods.expected import EXPECTED_ROWS
from gradcam_tf1.methods.fullgrad import FULLGRAD_ROWS
from gradcam_tf1.methods.groupcam import GROUP_ROWS
from gradcam_tf1.methods.layer import LAYER_ROWS
from gradcam_tf1.methods.lifted import LIFT_ROWS
from gradcam_tf1.methods.local_gradients import LOCAL_ROWS
from gradcam_tf1.methods.multiscale import SCALE_ROWS
from gradcam_tf1.methods.noise import NOISE_ROWS, SMOOTH_ROWS
from gradcam_tf1.methods.opticam import OPTI_ROWS
from gradcam_tf1.methods.options import Option
from gradcam_tf1.methods.path import PATH_ROWS
from gradcam_tf1.methods.perturbation import PERTURBATION_ROWS
from gradcam_tf1.methods.pixel import PIXEL_ROWS
from gradcam_tf1.methods.polycam import POLY_ROWS
from gradcam_tf1.methods.reciprocam import RECIPRO_ROWS
from gradcam_tf1.methods.relevance_methods import RELEVANCE_ROWS
from gradcam_tf1.methods.xrai import XRAI_ROWS
from gradcam_tf1.scoring.score_functions import SCORES

METHODS: Dict[str, Method] = {}

METHOD_GROUPS: Dict[str, Tuple[str, ...]] = {"positive_negative": ("positive", "negative")}


def register(row: Method) -> None:
    """Add a method to METHODS: it then works wherever a method name is taken.

    Parameters
    ----------
    row : Method
        `LayerMethod("mycam", "what it shows", "https://...", compute)`, or a row of another family.

    Raises
    ------
    OptionError
        If it is not such a row, its name is taken or is not a lower-case identifier (it becomes part of file names and
        a choice on the command line), or the default of one of its options is out of bounds.
    """
    if not isinstance(row, Method):
        raise OptionError(f"register takes a row such as LayerMethod(name, summary, paper, compute), not {row!r}")
    if not isinstance(row.name, str) or not re.fullmatch(r"[a-z][a-z0-9_]*", row.name):
        raise OptionError(
            f"a method cannot be named {row.name!r}: its name becomes part of file names; take a lower-case identifier "
            "such as 'mycam'"
        )
    if row.name in METHODS or row.name in METHOD_GROUPS:
        raise OptionError(f"there is a method {row.name!r} already; take another name than {', '.join(names())}")
    if not (isinstance(row.options, tuple) and all(isinstance(option, Option) for option in row.options)):
        raise OptionError(f"options of {row.name} are a tuple of Option, not {row.options!r}")
    compute, head = getattr(row, "compute", None), getattr(row, "head", "logit")
    if compute is not None and not callable(compute):
        raise OptionError(f"compute of {row.name} is a function, not {compute!r}")
    if head not in SCORES:
        raise OptionError(f"no score {head!r} for {row.name}; possible: {', '.join(SCORES)}")
    for option in row.options:
        option.check(row.name, option.default)
    METHODS[row.name] = row


def names() -> List[str]:
    """Return all names that a method is chosen by: those of methods, then those of groups."""
    return [*METHODS, *METHOD_GROUPS]


def method_row(name: str) -> Method:
    """Return the row of a method. Raises OptionError if it is not registered, as in a program that reads its maps."""
    if name not in METHODS:
        raise OptionError(f"no method {name!r} is registered in this program; register it to draw its maps")
    return METHODS[name]


def without_gradients() -> List[str]:
    """Return the methods that work where no gradient arrives, without those for transformers."""
    return [row.name for row in METHODS.values() if not (row.needs_grads or row in ATTENTION_ROWS)]


for _row in (
    *LAYER_ROWS,
    *LOCAL_ROWS,
    *NUMPY_ROWS,
    *SMOOTH_ROWS,
    *RECIPRO_ROWS,
    *PERTURBATION_ROWS,
    *GROUP_ROWS,
    *OPTI_ROWS,
    *SCALE_ROWS,
    *POLY_ROWS,
    *ATTENTION_ROWS,
    *PIXEL_ROWS,
    *NOISE_ROWS,
    *PATH_ROWS,
    *XRAI_ROWS,
    *FULLGRAD_ROWS,
    *RELEVANCE_ROWS,
    *EXPECTED_ROWS,
    *LIFT_ROWS,
):
    register(_row)
