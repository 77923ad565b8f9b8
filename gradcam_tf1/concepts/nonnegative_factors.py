"""Non-negative factors of features: NMF of sampled rows, and the exact coefficients of any row. No TensorFlow here."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import List, Optional

import numpy as np
from scipy.optimize import nnls

from gradcam_tf1.errors import OptionError

_ITERATIONS = 400


class RowSample:
    """A uniform random sample of the rows of a stream, in bounded memory.

    Each row gets a random key, and those with the smallest keys stay.

    Parameters
    ----------
    most : int
        Rows that stay.
    seed : int
        Of the keys.
    """

    def __init__(self, most: int, seed: int) -> None:
        self._most = most
        self._random = np.random.RandomState(seed)
        self._rows: List[np.ndarray] = []
        self._keys: List[np.ndarray] = []
        self.seen = 0

    def add(self, rows: np.ndarray) -> None:
        """Offer rows, float [N, K]."""
        keys = self._random.uniform(size=len(rows))
        self.seen += len(rows)
        # so many of these that none of the others could stay
        chosen = np.sort(np.argsort(keys, kind="stable")[: self._most])
        self._rows.append(rows[chosen])
        self._keys.append(keys[chosen])
        if sum(map(len, self._keys)) > 2 * self._most:
            self._cut()

    def rows(self) -> np.ndarray:
        """Return the sample: float [at most `most`, K]."""
        self._cut()
        return self._rows[0]

    def _cut(self) -> None:
        rows, keys = np.concatenate(self._rows), np.concatenate(self._keys)
        chosen = np.sort(np.argsort(keys, kind="stable")[: self._most])
        self._rows, self._keys = [rows[chosen]], [keys[chosen]]


@dataclass(frozen=True, eq=False)
class Factors:
    """Concept vectors W of features A = U W.

    Attributes
    ----------
    vectors : np.ndarray
        float64 [C, K], not negative, of length 1 each.
    share : np.ndarray
        float64 [C]: sum over the sample of u_c |w_c|_1, divided by that of all concepts.
    strength : np.ndarray
        float64 [C]: the typical coefficient, sum u^2 / sum u over the sample.
    explained : float
        1 - |A - U W|^2 / |A|^2 over the sample.
    """

    vectors: np.ndarray
    share: np.ndarray
    strength: np.ndarray
    explained: float

    def coefficients(self, rows: np.ndarray) -> np.ndarray:
        """Return U of features [..., K]: float64 [..., C], see `coefficients`."""
        return coefficients(rows, self.vectors)

    def ordered(self, order: np.ndarray) -> Factors:
        """Return the factors in another order."""
        return Factors(self.vectors[order], self.share[order], self.strength[order], self.explained)


def factorise(rows: np.ndarray, concepts: int, seed: int = 0) -> Factors:
    """Factorise A into U W, both not negative, with the least |A - U W|^2: the concept with the largest share first.

    Parameters
    ----------
    rows : np.ndarray
        float [N, K], not negative: A.
    concepts : int
        Number of rows of W.
    seed : int
        Of the start (nndsvda).

    Returns
    -------
    Factors

    Raises
    ------
    OptionError
        If there are more concepts than rows or columns, or A is zero.

    References
    ----------
    Deep Feature Factorization For Concept Discovery, https://arxiv.org/abs/1806.10206
    """
    if concepts > min(rows.shape):
        raise OptionError(
            f"{concepts} concepts of {rows.shape[0]} sampled features with {rows.shape[1]} channels: give at most "
            f"{min(rows.shape)} concepts (--concepts), or more images"
        )
    rows = np.asarray(rows, np.float64)
    scale = np.sqrt(np.square(rows).mean())
    if not scale > 0:
        raise OptionError("the features of the layer are zero for all images; name another layer (--layer)")
    from sklearn.decomposition import NMF  # imported late: it takes a while

    model = NMF(concepts, init="nndsvda", random_state=seed, max_iter=_ITERATIONS, tol=1e-5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # iterations may end before the tolerance is met
        model.fit(rows / scale)
    vectors = model.components_
    lengths = np.linalg.norm(vectors, axis=1)
    kept = lengths > 1e-9 * lengths.max()
    return _described(vectors[kept] / lengths[kept, np.newaxis], rows)


def _described(vectors: np.ndarray, rows: np.ndarray) -> Factors:
    found = coefficients(rows, vectors)
    parts = found.sum(axis=0) * vectors.sum(axis=1)
    left = np.square(rows - found @ vectors).sum() / np.square(rows).sum()
    strength = np.square(found).sum(axis=0) / np.maximum(found.sum(axis=0), 1e-300)
    factors = Factors(vectors, parts / parts.sum(), strength, float(1 - left))
    return factors.ordered(np.argsort(-parts, kind="stable"))


def coefficients(rows: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Return the u >= 0 with the least |a - u W|^2 for each a: exact non-negative least squares.

    W^T = Q R, so |a - u W|^2 is |R u - Q^T a|^2 and a constant: each problem has as many rows as concepts.

    Parameters
    ----------
    rows : np.ndarray
        float [..., K].
    vectors : np.ndarray
        float [C, K]: W.

    Returns
    -------
    np.ndarray
        float64 [..., C].
    """
    q, r = np.linalg.qr(np.asarray(vectors, np.float64).T)
    flat = np.asarray(rows, np.float64).reshape(-1, rows.shape[-1]) @ q
    found = np.stack([nnls(r, row)[0] for row in flat])
    return found.reshape((*rows.shape[:-1], len(vectors)))


def not_negative(features: np.ndarray, layer: str, rectify: bool, where: Optional[str] = None) -> np.ndarray:
    """Return features that NMF takes. Raises OptionError for negative ones, unless they are to be cut off."""
    if rectify:
        rectified: np.ndarray = np.maximum(features, 0)
        return rectified
    lowest = float(features.min())
    if lowest < 0:
        raise OptionError(
            f"'{layer}' has negative features ({lowest:.3g}{f' for {where}' if where else ''}), which non-negative "
            "factors cannot make up; name a layer after a ReLU (--layer), or look at the positive part alone "
            "(rectify=True, --rectify)"
        )
    return features
