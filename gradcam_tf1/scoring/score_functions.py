"""The scores y that can be explained, one function each: (ops, slot, the target's options) -> float32 [N].

The class of a slot is `ops.class_ids(slot)`. Other values of a target are fed to placeholders, `ops.value(name, slot)`.
"""

from __future__ import annotations

from typing import Callable, Dict, Tuple, Type, Union

import numpy as np

from gradcam_tf1.errors import TargetError
from gradcam_tf1.scoring.box_reader import BoxReader, overlaps
from gradcam_tf1.scoring.score_ops import ScoreOps
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import Slot

# values that a target may feed: name -> (dtype, rank with the image axis first)
VALUES: Dict[str, Tuple[Type[np.generic], int]] = {
    "code": (np.int32, 1),
    "rival": (np.int32, 1),
    "mask": (np.float32, 3),
    "point": (np.float32, 2),
    "anchor": (np.int32, 1),
    "reference": (np.float32, 2),
    "box": (np.float32, 2),
    "likeness": (np.float32, 2),
}


def of_class(head: str) -> Callable[..., tf.Tensor]:
    """Return the function for y_c of a head, a key of `class_scores.HEADS`."""
    return lambda ops, slot: at_columns(ops.scores(head), ops.class_ids(slot))


def down(ops: ScoreOps, slot: Slot) -> tf.Tensor:
    """-y_c: what lowers an output, for regression nets."""
    return -at_columns(ops.scores("logit"), ops.class_ids(slot))


def margin(ops: ScoreOps, slot: Slot) -> tf.Tensor:
    """y_c - max_{j != c} y_j: why this class and not its best rival."""
    scores, ids = ops.scores("logit"), ops.class_ids(slot)
    own = tf.one_hot(ids, tf.shape(scores)[1], on_value=True, off_value=False, dtype=tf.bool)
    lowest = tf.fill(tf.shape(scores), scores.dtype.min)  # converted to ONNX, infinity makes NaN of the others
    rivals = tf.where_v2(own, lowest, scores)
    return at_columns(scores, ids) - tf.reduce_max(rivals, axis=1)


def finer(ops: ScoreOps, slot: Slot, rivals: int, gamma: float) -> tf.Tensor:
    """Finer-CAM: y_c - gamma mean_d y_d over the `rivals` classes d whose scores are nearest to y_c.

    What c shares with its rivals cancels out, because the gradient is linear in the score. The paper averages 3 rivals,
    for the top class the second to fourth, and finds gamma = 0.6 best; the authors' later code has gamma = 1 and weighs
    the rivals by their probabilities.

    References
    ----------
    https://arxiv.org/abs/2501.11309
    """
    scores, ids = ops.scores("logit"), ops.class_ids(slot)
    own = at_columns(scores, ids)
    is_own = tf.one_hot(ids, tf.shape(scores)[1], on_value=True, off_value=False, dtype=tf.bool)
    farthest = tf.fill(tf.shape(scores), scores.dtype.max)  # converted to ONNX, infinity makes NaN of the others
    nearness = -tf.where_v2(is_own, farthest, tf.abs(scores - own[:, tf.newaxis]))
    nearest = tf.nn.top_k(nearness, k=tf.minimum(rivals, tf.shape(scores)[1] - 1)).indices
    return own - gamma * tf.reduce_mean(_at_several(scores, nearest), axis=1)


def contrast(ops: ScoreOps, slot: Slot) -> tf.Tensor:
    """y_a - y_b: why class a and not class b."""
    scores = ops.scores("logit")
    return at_columns(scores, ops.class_ids(slot)) - at_columns(scores, ops.rival_ids(slot))


def region(ops: ScoreOps, slot: Slot) -> tf.Tensor:
    """Seg-Grad-CAM: sum_ij M_ij y_ijc, the scores of the class summed over a mask.

    The mask M, float32 [N, H, W] over the net's input, is averaged to the grid of the scores.

    References
    ----------
    https://arxiv.org/abs/2002.11434
    """
    maps = _class_maps(ops, slot)
    mask = tf.image.resize_area(ops.value("mask", slot)[..., tf.newaxis], tf.shape(maps)[1:3])[..., 0]
    return tf.reduce_sum(mask * maps, axis=[1, 2])


