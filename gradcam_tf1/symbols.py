"""The symbolic ops this toolkit adds to a net: each is built once, when first asked for, then only fed and fetched.

A *slot* is one target per image: slot t has its own placeholder of codes (see `targets.py`), its own score y and its
own backward pass. All slots, layers and methods share the forward pass.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, Hashable, List, Tuple

from gradcam_tf1.errors import GradientError
from gradcam_tf1.gradient_path import SHAPE_OPS, explain_missing_gradient
from gradcam_tf1.heads import HEADS, class_probabilities
from gradcam_tf1.methods.families import LayerMethod, PixelMethod
from gradcam_tf1.tf_runtime import tf, unfinalized
from gradcam_tf1.types import Binding, LayerInfo


class Symbols:
    """The ops for one net. The graph is finalized whenever none of these methods is at work.

    graph: the private tf.Graph that holds the net. binding: its key tensors.
    """

    def __init__(self, graph: tf.Graph, binding: Binding) -> None:
        self._graph = graph
        self._binding = binding
        self._built: Dict[Hashable, Any] = {}
        self.scores("logit")
        graph.finalize()

    def _once(self, key: Hashable, build: Callable[[], Any]) -> Any:
        if key not in self._built:
            with unfinalized(self._graph), tf.name_scope("gradcam_tf1/"):
                self._built[key] = build()
        return self._built[key]

    def scores(self, head: str) -> tf.Tensor:
        """Scores of all classes: float32 [N, C]."""
        return self._once(("scores", head), lambda: HEADS[head](self._binding))

    def predicted(self) -> tf.Tensor:
        """The top class of each image: int64 [N]."""
        return self._once("predicted", lambda: tf.argmax(self.scores("logit"), axis=1))

    def probabilities(self) -> tf.Tensor:
        """Probabilities of all classes: float32 [N, C]. Only where the binding has them."""
        return self._once("probabilities", lambda: class_probabilities(self._binding))

    def codes(self, slot: int) -> tf.Tensor:
        """Placeholder for the codes of a slot: int32 [N]."""
        return self._once(("codes", slot), lambda: tf.placeholder(tf.int32, [None], name=f"codes_{slot}"))

    def class_ids(self, slot: int) -> tf.Tensor:
        """The class ids that a slot's codes come to: int32 [N]."""
        return self._once(("class_ids", slot), lambda: self._class_ids(slot))

    def _class_ids(self, slot: int) -> tf.Tensor:
        codes = self.codes(slot)
        ranking = self._once("ranking", self._ranking)
        places = tf.maximum(-codes - 1, 0)
        return tf.where_v2(codes >= 0, codes, tf.gather_nd(ranking, _with_row(places)))

    def _ranking(self) -> tf.Tensor:
        scores = self.scores("logit")
        return tf.nn.top_k(scores, k=tf.shape(scores)[1]).indices

    def score(self, head: str, slot: int) -> tf.Tensor:
        """The score y of a slot's class: float32 [N]."""
        return self._once(
            ("score", head, slot), lambda: tf.gather_nd(self.scores(head), _with_row(self.class_ids(slot)))
        )

    def cams(self, method: LayerMethod, layers: Tuple[LayerInfo, ...], slot: int) -> List[tf.Tensor]:
        """A layer method's maps before the closing ReLU, one float32 [N, h, w] per layer."""
        return self._once(("cams", method.name, layers, slot), lambda: self._cams(method, layers, slot))

    def _cams(self, method: LayerMethod, layers: Tuple[LayerInfo, ...], slot: int) -> List[tf.Tensor]:
        grads = self.grads(method.head, layers, slot)
        return [method.compute(self.features(layer), g) for layer, g in zip(layers, grads)]

    def layer_tensor(self, layer: LayerInfo) -> tf.Tensor:
        """The layer as the net has it."""
        return self._graph.get_tensor_by_name(layer.name)

    def features(self, layer: LayerInfo) -> tf.Tensor:
        """The layer's features: float32 [N, h, w, K]."""
        return self._once(("features", layer), lambda: _channels_last(self.layer_tensor(layer), layer))

    def grads(self, head: str, layers: Tuple[LayerInfo, ...], slot: int) -> List[tf.Tensor]:
        """dy/dA of a slot's score, one float32 [N, h, w, K] per layer."""
        return self._once(("grads", head, layers, slot), lambda: self._grads(head, layers, slot))

    def _grads(self, head: str, layers: Tuple[LayerInfo, ...], slot: int) -> List[tf.Tensor]:
        # all layers at once, so that they share the way from the score down to the last of them
        grads = gradients(self.score(head, slot), [self.layer_tensor(layer) for layer in layers])
        return [_channels_last(g, layer) for g, layer in zip(grads, layers)]

    def pixel_tensor(self) -> tf.Tensor:
        """The first float tensor of pictures, in the net's layout; see `pixel_tensor` below."""
        return self._once("pixel tensor", lambda: pixel_tensor(self._graph, self._binding))

    def pictures(self) -> tf.Tensor:
        """What it holds: float32 [N, H, W, C]."""
        return self._once("pictures", lambda: self._as_pictures(self.pixel_tensor()))

    def _as_pictures(self, tensor: tf.Tensor) -> tf.Tensor:
        if tensor.shape.rank == 3:
            tensor = tensor[tf.newaxis]
        tensor = tf.cast(tensor, tf.float32)
        return tensor if self._binding.input_channels_last else tf.transpose(tensor, [0, 2, 3, 1])

    def pixels(self, method: PixelMethod, slot: int) -> tf.Tensor:
        """A pixel method's map: float32 [N, H, W, C]."""
        return self._once(("pixels", method.name, slot), lambda: self._pixels(method, slot))

    def _pixels(self, method: PixelMethod, slot: int) -> tf.Tensor:
        pixels = self.pixel_tensor()
        score = self.score(method.head, slot)
        with method.rule() as reached:
            grads = gradients(score, [pixels])[0]
        if reached.count == 0:
            raise GradientError(
                f"{method.name} changed no activation between '{pixels.name}' and '{self._binding.logits}': the net "
                "has no Relu or Relu6 op there that its rule could reach, so the result would be a plain gradient in "
                "disguise. Use a layer method such as gradcam"
            )
        return self._as_pictures(grads)


