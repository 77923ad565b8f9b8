"""The ops that this toolkit adds to a net: each is built once, when first requested, then only fed and fetched.

A *slot* is one target per image. It has its own placeholders for what the target needs (see `score_requests`), its own
score y (see `score_functions`) and its own backward pass. All slots, layers and methods share the forward pass.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Callable, ContextManager, Dict, List, Mapping, Optional, Set, Tuple

from gradcam_tf1.binding.cells import CellPlaces
from gradcam_tf1.engine.attention_ops import AttentionOps
from gradcam_tf1.engine.feature_maps import Compute, apart, by_channel, by_frame, channels_last, tokens_as_map
from gradcam_tf1.engine.multiplier_ops import MultiplierOps
from gradcam_tf1.engine.relevance_ops import RelevanceOps
from gradcam_tf1.engine.score_graph_ops import ScoreGraphOps
from gradcam_tf1.errors import OptionError
from gradcam_tf1.gradients.activations import Activations
from gradcam_tf1.gradients.derivatives import gradients, hessian_product, ruled_gradient
from gradcam_tf1.gradients.float_images import FloatImages, float_images
from gradcam_tf1.gradients.gradient_path import net_outputs
from gradcam_tf1.gradients.relevance import RelevanceComposite
from gradcam_tf1.gradients.untaken_branches import untaken_ops
from gradcam_tf1.methods.attention import AttentionMethod
from gradcam_tf1.methods.base import LOGIT
from gradcam_tf1.methods.families import LayerMethod, PixelMethod
from gradcam_tf1.methods.interfaces import Build, GraphOpsBase, LiftedOps
from gradcam_tf1.methods.layer_maps import parts_of, spread
from gradcam_tf1.scoring.map_layout import layout_of
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import Binding, LayerInfo, ScoreKey, Slot


class GraphOps(ScoreGraphOps, GraphOpsBase):
    """The ops for one net. The graph is finalized whenever none of these methods is at work.

    Parameters
    ----------
    graph : tf.Graph
        The private graph that holds the net.
    binding : Binding
        Its key tensors.
    reshape : Callable
        Tokens [N, tokens, K] -> [N, h, w, K].
    building : Callable, optional
        The context in which ops may be added, see `BuiltOnce`.
    """

    def __init__(
        self,
        graph: tf.Graph,
        binding: Binding,
        reshape: Callable[[tf.Tensor], tf.Tensor] = tokens_as_map,
        building: Optional[Callable[[], ContextManager[tf.Graph]]] = None,
    ) -> None:
        super().__init__(graph, binding, building)
        self.reshape = reshape
        self.relevance_ops = RelevanceOps(self)
        self.attention_ops = AttentionOps(self, graph, binding)
        self.multiplier_ops = MultiplierOps(self)

    @property
    def places(self) -> Optional[CellPlaces]:
        """Where the cells of the net's layers lie, see `Binding.places`."""
        places: Optional[CellPlaces] = self._binding.places
        return places

    def untaken(self) -> Set[str]:
        """Return the names of the net's ops that never run with what it is always fed, such as its learning phase."""
        return self._once("untaken", lambda: untaken_ops(self._graph, self._binding.feeds))

    def cams(
        self, method: LayerMethod, layers: Tuple[LayerInfo, ...], slot: Slot, options: Mapping[str, Any]
    ) -> List[tf.Tensor]:
        """Return a layer method's maps before the closing ReLU, one float32 [N, h, w] for each of `spread(layers)`."""
        compute = self._compute(method, options)
        return self._once(
            ("cams", method.name, _as_key(method, options), layers, slot),
            lambda: [
                _checked(method.name, compute(features, g), features.shape[:-1])
                for features, g in self._features_and_grads(method, layers, slot, options)
            ],
        )

    def channel_cams(
        self, method: LayerMethod, layers: Tuple[LayerInfo, ...], slot: Slot, options: Mapping[str, Any]
    ) -> List[tf.Tensor]:
        """Return the weighted features whose sum over the channels is the map: float32 [N, h, w, K] each."""
        compute = self._compute(method, options)
        return self._once(
            ("channel cams", method.name, _as_key(method, options), layers, slot),
            lambda: [by_channel(compute, *pair) for pair in self._features_and_grads(method, layers, slot, options)],
        )

    def _compute(self, method: LayerMethod, options: Mapping[str, Any]) -> Compute:
        compute: Compute = partial(method.compute, **method.compute_options(options))
        return by_frame(compute) if self._binding.frame_order else compute

    def _features_and_grads(
        self, method: LayerMethod, layers: Tuple[LayerInfo, ...], slot: Slot, options: Mapping[str, Any]
    ) -> List[Tuple[tf.Tensor, tf.Tensor]]:
        """Return for each single layer its features, and what the method takes as gradients."""
        head = method.score_key(options)
        if method.needs is not None:
            logits = self._graph.get_tensor_by_name(self._binding.logits)
            for part in spread(layers):
                method.needs(logits, self.layer_tensor(part), layout_of(part))
        grads = self.grads(head, layers, slot)
        weighed = []
        for layer in layers:
            taken = [grads[part] for part in parts_of(layer)]
            if method.curvature:
                products = self.curvatures(head, layers, layer, slot)
                taken = [g + method.curvature * product for g, product in zip(taken, products)]
            weighed += [(self.features(part), g) for part, g in zip(parts_of(layer), taken)]
        return weighed

    def layer_tensor(self, layer: LayerInfo) -> tf.Tensor:
        """Return the tensor of a single layer, as the net has it."""
        return self._graph.get_tensor_by_name(layer.name)

    def features(self, layer: LayerInfo) -> tf.Tensor:
        """Return the features of a single layer: float32 [N, h, w, K]."""
        return self._once(("features", layer), lambda: self.as_map(self.layer_tensor(layer), layer))

    def as_map(self, tensor: tf.Tensor, layer: LayerInfo) -> tf.Tensor:
        """Return a layer's tensor, or its gradient, as float32 [N, h, w, K]."""
        shape = self.layer_tensor(layer).shape
        if self._binding.frame_order:
            clips = self._graph.get_tensor_by_name(self._binding.input)
            return apart(channels_last(tensor, layer), self._binding, clips)
        if shape.rank != 3 or self.takes_signals():
            return channels_last(tensor, layer)
        tensor.set_shape(shape)  # a gradient does not always know it
        return self.reshape(tf.cast(tensor, tf.float32))

    def takes_signals(self) -> bool:
        """Return whether the net takes signals [N, L, C] or [N, L]: their layers of rank 3 hold no tokens."""
        shape = self._binding.array_shape
        return shape is not None and len(shape) == 3

    def takes_any_size(self) -> bool:
        """Return whether the net takes images of any size, with floats of the image's own size."""
        images = self.float_images()
        sides = images.tensor.shape.as_list()[-3:] if images.tensor.shape.rank else [None] * 3
        height_width = sides[:2] if images.channels_last else sides[1:]
        return self._binding.array_shape is None and {*height_width, *self._binding.image_size} == {None}

    def grads(self, head: ScoreKey, layers: Tuple[LayerInfo, ...], slot: Slot) -> Dict[LayerInfo, tf.Tensor]:
        """Return dy/dA of a slot's score, float32 [N, h, w, K] for each single layer."""
        return self._once(
            ("grads", head, layers, slot),
            lambda: {part: self.as_map(g, part) for part, g in self._grads(head, layers, slot).items()},
        )

    def _grads(self, head: ScoreKey, layers: Tuple[LayerInfo, ...], slot: Slot) -> Dict[LayerInfo, tf.Tensor]:
        """Return dy/dA in the layout and dtype that the net has."""
        parts = list(dict.fromkeys(part for part in spread(layers)))
        tensors = [self.layer_tensor(part) for part in parts]
        # all layers at once, so that they share the backward pass from the score to the last of them
        grads = self._once(("raw grads", head, layers, slot), lambda: gradients(self.score(head, slot), tensors))
        return dict(zip(parts, grads))

    def curvatures(
        self, head: ScoreKey, layers: Tuple[LayerInfo, ...], layer: LayerInfo, slot: Slot
    ) -> List[tf.Tensor]:
        """Return H A for each part of one of the layers: float32 [N, h, w, K].

        H A is the second derivative of a slot's score by all parts of this layer together, times the layer.
        """
        parts = parts_of(layer)
        grads, tensors = self._grads(head, layers, slot), [self.layer_tensor(part) for part in parts]
        return self._once(
            ("curvatures", head, layers, layer, slot),
            lambda: [
                self.as_map(product, part)
                for product, part in zip(hessian_product([grads[part] for part in parts], tensors), parts)
            ],
        )

    def attention_map(self, method: AttentionMethod, slot: Slot) -> tf.Tensor:
        """Return an attention method's map: float32 [N, h, w]. Raises GradientError where there is no attention."""
        return self.attention_ops.map(method, slot)

    def float_images(self) -> FloatImages:
        """Return the bound input, or the floats that are made of it, in the net's layout."""
        return self._once("float images", lambda: float_images(self._graph, self._binding))

    def images(self) -> tf.Tensor:
        """Return the values of `float_images`: float32 [N, H, W, C]."""
        return self._once("images", lambda: self.as_images(self.float_images().tensor))

    def as_images(self, tensor: tf.Tensor) -> tf.Tensor:
        """Return the tensor of `float_images`, or its gradient, as float32 [N, H, W, C]."""
        source = self.float_images()
        values = tf.cast(tensor, tf.float32)
        if self._binding.array_shape is not None:
            return values[..., tf.newaxis] if source.tensor.shape.rank == 2 else values
        if not source.has_batch_axis:
            values = values[tf.newaxis]
        return values if source.channels_last else tf.transpose(values, [0, 2, 3, 1])

    def pixels(self, method: PixelMethod, slot: Slot) -> tf.Tensor:
        """Return a pixel method's map: float32 [N, H, W, C]."""
        return self._once(("pixels", method.name, slot), lambda: self._pixels(method, slot))

    def _pixels(self, method: PixelMethod, slot: Slot) -> tf.Tensor:
        grads = self._image_grads(method.rule, (method.head,), slot)
        return (
            grads
            if method.compute is None
            else _checked(method.name, method.compute(self.images(), grads), grads.shape)
        )

    def pixel_grads(self, slot: Slot) -> tf.Tensor:
        """Return dy/dx of a slot's score: float32 [N, H, W, C]."""
        return self._image_grads("plain", LOGIT, slot)

    def _image_grads(self, rule: str, head: ScoreKey, slot: Slot) -> tf.Tensor:
        return self._once(
            ("image grads", rule, head, slot), lambda: self.as_images(self._ruled_grads(rule, head, slot)[0])
        )

    def in_layout(self, images: tf.Tensor) -> tf.Tensor:
        """Return images float32 [N, H, W, C] in the layout and dtype of `float_images`."""
        source = self.float_images()
        if self._binding.array_shape is not None:
            images = images[..., 0] if source.tensor.shape.rank == 2 else images
        else:
            images = images if source.channels_last else tf.transpose(images, [0, 3, 1, 2])
            images = images if source.has_batch_axis else images[0]
        return tf.cast(images, source.tensor.dtype)

    def input_tensor(self) -> tf.Tensor:
        """Return the bound input."""
        return self._graph.get_tensor_by_name(self._binding.input)

    def relevance(self, how: RelevanceComposite, slot: Slot) -> tf.Tensor:
        """Return the relevance of the images: float32 [N, H, W, C]."""
        return self._once(("relevance map", how, slot), lambda: self.as_images(self.relevance_ops.images(how, slot)))

    def relevance_start(self, slot: Slot) -> Tuple[tf.Tensor, tf.Tensor]:
        """See `RelevanceOps.start`."""
        return self.relevance_ops.start(slot)

    def relevance_note(self, how: RelevanceComposite, slot: Slot) -> str:
        """See `RelevanceOps.note`."""
        return self.relevance_ops.note(how, slot)

    def relevance_cams(
        self, how: RelevanceComposite, layers: Tuple[LayerInfo, ...], slot: Slot, by_channel: bool
    ) -> List[tf.Tensor]:
        """See `RelevanceOps.cams`."""
        return self.relevance_ops.cams(how, layers, slot, by_channel)

    def extension(self, build: Build, slot: Slot) -> Dict[Any, tf.Tensor]:
        """Return what `build` makes of a slot's score [N] and the float images: tensors with the image axis first."""
        self._ruled_grads("plain", LOGIT, slot)  # no gradient is an error that names the op
        return self._once((build, slot), lambda: build(self.score(LOGIT, slot), self.float_images()))

    def lifted_pixels(self, rule: str, slot: Slot) -> LiftedOps:
        """See `MultiplierOps.images`."""
        return self.multiplier_ops.images(rule, slot)

    def lifted_layer(self, rule: str, layer: LayerInfo, slot: Slot) -> LiftedOps:
        """See `MultiplierOps.layer`."""
        return self.multiplier_ops.layer(rule, layer, slot)

    def rule_note(self, method: PixelMethod, slot: Slot) -> Tuple[str, ...]:
        """Return one sentence on what the method's rule reached; nothing for the plain gradient."""
        note = self._ruled_grads(method.rule, (method.head,), slot)[1]
        return (note,) if note else ()

    def _ruled_grads(self, rule: str, head: ScoreKey, slot: Slot) -> Tuple[tf.Tensor, str]:
        return self._once(("pixel grads", rule, head, slot), lambda: self._ruled(rule, self.score(head, slot)))

    def _ruled(self, rule: str, score: tf.Tensor) -> Tuple[tf.Tensor, str]:
        pixels = self.float_images().tensor
        if rule == "plain":
            return gradients(score, [pixels])[0], ""
        return ruled_gradient(rule, score, pixels, self._activations(score))

    def _activations(self, score: tf.Tensor) -> Activations:
        """Return the activations between the images and the score's tensors: the same for most targets."""
        outputs = net_outputs(score)
        names = tuple(tensor.name for tensor in outputs)
        return self._once(("activations", names), lambda: Activations.between(outputs, self.float_images().tensor))


def _as_key(method: LayerMethod, options: Mapping[str, Any]) -> Tuple[Tuple[str, Any], ...]:
    return tuple(sorted(method.filled(options).items()))


def _checked(method: str, map: Any, expected: tf.TensorShape) -> tf.Tensor:
    """Return the map of a method; refuse one that is no tensor of the expected shape."""
    if not isinstance(map, tf.Tensor):
        raise OptionError(f"compute of {method} returned {map!r}; it returns a tf.Tensor of shape {expected}")
    if not map.shape.is_compatible_with(expected):
        raise OptionError(f"compute of {method} returned shape {map.shape}; a map of it has shape {expected}")
    return map
