"""Maps made in numpy of one image's features [h, w, K] and gradients, with any number of spatial axes."""

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
    """Eigen-CAM: A v, v the first right singular vector of the features A as a matrix. https://arxiv.org/abs/2008.00299

    A is [positions, K], its columns centred (the first principal component); the paper does not centre, which gives
    mostly the mean activation. The sign of v is free: the map is turned so that it correlates with the mean of A.
    No class has a say in it.
    Args: features: float32 [h, w, K]. Returns: float64 [h, w], before the ReLU.
    """
    return principal_map(features)


def eigengradcam(features: np.ndarray, grads: np.ndarray) -> np.ndarray:
    """Eigen-Grad-CAM: Eigen-CAM of g * A, so that the class has a say. https://arxiv.org/abs/2008.00299

    The map is turned so that it correlates with the mean of g * A: high is evidence for the class.
    Args: features, grads: float32 [h, w, K]. Returns: float64 [h, w], before the ReLU.
    """
    return principal_map(features.astype(np.float64) * grads)


def fem(features: np.ndarray, _grads: Optional[np.ndarray] = None, *, sigmas: float) -> np.ndarray:
    """FEM: sum_k mean(A_k) [A_k > mean(A_k) + sigmas * std(A_k)]. https://doi.org/10.1109/IPTA50016.2020.9286629

    Mean and deviation are over the positions: what is rare in a channel counts, as much as the channel is active. No
    class has a say in it.
    Args: features: float32 [h, w, K]. Returns: float64 [h, w], before the ReLU.
    """
    matrix = as_matrix(features)
    means = matrix.mean(axis=0)
    rare = matrix > means + sigmas * matrix.std(axis=0)
    return (rare @ means).reshape(features.shape[:-1])


def _linear(products: np.ndarray, _gamma: float) -> np.ndarray:
    return products


def _polynomial(products: np.ndarray, gamma: float) -> np.ndarray:
    return (gamma * products + 1.0) ** 3


def _rbf(products: np.ndarray, gamma: float) -> np.ndarray:
    squares = np.diagonal(products)
    return np.exp(-gamma * np.maximum(squares[:, np.newaxis] + squares - 2.0 * products, 0.0))


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
    features: np.ndarray,
    _grads: Optional[np.ndarray] = None,
    *,
    kernel: str,
    gamma: Optional[float],
) -> np.ndarray:
    """KPCA-CAM: the first kernel principal component of the positions. https://arxiv.org/abs/2410.00267

    sqrt(l) u, where l is the largest eigenvalue and u the eigenvector of the centred kernel matrix of the centred
    features [positions, K]. sigmoid: tanh(gamma x.y + 1); rbf: exp(-gamma |x - y|^2); poly: (gamma x.y + 1)^3;
    linear: x.y, which is Eigen-CAM. gamma: 1 / K unless given. The sign is that of `eigencam`.
    Args: features: float32 [h, w, K]. Returns: float64 [h, w], before the ReLU.
    Raises: OptionError for an unknown kernel, or a layer of more than 4096 positions.
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
    similarity = KERNELS[kernel](columns @ columns.T, 1.0 / channels if gamma is None else gamma)
    component = _first_component(similarity)
    return turned(component, matrix).reshape(features.shape[:-1])


def _first_component(similarity: np.ndarray) -> np.ndarray:
    """sqrt(l) u of the doubly centred matrix [P, P]; zero where nothing but rounding is left of it."""
    from scipy.linalg import eigh  # imported late: it takes a while

    means = similarity.mean(axis=0)
    last = len(similarity) - 1
    values, vectors = eigh(similarity - means - means[:, np.newaxis] + means.mean(), subset_by_index=[last, last])
    rounding = 8 * len(similarity) * np.finfo(np.float64).eps * np.abs(similarity).max()
    return np.sqrt(values[0]) * vectors[:, 0] if values[0] > rounding else np.zeros(len(similarity))


_EIGENCAM = "https://arxiv.org/abs/2008.00299"
_FEM = "https://doi.org/10.1109/IPTA50016.2020.9286629"
_KPCACAM = "https://arxiv.org/abs/2410.00267"

NUMPY_ROWS = (
    NumpyMethod("eigencam", "main pattern of the features, whatever the class", _EIGENCAM, eigencam),
    NumpyMethod(
        "eigengradcam", "main pattern of the evidence for the class", _EIGENCAM, eigengradcam, needs_grads=True
    ),
    NumpyMethod(
        "fem",
        "where features are rarely high, whatever the class",
        _FEM,
        fem,
        adds_up=True,
        options=(Option("sigmas", 2.0),),
    ),
    NumpyMethod(
        "kpcacam",
        "Eigen-CAM with a kernel",
        _KPCACAM,
        kpcacam,
        options=(
            Option("kernel", "sigmoid", choices=tuple(KERNELS)),
            Option("gamma", None, kind=float),
        ),
    ),
)
