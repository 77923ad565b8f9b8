"""Class activation maps as symbolic ops. `features` A and `grads` g = dy/dA are float32 [N, h, w, K]."""

from __future__ import annotations

from gradcam_tf1.methods.families import LayerMethod
from gradcam_tf1.tf_runtime import tf


def gradcam(features: tf.Tensor, grads: tf.Tensor) -> tf.Tensor:
    """Grad-CAM: ReLU(sum_k mean_ij(g_k) A_k). https://arxiv.org/abs/1610.02391

    Args: features, grads: float32 [N, h, w, K]. Returns: float32 [N, h, w], before the ReLU.
    """
    spatial = list(range(1, features.shape.rank - 1))
    weights = tf.reduce_mean(grads, axis=spatial, keepdims=True)
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


_GRADCAM = "https://arxiv.org/abs/1610.02391"

LAYER_ROWS = (
    LayerMethod("gradcam", "Grad-CAM: where the evidence for the class is", _GRADCAM, gradcam),
    LayerMethod("hirescam", "Grad-CAM without pooling", "https://arxiv.org/abs/2011.08891", hirescam, rectified=False),
    LayerMethod("counterfactual", "what would lower the class's score", _GRADCAM, counterfactual),
    LayerMethod("positive", "evidence through the head's positive weights", _GRADCAM, gradcam, head="positive"),
    LayerMethod("negative", "evidence through the head's negative weights", _GRADCAM, gradcam, head="negative"),
)
