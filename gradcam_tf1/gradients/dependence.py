"""Whether a score has a gradient at a tensor at all, by the ops alone."""

from __future__ import annotations

from gradcam_tf1.tf_runtime import is_differentiable, tf


def gradient_leads(score: tf.Tensor, target: tf.Tensor) -> bool:
    """Whether a way leads back from `score` to `target` along which every op hands a gradient down."""
    stack, seen = [score], {score.name}
    while stack:
        tensor = stack.pop()
        if tensor.name == target.name:
            return True
        steps = tensor.op.inputs if is_differentiable(tensor.op) else ()
        fresh = [each for each in steps if _holds_floats(each) and each.name not in seen]
        seen.update(each.name for each in fresh)
        stack += fresh
    return False


def _holds_floats(tensor: tf.Tensor) -> bool:
    """Floats, or the lists of them that loops hand on."""
    return tensor.dtype.is_floating or tensor.dtype == tf.variant
