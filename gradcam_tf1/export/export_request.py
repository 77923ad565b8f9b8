"""What an exported model computes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, Tuple

from gradcam_tf1.drawing.style import Style, check_style
from gradcam_tf1.engine.overlay_ops import check_symbolic
from gradcam_tf1.errors import ExportError, OptionError
from gradcam_tf1.export.averaged_gradients import AVERAGED
from gradcam_tf1.methods import METHODS
from gradcam_tf1.methods.base import Method
from gradcam_tf1.methods.choices import Methods, choose_methods
from gradcam_tf1.methods.families import LayerMethod, PixelMethod, ProductMethod
from gradcam_tf1.methods.relevance_methods import RelevanceCam, RelevanceMethod
from gradcam_tf1.scoring.score_functions import CLASS_SCORES

GUIDED = ("guided_backprop", "guided_gradcam")


@dataclass(frozen=True)
class ExportRequest:
    """What an exported model computes.

    Attributes
    ----------
    method : str or MethodChoice
        One method that is made of ops of the graph alone.
    layer : int, str, tf.Tensor or None
        One layer, also "A + B"; None for the bound layer.
    guided : bool
        Whether the maps of guided backprop and Guided Grad-CAM are outputs too.
    score : str
        What of a class is explained, as in `GradCamGraph.explain`.
    input_bytes : bool
        Whether the model takes encoded images (JPEG, PNG, GIF of one frame) of any size.
    style : Style
        How the overlay is drawn.
    tf2_only : bool
        Whether ops that TensorFlow 1.15 lacks may stay in it.

    Raises
    ------
    ExportError
        If the method, score or style has no symbolic form.
    OptionError
        If a field has a wrong type or value.
    """

    method: Methods = "gradcam"
    layer: Any = None
    guided: bool = False
    score: str = "logit"
    input_bytes: bool = False
    style: Style = field(default_factory=Style)
    tf2_only: bool = False

    def __post_init__(self) -> None:
        check_style(self.style)
        for name in ("guided", "input_bytes", "tf2_only"):
            if not isinstance(getattr(self, name), bool):
                raise OptionError(f"{name} is True or False, not {getattr(self, name)!r}")
        if self.score not in CLASS_SCORES:
            raise OptionError(f"unknown score {self.score!r}; possible: {', '.join(CLASS_SCORES)}")
        if isinstance(self.layer, (list, tuple)):
            raise OptionError(
                f"an exported model has one layer, not {len(self.layer)}; export it once for each, or add up their "
                "maps with 'A + B'"
            )
        try:
            check_symbolic(self.style)
        except OptionError as error:
            raise ExportError(str(error)) from error
        self.chosen  # noqa: B018 - refuses what has no symbolic form

    @property
    def chosen(self) -> Tuple[Method, Dict[str, Any]]:
        """The row of the method, with its given options."""
        choices = choose_methods(self.method)
        if len(choices) != 1:
            raise OptionError(f"an exported model has one method, not {len(choices)}; export it once for each")
        ((name, options),) = choices.items()
        row = METHODS[name]
        if not is_symbolic(row):
            possible = ", ".join(each for each, other in METHODS.items() if is_symbolic(other))
            raise ExportError(
                f"{name} is not made of ops of the graph alone ({_why(row)}); possible for export: {possible}"
            )
        return row, dict(options)


def is_symbolic(row: Method) -> bool:
    """Whether a method is made of ops of the graph alone."""
    return isinstance(row, (LayerMethod, PixelMethod, ProductMethod)) or row.name in AVERAGED


def _why(row: Method) -> str:
    if isinstance(row, (RelevanceMethod, RelevanceCam)):
        return "its rules and their range of pixels are not written into exported graphs"
    return "it runs the net many times for one map" if row.iterated else "its maps are made in numpy"
