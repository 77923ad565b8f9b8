"""The table of methods. A new class activation map is one function and one row here.

Words and shapes, everywhere below: y is the class score before softmax; `features` A and `grads` g = dy/dA are float32
[N, h, w, K] (channels last, any number of spatial axes); a map is float32 [N, h, w]. The functions build symbolic ops
and return the map *before* the closing ReLU, which `rectified` in the row asks for: it is applied on the host, so that
an all-negative map can be told from a missing gradient.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, ContextManager, Dict, List, Sequence, Tuple, Union

from gradcam_tf1.errors import OptionError
from gradcam_tf1.guided import Reached, guided_relu
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


@dataclass(frozen=True)
class LayerMethod:
    """A map of a layer's size, made from its features and gradients.

    compute: (features, grads) -> map before the closing ReLU. rectified: the ReLU closes it.
    head: the score that is differentiated, a key of `heads.HEADS`.
    """

    name: str
    summary: str
    paper: str
    compute: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
    rectified: bool = True
    head: str = "logit"
    space: str = "layer"

    @property
    def signed(self) -> bool:
        """Whether the map keeps negative values."""
        return not self.rectified


@dataclass(frozen=True)
class PixelMethod:
    """A signed map of the input's size and channels: dy/dx, built under `rule` (see `guided.py`)."""

    name: str
    summary: str
    paper: str
    rule: Callable[[], ContextManager[Reached]]
    head: str = "logit"
    space: str = "pixels"
    signed: bool = True


@dataclass(frozen=True)
class ProductMethod:
    """A pixel map times a layer map brought to the input's size by half-pixel bilinear interpolation."""

    name: str
    summary: str
    paper: str
    pixels: str
    cam: str
    space: str = "pixels"
    signed: bool = True


Method = Union[LayerMethod, PixelMethod, ProductMethod]


_GRADCAM = "https://arxiv.org/abs/1610.02391"

_ROWS: Tuple[Method, ...] = (
    LayerMethod("gradcam", "Grad-CAM: where the evidence for the class is", _GRADCAM, gradcam),
    LayerMethod("hirescam", "Grad-CAM without pooling", "https://arxiv.org/abs/2011.08891", hirescam, rectified=False),
    LayerMethod("counterfactual", "what would lower the class's score", _GRADCAM, counterfactual),
    LayerMethod("positive", "evidence through the head's positive weights", _GRADCAM, gradcam, head="positive"),
    LayerMethod("negative", "evidence through the head's negative weights", _GRADCAM, gradcam, head="negative"),
    PixelMethod("guided_backprop", "pixels that raise the score", "https://arxiv.org/abs/1412.6806", guided_relu),
    ProductMethod("guided_gradcam", "guided backprop times Grad-CAM", _GRADCAM, "guided_backprop", "gradcam"),
)

METHODS: Dict[str, Method] = {row.name: row for row in _ROWS}

METHOD_GROUPS: Dict[str, Tuple[str, ...]] = {"positive_negative": ("positive", "negative")}


def expand_methods(names: Union[str, Sequence[str]]) -> List[str]:
    """Method names with groups replaced by their members, each once, in order.

    Raises: OptionError listing what is possible.
    """
    given = [names] if isinstance(names, str) else list(names)
    expanded: List[str] = []
    for name in given:
        for member in METHOD_GROUPS.get(name, (name,)):
            if member not in METHODS:
                raise OptionError(f"no method {member!r}; possible: {', '.join([*METHODS, *METHOD_GROUPS])}")
            if member not in expanded:
                expanded.append(member)
    if not expanded:
        raise OptionError(f"no method was asked for; possible: {', '.join([*METHODS, *METHOD_GROUPS])}")
    return expanded
