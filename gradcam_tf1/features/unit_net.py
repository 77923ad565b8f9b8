"""A net whose units are measured on pictures, and climbed along their gradients."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Dict, Hashable, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from gradcam_tf1.engine.auto_layer import OWN
from gradcam_tf1.errors import GradientError, OptionError, RunError
from gradcam_tf1.features.bound_units import BoundUnit
from gradcam_tf1.features.pixel_colours import NetValues
from gradcam_tf1.features.unit_ops import UnitPlace, before_rectifier, class_grads, unit_grads, unit_tensors
from gradcam_tf1.images.geometry import SHORT_SIDE
from gradcam_tf1.tf_runtime import tf

if TYPE_CHECKING:
    from gradcam_tf1.graph import GradCamGraph

_COLOURS = 4  # images of one colour that show whether the net's floats are as expected
_CLOSE = 2e-3  # of the range of their values


class LoneClasses(NamedTuple):
    """Classes at the middle position of a layer.

    Attributes
    ----------
    classes : tuple of BoundUnit
        N classes: w . A there, with the class's weights w for the picture at hand.
    directions : tuple of BoundUnit
        The same as directions of the layer, with the weights w of the first pictures.
    """

    classes: Tuple[BoundUnit, ...]
    directions: Tuple[BoundUnit, ...]


class UnitNet:
    """A net of images, at the size of its input.

    Parameters
    ----------
    net : GradCamGraph
        The net.
    values : (float, float)
        Lowest and highest pixel value.

    Attributes
    ----------
    fed : np.ndarray
        [1, H, W, C], a gray image as it is fed.
    sides : (int, int)
        Height and width of the net's first floats, which pictures have too.
    channels : int
        Channels of pictures: one for a net of gray images, however these are read.

    Raises
    ------
    OptionError
        If the net takes no images.
    GradientError
        If it mixes the images of a batch.
    BindingError
        If it needs further values with each image.
    """

    def __init__(self, net: GradCamGraph, values: Tuple[float, float]) -> None:
        _check_net(net)
        self.net = net
        self._range = values
        self.explainer = net.explainers[0]
        plain = np.full((SHORT_SIDE, SHORT_SIDE, net.channels_in), sum(values) / 2, np.float32)
        self._plain = net.fit_pixels(plain).pixels.astype(np.float32)[np.newaxis]
        self.fed = self.explainer.to_batch(self._plain)
        height, width = self.explainer.engine.float_images(self.fed, {}).shape[1:3]
        self.sides = (height, width)
        self.channels = 1 if net.binding.channels == 1 else net.channels_in

    @property
    def shape(self) -> Tuple[int, int, int]:
        """Shape of an image as `measure` takes it."""
        height, width, channels = self._plain.shape[1:]
        return height, width, channels

    @property
    def chunk(self) -> int:
        """Images per run of the net."""
        return self.explainer.engine.runner.chunk

    def net_values(self) -> NetValues:
        """Return how pixels become the net's first floats, once the net has shown that they do.

        Raises
        ------
        OptionError
            If the preprocessing is not known, or a subclass replaces it.
        GradientError
            If the floats of the net are others.
        """
        net = self.net
        if net.maps_pixels_itself:
            raise OptionError(
                f"{type(net).__name__} overrides preprocess, whose gradient is not known, so that no picture can be "
                "drawn; give preset=Preprocessing(...) in place of the override, or steps=0 for the images alone"
            )
        preset = net.known_preset
        if preset is None:
            net.preprocess(self._plain)  # raises OptionError
            raise OptionError("the preprocessing is not known; give preset=...")
        values = NetValues(preset, self.channels, net.channels_in)
        low, high = self._range
        colours = np.random.RandomState(0).uniform(low, high, (_COLOURS, 1, 1, self.channels))
        colours = np.rint(colours) if high - low > 2 else colours
        images = np.broadcast_to(values.shown(colours), (_COLOURS, *self.shape)).astype(np.float32)
        made = self.explainer.engine.float_images(self.explainer.to_batch(images), {})
        expected = values.values(colours)
        if made.shape[-1] != expected.shape[-1] or np.abs(made - expected).max() > _CLOSE * np.ptp(expected):
            raise GradientError(
                f"'{self.explainer.engine.ops.float_images().tensor.name}', the net's first floats, does not hold the "
                "preprocessed pixels: they are rounded or computed with before, so that a gradient by them says "
                "nothing about pixels; check the preset, or search images alone: steps=0, --steps 0 --images DIR"
            )
        return values

    def measure(self, units: Sequence[BoundUnit], pixels: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
        """Measure units of one `key` on images.

        Parameters
        ----------
        units : sequence of BoundUnit
            U units.
        pixels : np.ndarray
            float32 [N, h, w, C], images at the size of the net's input.

        Returns
        -------
        np.ndarray
            float32 [N, U], the values.
        np.ndarray
            float32 [N, rows, columns, U], what each position counts.
        """
        return self._measured(units, self.explainer.to_batch(pixels), None)

    def measure_floats(self, units: Sequence[BoundUnit], floats: np.ndarray) -> np.ndarray:
        """Return the values of units on the net's own floats: [N, H, W, c] -> float32 [N, U]."""
        return self._measured(units, np.repeat(self.fed, len(floats), axis=0), floats)[0]

    def _measured(
        self, units: Sequence[BoundUnit], batch: np.ndarray, floats: Optional[np.ndarray]
    ) -> Tuple[np.ndarray, np.ndarray]:
        engine, first = self.explainer.engine, units[0]
        tensors = unit_tensors(engine.ops, first.place)
        directions = np.broadcast_to([each.vector for each in units], (len(batch), len(units), len(first.vector)))
        own = None if floats is None else (engine.ops.float_images(), floats)
        rows = self._rows(first.place, first, directions)
        found = engine.runner.run({"values": tensors.values, "map": tensors.map}, batch, rows, own)
        return found["values"], found["map"]

    def climb(
        self, units: Sequence[BoundUnit], floats: np.ndarray, rectified: bool = True
    ) -> Tuple[np.ndarray, np.ndarray]:
        """Return the value of each unit on its own picture, and its gradient.

        Parameters
        ----------
        units : sequence of BoundUnit
            N units of one `key`.
        floats : np.ndarray
            float32 [N, H, W, c], the net's first floats.
        rectified : bool
            False takes the features in front of the layer's ReLU, where there is one.

        Returns
        -------
        np.ndarray
            float32 [N].
        np.ndarray
            float32 [N, H, W, c].

        Raises
        ------
        GradientError
            If there is no gradient; names the op that blocks it.
        RunError
            If the net fails, or a value becomes NaN or infinite.
        """
        engine, first = self.explainer.engine, units[0]
        before = None if rectified else before_rectifier(engine.ops, first.place.layer)
        place = first.place if before is None else first.place._replace(layer=before)
        rows = self._rows(place, first, np.stack([each.vector[np.newaxis] for each in units]))
        fetched: Dict[Hashable, tf.Tensor] = {
            "values": unit_tensors(engine.ops, place).values,
            "grads": unit_grads(engine.ops, place),
        }
        own = (engine.ops.float_images(), floats)
        found = engine.runner.run(fetched, np.repeat(self.fed, len(units), axis=0), rows, own)
        if not all(np.isfinite(each).all() for each in found.values()):
            raise RunError(f"the value or the gradient of {first.name} is NaN or infinite")
        return found["values"][:, 0], found["grads"]

    def alone(self, units: Sequence[BoundUnit], floats: np.ndarray) -> Optional[LoneClasses]:
        """Return classes as they are at the middle of the net's layer.

        Parameters
        ----------
        units : sequence of BoundUnit
            N classes.
        floats : np.ndarray
            float32 [N, H, W, c], pictures on which the net shows whether its classes are means over the layer.

        Returns
        -------
        LoneClasses or None
            None unless all positions count alike, as they do with global average pooling: dy/dA is the same at each.
        """
        engine, layers = self.explainer.engine, self.explainer.resolve_layers(None)
        layer = layers[0]
        if len(layers) > 1 or layer.parts or layer == OWN:
            return None
        place = UnitPlace(layer, True, of_class=True)
        fetched: Dict[Hashable, tf.Tensor] = {0: class_grads(engine.ops, layer)}
        directions = np.stack([each.vector[np.newaxis] for each in units])
        rows = {unit_tensors(engine.ops, place).directions: directions}
        own = (engine.ops.float_images(), floats)
        grads = engine.runner.run(fetched, np.repeat(self.fed, len(units), axis=0), rows, own)[0]
        mean = grads.mean(axis=(1, 2), keepdims=True)
        middle = (grads.shape[1] // 2, grads.shape[2] // 2)
        if middle == (0, 0) or not mean.any() or np.abs(grads - mean).max() > _CLOSE * np.abs(mean).max():
            return None
        weights = grads.sum(axis=(1, 2))
        return LoneClasses(
            tuple(replace(each, place=place, position=middle) for each in units),
            tuple(
                replace(each, place=UnitPlace(layer, True), position=middle, vector=vector)
                for each, vector in zip(units, weights)
            ),
        )

    def _rows(self, place: UnitPlace, first: BoundUnit, directions: np.ndarray) -> Dict[tf.Tensor, Any]:
        """Return what is fed with each image."""
        tensors = unit_tensors(self.explainer.engine.ops, place)
        rows: Dict[tf.Tensor, Any] = {tensors.directions: directions}
        if first.position is not None:
            rows[tensors.position] = np.repeat([first.position], len(directions), axis=0).astype(np.int32)
        if first.unit.cosine:
            rows[tensors.power] = np.full(len(directions), first.unit.cosine, np.float32)
        return rows


def _check_net(net: GradCamGraph) -> None:
    binding = net.binding
    if binding.array_shape is not None:
        raise OptionError("features are pictures, and this net takes signals, volumes or clips")
    net.check_inputs([])
    if binding.mixing and net.explainers[0].engine.runner.chunk > 1:
        raise GradientError(
            f"'{binding.mixing}' mixes the images of a batch (batch norm in training mode), so that none has its own "
            "gradient: export the net for inference (is_training=False), or open it with batch_size=1"
        )
