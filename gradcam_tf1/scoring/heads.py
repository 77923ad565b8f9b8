"""From whatever shape the logits have to one score per image and class, [N, C].

- [N, C] as it is; [C] of a net without a batch axis gets one;
- [N, 1] (one-logit binary head): class 1 scores +logit, class 0 scores -logit;
- several positions [N, h, w, C] or [N, C, h, w] (class-score maps): their mean;
- several anchors or steps of a picture [N, anchors, C] (detectors, sequences): the best of each class, wherever the net
  has them: in axes of their own, or in the axis of the pictures.
"""

from __future__ import annotations

from typing import Callable, Dict, List, Tuple

from gradcam_tf1.errors import GradientError
from gradcam_tf1.scoring.axes import classes_last, without_positions
from gradcam_tf1.scoring.detectors import detector_scores
from gradcam_tf1.scoring.linear_head import BIAS, DENSE, PASS_THROUGH, walk_back
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import Binding

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
    """The scores with their positions or anchors, pictures first and classes last: float32 [N, ..., C].

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
