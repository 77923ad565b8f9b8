"""The scores of a detector that says for each anchor whether there is an object, and of which class."""

from __future__ import annotations

from typing import List

from gradcam_tf1.scoring.axes import classes_last
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import Binding, ScorePart


def detector_scores(binding: Binding) -> tf.Tensor:
    """float32 [N, anchors, C], the anchors of all scales in the order in which the net joins them.

    The score is the logit of the detector's confidence, objectness times class, p = sigmoid(o) sigmoid(c):
    log(p / (1 - p)) = -log(exp(-o) + exp(-c) + exp(-o - c)). It ranks as p does, does not saturate, and is c where the
    object is certain.
    """
    return tf.concat([_of_scale(part, binding) for part in binding.score_parts], axis=1)


def _of_scale(part: ScorePart, binding: Binding) -> tf.Tensor:
    graph = tf.get_default_graph()
    columns = _as_anchors(classes_last(graph.get_tensor_by_name(part.scores), part.axes, binding))
    classes = columns[..., part.first :]
    if part.exclusive:
        classes = softmax_logits(classes)
    if part.objectness:
        objectness = tf.cast(graph.get_tensor_by_name(part.objectness), tf.float32)
        objectness = tf.reshape(objectness, tf.concat([tf.shape(classes)[:2], [1]], axis=0))
    else:
        objectness = columns[..., part.first - 1 : part.first]
    both = objectness + classes
    return -tf.reduce_logsumexp(tf.stack([-objectness + tf.zeros_like(classes), -classes, -both]), axis=0)


def _as_anchors(classes: tf.Tensor) -> tf.Tensor:
    rank = classes.shape.rank
    if rank == 3:
        return classes
    sides: List[tf.Tensor] = [tf.shape(classes)[0], -1, tf.shape(classes)[-1]]
    flat = tf.reshape(classes, sides)
    flat.set_shape([None, None, classes.shape[-1]])
    return flat


def softmax_logits(scores: tf.Tensor) -> tf.Tensor:
    """log(p / (1 - p)) of p = softmax(scores) over the last axis: a score minus logsumexp of all others.

    The others of the best class are summed without it; elsewhere 1 - p is at least a half, and safe to take.
    """
    best = tf.one_hot(tf.argmax(scores, axis=-1), tf.shape(scores)[-1], on_value=True, off_value=False, dtype=tf.bool)
    total = tf.reduce_logsumexp(scores, axis=-1, keepdims=True)
    rivals = tf.reduce_logsumexp(tf.where_v2(best, tf.fill(tf.shape(scores), -1e30), scores), axis=-1, keepdims=True)
    share = tf.where_v2(best, tf.zeros_like(scores), tf.exp(scores - total))
    return scores - tf.where_v2(best, rivals + tf.zeros_like(scores), total + tf.math.log1p(-share))
