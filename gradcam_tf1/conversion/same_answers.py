"""Compare two forms of a net by their class scores on random inputs."""

from __future__ import annotations

from typing import Optional, Tuple

import numpy as np

from gradcam_tf1.engine.array_inputs import random_token_ids
from gradcam_tf1.errors import ConversionError
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.tf_runtime import numpy_dtype
from gradcam_tf1.types import Binding

TOLERANCE = 1e-4  # of the largest score
_INPUTS = 4
_SIDE, _STEPS = 224, 32  # of a free side of images, and of signals, volumes and clips


def random_inputs(binding: Binding) -> np.ndarray:
    """Return random inputs as a net takes them, [N, ...].

    Images are half in 0..1 and half in 0..255, signals, volumes and clips normal, texts token ids.
    """
    random = np.random.RandomState(0)
    dtype = numpy_dtype(binding.dtype)
    if binding.token_ids:
        return random_token_ids(binding, _INPUTS, _STEPS)
    if binding.array_shape is not None:
        shape = [side or _STEPS for side in binding.array_shape[1:]]
        return random.standard_normal([_INPUTS, *shape]).astype(dtype)
    sides = [side or _SIDE for side in binding.image_size]
    images = random.uniform(0, 1, [_INPUTS, *sides, binding.channels])
    images[_INPUTS // 2 :] *= 255
    return (images if dtype.kind == "f" else images * [[[[255]]], [[[255]]], [[[1]]], [[[1]]]]).astype(dtype)


def scores_of(net: GradCamGraph, inputs: np.ndarray) -> np.ndarray:
    """Return the class scores, float64 [N, C]. Raises RunError if the net does not run."""
    explainer = net.explainers[0]
    if net.binding.token_ids:
        given = explainer.prepare(inputs)
        return np.asarray(explainer.engine.evaluate(given.pixels, inputs=given.rows)["scores"], np.float64)
    return np.asarray(explainer.engine.evaluate(inputs)["scores"], np.float64)


def check_steady(net: GradCamGraph, inputs: np.ndarray, scores: np.ndarray) -> Optional[str]:
    """Check that a net's answers can be compared.

    Returns
    -------
    str or None
        A doubt, for the user.

    Raises
    ------
    ConversionError
        If the scores are not finite, or differ from run to run.
    """
    if not np.isfinite(scores).all():
        raise ConversionError(
            f"{net.model.source} answers random inputs with scores that are not finite, so a copy cannot be checked"
        )
    if difference(scores, scores_of(net, inputs)) > TOLERANCE:
        why = "; ".join(net.binding.training) or "random numbers are part of it"
        raise ConversionError(
            f"{net.model.source} gives other scores each time it is run, so a copy cannot be checked ({why}); export "
            "it for inference, or switch the noise off with --feed NAME=VALUE"
        )
    if len(scores) > 1 and np.ptp(scores, axis=0).max() <= TOLERANCE * np.abs(scores).max():
        return "the net gives all random inputs the same scores, so the comparison says little about it"
    return None


def difference(scores: np.ndarray, others: np.ndarray) -> float:
    """Return the largest difference between scores, as a share of the largest score; infinite if they do not fit."""
    if scores.shape != others.shape or not np.isfinite(others).all():
        return float("inf")
    return float(np.abs(scores - others).max() / max(np.abs(scores).max(), np.finfo(np.float32).tiny))


def same_names(binding: Binding, other: Binding) -> Tuple[str, ...]:
    """Return which of the key tensors of one binding the other has under different names."""
    return tuple(key for key in ("input", "logits", "layer") if getattr(binding, key) != getattr(other, key))
