"""The ops of relevance: at the images, at layers, and what they start from."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, List, Sequence, Tuple

from gradcam_tf1.errors import OptionError
from gradcam_tf1.gradients.gradient_path import net_outputs
from gradcam_tf1.gradients.relevance import RelevanceComposite, relevances, start_of
from gradcam_tf1.gradients.relevance_path import RelevancePath
from gradcam_tf1.methods.base import LOGIT
from gradcam_tf1.methods.layer_maps import spread
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import LayerInfo, Slot

if TYPE_CHECKING:
    from gradcam_tf1.engine.graph_ops import GraphOps

Start = Tuple[List["tf.Tensor"], List["tf.Tensor"]]  # the net's outputs, and their relevance


class RelevanceOps:
    """Builds the ops of relevance, each once.

    Parameters
    ----------
    ops : GraphOps
        The ops of the net.
    """

    def __init__(self, ops: GraphOps) -> None:
        self._ops = ops

    def images(self, how: RelevanceComposite, slot: Slot) -> tf.Tensor:
        """Return the relevance of the float images, in their own layout."""
        return self._ops.once(("relevance", how, slot), lambda: self._images(how, slot))

    def _images(self, how: RelevanceComposite, slot: Slot) -> tf.Tensor:
        outputs, start = self._start(slot)
        pixels = self._ops.float_images().tensor
        path = self._path(outputs, pixels, [pixels])
        if how.first == "zb":
            low, high = (self._ops.in_layout(end) for end in self.ends())
            how = how._replace(settings=how.settings._replace(low=low, high=high))
        return relevances(path, outputs, start, [pixels], how)[0]

    def ends(self) -> Tuple[tf.Tensor, tf.Tensor]:
        """Return the placeholders of the smallest and the largest images: float32 [N, H, W, C]."""
        shape = self._ops.images().shape
        low, high = self._ops.once(
            "range of images", lambda: [tf.placeholder(tf.float32, shape, name=name) for name in ("low", "high")]
        )
        return low, high

    def start(self, slot: Slot) -> Tuple[tf.Tensor, tf.Tensor]:
        """Return what the relevance of the outputs adds up to, and the score: float32 [N] each."""

        def added_up() -> tf.Tensor:
            images = tf.shape(self._ops.score(LOGIT, slot))[0]
            rows = [tf.reshape(tf.cast(part, tf.float32), [images, -1]) for part in self._start(slot)[1]]
            return tf.reduce_sum(tf.concat(rows, axis=1), axis=1)

        return self._ops.once(("relevance starts", slot), added_up), self._ops.score(LOGIT, slot)

    def _start(self, slot: Slot) -> Start:
        def build() -> Start:
            score = self._ops.score(LOGIT, slot)
            outputs = net_outputs(score)
            return outputs, start_of(score, outputs)

        found: Start = self._ops.once(("relevance start", slot), build)
        return found

    def _path(self, outputs: Sequence[tf.Tensor], start: tf.Tensor, wanted: Sequence[tf.Tensor]) -> RelevancePath:
        names = tuple(tensor.name for tensor in (*outputs, start, *wanted))
        found: RelevancePath = self._ops.once(("relevance path", names), lambda: self._new_path(outputs, start, wanted))
        return found

    def _new_path(self, outputs: Sequence[tf.Tensor], start: tf.Tensor, wanted: Sequence[tf.Tensor]) -> RelevancePath:
        return RelevancePath(outputs, start, wanted, self._ops.untaken())

    def note(self, how: RelevanceComposite, slot: Slot) -> str:
        """Return one sentence on which rule how many layers with weights have."""
        pixels = self._ops.float_images().tensor
        counts = Counter(how.rule_of(layer) for layer in self._path(self._start(slot)[0], pixels, [pixels]).layers)
        listed = ", ".join(f"{rule} in {count}" for rule, count in counts.items())
        return f"rules by layers with weights: {listed or 'none'}"

    def cams(
        self, how: RelevanceComposite, layers: Tuple[LayerInfo, ...], slot: Slot, by_channel: bool
    ) -> List[tf.Tensor]:
        """Return Relevance-CAM of each of `spread(layers)`: float32 [N, h, w], or its summands [N, h, w, K]."""
        weighed = self._ops.once(("relevance cams", how, layers, slot), lambda: self._weighed(how, layers, slot))
        if by_channel:
            return list(weighed)
        sums: List[tf.Tensor] = self._ops.once(
            ("relevance cam sums", how, layers, slot), lambda: [tf.reduce_sum(each, axis=-1) for each in weighed]
        )
        return sums

    def _weighed(self, how: RelevanceComposite, layers: Tuple[LayerInfo, ...], slot: Slot) -> List[tf.Tensor]:
        parts = list(dict.fromkeys(spread(layers)))
        tensors = [self._ops.layer_tensor(part) for part in parts]
        outputs, start = self._contrastive(slot)
        path = self._path(outputs, self._ops.input_tensor(), tensors)
        found = dict(zip(parts, relevances(path, outputs, start, tensors, how)))
        answer = []
        for part in spread(layers):
            relevance = self._ops.as_map(found[part], part)
            positions = list(range(1, relevance.shape.rank - 1))
            weights = tf.reduce_mean(relevance, axis=positions, keepdims=True)
            answer.append(weights * self._ops.features(part))
        return answer

    def _contrastive(self, slot: Slot) -> Start:
        """Return the start of Relevance-CAM: 1 at the class, -1 / (C - 1) at the others.

        Raises
        ------
        OptionError
            Where the target is not a class score.
        """
        if slot.score != LOGIT:
            raise OptionError(
                f"relevance_cam compares a class with the others, and explains class scores only, not "
                f"{slot.score[0]!r} targets; use lrp_zplus"
            )
        scores = self._ops.scores("logit")
        classes = tf.shape(scores)[1]
        own = tf.one_hot(self._ops.class_ids(slot), classes, dtype=scores.dtype)
        against = tf.maximum(tf.cast(classes, scores.dtype) - 1, 1)
        outputs = net_outputs(scores)
        # not times the scores: the class would lose its place with the sign of its score, and one high rival drown all
        return outputs, tf.gradients(scores, outputs, grad_ys=own - (1 - own) / against, stop_gradients=outputs)
