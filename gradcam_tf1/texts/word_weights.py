"""From a map of the embeddings to one number for each token. No TensorFlow here."""

from __future__ import annotations

from typing import Sequence

import numpy as np

from gradcam_tf1.drawing.explained_map import Map


def word_weights(map: Map, words: Sequence[str]) -> np.ndarray:
    """Return what each word of a text counts for.

    The map of a layer is placed on the tokens. A map of the embeddings is summed up over their E numbers, so that the
    sum over the words is that of the map. Padding has no weight.

    Parameters
    ----------
    map : Map
        A map of one text and target.
    words : sequence of str
        T words, "" at padding.

    Returns
    -------
    np.ndarray
        float32 [T].
    """
    placed = map.placed()
    weights = placed if placed.ndim == 1 else placed.sum(axis=-1)
    return np.asarray(weights * (np.array(words, object) != ""), np.float32)
