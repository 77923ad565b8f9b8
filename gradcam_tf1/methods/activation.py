"""Maps made in numpy from one image's features [h, w, K] and gradients, with any number of spatial axes."""

from __future__ import annotations

from typing import Callable, Dict, Optional

import numpy as np

from gradcam_tf1.errors import OptionError
from gradcam_tf1.methods.families import NumpyMethod
from gradcam_tf1.methods.options import Option
from gradcam_tf1.methods.principal import as_matrix, centred, principal_map, turned

# positions beyond this make the kernel matrix of kernel PCA larger than 128 MB
MAX_KERNEL_POSITIONS = 4096


def eigencam(features: np.ndarray, _grads: Optional[np.ndarray] = None) -> np.ndarray:
    """ReLU(A v), v the first right singular vector of the features A [positions, K].

    The columns of A are centred, so that this is the first principal component; the paper does not centre, which gives
    mostly the mean activation. The sign of v is free: the map has the sign that correlates with the mean of A. The map
    is the same for all classes.

    Parameters
    ----------
    features : np.ndarray
        float32 [h, w, K].

    Returns
    -------
    np.ndarray
        float64 [h, w], before the ReLU.

    References
    ----------
    Eigen-CAM, https://arxiv.org/abs/2008.00299
    """
    return principal_map(features)


def eigengradcam(features: np.ndarray, grads: np.ndarray) -> np.ndarray:
    """ReLU(M v), v the first right singular vector of M = g * A: Eigen-CAM of the evidence for the class.

    The map has the sign that correlates with the mean of g * A: high values are evidence for the class.

    Parameters
    ----------
    features, grads : np.ndarray
        float32 [h, w, K].

    Returns
    -------
    np.ndarray
        float64 [h, w], before the ReLU.

    References
    ----------
    Eigen-Grad-CAM, https://arxiv.org/abs/2008.00299
    """
    return principal_map(features.astype(np.float64) * grads)


def segeigencam(features: np.ndarray, grads: np.ndarray) -> np.ndarray:
    """ReLU(M v), v the first right singular vector of M = abs(g) * A, turned so that its highest peak is positive.

    Evidence against the class counts as much as evidence for it: the map shows where the score depends on the
    features. As in `eigencam`, the columns of M are centred.

    Parameters
    ----------
    features, grads : np.ndarray
        float32 [h, w, K].

    Returns
    -------
    np.ndarray
        float64 [h, w], before the ReLU.

    References
    ----------
    Seg-Eigen-CAM, https://doi.org/10.3390/app15137562
    """
    projection = principal_map(features.astype(np.float64) * np.abs(grads))
    return -projection if -projection.min() > projection.max() else projection


def fem(features: np.ndarray, _grads: Optional[np.ndarray] = None, *, sigmas: float) -> np.ndarray:
    """sum_k mean(A_k) [A_k > mean(A_k) + sigmas * std(A_k)].

    Mean and deviation are over the positions: the map shows where a channel is rarely high, weighed by its mean
    activation. It is the same for all classes.

    Parameters
    ----------
    features : np.ndarray
        float32 [h, w, K].
    sigmas : float
        Deviations above the mean.

    Returns
    -------
    np.ndarray
        float64 [h, w], before the ReLU.

    References
    ----------
    FEM, https://doi.org/10.1109/IPTA50016.2020.9286629
    """
    matrix = as_matrix(features)
    means = matrix.mean(axis=0)
    rare = matrix > means + sigmas * matrix.std(axis=0)
    return np.asarray(rare @ means).reshape(features.shape[:-1])


def _linear(products: np.ndarray, _gamma: float) -> np.ndarray:
    return products


def _polynomial(products: np.ndarray, gamma: float) -> np.ndarray:
    return np.asarray((gamma * products + 1.0) ** 3)


def _rbf(products: np.ndarray, gamma: float) -> np.ndarray:
    squares = np.diagonal(products)
    return np.asarray(np.exp(-gamma * np.maximum(squares[:, np.newaxis] + squares - 2.0 * products, 0.0)))


def _sigmoid(products: np.ndarray, gamma: float) -> np.ndarray:
    return np.tanh(gamma * products + 1.0)


