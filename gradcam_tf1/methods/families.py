"""The families of methods that one run of the net serves. A method is one function and one row of a family."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from gradcam_tf1.errors import GradientError, OptionError
from gradcam_tf1.images.geometry import upsample
from gradcam_tf1.methods.base import (
    FACTOR_IS_ZERO,
    NOTHING_VARIES,
    Fetched,
    Fetches,
    FetchKey,
    MapTask,
    Method,
    RawMaps,
)
from gradcam_tf1.methods.interfaces import GraphOpsBase
from gradcam_tf1.methods.layer_maps import InputGrid, parts_of, spread
from gradcam_tf1.methods.options import Option
from gradcam_tf1.methods.single_layers import layer_maps, single_keys, together
from gradcam_tf1.scoring.map_layout import MapLayout
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import ScoreKey


@dataclass(frozen=True)
class LayerMethod(Method):
    """A map of a layer's size, made of symbolic ops in the one run that serves everything requested.

    Attributes
    ----------
    name, summary, paper : str
        As in `Method`: a lower-case identifier, one line for people who choose, the URL of the source.
    compute : Callable
        `(features, grads, **options)` -> map float32 [N, h, w] before the closing ReLU.
    rectified : bool
        Whether a ReLU closes the map. It is applied to the fetched numbers, so that an all-negative map differs from a
        missing gradient.
    head : str
        The score that is differentiated, a key of `score_functions.SCORES`; "logit" is the target's own score.
    curvature : float
        How much of H A, the Hessian-vector product at the layer, is added to g (one more backward pass).
    needs : Callable, optional
        (logits, layer tensor, channels last) raises GradientError where the method does not apply.
    options : tuple of Option
        Their values are part of the graph: each new one adds ops to it once.
    head_options : tuple of str
        Names of the options that the score takes, in its order; `compute` takes the others.
    """

    compute: Callable[..., tf.Tensor]
    rectified: bool = True
    head: str = "logit"
    curvature: float = 0.0
    needs: Optional[Callable[[tf.Tensor, tf.Tensor, MapLayout], None]] = None
    options: Tuple[Option, ...] = ()
    head_options: Tuple[str, ...] = ()

    @property
    def signed(self) -> bool:
        """Whether no ReLU closes the map."""
        return not self.rectified

    @property
    def follows_score(self) -> bool:
        """Whether the target's own score is differentiated."""
        return self.head == "logit"

    def score_key(self, options: Mapping[str, Any]) -> ScoreKey:
        """Return the score that is differentiated, with its options."""
        values = self.filled(options)
        return (self.head, *(values[name] for name in self.head_options))

    def compute_options(self, options: Mapping[str, Any]) -> Dict[str, Any]:
        """Return the options that `compute` takes."""
        return {name: value for name, value in self.filled(options).items() if name not in self.head_options}

    def fetches(self, ops: GraphOpsBase, task: MapTask) -> Fetches:
        """Return the map, or its channels, of each single layer and slot."""
        build = ops.channel_cams if task.by_channel else ops.cams
        rows = [(slot, build(self, task.layers, slot, task.options)) for slot in task.slots]
        return {key: cam for slot, cams in rows for key, cam in zip(single_keys(task, slot), cams)}

    def finish(self, fetched: Fetched, task: MapTask, grid: InputGrid) -> Dict[str, RawMaps]:
        """Return the maps of each layer; those of layers taken together are added up."""
        return layer_maps(fetched, task, grid, self)


@dataclass(frozen=True)
class NumpyMethod(Method):
    """A map of a layer's size, made in numpy from one image's features and, where needed, gradients.

    Attributes
    ----------
    name, summary, paper : str
        As in `Method`: a lower-case identifier, one line for people who choose, the URL of the source.
    compute : Callable
        `(features, grads, **options)` -> map [h, w] before the closing ReLU, for features [h, w, K] and grads [h, w, K]
        or None. Without grads it is called once for all targets.
    needs_grads : bool
        Whether it takes gradients.
    adds_up : bool
        Whether the map is a sum over the channels, so that the maps of several layers taken together are added up.
    rectified : bool
        Whether a ReLU closes the map.
    head : str
        The score that is differentiated, as in `LayerMethod`.
    options : tuple of Option
        The keywords of `compute`.
    """

    compute: Callable[..., np.ndarray]
    needs_grads: bool = False
    adds_up: bool = False
    rectified: bool = True
    head: str = "logit"
    options: Tuple[Option, ...] = ()

    @property
    def signed(self) -> bool:
        """Whether no ReLU closes the map."""
        return not self.rectified

    @property
    def follows_score(self) -> bool:
        """Whether it takes gradients."""
        return self.needs_grads

    @property
    def reason_if_zero(self) -> str:
        """What it means that a map is zero everywhere."""
        return NOTHING_VARIES

    def fetches(self, ops: GraphOpsBase, task: MapTask) -> Fetches:
        """Return the features of each single layer, and its gradients for each slot."""
        layers = spread(task.layers)
        tensors = {FetchKey("features", layer.name): ops.features(layer) for layer in layers}
        for slot in task.slots if self.needs_grads else ():
            grads = ops.grads((self.head,), task.layers, slot)
            tensors.update({FetchKey("grads", layer.name, slot): grads[layer] for layer in layers})
        return tensors

    def finish(self, fetched: Fetched, task: MapTask, grid: InputGrid) -> Dict[str, RawMaps]:
        """Return the maps of each layer; those of layers taken together are added up."""
        singles = {layer.name: self._maps(fetched, layer.name, task) for layer in spread(task.layers)}
        return {
            layer.name: together([singles[part.name] for part in parts_of(layer)], layer, grid, self)
            for layer in task.layers
        }

    def _maps(self, fetched: Fetched, layer: str, task: MapTask) -> np.ndarray:
        """Return float32 [N, T, h, w]."""
        features, options = fetched[FetchKey("features", layer)], self.filled(task.options)
        if not self.needs_grads:
            maps = np.array([self._map(image, None, options) for image in features], np.float32)
            return np.repeat(maps[:, np.newaxis], len(task.slots), axis=1)
        rows = [
            [self._map(a, g, options) for a, g in zip(features, fetched[FetchKey("grads", layer, slot)])]
            for slot in task.slots
        ]
        return np.stack([np.array(row, np.float32) for row in rows], axis=1)

    def _map(self, features: np.ndarray, grads: Optional[np.ndarray], options: Mapping[str, Any]) -> np.ndarray:
        map: np.ndarray = self.compute(features, grads, **options)
        if np.shape(map) != features.shape[:-1]:
            raise OptionError(
                f"compute of {self.name} returned shape {list(np.shape(map))}; a map of it has shape "
                f"{list(features.shape[:-1])}"
            )
        return map

    def check_parts(self, parts: str, options: Mapping[str, Any]) -> None:
        """Refuse layers taken together where the maps do not add up."""
        if not self.adds_up:
            raise GradientError(
                f"{self.name} makes one principal component of a layer, and those of several do not add up; {parts} "
                "are several. Name one of them as layer"
            )


