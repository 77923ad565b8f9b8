"""The scores y that can be explained, one function each: (symbols, slot, options of the target) -> float32 [N].

The class of a slot is `symbols.class_ids(slot)`; further values of a target come through placeholders.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, Tuple

import numpy as np

from gradcam_tf1.errors import TargetError
from gradcam_tf1.tf_runtime import tf

# value -> (dtype, rank): what a target may feed, the image axis first
VALUES: Dict[str, Tuple[Any, int]] = {
    "code": (np.int32, 1),
    "rival": (np.int32, 1),
    "mask": (np.float32, 3),
    "point": (np.float32, 2),
    "anchor": (np.int32, 1),
    "reference": (np.float32, 2),
}


def of_class(head: str) -> Callable[..., tf.Tensor]:
    """The score of the slot's class in a matrix of `heads.HEADS`."""
    return lambda symbols, slot: at_columns(symbols.scores(head), symbols.class_ids(slot))


def down(symbols: Any, slot: Any) -> tf.Tensor:
    """-y: what lowers an output, for regression."""
    return -at_columns(symbols.scores("logit"), symbols.class_ids(slot))


def margin(symbols: Any, slot: Any) -> tf.Tensor:
    """y_c - max over j != c of y_j: why this class and not its best rival."""
    scores, ids = symbols.scores("logit"), symbols.class_ids(slot)
    own = tf.one_hot(ids, tf.shape(scores)[1], on_value=True, off_value=False, dtype=tf.bool)
    rivals = tf.where_v2(own, tf.fill(tf.shape(scores), -np.inf), scores)
    return at_columns(scores, ids) - tf.reduce_max(rivals, axis=1)


def finer(symbols: Any, slot: Any, rivals: int, gamma: float) -> tf.Tensor:
    """Finer-CAM: y_c - gamma mean_d y_d over the `rivals` classes d whose scores are nearest to y_c.

    What c shares with its rivals cancels out, since the gradient is linear in the score. The paper takes the mean over
    3 rivals, for the top class the second to fourth, and finds gamma = 0.6 best; the authors' later code has gamma = 1
    and weighs the rivals by their probabilities.

    References
    ----------
    https://arxiv.org/abs/2501.11309
    """
    scores, ids = symbols.scores("logit"), symbols.class_ids(slot)
    own = at_columns(scores, ids)
    itself = tf.one_hot(ids, tf.shape(scores)[1], on_value=True, off_value=False, dtype=tf.bool)
    nearness = -tf.where_v2(itself, tf.fill(tf.shape(scores), np.inf), tf.abs(scores - own[:, tf.newaxis]))
    nearest = tf.nn.top_k(nearness, k=tf.minimum(rivals, tf.shape(scores)[1] - 1)).indices
    return own - gamma * tf.reduce_mean(tf.gather(scores, nearest, batch_dims=1), axis=1)


def contrast(symbols: Any, slot: Any) -> tf.Tensor:
    """y_a - y_b: why class a and not class b."""
    scores = symbols.scores("logit")
    return at_columns(scores, symbols.class_ids(slot)) - at_columns(scores, symbols.rival_ids(slot))


def region(symbols: Any, slot: Any) -> tf.Tensor:
    """Seg-Grad-CAM: the class's scores summed over a mask, sum_ij M_ij y_ijc. https://arxiv.org/abs/2002.11434

    The mask, float32 [N, H, W] over the net's input, is averaged to the grid of the scores.
    """
    maps = _class_maps(symbols, slot)
    mask = tf.image.resize_area(symbols.value("mask", slot)[..., tf.newaxis], tf.shape(maps)[1:3])[..., 0]
    return tf.reduce_sum(mask * maps, axis=[1, 2])


def own_region(symbols: Any, slot: Any) -> tf.Tensor:
    """Seg-Grad-CAM over the positions where the net itself predicts the class."""
    best = tf.argmax(_score_maps(symbols), axis=-1, output_type=tf.int32)
    here = tf.cast(tf.equal(best, symbols.class_ids(slot)[:, tf.newaxis, tf.newaxis]), tf.float32)
    return tf.reduce_sum(here * _class_maps(symbols, slot), axis=[1, 2])


def point(symbols: Any, slot: Any) -> tf.Tensor:
    """The class's score at one position, given as (row, column) shares of the net's input, 0..1."""
    maps = _class_maps(symbols, slot)
    size = tf.shape(maps)[1:3]
    cells = tf.cast(symbols.value("point", slot) * tf.cast(size, tf.float32), tf.int32)
    cells = tf.minimum(cells, size - 1)
    return tf.gather_nd(maps, tf.concat([_rows(maps)[:, tf.newaxis], cells], axis=1))


