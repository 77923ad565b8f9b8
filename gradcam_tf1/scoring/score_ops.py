"""What the score functions need of a net's graph."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Tuple

from gradcam_tf1.scoring.box_reader import BoxReader
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import Slot


class ScoreOps(ABC):
    """The ops of one net from which scores are made; `engine.graph_ops.GraphOps` provides them."""

    @property
    @abstractmethod
    def graph(self) -> tf.Graph:
        """The graph that holds the net."""

    @abstractmethod
    def scores(self, head: str) -> tf.Tensor:
        """Return the scores of all classes, float32 [N, C]; `head` is a key of `class_scores.HEADS`."""

    @abstractmethod
    def score_maps(self) -> tf.Tensor:
        """Return the logits with their positions or anchors, float32 [N, ..., C]."""

    @abstractmethod
    def embedding(self) -> tf.Tensor:
        """Return the logits as one vector per image, float32 [N, D]."""

    @abstractmethod
    def boxes(self, reader: BoxReader) -> tf.Tensor:
        """Return the boxes of all anchors, float32 [N, anchors, 4]: top, left, bottom, right, shares of the input."""

    @abstractmethod
    def class_shares(self, reader: BoxReader) -> Tuple[tf.Tensor, tf.Tensor]:
        """Return class probabilities [N, anchors, C] and objectness [N, anchors], see `box_reader.class_shares`."""

    @abstractmethod
    def value(self, name: str, slot: Slot) -> tf.Tensor:
        """Return the placeholder of one value of a slot; `name` is a key of `score_functions.VALUES`."""

    @abstractmethod
    def class_ids(self, slot: Slot) -> tf.Tensor:
        """Return the class ids of a slot's codes, int32 [N]."""

    @abstractmethod
    def rival_ids(self, slot: Slot) -> tf.Tensor:
        """Return the class ids that a slot's classes are compared with, int32 [N]."""