@dataclass(frozen=True)
class PixelMethod(Method):
    """A signed map of the input's size and channels, made of dy/dx.

    Attributes
    ----------
    name, summary, paper : str
        As in `Method`: a lower-case identifier, one line for people who choose, the URL of the source.
    rule : str
        How activations pass the gradient on, one of `guided.MODES`.
    compute : Callable, optional
        (images, grads) -> map, all float32 [N, H, W, C]; None: the gradient is the map.
    head : str
        The score that is differentiated, as in `LayerMethod`.
    """

    rule: str = "plain"
    compute: Optional[Callable[[tf.Tensor, tf.Tensor], tf.Tensor]] = None
    head: str = "logit"

    @property
    def space(self) -> str:
        """Drawn as saliency."""
        return "pixels"

    @property
    def signed(self) -> bool:
        """Negative values are kept."""
        return True

    @property
    def uses_layer(self) -> bool:
        """There is no layer."""
        return False

    def fetches(self, ops: GraphOpsBase, task: MapTask) -> Fetches:
        """Return the map of each slot."""
        return {FetchKey("pixels", slot=slot): ops.pixels(self, slot) for slot in task.slots}

    def finish(self, fetched: Fetched, task: MapTask, grid: InputGrid) -> Dict[str, RawMaps]:
        """Return the map for no layer."""
        return {"": RawMaps(np.stack([fetched[FetchKey("pixels", slot=slot)] for slot in task.slots], axis=1))}

    def notes(self, ops: GraphOpsBase, task: MapTask) -> Dict[str, List[Tuple[str, ...]]]:
        """Say what the gradient rule reached."""
        return {"": [ops.rule_note(self, slot) for slot in task.slots]}


@dataclass(frozen=True)
class ProductMethod(Method):
    """A pixel map times a layer map brought to the input's size by half-pixel bilinear interpolation.

    Attributes
    ----------
    name, summary, paper : str
        As in `Method`: a lower-case identifier, one line for people who choose, the URL of the source.
    pixels : PixelMethod
        The one factor.
    cam : LayerMethod
        The other factor, closed with a ReLU, with its default options.
    """

    pixels: PixelMethod
    cam: LayerMethod

    @property
    def space(self) -> str:
        """Drawn as saliency."""
        return "pixels"

    @property
    def signed(self) -> bool:
        """Negative values are kept."""
        return True

    @property
    def follows_score(self) -> bool:
        """Whether the layer map does."""
        return self.cam.follows_score

    @property
    def reason_if_zero(self) -> str:
        """What it means that a map is zero everywhere."""
        return FACTOR_IS_ZERO

    def fetches(self, ops: GraphOpsBase, task: MapTask) -> Fetches:
        """Return what both factors fetch."""
        return {**self.pixels.fetches(ops, task), **self.cam.fetches(ops, task)}

    def finish(self, fetched: Fetched, task: MapTask, grid: InputGrid) -> Dict[str, RawMaps]:
        """Return the product for each layer."""
        pixels = self.pixels.finish(fetched, task, grid)[""].values
        return {
            name: RawMaps(pixels * self._enlarged(name, cams, pixels.shape[2:-1], grid), cams.grid)
            for name, cams in self.cam.finish(fetched, task, grid).items()
        }

    @staticmethod
    def _enlarged(layer: str, cams: RawMaps, sides: Sequence[int], grid: InputGrid) -> np.ndarray:
        """Return the rectified maps as [N, T, H, W, 1]."""
        cells = grid.cells(layer, cams.values.shape[2:])
        return upsample(np.maximum(cams.values, 0), sides, cells)[..., np.newaxis]

    def notes(self, ops: GraphOpsBase, task: MapTask) -> Dict[str, List[Tuple[str, ...]]]:
        """Say what the gradient rule reached."""
        return dict.fromkeys([layer.name for layer in task.layers], self.pixels.notes(ops, task)[""])

    def check_parts(self, parts: str, options: Mapping[str, Any]) -> None:
        """Refuse what the layer map refuses."""
        self.cam.check_parts(parts, {})