def anchor(symbols: Any, slot: Any) -> tf.Tensor:
    """A detector's score of the class at one anchor, before non-maximum suppression."""
    scores, index = _anchor_scores(symbols, slot), symbols.value("anchor", slot)
    with tf.control_dependencies([_enough_anchors(tf.reduce_max(index) + 1, scores)]):
        return at_columns(scores, tf.identity(index))


def anchors(symbols: Any, slot: Any, best: int) -> tf.Tensor:
    """The sum of a detector's best anchors for the class, before non-maximum suppression."""
    scores = _anchor_scores(symbols, slot)
    with tf.control_dependencies([_enough_anchors(best, scores)]):
        return tf.reduce_sum(tf.nn.top_k(scores, k=best).values, axis=1)


def _enough_anchors(wanted: Any, scores: tf.Tensor) -> tf.Operation:
    """On a GPU a number out of range would read zeros."""
    there = tf.shape(scores)[1]
    return tf.debugging.Assert(wanted <= there, ["anchors asked for:", wanted, "anchors of the net:", there])


def similarity(symbols: Any, slot: Any) -> tf.Tensor:
    """cos(e, r): how near the net's output e is to that of a reference image, r, float32 [N, D]."""
    embedding = symbols.embedding()
    return tf.reduce_sum(
        tf.math.l2_normalize(embedding, axis=1) * tf.math.l2_normalize(symbols.value("reference", slot), axis=1), axis=1
    )


def scalar(symbols: Any, _slot: Any, source: Any) -> tf.Tensor:
    """A tensor by name, or what a callable makes of the graph: one number per image, [N].

    Raises: TargetError where there is no such tensor, or it has another shape or kind.
    """
    found = source(symbols.graph) if callable(source) else _tensor(symbols.graph, source)
    if not isinstance(found, tf.Tensor) or not found.dtype.is_floating or found.shape.rank not in (1, 2):
        raise TargetError(f"a scalar target is one float per image, a tensor of shape [N] or [N, 1]; got {found}")
    return tf.reshape(tf.cast(found, tf.float32), [-1])


def _tensor(graph: tf.Graph, name: str) -> tf.Tensor:
    try:
        return graph.get_tensor_by_name(name if ":" in name else f"{name}:0")
    except (KeyError, ValueError) as error:
        raise TargetError(f"no tensor {name!r} in the graph for a scalar target; give its full name, 'op:0'") from error


SCORES: Dict[str, Callable[..., tf.Tensor]] = {
    "logit": of_class("logit"),
    "probability": of_class("probability"),
    "log_probability": of_class("log_probability"),
    "rest": of_class("rest"),
    "positive": of_class("positive"),
    "negative": of_class("negative"),
    "margin": margin,
    "finer": finer,
    "down": down,
    "contrast": contrast,
    "region": region,
    "own_region": own_region,
    "point": point,
    "anchor": anchor,
    "anchors": anchors,
    "similarity": similarity,
    "scalar": scalar,
}

# the scores of a plain class target
CLASS_SCORES = ("logit", "probability", "log_probability", "margin", "down")


def at_columns(matrix: tf.Tensor, columns: tf.Tensor) -> tf.Tensor:
    """One value of each row: [N, C], int32 [N] -> [N]."""
    return tf.gather_nd(matrix, tf.stack([_rows(matrix), columns], axis=1))


def _rows(tensor: tf.Tensor) -> tf.Tensor:
    return tf.range(tf.shape(tensor)[0])


def _score_maps(symbols: Any) -> tf.Tensor:
    maps = symbols.score_maps()
    if maps.shape.rank != 4:
        raise TargetError(
            f"regions and points are for segmentation nets, with scores [N, h, w, C]; the logits here are {maps.shape}"
        )
    return maps


def _class_maps(symbols: Any, slot: Any) -> tf.Tensor:
    maps = _score_maps(symbols)
    own = tf.one_hot(symbols.class_ids(slot), tf.shape(maps)[3])
    return tf.reduce_sum(maps * own[:, tf.newaxis, tf.newaxis], axis=3)


def _anchor_scores(symbols: Any, slot: Any) -> tf.Tensor:
    scores = symbols.score_maps()
    if scores.shape.rank != 3:
        raise TargetError(
            f"anchors are for detectors, with scores [N, anchors, C] before non-maximum suppression; "
            f"the logits here are {scores.shape}"
        )
    own = tf.one_hot(symbols.class_ids(slot), tf.shape(scores)[2])
    return tf.reduce_sum(scores * own[:, tf.newaxis], axis=2)
