"""The symbolic ops this toolkit adds to a net: each is built once, when first asked for, then only fed and fetched.

A *slot* is one target per image. It has its own placeholders for what the target needs (see `score_requests`), its own
score y (see `score_functions`) and its own backward pass. All slots, layers and methods share the forward pass.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Callable, ContextManager, Dict, List, Mapping, Optional, Tuple

import numpy as np

from gradcam_tf1.engine.built_once import BuiltOnce
from gradcam_tf1.engine.feature_maps import apart, by_frame, tokens_as_map
from gradcam_tf1.errors import OptionError
from gradcam_tf1.gradients.activations import Activations
from gradcam_tf1.gradients.derivatives import gradients, hessian_product, ruled_gradient
from gradcam_tf1.gradients.float_images import FloatImages, float_images
from gradcam_tf1.gradients.gradient_path import net_outputs
from gradcam_tf1.methods.base import LOGIT
from gradcam_tf1.methods.families import LayerMethod, PixelMethod
from gradcam_tf1.methods.interfaces import Build, GraphOpsBase
from gradcam_tf1.methods.layer_maps import parts_of, spread
from gradcam_tf1.scoring.class_scores import HEADS, class_probabilities, score_maps
from gradcam_tf1.scoring.score_functions import SCORES, VALUES, at_columns
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import Binding, LayerInfo, ScoreKey, ScoreRequest, Slot

Compute = Callable[["tf.Tensor", "tf.Tensor"], "tf.Tensor"]


class GraphOps(GraphOpsBase):
    """The ops for one net. The graph is finalized whenever none of these methods is at work.

    graph: the private tf.Graph that holds the net. binding: its key tensors. reshape: [N, tokens, K] -> [N, h, w, K].
    building: the context in which ops may be added, see `BuiltOnce`.
    """

    def __init__(
        self,
        graph: tf.Graph,
        binding: Binding,
        reshape: Callable = tokens_as_map,
        building: Optional[Callable[[], ContextManager[tf.Graph]]] = None,
    ) -> None:
        self._graph = graph
        self._reshape = reshape
        self._binding = binding
        self._once = BuiltOnce(graph, building)
        self.scores("logit")
        graph.finalize()

    def scores(self, head: str) -> tf.Tensor:
        """Scores of all classes: float32 [N, C]."""
        return self._once(("scores", head), lambda: HEADS[head](self._binding))

    def predicted(self) -> tf.Tensor:
        """The top class of each image: int64 [N]."""
        return self._once("predicted", lambda: tf.argmax(self.scores("logit"), axis=1))

    def broken(self) -> tf.Tensor:
        """Whether the scores of an image hold NaN or +infinity, so that no class is the top one: bool [N]."""
        return self._once("broken", lambda: _is_broken(self.scores("logit")))

    def probabilities(self) -> tf.Tensor:
        """Probabilities of all classes: float32 [N, C]. Only where the binding has them."""
        return self._once("probabilities", lambda: class_probabilities(self._binding))

    @property
    def graph(self) -> tf.Graph:
        """The graph that holds the net."""
        return self._graph

    @property
    def places(self) -> Any:
        """Where the cells of the net's layers lie, a cells.Places or None."""
        return self._binding.places

    def score_maps(self) -> tf.Tensor:
        """The logits with their positions or anchors: float32 [N, ..., C]."""
        return self._once("score maps", lambda: score_maps(self._binding))

    def embedding(self) -> tf.Tensor:
        """The logits tensor as one vector per image: float32 [N, D]."""
        return self._once("embedding", lambda: _as_vectors(self.score_maps()))

    def value(self, name: str, slot: Slot) -> tf.Tensor:
        """Placeholder for one of a slot's values: VALUES[name], the image axis first."""
        dtype, rank = VALUES[name]
        return self._once(
            ("value", name, slot), lambda: tf.placeholder(dtype, [None] * rank, name=f"{name}_{slot.index}")
        )

    def fed(self, request: ScoreRequest, slot: Slot) -> Dict[tf.Tensor, np.ndarray]:
        """What an ask feeds: its values to the slot's placeholders, its inputs to the net's own tensors."""
        own = {self.value(name, slot): values for name, values in request.values.items()}
        return {**self.inputs(request.inputs), **own}

    def inputs(self, given: Mapping[str, np.ndarray]) -> Dict[tf.Tensor, np.ndarray]:
        """The net's own tensors of these names -> what they are fed."""
        return {self._graph.get_tensor_by_name(name): values for name, values in given.items()}

    def class_ids(self, slot: Slot) -> tf.Tensor:
        """The class ids that a slot's codes come to: int32 [N]."""
        return self._once(("class_ids", slot), lambda: self._class_ids(self.value("code", slot)))

    def rival_ids(self, slot: Slot) -> tf.Tensor:
        """The same for the class it is compared with: int32 [N]."""
        return self._once(("rival_ids", slot), lambda: self._class_ids(self.value("rival", slot)))

    def _class_ids(self, codes: tf.Tensor) -> tf.Tensor:
        ranking = self._once("ranking", self._ranking)
        places = tf.maximum(-codes - 1, 0)
        return tf.where_v2(codes >= 0, codes, at_columns(ranking, places))

    def _ranking(self) -> tf.Tensor:
        scores = self.scores("logit")
        return tf.nn.top_k(scores, k=tf.shape(scores)[1]).indices

    def score(self, head: ScoreKey, slot: Slot) -> tf.Tensor:
        """What a slot differentiates: its own score, or, for a method with a head of its own, that one; float32 [N].

        Raises: OptionError where the target is not a class score, so that no other head can take its place.
        """
        return self._once(("score", head, slot), lambda: self._score(head, slot))

    def _score(self, head: ScoreKey, slot: Slot) -> tf.Tensor:
        if head != LOGIT and slot.score != LOGIT:
            raise OptionError(
                f"a method that looks at the {head[0]} head explains class scores only, not {slot.score[0]!r} targets"
            )
        name, *options = slot.score if head == LOGIT else head
        return SCORES[name](self, slot, *options)

    def cams(
        self, method: LayerMethod, layers: Tuple[LayerInfo, ...], slot: Slot, options: Mapping[str, Any]
    ) -> List[tf.Tensor]:
        """A layer method's maps before the closing ReLU, one float32 [N, h, w] for each of `spread(layers)`."""
        compute = self._compute(method, options)
        return self._once(
            ("cams", method.name, _as_key(method, options), layers, slot),
            lambda: [compute(*pair) for pair in self._features_and_grads(method, layers, slot, options)],
        )

    def channel_cams(
        self, method: LayerMethod, layers: Tuple[LayerInfo, ...], slot: Slot, options: Mapping[str, Any]
    ) -> List[tf.Tensor]:
        """The same channel by channel, the weighted features whose sum is the map: float32 [N, h, w, K] each."""
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
                method.needs(logits, self.layer_tensor(part), part.channels_last)
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
        """The layer as the net has it."""
        return self._graph.get_tensor_by_name(layer.name)

    def features(self, layer: LayerInfo) -> tf.Tensor:
        """The layer's features: float32 [N, h, w, K]."""
        return self._once(("features", layer), lambda: self._as_map(self.layer_tensor(layer), layer))

    def _as_map(self, tensor: tf.Tensor, layer: LayerInfo) -> tf.Tensor:
        """A layer's tensor, or its gradient, as float32 [N, h, w, K]."""
        whole = self.layer_tensor(layer).shape
        if self._binding.frame_order:
            clips = self._graph.get_tensor_by_name(self._binding.input)
            return apart(_channels_last(tensor, layer), self._binding, clips)
        if whole.rank != 3 or self.takes_signals():
            return _channels_last(tensor, layer)
        tensor.set_shape(whole)  # a gradient does not always know it
        return self._reshape(tf.cast(tensor, tf.float32))

    def takes_signals(self) -> bool:
        """Whether the net takes signals [N, L, C] or [N, L]: their layers of rank 3 hold no tokens."""
        shape = self._binding.array_shape
        return shape is not None and len(shape) == 3

    def grads(self, head: ScoreKey, layers: Tuple[LayerInfo, ...], slot: Slot) -> Dict[LayerInfo, tf.Tensor]:
        """dy/dA of a slot's score, float32 [N, h, w, K] for each single layer."""
        return self._once(
            ("grads", head, layers, slot),
            lambda: {part: self._as_map(g, part) for part, g in self._grads(head, layers, slot).items()},
        )

    def _grads(self, head: ScoreKey, layers: Tuple[LayerInfo, ...], slot: Slot) -> Dict[LayerInfo, tf.Tensor]:
        """The same as the net has the layers: its own layout and dtype."""
        parts = list(dict.fromkeys(part for part in spread(layers)))
        tensors = [self.layer_tensor(part) for part in parts]
        # all layers at once, so that they share the way from the score down to the last of them
        grads = self._once(("raw grads", head, layers, slot), lambda: gradients(self.score(head, slot), tensors))
        return dict(zip(parts, grads))

    def curvatures(
        self, head: ScoreKey, layers: Tuple[LayerInfo, ...], layer: LayerInfo, slot: Slot
    ) -> List[tf.Tensor]:
        """H A, the second derivative of a slot's score by one of the layers times it: float32 [N, h, w, K].

        One for each part of the layer; H is that by all of them together.
        """
        parts = parts_of(layer)
        grads, tensors = self._grads(head, layers, slot), [self.layer_tensor(part) for part in parts]
        return self._once(
            ("curvatures", head, layers, layer, slot),
            lambda: [
                self._as_map(product, part)
                for product, part in zip(hessian_product([grads[part] for part in parts], tensors), parts)
            ],
        )

    def float_images(self) -> FloatImages:
        """The bound input, or the floats that are made of it, in the net's layout."""
        return self._once("float images", lambda: float_images(self._graph, self._binding))

    def images(self) -> tf.Tensor:
        """What it holds: float32 [N, H, W, C]."""
        return self._once("images", lambda: self._as_images(self.float_images().tensor))

    def _as_images(self, tensor: tf.Tensor) -> tf.Tensor:
        """The float images' tensor, or its gradient, as float32 [N, H, W, C]."""
        source = self.float_images()
        values = tf.cast(tensor, tf.float32)
        if self._binding.array_shape is not None:
            return values[..., tf.newaxis] if source.tensor.shape.rank == 2 else values
        if not source.has_batch_axis:
            values = values[tf.newaxis]
        return values if source.channels_last else tf.transpose(values, [0, 2, 3, 1])

    def pixels(self, method: PixelMethod, slot: Slot) -> tf.Tensor:
        """A pixel method's map: float32 [N, H, W, C]."""
        return self._once(("pixels", method.name, slot), lambda: self._pixels(method, slot))

    def _pixels(self, method: PixelMethod, slot: Slot) -> tf.Tensor:
        grads = self._image_grads(method.rule, (method.head,), slot)
        return grads if method.compute is None else method.compute(self.images(), grads)

    def pixel_grads(self, slot: Slot) -> tf.Tensor:
        """dy/dx of a slot's score: float32 [N, H, W, C]."""
        return self._image_grads("plain", LOGIT, slot)

    def _image_grads(self, rule: str, head: ScoreKey, slot: Slot) -> tf.Tensor:
        return self._once(
            ("image grads", rule, head, slot), lambda: self._as_images(self._ruled_grads(rule, head, slot)[0])
        )

    def extension(self, build: Build, slot: Slot) -> Dict[Any, tf.Tensor]:
        """What `build` makes of a slot's score [N] and the float images: tensors with the image axis first."""
        self._ruled_grads("plain", LOGIT, slot)  # no gradient is an error that names the op
        return self._once((build, slot), lambda: build(self.score(LOGIT, slot), self.float_images()))

    def rule_note(self, method: PixelMethod, slot: Slot) -> Tuple[str, ...]:
        """What the method's rule reached, as one sentence; nothing for the plain gradient."""
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
        """Those between the images and what the score is made of: the same for most targets."""
        outputs = net_outputs(score)
        names = tuple(tensor.name for tensor in outputs)
        return self._once(("activations", names), lambda: Activations.between(outputs, self.float_images().tensor))