def own_region(ops: ScoreOps, slot: Slot) -> tf.Tensor:
    """Seg-Grad-CAM over the positions where the net itself predicts the class."""
    best = tf.argmax(_score_maps(ops), axis=-1, output_type=tf.int32)
    mask = tf.cast(tf.equal(best, ops.class_ids(slot)[:, tf.newaxis, tf.newaxis]), tf.float32)
    return tf.reduce_sum(mask * _class_maps(ops, slot), axis=[1, 2])


def point(ops: ScoreOps, slot: Slot) -> tf.Tensor:
    """y_ijc at one position (i, j), fed as (row, column) shares of the net's input, 0..1."""
    maps = _class_maps(ops, slot)
    size = tf.shape(maps)[1:3]
    cells = tf.cast(ops.value("point", slot) * tf.cast(size, tf.float32), tf.int32)
    cells = tf.minimum(cells, size - 1)
    return tf.gather_nd(maps, tf.concat([_rows(maps)[:, tf.newaxis], cells], axis=1))


def anchor(ops: ScoreOps, slot: Slot) -> tf.Tensor:
    """y_ac of one anchor a of a detector, before non-maximum suppression."""
    scores, index = _anchor_scores(ops, slot), ops.value("anchor", slot)
    with tf.control_dependencies([_enough_anchors(tf.reduce_max(index) + 1, scores)]):
        return at_columns(scores, tf.identity(index))


def anchors(ops: ScoreOps, slot: Slot, best: int) -> tf.Tensor:
    """Sum of y_ac over the `best` anchors of a detector with the highest scores, before non-maximum suppression."""
    scores = _anchor_scores(ops, slot)
    with tf.control_dependencies([_enough_anchors(best, scores)]):
        chosen = tf.nn.top_k(scores, k=best).indices  # by DeepLIFT the same anchors count at the reference
    return tf.reduce_sum(_at_several(scores, chosen), axis=1)


def _enough_anchors(requested: Union[int, tf.Tensor], scores: tf.Tensor) -> tf.Operation:
    """Check the number of anchors in the run: on a GPU an index out of range would read zeros."""
    count = tf.shape(scores)[1]
    return tf.debugging.Assert(requested <= count, ["anchors requested:", requested, "anchors of the net:", count])


def box_side(ops: ScoreOps, slot: Slot, reader: BoxReader, side: int) -> tf.Tensor:
    """Where one side of the box of an anchor is: 0 top, 1 left, 2 bottom, 3 right, as a share of the input."""
    return at_columns(ops.boxes(reader)[..., side], ops.value("anchor", slot))


def drise(ops: ScoreOps, slot: Slot, reader: BoxReader) -> tf.Tensor:
    """D-RISE: max_j IoU(L, L_j) cos(P, P_j) O_j over the proposals j of box L_j, classes P_j and objectness O_j.

    L is fed as "box", P as "likeness". See `box_reader.class_shares` for nets without objectness.

    References
    ----------
    https://arxiv.org/abs/2006.03204
    """
    shares, objectness = ops.class_shares(reader)
    own = tf.math.l2_normalize(ops.value("likeness", slot), axis=1)[:, tf.newaxis]
    likeness = tf.reduce_sum(tf.math.l2_normalize(shares, axis=2, epsilon=1e-30) * own, axis=2)
    return tf.reduce_max(overlaps(ops.boxes(reader), ops.value("box", slot)) * likeness * objectness, axis=1)


def keypoint(ops: ScoreOps, slot: Slot) -> tf.Tensor:
    """max_ij y_ijk of one heat map k."""
    return tf.reduce_max(_one_map(ops, slot), axis=[1, 2])


def total(ops: ScoreOps, slot: Slot) -> tf.Tensor:
    """sum_ij y_ijk of one density map k."""
    return tf.reduce_sum(_one_map(ops, slot), axis=[1, 2])


def total_inside(ops: ScoreOps, slot: Slot) -> tf.Tensor:
    """sum_ij M_ij y_ijk of one density map k, M the share of each cell inside the mask."""
    maps = _one_map(ops, slot)
    mask = tf.image.resize_area(ops.value("mask", slot)[..., tf.newaxis], tf.shape(maps)[1:3])[..., 0]
    return tf.reduce_sum(mask * maps, axis=[1, 2])


def similarity(ops: ScoreOps, slot: Slot) -> tf.Tensor:
    """cos(e, r): similarity of the net's output e to r, that of a reference image, float32 [N, D]."""
    embedding = ops.embedding()
    return tf.reduce_sum(
        tf.math.l2_normalize(embedding, axis=1) * tf.math.l2_normalize(ops.value("reference", slot), axis=1), axis=1
    )


