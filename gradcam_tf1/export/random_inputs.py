"""Random inputs for an exported graph, to try it with."""

from __future__ import annotations

from typing import Dict

import numpy as np

from gradcam_tf1.export.exported_graph import ExportedGraph
from gradcam_tf1.types import Shape

_BLOCKS = 4  # per side, so that the images have regions, as photographs have


def random_inputs(exported: ExportedGraph, batch: int, seed: int = 0) -> Dict[str, np.ndarray]:
    """Return a value for each input of an exported graph: images are blocks of random colours with some noise.

    Parameters
    ----------
    exported : ExportedGraph
        The graph; photographs are 0..255. Of values that are prepared already, the range is not known: every second
        image is -1..1, the others are -128..128.
    batch : int
        Size of the batch, for inputs that have none of their own.
    seed : int
        Of the random numbers.

    Returns
    -------
    dict
        Name in the signature -> array.
    """
    random = np.random.RandomState(seed)
    values = {}
    for name, spec in exported.inputs.items():
        blocks = _blocks(spec.shape, batch, random)
        if "overlay" in exported.results or np.dtype(spec.dtype).kind == "u":
            blocks = 255 * blocks
        else:
            blocks = 2 * blocks - 1
            blocks[1::2] *= 128
        values[name] = blocks.astype(spec.dtype)
    return values


def _blocks(shape: Shape, batch: int, random: np.random.RandomState) -> np.ndarray:
    """Return numbers 0..1 of a shape, batch first."""
    sizes = [batch if side is None else side for side in shape]  # only the batch may be free
    inner = range(1, len(sizes) - 1)
    blocks = random.uniform(0, 1, [_BLOCKS if place in inner else size for place, size in enumerate(sizes)])
    for axis in inner:
        blocks = np.take(blocks, np.arange(sizes[axis]) * _BLOCKS // sizes[axis], axis=axis)
    return np.asarray(0.8 * np.asarray(blocks) + 0.2 * np.asarray(random.uniform(0, 1, sizes)))
