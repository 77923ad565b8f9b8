"""From logits of any shape to one score per image and class, [N, C].

- [N, C] is kept; [C] of a net without a batch axis gets one.
- [N, 1] (one-logit binary head): class 1 scores +logit, class 0 scores -logit.
- Positions [N, h, w, C] or [N, C, h, w] (maps of class scores): their mean.
- Anchors or steps [N, anchors, C] (detectors, sequences): the best of each class, also where anchors lie on the image
  axis.
- A detector with objectness and classes: the logit of their product, for each anchor.
"""

from __future__ import annotations

from typing import Callable, Dict, List, Tuple

from gradcam_tf1.errors import GradientError
from gradcam_tf1.scoring.axis_order import classes_last, without_positions
from gradcam_tf1.scoring.linear_head import BIAS, DENSE, PASS_THROUGH, walk_back
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import Binding, ScorePart

# what repeats the numbers of probabilities
_REPEATING = ("Identity", "Reshape", "Squeeze", "ExpandDims", "Transpose", "Cast", "ResizeBilinear", "Dequantize")


def logit_scores(binding: Binding) -> tf.Tensor:
    """The logits themselves: float32 [N, C]."""
    flat = without_positions(score_maps(binding))
    if binding.score_parts:
        return flat
    return tf.concat([-flat, flat], axis=1) if flat.shape[1] == 1 else flat


def positive_scores(binding: Binding) -> tf.Tensor:
    """y+ = max(W, 0) h, where y = W h + b is the last dense layer: float32 [N, C].

    Its difference to `negative_scores` is the logit without its bias.
    Raises: GradientError where no dense layer (or 1x1 convolution) makes the logits.
    """
    plus, minus = (_flatten(part, binding) for part in _split_last_kernel(_logits(binding)))
    return tf.concat([minus, plus], axis=1) if plus.shape[1] == 1 else plus


def negative_scores(binding: Binding) -> tf.Tensor:
    """y- = max(-W, 0) h, the evidence against: float32 [N, C]. Raises as `positive_scores`."""
    plus, minus = (_flatten(part, binding) for part in _split_last_kernel(_logits(binding)))
    return tf.concat([plus, minus], axis=1) if plus.shape[1] == 1 else minus


def probability_scores(binding: Binding) -> tf.Tensor:
    """Probabilities as a score: the graph's own, else softmax of the logits (sigmoid of a lone one); float32 [N, C]."""
    if binding.probabilities:
        return class_probabilities(binding)
    scores = logit_scores(binding)
    return tf.sigmoid(scores) if binding.classes == 1 else tf.nn.softmax(scores)


def log_probability_scores(binding: Binding) -> tf.Tensor:
    """Their logarithms, from the logits, so that a probability of 1 still has a gradient in float32: [N, C]."""
    scores = logit_scores(binding)
    return tf.log_sigmoid(scores) if binding.classes == 1 or _is_sigmoid(binding) else tf.nn.log_softmax(scores)


def rest_scores(binding: Binding) -> tf.Tensor:
    """ReST, the residual softmax target-class utility: y_c + log p_c; float32 [N, C]. https://arxiv.org/abs/2501.06261

    Unlike y alone it is curved: its second derivative is there where the net itself is piecewise linear.
    """
    return logit_scores(binding) + log_probability_scores(binding)


def _is_sigmoid(binding: Binding) -> bool:
    """Whether the graph takes the classes for independent (multi-label)."""
    if binding.score_parts:
        return True
    if not binding.probabilities:
        return False
    op = tf.get_default_graph().get_tensor_by_name(binding.probabilities).op
    while op.type in _REPEATING or op.type.startswith("FakeQuant"):
        op = op.inputs[0].op
    return op.type == "Sigmoid"


def score_maps(binding: Binding) -> tf.Tensor:
    """The scores with their positions or anchors, images first and classes last: float32 [N, ..., C].

    [N, h, w, C] of maps, [N, anchors, C] of anchors and steps, [N, C] where there are neither.
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
    """The probabilities in the classes of `logit_scores`: float32 [N, C]; a lone sigmoid p gives [1 - p, p].

    Of a detector: objectness times class, at the best anchor.
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
            f"the positive/negative split needs a dense layer (or 1x1 convolution) behind the logits; walking back "
            f"from '{logits.name}' came to '{op.name}' ({op.type}). Use another method"
        )
    features, kernel = op.inputs
    parts = []
    for part in (tf.nn.relu(kernel), tf.nn.relu(-kernel)):
        scores = _again(op, [features, part])
        for later in reversed(chain):
            if later.type in PASS_THROUGH:
                scores = _again(later, [scores, *list(later.inputs)[1:]])
        parts.append(scores)
    return parts[0], parts[1]


def _again(op: tf.Operation, inputs: List[tf.Tensor]) -> tf.Tensor:
    """The same op on other inputs."""
    attrs = {name: op.node_def.attr[name] for name in op.node_def.attr if not name.startswith("_")}
    return op.graph.create_op(op.type, inputs, [op.outputs[0].dtype.base_dtype], attrs=attrs).outputs[0]


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
