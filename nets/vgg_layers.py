"""What the four VGG nets are made of: layer names, their order, and a record of weights. No TensorFlow here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, List, Tuple

import numpy as np

from gradcam_tf1.errors import OptionError, WeightsError

# Convolutions in each of the five blocks: configurations A, B, D, E of https://arxiv.org/abs/1409.1556
BLOCKS = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
WIDTHS = (64, 128, 256, 512, 512)
DENSE = ("fc6", "fc7", "fc8")
DENSE_WIDTH = 4096
POOLED_SIZE = 7  # pool5 of a 224 x 224 image

KNOWN_LAYERS = frozenset(
    [f"conv{block}_{i}" for block, count in enumerate(BLOCKS[19], 1) for i in range(1, count + 1)] + list(DENSE)
)

Layers = Dict[str, Tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class VggWeights:
    """Weights of one VGG and the preprocessing that they were trained with.

    layers: name ("conv1_1" .. "fc8") -> (kernel, bias), float32; kernel HWIO, also of the dense layers:
    fc6 [7, 7, C, D], fc7 [1, 1, D, D], fc8 [1, 1, D, classes].
    preset: name of that preprocessing: "caffe" (BGR minus mean) or "torch".
    """

    layers: Layers
    preset: str

    @property
    def classes(self) -> int:
        """Number of outputs of fc8."""
        return int(self.layers["fc8"][1].shape[0])


def conv_names(depth: int) -> List[str]:
    """Names of the convolutions of VGG-`depth`, input side first: conv1_1 .. conv5_4. Raises OptionError."""
    if depth not in BLOCKS:
        raise OptionError(f"there is no VGG-{depth}; possible depths: {', '.join(map(str, sorted(BLOCKS)))}")
    return [f"conv{block}_{i}" for block, count in enumerate(BLOCKS[depth], 1) for i in range(1, count + 1)]


def layer_names(depth: int) -> List[str]:
    """Names of all layers with weights of VGG-`depth`, input side first: conv1_1 .. conv5_4, fc6, fc7, fc8."""
    return conv_names(depth) + list(DENSE)


def check_layers(layers: Layers, depth: int, source: str) -> None:
    """Raises WeightsError naming what VGG-`depth` lacks or has too many, or the first layer of a wrong shape.

    Widths are free (narrow VGGs are welcome); kernels of the convolutions are 3 x 3.
    """
    wanted = layer_names(depth)
    missing = [name for name in wanted if name not in layers]
    extra = [name for name in layers if name not in wanted]
    if missing or extra:
        problem = f"lacks {', '.join(missing)}" if missing else f"has {', '.join(extra)} too many"
        raise WeightsError(f"{source} {problem} (vgg{depth} asked): {_guess(layers, depth)}")
    channels, side = 3, 3
    for name in wanted:
        kernel, bias = layers[name]
        if name in DENSE:
            side = POOLED_SIZE if name == "fc6" else 1
        expected = (side, side, channels, bias.shape[0] if bias.ndim == 1 else "?")
        if bias.ndim != 1 or kernel.shape != expected:
            raise WeightsError(
                f"{source}: {name} has kernel {list(kernel.shape)} and bias {list(bias.shape)}; "
                f"expected kernel [{', '.join(map(str, expected))}] (height, width, in, out) and one bias per output"
            )
        channels = kernel.shape[3]


def _guess(layers: Layers, asked: int) -> str:
    convolutions = {name for name in layers if name not in DENSE}
    for depth in BLOCKS:
        if depth != asked and convolutions == set(conv_names(depth)):
            return f"these are VGG-{depth} weights"
    if layers and not any(name in layers for name in DENSE):
        return "these are weights without the dense layers (notop), which hold no class scores; use the full file"
    return f"found {', '.join(sorted(layers)) or 'no VGG layer at all'}"


def random_weights(depth: int = 19, seed: int = 0, classes: int = 1000, width: float = 1.0) -> VggWeights:
    """He-initialised weights for tests and timings; `width` scales every number of channels (1/16: a quick net).

    Kernels have variance 2 / (height * width * in), biases 0.01.
    """
    rng = np.random.default_rng(seed)
    layers: Layers = {}
    channels = 3
    for name in layer_names(depth):
        if name in DENSE:
            side = POOLED_SIZE if name == "fc6" else 1
            outputs = classes if name == "fc8" else max(1, int(DENSE_WIDTH * width))
        else:
            side, outputs = 3, max(1, int(WIDTHS[int(name[4]) - 1] * width))
        kernel = rng.standard_normal((side, side, channels, outputs), dtype=np.float32)
        kernel *= np.float32(np.sqrt(2.0 / (side * side * channels)))
        layers[name] = (kernel, rng.normal(0.0, 0.1, outputs).astype(np.float32))
        channels = outputs
    return VggWeights(layers, "caffe")
