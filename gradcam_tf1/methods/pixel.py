"""Maps of the input's size: dy/dx under one gradient rule or another, and their products with layer maps.

y is the score, x the images as the net's first float tensor has them (preprocessed). The rules are in
`gradients.guided`.
"""

from __future__ import annotations

from gradcam_tf1.methods.families import PixelMethod, ProductMethod
from gradcam_tf1.methods.layer import GRADCAM
from gradcam_tf1.tf_runtime import tf


def times_input(images: tf.Tensor, grads: tf.Tensor) -> tf.Tensor:
    """Gradient times input: x * dy/dx; signed.

    It adds up to the score of a net without biases and with ReLUs and max pooling only.

    Parameters
    ----------
    images, grads : tf.Tensor
        float32 [N, H, W, C], in the net's own range.

    Returns
    -------
    tf.Tensor
        float32 [N, H, W, C].

    References
    ----------
    Gradient times input, https://arxiv.org/abs/1605.01713
    """
    return images * grads


GUIDED_BACKPROP = PixelMethod(
    "guided_backprop", "pixels that raise the score", "https://arxiv.org/abs/1412.6806", "guided"
)

PIXEL_ROWS = (
    PixelMethod("gradient", "how the score changes with each pixel", "https://arxiv.org/abs/1312.6034"),
    PixelMethod(
        "gradient_x_input", "gradient times input", "https://arxiv.org/abs/1605.01713", "plain", compute=times_input
    ),
    PixelMethod(
        "deconvnet",
        "gradient of which each activation passes back only the positive parts",
        "https://arxiv.org/abs/1311.2901",
        "deconvnet",
    ),
    GUIDED_BACKPROP,
    ProductMethod("guided_gradcam", "guided backprop times Grad-CAM", GRADCAM.paper, GUIDED_BACKPROP, GRADCAM),
)