def _as_key(method: LayerMethod, options: Mapping[str, Any]) -> Tuple[Tuple[str, Any], ...]:
    return tuple(sorted(method.filled(options).items()))


def by_channel(compute: Compute, features: tf.Tensor, grads: tf.Tensor) -> tf.Tensor:
    """What each channel adds to a layer method's map: float32 [N, h, w, K]; each goes through it as if it were alone.

    Layer methods are sums over the channels, so the sum of these is the map.
    """
    last = features.shape.rank - 1
    sides = tf.shape(features)
    alone = tf.concat([[-1], sides[1:last], [1]], axis=0)
    channels_first = [0, last, *range(1, last)]
    parts = [tf.reshape(tf.transpose(tensor, channels_first), alone) for tensor in (features, grads)]
    maps = tf.reshape(compute(*parts), tf.gather(sides, channels_first))
    return tf.transpose(maps, [0, *range(2, last + 1), 1])


def _is_broken(scores: tf.Tensor) -> tf.Tensor:
    """scores: float [N, C]. A score of -infinity is that of a class that was masked."""
    return tf.reduce_any(tf.logical_not(scores < np.inf), axis=1)


def _as_vectors(tensor: tf.Tensor) -> tf.Tensor:
    return tf.reshape(tensor, [tf.shape(tensor)[0], -1])


def _channels_last(tensor: tf.Tensor, layer: LayerInfo) -> tf.Tensor:
    tensor = tf.cast(tensor, tf.float32)
    if layer.channels_last:
        return tensor
    rank = tensor.shape.rank
    return tf.transpose(tensor, [0, *range(2, rank), 1])
