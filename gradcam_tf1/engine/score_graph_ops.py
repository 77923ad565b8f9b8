"""The ops that make a target's score: placeholders for what the target needs, class ids, and the score itself."""

from __future__ import annotations

from typing import Callable, ContextManager, Dict, Hashable, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from gradcam_tf1.engine.broken_weights import weights_are_nan, weights_to_read
from gradcam_tf1.engine.built_once import BuiltOnce
from gradcam_tf1.errors import OptionError
from gradcam_tf1.methods.base import LOGIT
from gradcam_tf1.scoring.box_reader import BoxReader, class_shares, confidences, read_boxes
from gradcam_tf1.scoring.class_scores import HEADS, class_probabilities, score_maps
from gradcam_tf1.scoring.score_functions import SCORES, VALUES, at_columns
from gradcam_tf1.scoring.score_ops import ScoreOps
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import Binding, ScoreKey, ScoreRequest, Slot

BEST = 5  # classes of each image that are listed with their scores


class ScoreGraphOps(ScoreOps):
    """The ops of the scores of one net. The graph is finalized whenever none of these methods is at work.

    Parameters
    ----------
    graph : tf.Graph
        The private graph that holds the net.
    binding : Binding
        Its key tensors.
    building : Callable, optional
        The context in which ops may be added, see `BuiltOnce`.
    """

    def __init__(
        self,
        graph: tf.Graph,
        binding: Binding,
        building: Optional[Callable[[], ContextManager[tf.Graph]]] = None,
    ) -> None:
        self._graph = graph
        self._binding = binding
        self._once = BuiltOnce(graph, building)
        self.scores("logit")
        graph.finalize()

    def scores(self, head: str) -> tf.Tensor:
        """Return the scores of all classes: float32 [N, C]."""
        return self._once(("scores", head), lambda: HEADS[head](self._binding))

    def best(self) -> Tuple[tf.Tensor, tf.Tensor]:
        """Return the scores and the ids of the best classes of each image, at most BEST: float32, int32 [N, k]."""
        return self._once("best", lambda: _best(self.scores("logit")))

    def broken(self) -> tf.Tensor:
        """Return whether the scores of an image hold NaN or +infinity, or the weights NaN: no top class; bool [N]."""
        return self._once("broken", lambda: tf.logical_or(self.broken_scores(), weights_are_nan(*self._ends())))

    def _ends(self) -> List[tf.Tensor]:
        return [self._graph.get_tensor_by_name(name) for name in (self._binding.input, self._binding.logits)]

    def broken_scores(self) -> tf.Tensor:
        """Return whether the scores of an image hold NaN or +infinity: bool [N]."""
        return self._once("broken scores", lambda: _is_broken(self.scores("logit")))

    def weights(self) -> Sequence[tf.Tensor]:
        """Return what of the weights has to be read to find NaN, see `broken_weights`."""
        return self._once("weights", lambda: weights_to_read(*self._ends()))

    def probabilities(self) -> tf.Tensor:
        """Return the probabilities of all classes: float32 [N, C]. Only where the binding has them."""
        return self._once("probabilities", lambda: class_probabilities(self._binding))

    @property
    def graph(self) -> tf.Graph:
        """The graph that holds the net."""
        return self._graph

    def score_maps(self) -> tf.Tensor:
        """Return the logits with their positions or anchors: float32 [N, ..., C]."""
        return self._once("score maps", lambda: score_maps(self._binding))

    def boxes(self, reader: BoxReader) -> tf.Tensor:
        """Return the boxes of all anchors: float32 [N, anchors, 4], top, left, bottom, right, shares of the input."""
        return self._once(("boxes", reader), lambda: read_boxes(reader, self._binding))

    def confidences(self, reader: BoxReader) -> tf.Tensor:
        """Return the confidence of each class at each anchor: float32 [N, anchors, C]."""
        return self._once(("confidences", reader), lambda: confidences(reader, self._binding))

    def class_shares(self, reader: BoxReader) -> Tuple[tf.Tensor, tf.Tensor]:
        """Return class probabilities [N, anchors, C] and objectness [N, anchors], see `box_reader.class_shares`."""
        return self._once(("class shares", reader), lambda: class_shares(reader, self._binding))

    def embedding(self) -> tf.Tensor:
        """Return the logits tensor as one vector per image: float32 [N, D]."""
        return self._once("embedding", lambda: _as_vectors(self.score_maps()))

    def value(self, name: str, slot: Slot) -> tf.Tensor:
        """Return the placeholder for one of a slot's values: VALUES[name], the image axis first."""
        dtype, rank = VALUES[name]
        return self._once(
            ("value", name, slot), lambda: tf.placeholder(dtype, [None] * rank, name=f"{name}_{slot.index}")
        )

    def fix(self, name: str, slot: Slot, number: int) -> None:
        """Give a slot one value for all images in place of a placeholder. Call it before `value`."""
        images = self.scores("logit")
        self._once(("value", name, slot), lambda: tf.fill(tf.shape(images)[:1], tf.constant(number, VALUES[name][0])))

    def once(self, key: Hashable, build: Callable[[], tf.Tensor]) -> tf.Tensor:
        """Return a tensor that `build` adds to the graph, or added before, see `BuiltOnce`."""
        return self._once(key, build)

    def fed(self, request: ScoreRequest, slot: Slot) -> Dict[tf.Tensor, np.ndarray]:
        """Return what a target feeds: its values to the slot's placeholders, its inputs to the net's own tensors."""
        own = {self.value(name, slot): values for name, values in request.values.items()}
        return {**self.inputs(request.inputs), **own}

    def inputs(self, given: Mapping[str, np.ndarray]) -> Dict[tf.Tensor, np.ndarray]:
        """Return the net's own tensors of these names with what they are fed."""
        return {self._graph.get_tensor_by_name(name): values for name, values in given.items()}

    def class_ids(self, slot: Slot) -> tf.Tensor:
        """Return the class ids that a slot's codes stand for: int32 [N]."""
        return self._once(("class_ids", slot), lambda: self._class_ids(self.value("code", slot)))

    def rival_ids(self, slot: Slot) -> tf.Tensor:
        """Return the ids of the classes that these are compared with: int32 [N]."""
        return self._once(("rival_ids", slot), lambda: self._class_ids(self.value("rival", slot)))

    def _class_ids(self, codes: tf.Tensor) -> tf.Tensor:
        ranking = self._once("ranking", self._ranking)
        ranks = tf.maximum(-codes - 1, 0)
        return tf.where_v2(codes >= 0, codes, at_columns(ranking, ranks))

    def _ranking(self) -> tf.Tensor:
        scores = self.scores("logit")
        return tf.nn.top_k(scores, k=tf.shape(scores)[1]).indices

    def score(self, head: ScoreKey, slot: Slot) -> tf.Tensor:
        """Return what a slot differentiates: float32 [N].

        Parameters
        ----------
        head : ScoreKey
            LOGIT for the slot's own score, or the score of a method with a head of its own.
        slot : Slot
            The target.

        Raises
        ------
        OptionError
            Where the target is not a class score, so that no other head can take its place.
        """
        return self._once(("score", head, slot), lambda: self._score(head, slot))

    def _score(self, head: ScoreKey, slot: Slot) -> tf.Tensor:
        if head != LOGIT and slot.score != LOGIT:
            raise OptionError(
                f"a method that looks at the {head[0]} head explains class scores only, not {slot.score[0]!r} targets"
            )
        name, *options = slot.score if head == LOGIT else head
        return SCORES[name](self, slot, *options)


def _best(scores: tf.Tensor) -> Tuple[tf.Tensor, tf.Tensor]:
    found = tf.nn.top_k(scores, k=tf.minimum(BEST, tf.shape(scores)[1]))
    return found.values, found.indices


def _is_broken(scores: tf.Tensor) -> tf.Tensor:
    """scores: float [N, C]. A score of -infinity is that of a class that was masked.

    TensorFlow's optimizer makes not (s < inf) into s >= inf, which NaN is not; so "not" is behind "all".
    """
    return tf.logical_not(tf.reduce_all(scores < np.inf, axis=1))


def _as_vectors(tensor: tf.Tensor) -> tf.Tensor:
    return tf.reshape(tensor, [tf.shape(tensor)[0], -1])
