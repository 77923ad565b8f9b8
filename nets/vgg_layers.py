"""The layers of the four VGG nets, the record of their weights, and the checks of it. No TensorFlow here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Iterable, List, Tuple

import numpy as np

from gradcam_tf1.errors import OptionError, WeightsError

# Convolutions in each of the five blocks: configurations A, B, D, E of https://arxiv.org/abs/1409.1556
BLOCKS = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
WIDTHS = (64, 128, 256, 512, 512)
DENSE = ("fc6", "fc7", "fc8")
DENSE_WIDTH = 4096
POOLED_SIZE = 7  # height and width of pool5 for a 224 x 224 image
SIZE_LIMIT = 2**31  # bytes that a weights file may unpack to; VGG-19 has 575 million, a graph holds at most 2 GiB

KNOWN_LAYERS = frozenset(
    [f"conv{block}_{i}" for block, count in enumerate(BLOCKS[19], 1) for i in range(1, count + 1)] + list(DENSE)
)

Layers = Dict[str, Tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class VggWeights:
    """Weights of one VGG and the preprocessing that they were trained with.

    Attributes
    ----------
    layers : dict
        Name ("conv1_1" .. "fc8") -> (kernel, bias), float32. Kernels are HWIO, those of dense layers, too: fc6
        [7, 7, C, D], fc7 [1, 1, D, D], fc8 [1, 1, D, classes].
    preset : str
        The name of the preprocessing: "caffe" (BGR minus mean) or "torch".
    """

    layers: Layers
    preset: str

    @property
    def classes(self) -> int:
        """The number of outputs of fc8."""
        return int(self.layers["fc8"][1].shape[0])


def conv_names(depth: int) -> List[str]:
    """Return the names of the convolutions, conv1_1 first. Raises OptionError if there is no VGG of this depth."""
    if depth not in BLOCKS:
        raise OptionError(f"there is no VGG-{depth}; possible depths: {', '.join(map(str, sorted(BLOCKS)))}")
    return [f"conv{block}_{i}" for block, count in enumerate(BLOCKS[depth], 1) for i in range(1, count + 1)]


def layer_names(depth: int) -> List[str]:
    """Return the names of all layers with weights, conv1_1 first and fc8 last. Raises OptionError as `conv_names`."""
    return conv_names(depth) + list(DENSE)


def check_layers(layers: Layers, depth: int, source: str) -> None:
    """Check that layers are those of a VGG. The number of channels is free; kernels of convolutions are 3 x 3.

    Parameters
    ----------
    layers : Layers
        Name -> (kernel, bias).
    depth : {11, 13, 16, 19}
        The number of layers with weights.
    source : str
        The file, for messages.

    Raises
    ------
    WeightsError
        If layers are missing or too many, or one has a wrong shape; the message names them.
    """
    expected_names = layer_names(depth)
    missing = [name for name in expected_names if name not in layers]
    extra = [name for name in layers if name not in expected_names]
    if missing or extra:
        problem = f"lacks {', '.join(missing)}" if missing else f"has {', '.join(extra)} too many"
        raise WeightsError(f"{source} {problem} for vgg{depth}: {_guess(layers, depth)}")
    channels, side = 3, 3
    for name in expected_names:
        kernel, bias = layers[name]
        if name in DENSE:
            side = POOLED_SIZE if name == "fc6" else 1
        expected = (side, side, channels, bias.shape[0] if bias.ndim == 1 else "?")
        if bias.ndim != 1 or kernel.shape != expected:
            raise WeightsError(
                f"{source}: {name} has kernel {list(kernel.shape)} and bias {list(bias.shape)}; "
                f"expected kernel [{', '.join(map(str, expected))}] (height, width, in, out) and one bias per output"
            )
        channels = int(kernel.shape[3])


def _guess(layers: Layers, expected: int) -> str:
    convolutions = {name for name in layers if name not in DENSE}
    for depth in BLOCKS:
        if depth != expected and convolutions == set(conv_names(depth)):
            return f"these are VGG-{depth} weights"
    if layers and not any(name in layers for name in DENSE):
        return "these are weights without the dense layers (notop), which hold no class scores; use the full file"
    return f"found {', '.join(sorted(layers)) or 'no VGG layer at all'}"


def random_weights(depth: int = 19, seed: int = 0, classes: int = 1000, width: float = 1.0) -> VggWeights:
    """Make He-initialised weights for tests and timings: kernels with variance 2 / (height * width * in), biases 0.01.

    Parameters
    ----------
    depth : {11, 13, 16, 19}
        The number of layers with weights.
    seed : int
        The seed of the random numbers.
    classes : int
        The number of classes.
    width : float
        Factor on every number of channels; 1/16 makes a fast net.

    Returns
    -------
    VggWeights
        The weights, for the preset "caffe".
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


def check_size(size: int, source: str) -> None:
    """Raise WeightsError if a file holds more bytes of weights than a VGG can have."""
    if size > SIZE_LIMIT:
        raise WeightsError(f"{source} holds {size} bytes of weights; no VGG is larger than {SIZE_LIMIT}")


def pair_up(arrays: Iterable[Tuple[str, np.ndarray]], source: str) -> Layers:
    """Put kernels and biases together.

    Parameters
    ----------
    arrays : iterable of (str, np.ndarray)
        Layer and array, in any order; an array with one axis is a bias.
    source : str
        The file, for messages.

    Returns
    -------
    Layers
        Layer -> (kernel, bias).

    Raises
    ------
    WeightsError
        If a layer does not have exactly one of each.
    """
    parts_of: Dict[str, Dict[bool, np.ndarray]] = {}
    for layer, array in arrays:
        parts = parts_of.setdefault(layer, {})
        is_bias = array.ndim == 1
        if is_bias in parts:
            raise WeightsError(f"{source}: {layer} has two {'biases' if is_bias else 'kernels'}")
        parts[is_bias] = array
    for layer, parts in parts_of.items():
        if len(parts) != 2:
            raise WeightsError(f"{source}: {layer} has no {'kernel' if True in parts else 'bias'}")
    return {layer: (parts[False], parts[True]) for layer, parts in parts_of.items()}