# kernel -> function of the matrix of inner products and gamma
KERNELS: Dict[str, Callable[[np.ndarray, float], np.ndarray]] = {
    "sigmoid": _sigmoid,
    "rbf": _rbf,
    "poly": _polynomial,
    "linear": _linear,
}


def kpcacam(
    features: np.ndarray, _grads: Optional[np.ndarray] = None, *, kernel: str, gamma: Optional[float]
) -> np.ndarray:
    """ReLU(sqrt(l) u), l the largest eigenvalue and u its eigenvector of the centred kernel matrix of the positions.

    The kernel compares the centred features x, y of two positions. The sign is that of `eigencam`.

    Parameters
    ----------
    features : np.ndarray
        float32 [h, w, K].
    kernel : {"sigmoid", "rbf", "poly", "linear"}
        tanh(gamma x.y + 1), exp(-gamma |x - y|^2), (gamma x.y + 1)^3, or x.y, which gives Eigen-CAM.
    gamma : float, optional
        Above 0. None: 1 / K.

    Returns
    -------
    np.ndarray
        float64 [h, w], before the ReLU.

    Raises
    ------
    OptionError
        For a layer of more than 4096 positions, or a gamma so large that the kernel is not finite.

    References
    ----------
    KPCA-CAM, https://arxiv.org/abs/2410.00267
    """
    matrix = as_matrix(features)
    positions, channels = matrix.shape
    if positions > MAX_KERNEL_POSITIONS:
        raise OptionError(
            f"kpcacam compares every position with every other; the layer has {positions}, more than "
            f"{MAX_KERNEL_POSITIONS}. Name a later layer, or use eigencam"
        )
    if not np.isfinite(matrix).all():
        return np.full(features.shape[:-1], np.nan)
    columns = centred(matrix)
    with np.errstate(over="ignore"):
        similarity = KERNELS[kernel](columns @ columns.T, 1.0 / channels if gamma is None else gamma)
    if not np.isfinite(similarity).all():
        raise OptionError(
            f"the kernel {kernel!r} is not finite on these features; give kpcacam a gamma below {gamma!r}"
        )
    component = _first_component(similarity)
    return turned(component, matrix).reshape(features.shape[:-1])


def _first_component(similarity: np.ndarray) -> np.ndarray:
    """Return sqrt(l) u of the doubly centred matrix [P, P]; zero where only rounding is left of it."""
    from scipy.linalg import eigh  # imported late: it takes a while

    means = similarity.mean(axis=0)
    last = len(similarity) - 1
    values, vectors = eigh(similarity - means - means[:, np.newaxis] + means.mean(), subset_by_index=[last, last])
    rounding = 8 * len(similarity) * np.finfo(np.float64).eps * np.abs(similarity).max()
    return np.asarray(np.sqrt(values[0]) * vectors[:, 0] if values[0] > rounding else np.zeros(len(similarity)))


_EIGENCAM = "https://arxiv.org/abs/2008.00299"

NUMPY_ROWS = (
    NumpyMethod("eigencam", "main pattern of the features, the same for all classes", _EIGENCAM, eigencam),
    NumpyMethod(
        "eigengradcam", "main pattern of the evidence for the class", _EIGENCAM, eigengradcam, needs_grads=True
    ),
    NumpyMethod(
        "segeigencam",
        "main pattern of what the score depends on, for or against the class",
        "https://doi.org/10.3390/app15137562",
        segeigencam,
        needs_grads=True,
    ),
    NumpyMethod(
        "fem",
        "where features are rarely high, the same for all classes",
        "https://doi.org/10.1109/IPTA50016.2020.9286629",
        fem,
        adds_up=True,
        options=(Option("sigmas", 2.0),),
    ),
    NumpyMethod(
        "kpcacam",
        "Eigen-CAM with a kernel, the same for all classes",
        "https://arxiv.org/abs/2410.00267",
        kpcacam,
        options=(Option("kernel", "sigmoid", choices=tuple(KERNELS)), Option("gamma", None, kind=float, above=0.0)),
    ),
)
