"""One explanation of a net, and what its numbers look like: finite, saturated, empty."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np

from gradcam_tf1.engine.array_inputs import random_token_ids
from gradcam_tf1.errors import BindingError, GradCamError
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.images.geometry import SHORT_SIDE
from gradcam_tf1.images.preprocessing import Preprocessing, as_preprocessing
from gradcam_tf1.methods import METHODS
from gradcam_tf1.run.listing import counted

_NOISES = 4
_CERTAIN = 0.9999
_FREE = 64  # length of a free side of signals and volumes
_FIRST = ("gradcam", "layercam", "gradient")  # methods that are quick


@dataclass(frozen=True)
class MethodCheck:
    """The methods that work on a net, and the reason why each of the others does not."""

    usable: List[str]
    reasons: Dict[str, str]


def check_methods(net: GradCamGraph) -> MethodCheck:
    """Try to build every method."""
    kind = "images"
    shape = net.binding.array_shape
    if shape is not None:
        kind = "clips" if net.binding.frame_order else "signals" if len(shape) == 3 else "volumes"
    fitting = [name for name, method in METHODS.items() if kind in method.inputs]
    usable, reasons = net.usable_methods(fitting)
    others = {name: f"not for {kind}" for name in METHODS if name not in fitting}
    return MethodCheck(usable, {**reasons, **others})


@dataclass(frozen=True)
class NetTrial:
    """What one explanation showed.

    Attributes
    ----------
    about : str
        What was explained, and how.
    findings : tuple of str
        Sentences on what is wrong with the numbers; () if nothing is.
    works : bool
        Whether it was explained at all.
    """

    about: str
    findings: Tuple[str, ...]
    works: bool


def try_net(net: GradCamGraph, methods: Sequence[str], images: Optional[np.ndarray], preset: Any) -> NetTrial:
    """Explain images, or noise.

    Parameters
    ----------
    net : GradCamGraph
        The net.
    methods : sequence of str
        Methods that work.
    images : np.ndarray or None
        [N, H, W, C] at the input's size, 0..255; None for noise.
    preset : Preprocessing or None
        Preprocessing of the images; None if it is not known.
    """
    if net.binding.per_image:
        names = ", ".join(net.binding.per_image)
        return NetTrial(
            "nothing was explained", (f"{names} has no value; give --feed NAME=VALUE or --feed-file",), True
        )
    about, values = f"{counted(0 if images is None else len(images))} of those given", images
    if values is None:
        kind = "texts of random words" if net.binding.token_ids else "images of noise"
        about, values = f"{_NOISES} {kind}", _noise(net)
    name = next((name for name in _FIRST if name in methods), methods[0])
    net.preset = _preset(net, preset)
    if net.preset is not None and takes_pixels(net):
        about += f" with {net.preset.description or 'the preset'}"
    try:
        explanation = net.explain(values, methods=name)
    except BindingError:
        raise
    except GradCamError as error:
        return NetTrial(f"{about}: {name} failed", (str(error),), False)
    return NetTrial(
        f"{about}, {name}", tuple(_findings(explanation, images is not None)), not all(explanation.failures)
    )


def takes_pixels(net: GradCamGraph) -> bool:
    """Return whether the net takes images or clips, whose values are prepared; not signals or volumes."""
    return net.binding.array_shape is None or bool(net.binding.frame_order)


def _preset(net: GradCamGraph, preset: Any) -> Optional[Preprocessing]:
    known = as_preprocessing(preset or net.preset or net.model.preprocessing or net.binding.preprocessing)
    if known is None and takes_pixels(net):  # any finite values show whether the net computes
        return as_preprocessing("gray-zero-one" if net.binding.channels == 1 else "zero-one")
    return known


def _noise(net: GradCamGraph) -> np.ndarray:
    draw, binding = np.random.RandomState(0), net.binding
    if binding.token_ids:
        return random_token_ids(binding, _NOISES, _FREE)
    if binding.array_shape is not None:
        sides = [_FREE if side is None else side for side in binding.array_shape[1:]]
        shape = (_NOISES, *sides)
        return draw.randint(0, 256, shape).astype(np.uint8) if binding.frame_order else draw.standard_normal(shape)
    sides = [fixed or given or SHORT_SIDE for fixed, given in zip(binding.image_size, net.size)]
    return draw.randint(0, 256, (_NOISES, *sides, net.channels_in)).astype(np.uint8)


def _findings(explanation: Any, real: bool) -> List[str]:
    found = []
    failed = [reason for reason in explanation.failures if reason]
    if failed:
        found.append(f"the scores of {len(failed)} of {len(explanation.scores)} are not finite: {failed[0]}")
    certain = explanation.probabilities
    if certain is not None and np.all(np.nan_to_num(certain) > _CERTAIN):
        found.append(
            f"every top probability is above {_CERTAIN}: the net is saturated, as with pixel values of a wrong range"
        )
    tops = set(np.asarray(explanation.predicted).tolist())
    if real and len(tops) == 1 and len(explanation.scores) > 1:
        found.append(f"all of them have the same top class, {tops.pop()}")
    empty = [record for record in explanation if record.status == "empty" and not record.reason.startswith("failed")]
    if empty:
        found.append(f"{len(empty)} of {len(list(explanation))} maps are empty: {empty[0].reason}")
    return found