def scalar(ops: ScoreOps, _slot: Slot, source: Union[str, Callable[[tf.Graph], tf.Tensor]]) -> tf.Tensor:
    """Return a tensor of one number per image, [N].

    Parameters
    ----------
    ops : ScoreOps
        The ops of the net.
    source : str or callable
        Name of the tensor, or a function that builds it in the net's graph.

    Returns
    -------
    tf.Tensor
        float32 [N].

    Raises
    ------
    TargetError
        If there is no such tensor, or it is not a float tensor [N] or [N, 1].
    """
    tensor = source(ops.graph) if callable(source) else _tensor(ops.graph, source)
    if not isinstance(tensor, tf.Tensor) or not tensor.dtype.is_floating or tensor.shape.rank not in (1, 2):
        raise TargetError(
            f"a Scalar target needs one float per image, a tensor of shape [N] or [N, 1], not {tensor}; name another"
        )
    return tf.reshape(tf.cast(tensor, tf.float32), [-1])


def _tensor(graph: tf.Graph, name: str) -> tf.Tensor:
    try:
        return graph.get_tensor_by_name(name if ":" in name else f"{name}:0")
    except (KeyError, ValueError) as error:
        raise TargetError(f"no tensor {name!r} in the graph for a Scalar target; give its full name, 'op:0'") from error


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
    "box_side": box_side,
    "drise": drise,
    "keypoint": keypoint,
    "total": total,
    "total_inside": total_inside,
    "similarity": similarity,
    "scalar": scalar,
}

# possible values of the option `score`, for plain class targets
CLASS_SCORES = ("logit", "probability", "log_probability", "margin", "down")


def at_columns(matrix: tf.Tensor, columns: tf.Tensor) -> tf.Tensor:
    """Pick one value of each row: [N, C], int32 [N] -> [N]."""
    return tf.gather_nd(matrix, tf.stack([_rows(matrix), columns], axis=1))


def _at_several(matrix: tf.Tensor, columns: tf.Tensor) -> tf.Tensor:
    """Pick values of each row: [N, C], int32 [N, k] -> [N, k]. The gradient of tf.gather would sum segments."""
    rows = tf.zeros_like(columns) + _rows(matrix)[:, tf.newaxis]
    return tf.gather_nd(matrix, tf.stack([rows, columns], axis=2))


def _rows(tensor: tf.Tensor) -> tf.Tensor:
    return tf.range(tf.shape(tensor)[0])


def _score_maps(ops: ScoreOps) -> tf.Tensor:
    maps = ops.score_maps()
    if maps.shape.rank != 4:
        raise TargetError(
            f"Region, Keypoint and Total targets need maps of scores, [N, h, w, C]; the logits here are {maps.shape}: "
            "name other logits, or explain a class"
        )
    return maps


def _one_map(ops: ScoreOps, slot: Slot) -> tf.Tensor:
    """Return the map of a slot's class as a channel: the only map is channel 0, whatever its sign means elsewhere."""
    maps, ids = _score_maps(ops), ops.class_ids(slot)
    with tf.control_dependencies([_enough_maps(tf.reduce_max(ids) + 1, maps)]):
        own = tf.one_hot(ids, tf.shape(maps)[3])
    return tf.reduce_sum(maps * own[:, tf.newaxis, tf.newaxis], axis=3)


def _enough_maps(requested: tf.Tensor, maps: tf.Tensor) -> tf.Operation:
    count = tf.shape(maps)[3]
    return tf.debugging.Assert(requested <= count, ["maps requested:", requested, "maps of the net:", count])


def _class_maps(ops: ScoreOps, slot: Slot) -> tf.Tensor:
    maps = _score_maps(ops)
    own = tf.one_hot(ops.class_ids(slot), tf.shape(maps)[3])
    return tf.reduce_sum(maps * own[:, tf.newaxis, tf.newaxis], axis=3)


def _anchor_scores(ops: ScoreOps, slot: Slot) -> tf.Tensor:
    scores = ops.score_maps()
    if scores.shape.rank != 3:
        raise TargetError(
            f"Anchor targets need a detector, with scores [N, anchors, C] before non-maximum suppression; "
            f"the logits here are {scores.shape}: name other logits, or explain a class"
        )
    own = tf.one_hot(ops.class_ids(slot), tf.shape(scores)[2])
    return tf.reduce_sum(scores * own[:, tf.newaxis], axis=2)
