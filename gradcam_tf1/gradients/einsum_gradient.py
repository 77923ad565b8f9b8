"""The gradient of Einsum, an op of attention that TensorFlow 1.15 runs but cannot differentiate.

For C = einsum("ab,bc->ac", A, B): dA = einsum("ac,bc->ab", dC, B), and dB with A in the same way. TensorFlow 2 has its
own gradient, which is used there.
"""

from __future__ import annotations

from typing import Any, List, Tuple

from gradcam_tf1.tf_runtime import own_gradient, tf

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def register_einsum_gradient() -> None:
    """Register the gradient of Einsum where TensorFlow has none."""
    if own_gradient("Einsum") is None:
        tf.RegisterGradient("Einsum")(einsum_gradient)


def einsum_gradient(op: tf.Operation, grad: tf.Tensor) -> List[tf.Tensor]:
    """Return the gradients of an Einsum by its inputs.

    Parameters
    ----------
    op : tf.Operation
        The Einsum, of one or two inputs.
    grad : tf.Tensor
        dy/d(its output).

    Returns
    -------
    list of tf.Tensor
        dy/d(input) for each input.

    Raises
    ------
    NotImplementedError
        If an index stands twice in an input, or "..." stands for sides that are unknown or differ.
    """
    *terms, result = _spelled_out(op)
    return [_by_input(op, grad, terms, result, number) for number in range(len(terms))]


def _spelled_out(op: tf.Operation) -> List[str]:
    """Return the indices of each input and of the output, letters in place of "..."."""
    equation = op.get_attr("equation")
    text = (equation.decode("ascii") if isinstance(equation, bytes) else str(equation)).replace(" ", "")
    terms = text.replace("->", ",").split(",")
    tensors = (*op.inputs, op.outputs[0])
    sides = [None if tensor.shape.ndims is None else tensor.shape.as_list() for tensor in tensors]
    free = [letter for letter in _LETTERS if letter not in text]
    hidden: List[Tuple[str, Any]] = [(term, side) for term, side in zip(terms, sides) if "..." in term]
    if any(side is None for _, side in hidden):
        raise NotImplementedError(f"Einsum {text!r} of unknown rank has no gradient in this TensorFlow")
    behind = [side[term.index("...") : len(side) - len(term) + term.index("...") + 3] for term, side in hidden]
    if any(part != behind[0] for part in behind):
        raise NotImplementedError(f"Einsum {text!r} that repeats its input has no gradient in this TensorFlow")
    letters = "".join(free[: len(behind[0])]) if behind else ""
    spelled = [term.replace("...", letters) for term in terms]
    if any(len(set(term)) < len(term) for term in spelled):
        raise NotImplementedError(f"Einsum {text!r} of a diagonal has no gradient in this TensorFlow")
    return spelled


def _by_input(op: tf.Operation, grad: tf.Tensor, terms: List[str], result: str, number: int) -> tf.Tensor:
    term, tensor = terms[number], op.inputs[number]
    others = [(terms[k], op.inputs[k]) for k in range(len(terms)) if k != number]
    known = set(result).union(*(text for text, _ in others))
    kept = "".join(letter for letter in term if letter in known)
    inputs = [grad, *(value for _, value in others)]
    equation = f"{','.join([result, *(text for text, _ in others)])}->{kept}"
    found = tf.raw_ops.Einsum(inputs=inputs, equation=equation)
    if kept == term:
        return found
    for axis, letter in enumerate(term):  # an index that is summed over alone: all its places have the same derivative
        if letter not in known:
            found = tf.expand_dims(found, axis)
    return found + tf.zeros_like(tensor)
