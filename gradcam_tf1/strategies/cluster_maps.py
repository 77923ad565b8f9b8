"""Groups of maps that are high at the same places: spectral clustering, as in spectral relevance analysis."""

from __future__ import annotations

import warnings
from typing import Any, Optional

import numpy as np

MOST_CLUSTERS = 8
LEAST_MAPS = 4  # fewer are one cluster
_LEAST_NEIGHBOURS = 7
_ALIKE = 0.05  # Hellinger distance from the mean; a spot that moves by 1 % of the side moves as far
_JITTER = 1e-6


def cluster_maps(shares: np.ndarray, clusters: Optional[int] = None, seed: int = 0) -> np.ndarray:
    """Return the cluster of each map, cluster 0 being the largest.

    Two maps p, q are as far apart as the Hellinger distance says, |sqrt(p) - sqrt(q)|. The graph joins each map with
    its 2 log2(N) nearest ones, at least 7. Its normalised Laplacian has the eigenvalues 0 = e1 <= e2 <= ...; the number
    of clusters is the k of 2..8 with the largest gap e(k + 1) - e(k); k = 1 would win wherever the graph is connected,
    and a small group would stay unseen. The clusters are those of k-means on the first k eigenvectors. Maps that are
    all within 0.05 of their mean are one cluster. A group with fewer maps than neighbours is joined to others.

    Parameters
    ----------
    shares : np.ndarray
        float [N, P], not negative, the sum of each row is 1.
    clusters : int or None
        Number of clusters; None finds it.
    seed : int
        Of k-means.

    Returns
    -------
    np.ndarray
        int [N].

    References
    ----------
    Unmasking Clever Hans predictors and assessing what machines really learn, https://arxiv.org/abs/1902.10178
    A tutorial on spectral clustering, https://arxiv.org/abs/0711.0189
    """
    count = len(shares)
    points = np.sqrt(shares)
    if count < LEAST_MAPS or clusters == 1 or _are_alike(points):
        return np.zeros(count, int)
    graph = _neighbours(points)
    wanted = min(_eigengap(graph) if clusters is None else clusters, count - 1)
    from sklearn.cluster import SpectralClustering  # imported late: it takes a while

    found = SpectralClustering(wanted, affinity="precomputed", random_state=seed, n_init=10)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a graph in several parts: these parts are the clusters
        labels = found.fit(graph).labels_
    return _largest_first(labels)


def _are_alike(points: np.ndarray) -> bool:
    return bool(np.linalg.norm(points - points.mean(axis=0), axis=1).max() <= _ALIKE)


def _neighbours(points: np.ndarray) -> Any:
    """Return the symmetric graph of nearest neighbours, sparse [N, N]."""
    from sklearn.neighbors import kneighbors_graph

    # equal maps would all be joined to the same few of them, which tears their group apart
    points = points + np.random.RandomState(0).normal(0, _JITTER, points.shape)
    count = min(len(points) - 1, max(_LEAST_NEIGHBOURS, int(round(2 * np.log2(len(points))))))
    graph = kneighbors_graph(points, count, mode="connectivity")
    return (graph + graph.T) / 2


def _eigengap(graph: Any) -> int:
    """Return the number of clusters, 2 to MOST_CLUSTERS."""
    from scipy.sparse.csgraph import laplacian
    from scipy.sparse.linalg import eigsh

    matrix = laplacian(graph, normed=True)
    count = matrix.shape[0]
    if count <= 4 * MOST_CLUSTERS:
        values = np.linalg.eigvalsh(matrix.toarray())
    else:
        start = np.random.RandomState(0).uniform(size=count)  # else it is drawn, and the last digits with it
        values = 2 - np.sort(eigsh(_two_minus(matrix), MOST_CLUSTERS + 1, which="LA", v0=start)[0])[::-1]
    return int(np.argmax(np.diff(values[1 : MOST_CLUSTERS + 1]))) + 2


def _two_minus(matrix: Any) -> Any:
    """Return 2 I - L, whose largest eigenvalues belong to the smallest ones of L and are found faster."""
    from scipy.sparse import identity

    return 2 * identity(matrix.shape[0]) - matrix


def _largest_first(labels: np.ndarray) -> np.ndarray:
    counts = np.bincount(labels)
    order = np.argsort(-counts, kind="stable")
    return np.asarray(np.argsort(order)[labels])
