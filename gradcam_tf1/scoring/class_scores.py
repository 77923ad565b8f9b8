"""Reduce logits of any shape to one score per image and class, [N, C].

- [N, C] is kept; [C] of a net without a batch axis gets one.
- [N, 1] (binary head with one logit): class 1 scores +logit, class 0 scores -logit.
- Positions [N, h, w, C] or [N, C, h, w] (maps of class scores): their mean.
- Anchors or steps [N, anchors, C] (detectors, sequences): the maximum of each class, also where the anchors lie on the
  batch axis.
- A detector with objectness and classes: the logit of their product, for each anchor.
"""

from __future__ import annotations

from typing import Callable, Dict, List, Tuple

from gradcam_tf1.errors import GradientError
from gradcam_tf1.scoring.axis_order import classes_last, without_positions
from gradcam_tf1.scoring.linear_head import BIAS, DENSE, PASS_THROUGH, walk_back
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import Binding, ScorePart

# ops that hand the numbers of probabilities on
_REPEATING = ("Identity", "Reshape", "Squeeze", "ExpandDims", "Transpose", "Cast", "ResizeBilinear", "Dequantize")


def logit_scores(binding: Binding) -> tf.Tensor:
    """y_c: the logits themselves, float32 [N, C]."""
    flat = without_positions(score_maps(binding))
    if binding.score_parts:
        return flat
    return tf.concat([-flat, flat], axis=1) if flat.shape[1] == 1 else flat


def positive_scores(binding: Binding) -> tf.Tensor:
    """y+ = max(W, 0) h, where y = W h + b is the last dense layer: float32 [N, C].

    The difference to `negative_scores` is the logit without its bias.

    Parameters
    ----------
    binding : Binding
        The key tensors of the net.

    Returns
    -------
    tf.Tensor
        float32 [N, C].

    Raises
    ------
    GradientError
        If the logits do not come from a dense layer or 1x1 convolution.
    """
    plus, minus = (_flatten(part, binding) for part in _split_last_kernel(_logits(binding)))
    return tf.concat([minus, plus], axis=1) if plus.shape[1] == 1 else plus


def negative_scores(binding: Binding) -> tf.Tensor:
    """y- = max(-W, 0) h, the evidence against a class: float32 [N, C]. Raise GradientError as `positive_scores`."""
    plus, minus = (_flatten(part, binding) for part in _split_last_kernel(_logits(binding)))
    return tf.concat([plus, minus], axis=1) if plus.shape[1] == 1 else minus


def probability_scores(binding: Binding) -> tf.Tensor:
    """p_c: the graph's own probabilities, else the softmax of the logits (sigmoid of a single one); float32 [N, C]."""
    if binding.probabilities:
        return class_probabilities(binding)
    scores = logit_scores(binding)
    return tf.sigmoid(scores) if binding.classes == 1 else tf.nn.softmax(scores)


def log_probability_scores(binding: Binding) -> tf.Tensor:
    """Return log p_c, computed from the logits so that p_c = 1 has a gradient in float32: float32 [N, C]."""
    scores = logit_scores(binding)
    return tf.log_sigmoid(scores) if binding.classes == 1 or _is_sigmoid(binding) else tf.nn.log_softmax(scores)


def rest_scores(binding: Binding) -> tf.Tensor:
    """ReST, the residual softmax target-class utility: y_c + log p_c; float32 [N, C].

    Unlike y_c it has a second derivative even where the net is piecewise linear.

    References
    ----------
    https://arxiv.org/abs/2501.06261
    """
    return logit_scores(binding) + log_probability_scores(binding)


def _is_sigmoid(binding: Binding) -> bool:
    """Return whether the graph treats the classes as independent (multi-label)."""
    if binding.score_parts:
        return True
    if not binding.probabilities:
        return False
    op = tf.get_default_graph().get_tensor_by_name(binding.probabilities).op
    while op.type in _REPEATING or op.type.startswith("FakeQuant"):
        op = op.inputs[0].op
    return bool(op.type == "Sigmoid")


def score_maps(binding: Binding) -> tf.Tensor:
    """Return the logits with their positions or anchors, images first and classes last.

    Parameters
    ----------
    binding : Binding
        The key tensors of the net.

    Returns
    -------
    tf.Tensor
        float32 [N, h, w, C] of maps, [N, anchors, C] of anchors or steps, [N, C] where there are neither.
    """
    return (
        detector_scores(binding) if binding.score_parts else classes_last(_logits(binding), binding.score_axes, binding)
    )


HEADS: Dict[str, Callable[[Binding], tf.Tensor]] = {
    "logit": logit_scores,
    "probability": probability_scores,
    "log_probability": log_probability_scores,
    "rest": rest_scores,
    "positive": positive_scores,
    "negative": negative_scores,
}


def class_probabilities(binding: Binding) -> tf.Tensor:
    """Return the probabilities of the classes of `logit_scores`: float32 [N, C].

    A single sigmoid p gives [1 - p, p]. A detector gives objectness times class at the best anchor.
    """
    if binding.score_parts:
        return tf.sigmoid(logit_scores(binding))
    tensor = tf.get_default_graph().get_tensor_by_name(binding.probabilities)
    flat = without_positions(classes_last(tensor, binding.probability_axes, binding))
    return tf.concat([1.0 - flat, flat], axis=1) if flat.shape[1] == 1 else flat


