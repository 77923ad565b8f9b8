"""Class activation maps as symbolic ops, made of a layer's features A and the gradients g = dy/dA.

All functions take `features` and `grads`, float32 [N, h, w, K], and return float32 [N, h, w] before the closing ReLU.
"""

from __future__ import annotations

from typing import List

from gradcam_tf1.methods.families import LayerMethod
from gradcam_tf1.methods.options import MOST_FACTOR, Option
from gradcam_tf1.scoring.linear_head import require_cam_head
from gradcam_tf1.tf_runtime import tf


def gradcam(features: tf.Tensor, grads: tf.Tensor) -> tf.Tensor:
    """ReLU(sum_k mean_ij(g_k) A_k).

    References
    ----------
    Grad-CAM, https://arxiv.org/abs/1610.02391
    """
    weights = tf.reduce_mean(grads, axis=_positions(features), keepdims=True)
    return tf.reduce_sum(weights * features, axis=-1)


def hirescam(features: tf.Tensor, grads: tf.Tensor) -> tf.Tensor:
    """sum_k g_k * A_k, Grad-CAM without pooling the gradient; signed.

    References
    ----------
    HiResCAM, https://arxiv.org/abs/2011.08891
    """
    return tf.reduce_sum(grads * features, axis=-1)


def zoomcam(features: tf.Tensor, grads: tf.Tensor) -> tf.Tensor:
    """ReLU(sum_k g_k * A_k), the positive part of HiResCAM; Zoom-CAM is the maximum of it over layers, fuse="max".

    References
    ----------
    Zoom-CAM, https://arxiv.org/abs/2010.08644
    """
    return hirescam(features, grads)


def counterfactual(features: tf.Tensor, grads: tf.Tensor) -> tf.Tensor:
    """ReLU(sum_k mean_ij(-g_k) A_k), Grad-CAM of what would lower the score.

    References
    ----------
    Counterfactual explanations in Grad-CAM, https://arxiv.org/abs/1610.02391
    """
    return gradcam(features, -grads)


def cam(features: tf.Tensor, grads: tf.Tensor) -> tf.Tensor:
    """sum_k W_kc A_k, where y_c = sum_k W_kc mean_ij(A_k) + b_c; signed.

    There g_k = W_kc / Z at each of the Z positions, so W_kc = sum_ij g_k, however the net stores it: a dense layer, a
    1x1 convolution before or after the pooling, several linear layers, or none. CAM = Z * Grad-CAM, without the ReLU.

    References
    ----------
    CAM, https://arxiv.org/abs/1512.04150
    """
    weights = tf.reduce_sum(grads, axis=_positions(features), keepdims=True)
    return tf.reduce_sum(weights * features, axis=-1)


def gradcampp(features: tf.Tensor, grads: tf.Tensor) -> tf.Tensor:
    """ReLU(sum_k w_k A_k), w_k = sum_ij a ReLU(g_k), a = g_k^2 / (2 g_k^2 + sum_ij(A_k) g_k^3), 0 where g_k is 0.

    This is the paper's closed form for exp(y). Its factor exp(y) is left out: it scales the whole map and overflows
    above y = 88. `a` is computed as 1 / (2 + sum_ij(A_k) g_k), without the powers of g that underflow.

    References
    ----------
    Grad-CAM++, https://arxiv.org/abs/1710.11063
    """
    spatial = _positions(features)
    sums = tf.reduce_sum(features, axis=spatial, keepdims=True)
    # where g is 0, so is ReLU(g); the denominator vanishes only with features below zero
    weights = tf.reduce_sum(tf.math.divide_no_nan(tf.nn.relu(grads), 2.0 + sums * grads), axis=spatial, keepdims=True)
    return tf.reduce_sum(weights * features, axis=-1)


def xgradcam(features: tf.Tensor, grads: tf.Tensor) -> tf.Tensor:
    """ReLU(sum_k w_k A_k), w_k = sum_ij(g_k * A_k) / sum_ij(A_k), 0 where the channel sums to zero.

    The sum of the map before the ReLU is sum g * A, that of HiResCAM.

    References
    ----------
    XGrad-CAM, https://arxiv.org/abs/2008.02312
    """
    spatial = _positions(features)
    products = tf.reduce_sum(grads * features, axis=spatial, keepdims=True)
    weights = tf.math.divide_no_nan(products, tf.reduce_sum(features, axis=spatial, keepdims=True))
    return tf.reduce_sum(weights * features, axis=-1)


