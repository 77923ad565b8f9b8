"""Class activation maps as symbolic ops. `features` A and `grads` g = dy/dA are float32 [N, h, w, K]."""

from __future__ import annotations

from typing import List

from gradcam_tf1.methods.families import LayerMethod
from gradcam_tf1.methods.options import Option
from gradcam_tf1.scoring.linear_head import require_cam_head
from gradcam_tf1.tf_runtime import tf


def gradcam(features: tf.Tensor, grads: tf.Tensor) -> tf.Tensor:
    """Grad-CAM: ReLU(sum_k mean_ij(g_k) A_k). https://arxiv.org/abs/1610.02391

    Args: features, grads: float32 [N, h, w, K]. Returns: float32 [N, h, w], before the ReLU.
    """
    weights = tf.reduce_mean(grads, axis=_positions(features), keepdims=True)
    return tf.reduce_sum(weights * features, axis=-1)


def hirescam(features: tf.Tensor, grads: tf.Tensor) -> tf.Tensor:
    """HiResCAM, Grad-CAM without pooling the gradient: sum_k g_k * A_k. https://arxiv.org/abs/2011.08891

    Args: features, grads: float32 [N, h, w, K]. Returns: float32 [N, h, w], signed.
    """
    return tf.reduce_sum(grads * features, axis=-1)


def counterfactual(features: tf.Tensor, grads: tf.Tensor) -> tf.Tensor:
    """Counterfactual explanation: Grad-CAM with -g, what would lower the score. https://arxiv.org/abs/1610.02391

    Args: features, grads: float32 [N, h, w, K]. Returns: float32 [N, h, w], before the ReLU.
    """
    return gradcam(features, -grads)


def cam(features: tf.Tensor, grads: tf.Tensor) -> tf.Tensor:
    """CAM: sum_k W_kc A_k where y_c = sum_k W_kc mean_ij(A_k) + b_c. https://arxiv.org/abs/1512.04150

    There g_k = W_kc / Z at each of the Z positions, so that W_kc = sum_ij g_k whatever stores it: a dense layer, a 1x1
    convolution before or after the pooling, several linear layers, or none. CAM = Z * Grad-CAM, without the ReLU.
    Args: features, grads: float32 [N, h, w, K]. Returns: float32 [N, h, w], signed.
    """
    weights = tf.reduce_sum(grads, axis=_positions(features), keepdims=True)
    return tf.reduce_sum(weights * features, axis=-1)


def gradcampp(features: tf.Tensor, grads: tf.Tensor) -> tf.Tensor:
    """Grad-CAM++: ReLU(sum_k w_k A_k), w_k = sum_ij a ReLU(g_k). https://arxiv.org/abs/1710.11063

    a = g^2 / (2 g^2 + S_k g^3), S_k = sum_ij A_k, 0 where g is 0: the paper's closed form for exp(y), whose own factor
    exp(y) is left out, since it scales the whole map and overflows above y = 88. It is computed as 1 / (2 + S_k g),
    the same without the powers of g that underflow.
    Args: features, grads: float32 [N, h, w, K]. Returns: float32 [N, h, w], before the ReLU.
    """
    spatial = _positions(features)
    sums = tf.reduce_sum(features, axis=spatial, keepdims=True)
    # where g is 0, so is ReLU(g); a vanishing denominator needs features below zero
    weights = tf.reduce_sum(tf.math.divide_no_nan(tf.nn.relu(grads), 2.0 + sums * grads), axis=spatial, keepdims=True)
    return tf.reduce_sum(weights * features, axis=-1)


def xgradcam(features: tf.Tensor, grads: tf.Tensor) -> tf.Tensor:
    """XGrad-CAM: ReLU(sum_k w_k A_k), w_k = sum_ij g_k*A_k / sum_ij A_k. https://arxiv.org/abs/2008.02312

    The sum of the map before the ReLU is sum g*A, that of HiResCAM. Channels that sum to zero have no weight.
    Args: features, grads: float32 [N, h, w, K]. Returns: float32 [N, h, w], before the ReLU.
    """
    spatial = _positions(features)
    products = tf.reduce_sum(grads * features, axis=spatial, keepdims=True)
    weights = tf.math.divide_no_nan(products, tf.reduce_sum(features, axis=spatial, keepdims=True))
    return tf.reduce_sum(weights * features, axis=-1)


