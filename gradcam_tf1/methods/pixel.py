"""Maps of the input's size: gradients by the pixels under one rule or another, and their products with layer maps."""

from __future__ import annotations

from gradcam_tf1.guided import guided_relu
from gradcam_tf1.methods.families import PixelMethod, ProductMethod

_GUIDED = "https://arxiv.org/abs/1412.6806"
_GRADCAM = "https://arxiv.org/abs/1610.02391"

PIXEL_ROWS = (
    PixelMethod("guided_backprop", "pixels that raise the score", _GUIDED, guided_relu),
    ProductMethod("guided_gradcam", "guided backprop times Grad-CAM", _GRADCAM, "guided_backprop", "gradcam"),
)