def layercam(features: tf.Tensor, grads: tf.Tensor) -> tf.Tensor:
    """ReLU(sum_k ReLU(g_k) * A_k).

    References
    ----------
    LayerCAM, https://doi.org/10.1109/TIP.2021.3089943
    """
    return tf.reduce_sum(tf.nn.relu(grads) * features, axis=-1)


def elementwise(features: tf.Tensor, grads: tf.Tensor) -> tf.Tensor:
    """sum_k ReLU(g_k * A_k), the positive products of HiResCAM only; never below zero.

    References
    ----------
    Element-wise Grad-CAM, https://arxiv.org/abs/2011.08891
    """
    return tf.reduce_sum(tf.nn.relu(grads * features), axis=-1)


def finercam(features: tf.Tensor, grads: tf.Tensor) -> tf.Tensor:
    """ReLU(sum_k mean_ij(g_k) A_k), g of y_c - gamma mean_d(y_d) over the nearest rivals d of class c.

    The score is `score_functions.finer`; `rivals` and `gamma` are its options.

    References
    ----------
    Finer-CAM, https://arxiv.org/abs/2501.11309
    """
    return gradcam(features, grads)


def shapleycam(features: tf.Tensor, grads: tf.Tensor) -> tf.Tensor:
    """ReLU(sum_k mean_ij(g_k - (H A)_k / 2) A_k); `grads` is g - H A / 2 here.

    g and H are the first and second derivative by A of the utility y_c + log p_c (`class_scores.rest_scores`): the map
    holds the Shapley values of its second-order expansion at A. H A comes from one more backward pass, without H.

    References
    ----------
    ShapleyCAM, https://arxiv.org/abs/2501.06261
    """
    return gradcam(features, grads)


def _positions(features: tf.Tensor) -> List[int]:
    """Return the axes of the positions: all but the first, of images, and the last, of channels."""
    return list(range(1, features.shape.rank - 1))


_GRADCAM = "https://arxiv.org/abs/1610.02391"
_HIRESCAM = "https://arxiv.org/abs/2011.08891"

GRADCAM = LayerMethod("gradcam", "Grad-CAM: where the evidence for the class is", _GRADCAM, gradcam)

LAYER_ROWS = (
    GRADCAM,
    LayerMethod("hirescam", "Grad-CAM without pooling the gradient", _HIRESCAM, hirescam, rectified=False),
    LayerMethod(
        "zoomcam", "the positive part of HiResCAM, for several layers", "https://arxiv.org/abs/2010.08644", zoomcam
    ),
    LayerMethod("counterfactual", "what would lower the class's score", _GRADCAM, counterfactual),
    LayerMethod("positive", "evidence through the head's positive weights", _GRADCAM, gradcam, head="positive"),
    LayerMethod("negative", "evidence through the head's negative weights", _GRADCAM, gradcam, head="negative"),
    LayerMethod(
        "cam",
        "features weighed by the head's weights, after global average pooling",
        "https://arxiv.org/abs/1512.04150",
        cam,
        rectified=False,
        needs=require_cam_head,
    ),
    LayerMethod(
        "gradcampp", "Grad-CAM that shows every occurrence of the class", "https://arxiv.org/abs/1710.11063", gradcampp
    ),
    LayerMethod(
        "xgradcam", "Grad-CAM, gradients weighed by the features", "https://arxiv.org/abs/2008.02312", xgradcam
    ),
    LayerMethod(
        "layercam", "positive evidence, position by position", "https://doi.org/10.1109/TIP.2021.3089943", layercam
    ),
    LayerMethod("elementwise", "the positive products of HiResCAM only", _HIRESCAM, elementwise),
    LayerMethod(
        "finercam",
        "what distinguishes the class from its nearest rivals",
        "https://arxiv.org/abs/2501.11309",
        finercam,
        head="finer",
        options=(Option("rivals", 3, low=1, high=2**31 - 1), Option("gamma", 0.6, low=0, high=MOST_FACTOR)),
        head_options=("rivals", "gamma"),
    ),
    LayerMethod(
        "shapleycam",
        "Shapley values of the channels, to second order",
        "https://arxiv.org/abs/2501.06261",
        shapleycam,
        head="rest",
        curvature=-0.5,
    ),
)