def _logits(binding: Binding) -> tf.Tensor:
    return tf.get_default_graph().get_tensor_by_name(binding.logits)


def _flatten(scores: tf.Tensor, binding: Binding) -> tf.Tensor:
    return without_positions(classes_last(scores, binding.score_axes, binding))


def _split_last_kernel(logits: tf.Tensor) -> Tuple[tf.Tensor, tf.Tensor]:
    chain, dense = walk_back(logits, (*PASS_THROUGH, *BIAS), lambda tensor: tensor.op.type in DENSE)
    op = dense.op
    if op.type not in DENSE:
        raise GradientError(
            f"the positive/negative split needs a dense layer (or 1x1 convolution) that makes the logits; walking back "
            f"from '{logits.name}' came to '{op.name}' ({op.type}). Use another method"
        )
    features, kernel = op.inputs
    parts = []
    for part in (tf.nn.relu(kernel), tf.nn.relu(-kernel)):
        scores = _copied(op, [features, part])
        for later in reversed(chain):
            if later.type in PASS_THROUGH:
                scores = _copied(later, [scores, *list(later.inputs)[1:]])
        parts.append(scores)
    return parts[0], parts[1]


def _copied(op: tf.Operation, inputs: List[tf.Tensor]) -> tf.Tensor:
    """Copy an op onto other inputs and return its output."""
    attrs = {name: op.node_def.attr[name] for name in op.node_def.attr if not name.startswith("_")}
    return op.graph.create_op(op.type, inputs, [op.outputs[0].dtype.base_dtype], attrs=attrs).outputs[0]


def detector_scores(binding: Binding) -> tf.Tensor:
    """Return the logit of a detector's confidence p = sigmoid(o) sigmoid(c), objectness times class.

    log(p / (1 - p)) = -log(exp(-o) + exp(-c) + exp(-o - c)). It ranks as p does, does not saturate, and equals c where
    the object is certain.

    Parameters
    ----------
    binding : Binding
        The key tensors of the net, with `score_parts`.

    Returns
    -------
    tf.Tensor
        float32 [N, anchors, C], the anchors of all scales in the order in which the net joins them.
    """
    return tf.concat([_scale_scores(part, binding) for part in binding.score_parts], axis=1)


def objectness_scores(binding: Binding) -> tf.Tensor:
    """Return the objectness of a detector before its sigmoid, float32 [N, anchors, 1]; only with `score_parts`."""
    return tf.concat([_scale_columns(part, binding)[0] for part in binding.score_parts], axis=1)


def _scale_scores(part: ScorePart, binding: Binding) -> tf.Tensor:
    objectness, classes = _scale_columns(part, binding)
    both = objectness + classes
    return -tf.reduce_logsumexp(tf.stack([-objectness + tf.zeros_like(classes), -classes, -both]), axis=0)


def _scale_columns(part: ScorePart, binding: Binding) -> Tuple[tf.Tensor, tf.Tensor]:
    """Return the objectness and the classes of one scale, before their sigmoids: [N, anchors, 1], [N, anchors, C]."""
    graph = tf.get_default_graph()
    columns = _as_anchors(classes_last(graph.get_tensor_by_name(part.scores), part.axes, binding))
    classes = columns[..., part.first :]
    if part.exclusive:
        classes = softmax_logits(classes)
    if not part.objectness:
        return columns[..., part.first - 1 : part.first], classes
    objectness = tf.cast(graph.get_tensor_by_name(part.objectness), tf.float32)
    return tf.reshape(objectness, tf.concat([tf.shape(classes)[:2], [1]], axis=0)), classes


def _as_anchors(classes: tf.Tensor) -> tf.Tensor:
    rank = classes.shape.rank
    if rank == 3:
        return classes
    sides: List[tf.Tensor] = [tf.shape(classes)[0], -1, tf.shape(classes)[-1]]
    flat = tf.reshape(classes, sides)
    flat.set_shape([None, None, classes.shape[-1]])
    return flat


def softmax_logits(scores: tf.Tensor) -> tf.Tensor:
    """Return log(p / (1 - p)) of p = softmax(scores) over the last axis: each score minus the logsumexp of the others.

    For the best class, the others are summed without it. For all other classes 1 - p is at least 0.5, so that its
    logarithm is exact.
    """
    best = tf.one_hot(tf.argmax(scores, axis=-1), tf.shape(scores)[-1], on_value=True, off_value=False, dtype=tf.bool)
    total = tf.reduce_logsumexp(scores, axis=-1, keepdims=True)
    rivals = tf.reduce_logsumexp(tf.where_v2(best, tf.fill(tf.shape(scores), -1e30), scores), axis=-1, keepdims=True)
    share = tf.where_v2(best, tf.zeros_like(scores), tf.exp(scores - total))
    return scores - tf.where_v2(best, rivals + tf.zeros_like(scores), total + tf.math.log1p(-share))
