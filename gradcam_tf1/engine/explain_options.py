"""The options of `explain` and `visualize_imgs` that are independent of the method. Declared once, here."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any, Callable, Mapping, Optional, Sequence, Union

from gradcam_tf1.engine.layer_fusion import FUSIONS
from gradcam_tf1.errors import OptionError
from gradcam_tf1.methods.noise import KINDS, Noise, as_noise
from gradcam_tf1.types import MethodProgress


def _flag(summary: str, choices: Sequence[str] = ()) -> Mapping[str, Any]:
    """Mark a field that is a command-line option too: its help text and its possible values."""
    return {"help": summary, "choices": tuple(choices)}


@dataclass(frozen=True)
class ExplainOptions:
    """Options of `explain` and `visualize_imgs` that apply to every method.

    Attributes
    ----------
    noise : Noise, str or None
        Average every map over noisy copies of the image (SmoothGrad around any method): a Noise, or "smoothgrad",
        "squaregrad" or "vargrad" with its usual strength. https://arxiv.org/abs/1706.03825
    aug_smooth : bool
        Average every map over six views of the image: mirrored or not, pixel values times 0.9, 1 and 1.1.
    eigen_smooth : bool
        Layer methods return the first principal component of their weighted features instead of the sum.
        https://arxiv.org/abs/2008.00299
    fuse : {"mean", "max", "product", "layercam", "polycam"} or None
        Also return one map of all layers together, as layer "fused".
    inputs : mapping, path or None
        Values of further input tensors, by tensor or name, one row per image. `visualize_imgs` also takes the path of
        a table, folders of images, and functions of the image.
    progress : callable or None
        Called with a MethodProgress before each method that runs the net many times, and after each of its chunks;
        with `noise` also before the first and after each noisy copy. An error that it raises ends the call. A
        ProgressBar, for example.

    Raises
    ------
    OptionError
        If a value has the wrong type or is not possible.
    """

    noise: Union[Noise, str, None] = field(
        default=None, metadata=_flag("Average every map over noisy copies of the image.", KINDS)
    )
    aug_smooth: bool = field(
        default=False, metadata=_flag("Average over the mirrored, darker and brighter image: 6 passes.")
    )
    eigen_smooth: bool = field(
        default=False,
        metadata=_flag(
            "Layer methods: use the first principal component of the weighted features, which has less noise."
        ),
    )
    fuse: Optional[str] = field(default=None, metadata=_flag("Also write one map that joins all layers.", FUSIONS))
    inputs: Union[Mapping[Any, Any], str, None] = None
    progress: Optional[Callable[[MethodProgress], None]] = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "noise", as_noise(self.noise))
        for name in ("aug_smooth", "eigen_smooth"):
            value = getattr(self, name)
            if not isinstance(value, bool):
                raise OptionError(f"{name} is True or False, not {value!r}")
        if self.fuse is not None and (not isinstance(self.fuse, str) or self.fuse not in FUSIONS):
            raise OptionError(f"fuse is one of {', '.join(FUSIONS)}, or None, not {self.fuse!r}")
        if not (self.inputs is None or isinstance(self.inputs, (Mapping, str, os.PathLike))):
            raise OptionError(
                f"inputs maps tensors to one row per image, or is the path of a table, not {self.inputs!r}"
            )
        if self.progress is not None and not callable(self.progress):
            raise OptionError(f"progress is a function of a MethodProgress, not {self.progress!r}")
