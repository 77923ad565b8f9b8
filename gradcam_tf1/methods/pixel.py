"""Maps of the input's size: gradients by the pixels under one rule or another, and their products.

y is the score, x the images as the net's first float tensor has them (preprocessed). The rules are in `guided.py`.
"""

from __future__ import annotations

from gradcam_tf1.methods.families import PixelMethod, ProductMethod
from gradcam_tf1.methods.layer import GRADCAM
from gradcam_tf1.tf_runtime import tf


def times_input(images: tf.Tensor, grads: tf.Tensor) -> tf.Tensor:
    """Gradient x input: x * dy/dx. https://arxiv.org/abs/1605.01713

    For a net without biases and with ReLUs and max pooling only it adds up to the score.
    Args: images, grads: float32 [N, H, W, C], the net's own range. Returns: float32 [N, H, W, C], signed.
    """
    return images * grads


_GUIDED = "https://arxiv.org/abs/1412.6806"
GUIDED_BACKPROP = PixelMethod("guided_backprop", "pixels that raise the score", _GUIDED, "guided")

PIXEL_ROWS = (
    PixelMethod("gradient", "how the score changes with each pixel", "https://arxiv.org/abs/1312.6034"),
    PixelMethod(
        "gradient_x_input", "gradient times input", "https://arxiv.org/abs/1605.01713", "plain", compute=times_input
    ),
    PixelMethod("deconvnet", "gradient with every activation reversed", "https://arxiv.org/abs/1311.2901", "deconvnet"),
    GUIDED_BACKPROP,
    ProductMethod("guided_gradcam", "guided backprop times Grad-CAM", GRADCAM.paper, GUIDED_BACKPROP, GRADCAM),
)