def gradients(score: tf.Tensor, targets: List[tf.Tensor]) -> List[tf.Tensor]:
    """d(sum of score)/d(target) for each target, none of them None.

    Raises: GradientError naming the op that blocks.
    """
    try:
        grads = tf.gradients(score, targets)
    except LookupError:
        grads = [None] * len(targets)
    for target, grad in zip(targets, grads):
        if grad is None:
            raise GradientError(explain_missing_gradient(score, target))
    return [tf.convert_to_tensor(grad) for grad in grads]


def pixel_tensor(graph: tf.Graph, binding: Binding) -> tf.Tensor:
    """The input, or, where it holds integers, the first float tensor made from it: what dy/dx is taken by.

    Raises: GradientError where no float tensor follows the input.
    """
    level = [graph.get_tensor_by_name(binding.input)]
    seen = set(level[0].op.outputs)
    while level:
        for tensor in level:
            if tensor.dtype.is_floating and tensor.shape.rank in (3, 4):
                return tensor
        consumers = [op for tensor in level for op in tensor.consumers() if op.type not in SHAPE_OPS]
        level = [output for op in consumers for output in op.outputs if output not in seen]
        seen.update(level)
    raise GradientError(f"no picture of floats is made from '{binding.input}'; pixel methods need one")


def _with_row(columns: tf.Tensor) -> tf.Tensor:
    """[N] column numbers -> [N, 2] indices (row, column) for gather_nd."""
    return tf.stack([tf.range(tf.shape(columns)[0]), columns], axis=1)


def _channels_last(tensor: tf.Tensor, layer: LayerInfo) -> tf.Tensor:
    tensor = tf.cast(tensor, tf.float32)
    if layer.channels_last:
        return tensor
    rank = tensor.shape.rank
    return tf.transpose(tensor, [0, *range(2, rank), 1])
