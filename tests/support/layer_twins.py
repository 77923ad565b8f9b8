"""What each symbolic layer method makes of features and gradients, in float64, written from the papers."""

from __future__ import annotations

import numpy as np
from small_nets import gradcam_twin, run

HEADS = ["gap", "flat"]


def maps_of(net, images, class_ids, method, **options):
    return run(net, images, class_ids, [method], **options).maps[method, "features:0"]


# twins: what a method makes of features A [n, h, w, k] and of all classes' gradients and logits


def weighted(weights, a):
    return np.einsum("nk,nhwk->nhw", weights, a)


def gradcampp_twin(a, grads, logits, c):
    g = grads[c]
    below = 2 * g**2 + a.sum((1, 2), keepdims=True) * g**3
    alpha = np.where(g == 0, 0, g**2 / np.where(g == 0, 1, below))
    return weighted((alpha * np.maximum(g, 0)).sum((1, 2)), a)


def xgradcam_twin(a, grads, logits, c):
    sums = a.sum((1, 2))
    return weighted((grads[c] * a).sum((1, 2)) / np.where(sums == 0, 1, sums), a)


def layercam_twin(a, grads, logits, c):
    return (np.maximum(grads[c], 0) * a).sum(-1)


def elementwise_twin(a, grads, logits, c):
    return np.maximum(grads[c] * a, 0).sum(-1)


def zoomcam_twin(a, grads, logits, c):
    return (grads[c] * a).sum(-1)


def finercam_twin(a, grads, logits, c, rivals=3, gamma=0.6):
    grad = grads[c].copy()
    for n, row in enumerate(logits):
        others = [j for j in range(len(row)) if j != c]
        nearest = sorted(others, key=lambda j: abs(row[j] - row[c]))[:rivals]
        grad[n] -= gamma * np.mean([grads[d][n] for d in nearest], axis=0)
    return gradcam_twin(a, grad)


def shapleycam_twin(a, grads, logits, c):
    """u = y_c + log p_c of a piecewise linear y: g = 2 g_c - sum_j p_j g_j, H = -(sum_j p_j g_j g_j' - m m')."""
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    stack = np.stack(grads, axis=-1)
    mean = (stack * p[:, None, None, None, :]).sum(-1)
    along = np.einsum("nhwkj,nhwk->nj", stack, a)
    product = -np.einsum("nhwkj,nj->nhwk", stack, p * along) + mean * (mean * a).sum((1, 2, 3), keepdims=True)
    return gradcam_twin(a, 2 * grads[c] - mean - product / 2)


TWINS = {
    "gradcampp": gradcampp_twin,
    "xgradcam": xgradcam_twin,
    "layercam": layercam_twin,
    "elementwise": elementwise_twin,
    "zoomcam": zoomcam_twin,
    "finercam": finercam_twin,
    "shapleycam": shapleycam_twin,
}


def twin(method, net, images, class_ids, **options):
    """float64 [N, T, h, w], before the closing ReLU."""
    state = net.forward(images)
    grads = [net.feature_grads(images, j) for j in range(net.classes)]
    return np.stack([TWINS[method](state["features"], grads, state["logits"], c, **options) for c in class_ids], axis=1)
