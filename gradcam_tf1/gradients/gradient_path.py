"""Say whether a score depends on a tensor, and where no gradient arrives, which op blocks it first."""

from __future__ import annotations

from typing import Dict, List, Optional, Set

from gradcam_tf1.gradients.graph_walk import ops_after
from gradcam_tf1.tf_runtime import OUR_SCOPE, is_differentiable, tf


def explain_missing_gradient(score: tf.Tensor, target: tf.Tensor) -> str:
    """Return a message on why d(score)/d(target) does not exist: no path, or the first blocking op from the score down.

    Parameters
    ----------
    score : tf.Tensor
        The tensor that was differentiated.
    target : tf.Tensor
        A feature map or the input.

    Returns
    -------
    str
        One sentence with advice.
    """
    after = ops_after([target.op])
    outputs = net_outputs(score)
    names = " and ".join(f"'{tensor.name}'" for tensor in outputs)
    if not any(tensor.op in after for tensor in outputs):
        return (
            f"{names} does not depend on '{target.name}': no path leads from one to the other. "
            "Name a layer that lies between the input and the logits (`gradcam-tf1 inspect` lists them)"
        )
    blocking = _first_blocking([tensor.op for tensor in outputs], after)
    if blocking is None:
        return f"no gradient reaches '{target.name}' from {names}; name another layer or logits tensor"
    usable = [tensor.name for tensor in blocking.inputs if tensor.dtype.is_floating and tensor.op in after]
    advice = f"bind {usable[0]!r} as logits instead, or a layer behind it" if usable else "bind a layer behind it"
    return (
        f"the gradient from {names} to '{target.name}' stops at '{blocking.name}' ({blocking.type}), "
        f"which has none; {advice}"
    )


def net_outputs(score: tf.Tensor) -> List[tf.Tensor]:
    """Return the net's own tensors from which one of our scores is computed."""
    outputs: Dict[str, tf.Tensor] = {}
    stack, seen = [score], {score.name}
    while stack:
        tensor = stack.pop()
        if not tensor.op.name.startswith(OUR_SCOPE):
            outputs[tensor.name] = tensor
            continue
        floats = [source for source in tensor.op.inputs if source.dtype.is_floating and source.name not in seen]
        seen.update(source.name for source in floats)
        stack.extend(floats)
    return list(outputs.values())


def _first_blocking(outputs: List[tf.Operation], after: Set[tf.Operation]) -> Optional[tf.Operation]:
    """Search breadth first from the outputs towards the target, among the ops that depend on the target."""
    seen = set(outputs)
    level = outputs
    while level:
        following: List[tf.Operation] = []
        for candidate in level:
            used = [tensor for tensor in candidate.inputs if tensor.op in after]
            floats = [tensor.op for tensor in used if tensor.dtype.is_floating or tensor.dtype == tf.variant]
            if not is_differentiable(candidate) or (used and not floats):
                return candidate
            following += floats
        level = following
        level = [candidate for candidate in dict.fromkeys(level) if candidate not in seen]
        seen.update(level)
    return None


def gradient_leads(score: tf.Tensor, target: tf.Tensor) -> bool:
    """Return whether a path of differentiable ops leads from `target` to `score`."""
    stack, seen = [score], {score.name}
    while stack:
        tensor = stack.pop()
        if tensor.name == target.name:
            return True
        steps = tensor.op.inputs if is_differentiable(tensor.op) else ()
        fresh = [source for source in steps if _holds_floats(source) and source.name not in seen]
        seen.update(source.name for source in fresh)
        stack += fresh
    return False


def _holds_floats(tensor: tf.Tensor) -> bool:
    """Return whether a tensor holds floats, or lists of floats, which loops pass on."""
    return bool(tensor.dtype.is_floating or tensor.dtype == tf.variant)
