"""Random inputs for an exported graph, to try it with."""

from __future__ import annotations

from typing import Any, Dict, Mapping, Optional

import numpy as np

_BLOCKS = 4  # per side, so that the images have regions, as photographs have


def random_inputs(inputs: Mapping[str, Any], batch: int, seed: int = 0) -> Dict[str, np.ndarray]:
    """Return a value for each input of an exported graph.

    Parameters
    ----------
    inputs : mapping of str to TensorSpec
        `ExportedGraph.inputs`.
    batch : int
        Size of the batch, for inputs that have none of their own.

    Returns
    -------
    dict
        The same names -> arrays; images are blocks of random colours with some noise, 0..255.
    """
    random = np.random.RandomState(seed)
    return {name: _value(spec.shape, spec.dtype, batch, random) for name, spec in inputs.items()}


def batch_of(shape: Any) -> Optional[int]:
    """Return the size of the batch that a shape fixes, None where it takes any."""
    return None if not shape else shape[0]


def _value(shape: Any, dtype: str, batch: int, random: np.random.RandomState) -> np.ndarray:
    sizes = [batch if place == 0 and side is None else side for place, side in enumerate(shape)]
    blocks = random.uniform(0, 255, [size if place in (0, len(sizes) - 1) else _BLOCKS for place, size in enumerate(sizes)])
    for axis in range(1, len(sizes) - 1):
        blocks = np.take(blocks, np.arange(sizes[axis]) * _BLOCKS // sizes[axis], axis=axis)
    return np.clip(blocks + random.uniform(-20, 20, sizes), 0, 255).astype(dtype)