def layercam(features: tf.Tensor, grads: tf.Tensor) -> tf.Tensor:
    """LayerCAM: ReLU(sum_k ReLU(g_k) * A_k). https://doi.org/10.1109/TIP.2021.3089943

    Args: features, grads: float32 [N, h, w, K]. Returns: float32 [N, h, w], before the ReLU.
    """
    return tf.reduce_sum(tf.nn.relu(grads) * features, axis=-1)


def elementwise(features: tf.Tensor, grads: tf.Tensor) -> tf.Tensor:
    """Element-wise Grad-CAM: sum_k ReLU(g_k * A_k), HiResCAM's evidence for the class alone. arXiv 2011.08891

    Args: features, grads: float32 [N, h, w, K]. Returns: float32 [N, h, w], not below zero.
    """
    return tf.reduce_sum(tf.nn.relu(grads * features), axis=-1)


def finercam(features: tf.Tensor, grads: tf.Tensor) -> tf.Tensor:
    """Finer-CAM: Grad-CAM of y_c - gamma mean_d y_d over c's nearest rivals d. https://arxiv.org/abs/2501.11309

    The rivals and gamma are those of `scores.finer`.
    Args: features, grads of that score: float32 [N, h, w, K]. Returns: float32 [N, h, w], before the ReLU.
    """
    return gradcam(features, grads)


def shapleycam(features: tf.Tensor, grads: tf.Tensor) -> tf.Tensor:
    """ShapleyCAM: ReLU(sum_k mean_ij(g_k - (H A)_k / 2) A_k). https://arxiv.org/abs/2501.06261

    g and H are the first and second derivative by A of the utility y_c + log p_c (`heads.rest_scores`): the Shapley
    values of its second-order expansion at A. H A comes from one more backward pass, without H.
    Args: features: float32 [N, h, w, K]; grads: g - H A / 2, likewise. Returns: float32 [N, h, w], before the ReLU.
    """
    return gradcam(features, grads)


def _positions(features: tf.Tensor) -> List[int]:
    """The axes of the positions: all but the image's and the channels'."""
    return list(range(1, features.shape.rank - 1))


_GRADCAM = "https://arxiv.org/abs/1610.02391"
_HIRESCAM = "https://arxiv.org/abs/2011.08891"
_FINERCAM = "https://arxiv.org/abs/2501.11309"
_SHAPLEYCAM = "https://arxiv.org/abs/2501.06261"

GRADCAM = LayerMethod("gradcam", "Grad-CAM: where the evidence for the class is", _GRADCAM, gradcam)

LAYER_ROWS = (
    GRADCAM,
    LayerMethod("hirescam", "Grad-CAM without pooling", _HIRESCAM, hirescam, rectified=False),
    LayerMethod("counterfactual", "what would lower the class's score", _GRADCAM, counterfactual),
    LayerMethod("positive", "evidence through the head's positive weights", _GRADCAM, gradcam, head="positive"),
    LayerMethod("negative", "evidence through the head's negative weights", _GRADCAM, gradcam, head="negative"),
    LayerMethod(
        "cam",
        "the head's weights where it is global average pooling and a dense layer",
        "https://arxiv.org/abs/1512.04150",
        cam,
        rectified=False,
        needs=require_cam_head,
    ),
    LayerMethod("gradcampp", "Grad-CAM++: each occurrence counts", "https://arxiv.org/abs/1710.11063", gradcampp),
    LayerMethod("xgradcam", "gradients weighted by the features", "https://arxiv.org/abs/2008.02312", xgradcam),
    LayerMethod(
        "layercam", "positive evidence, position by position", "https://doi.org/10.1109/TIP.2021.3089943", layercam
    ),
    LayerMethod("elementwise", "HiResCAM's positive products alone", _HIRESCAM, elementwise),
    LayerMethod(
        "finercam",
        "what distinguishes the class from its nearest rivals",
        _FINERCAM,
        finercam,
        head="finer",
        options=(Option("rivals", 3, low=1), Option("gamma", 0.6, low=0)),
        head_options=("rivals", "gamma"),
    ),
    LayerMethod("shapleycam", "Shapley values to second order", _SHAPLEYCAM, shapleycam, head="rest", curvature=-0.5),
)
