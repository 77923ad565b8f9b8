"""Draw the weights of layers anew. No TensorFlow here."""

from __future__ import annotations

import zlib
from typing import Dict, Mapping, Sequence

import numpy as np

from gradcam_tf1.sanity.weight_layers import Weight, WeightLayer

DRAWS = ("normal", "permute")


def drawn(value: np.ndarray, weight: Weight, draw: str, seed: int) -> np.ndarray:
    """Draw new values for a weight.

    - normal: independent normal numbers with the mean and the standard deviation of the weight's own values.
    - permute: its own values in another order.

    Weights of one source get the same numbers, whatever layer they are drawn for.

    Parameters
    ----------
    value : np.ndarray
        Float, of any shape.
    weight : Weight
        What it is. Normal numbers for a variance lose their sign and are at least its smallest value, so that they stay
        positive.
    draw : {"normal", "permute"}
        How.
    seed : int
        The same seed gives the same numbers.

    Returns
    -------
    np.ndarray
        Of the same shape and dtype; the value itself where it is not finite, which has no deviation.

    References
    ----------
    https://arxiv.org/abs/1810.03292
    """
    numbers = np.random.RandomState([seed, zlib.crc32(weight.source.encode())])
    if draw == "permute":
        return numbers.permutation(value.ravel()).reshape(value.shape)
    if not np.isfinite(value).all():
        return value
    wide = value.astype(np.float64)
    fresh = numbers.normal(wide.mean(), wide.std(), value.shape)
    if weight.positive:
        fresh = np.maximum(np.abs(fresh), wide.min())
    return fresh.astype(value.dtype)


def draw_all(
    intact: Mapping[str, np.ndarray], layers: Sequence[WeightLayer], draw: str, seed: int
) -> Dict[str, np.ndarray]:
    """Draw every weight of a net once; the arguments are those of `drawn` and `with_drawn`."""
    weights = {weight.name: weight for layer in layers for weight in layer.weights}
    return {name: drawn(intact[name], weight, draw, seed) for name, weight in weights.items()}


def with_drawn(
    intact: Mapping[str, np.ndarray],
    fresh: Mapping[str, np.ndarray],
    chosen: Sequence[WeightLayer],
    layers: Sequence[WeightLayer],
) -> Dict[str, np.ndarray]:
    """Return the weights of a net with those of some layers drawn anew.

    Parameters
    ----------
    intact, fresh : mapping
        Tensor that is fed -> its value, and its drawn value, of all layers.
    chosen, layers : sequence of WeightLayer
        The layers to draw, and all layers of the net: where they share a source, it changes in both.

    Returns
    -------
    dict
        Tensor -> value of all weights.
    """
    sources = {weight.source for layer in chosen for weight in layer.weights}
    names = {weight.name for layer in layers for weight in layer.weights if weight.source in sources}
    return {**intact, **{name: fresh[name] for name in names}}
