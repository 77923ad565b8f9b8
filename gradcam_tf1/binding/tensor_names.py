"""Tensor specs: from "op", "op:0", a scope, a part of a name or the number of an output to one tensor of the graph."""

from __future__ import annotations

import difflib
from typing import Any, List, Optional, Sequence, Set, Union

import numpy as np

from gradcam_tf1.binding.op_kinds import PIPELINE_ENDS, PLACEHOLDERS, VALUE_FREE, is_training_op
from gradcam_tf1.errors import BindingError, OptionError
from gradcam_tf1.tf_runtime import OUR_SCOPE, tf

_SHOWN = 8


def find_tensor(graph: tf.Graph, spec: Any) -> tf.Tensor:
    """Find the tensor that a spec names.

    Parameters
    ----------
    graph : tf.Graph
        The graph.
    spec : tf.Tensor or str
        A tensor (of this graph, or of another with the same names), "op:0", "op", the end of a name after a "/", a
        scope (its last output), or a part of a name that only one op has.

    Returns
    -------
    tf.Tensor
        The tensor.

    Raises
    ------
    BindingError
        If no tensor fits, or several do; the message names similar or all fitting tensors.
    """
    name = spec if isinstance(spec, str) else getattr(spec, "name", None)
    if not isinstance(name, str) or not name:
        raise BindingError(f"{spec!r} names no tensor; give a tf.Tensor or a name such as 'conv5_3/Relu:0'")
    text = name.strip()
    op_name, _, number = text.partition(":")
    exact = _exact(graph, op_name)
    if exact is not None:
        return _output(exact, number, text)
    operations = [op for op in graph.get_operations() if not op.name.startswith(OUR_SCOPE)]
    if not isinstance(spec, str):
        raise _unknown(graph, operations, text)
    for matches in (_by_ending(operations, op_name), _by_scope(operations, op_name), _by_part(operations, op_name)):
        if len(matches) > 1:
            raise BindingError(f"{text!r} fits several tensors: {_listed([op.outputs[0].name for op in matches])}; "
                               "give the full name of one")  # fmt: skip
        if matches:
            return _output(matches[0], number, text)
    raise _unknown(graph, operations, text)


def _exact(graph: tf.Graph, name: str) -> Optional[tf.Operation]:
    if name.startswith(OUR_SCOPE):
        return None
    try:
        return graph.get_operation_by_name(name)
    except KeyError:
        return None


def _output(op: tf.Operation, number: str, text: str) -> tf.Tensor:
    if not op.outputs:
        raise BindingError(f"{text!r} is the op '{op.name}' ({op.type}), which has no output; name another op")
    if not (number or "0").isdecimal() or int(number or 0) >= len(op.outputs):
        raise BindingError(
            f"no tensor {text!r}: '{op.name}' ({op.type}) has outputs 0 to {len(op.outputs) - 1}; name one of them"
        )
    return op.outputs[int(number or 0)]


def _by_ending(operations: Sequence[tf.Operation], name: str) -> List[tf.Operation]:
    return [op for op in operations if op.name.endswith("/" + name) and op.outputs]


def _by_scope(operations: Sequence[tf.Operation], name: str) -> List[tf.Operation]:
    """Return the ops of a scope that no op in it uses; those of scalars and vectors only if there are no others."""
    scope = "/" + name.strip("/") + "/"
    inside = [op for op in values(operations) if scope in "/" + op.name]
    names = {op.name for op in inside}
    used = {tensor.op.name for op in inside for tensor in op.inputs if tensor.op.name in names}
    outputs = [op for op in inside if op.name not in used]
    return [op for op in outputs if op.outputs[0].shape.rank not in (0, 1)] or outputs


def _by_part(operations: Sequence[tf.Operation], part: str) -> List[tf.Operation]:
    return [op for op in values(operations) if part in op.name]


def values(operations: Sequence[tf.Operation]) -> List[tf.Operation]:
    """Return the ops that compute data from fed values: no weights, shapes, bookkeeping or gradients."""
    fed: Set[str] = set()
    computing = []
    for op in operations:
        source = op.type in PLACEHOLDERS or bool(PIPELINE_ENDS.search(op.type))
        if not source and not any(tensor.op.name in fed for tensor in op.inputs):
            continue
        fed.add(op.name)
        if (
            op.outputs
            and op.type not in VALUE_FREE
            and not is_training_op(op.name, op.type)
            and _is_data(op.outputs[0])
        ):
            computing.append(op)
    return computing


def _is_data(tensor: tf.Tensor) -> bool:
    return not tensor.dtype.is_bool and not (tensor.dtype.is_integer and tensor.shape.rank in (0, 1))


def final_outputs(operations: Sequence[tf.Operation]) -> List[str]:
    """Return the outputs of the graph, which no op uses, last ones first."""
    used = {tensor.name for op in operations if not is_training_op(op.name, op.type) for tensor in op.inputs}
    return [op.outputs[0].name for op in reversed(values(operations)) if op.outputs[0].name not in used]


def near_names(text: str, names: Sequence[str]) -> List[str]:
    """Return the names most like a text: equal except for case, then similar, then those that contain it."""
    lower = text.lower()
    near = [name for name in names if name.lower() == lower or name.split("/")[-1].lower() == lower]
    near += difflib.get_close_matches(text, list(names)[:5000], n=5, cutoff=0.7)
    near += [name for name in names if lower in name.lower()]
    return list(dict.fromkeys(near))[:_SHOWN]


def _unknown(graph: tf.Graph, operations: Sequence[tf.Operation], text: str) -> BindingError:
    near = near_names(text.partition(":")[0], [op.name for op in values(operations)])
    similar = f"; similar: {_listed([graph.get_operation_by_name(n).outputs[0].name for n in near])}" if near else ""
    outputs = final_outputs(operations)
    listed = f"outputs found: {_listed(outputs)}" if outputs else "the graph has no outputs"
    return BindingError(f"no tensor {text!r} in the graph; {listed}{similar}")


def _listed(names: Sequence[str]) -> str:
    rest = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(f"'{name}'" for name in names[:_SHOWN]) + rest


def choose_output(graph: tf.Graph, declared: Sequence[str], output: Union[str, int], logits: Any = None) -> str:
    """Find the tensor that the user names as output.

    Parameters
    ----------
    graph : tf.Graph
        The graph.
    declared : sequence of str
        The outputs that the model file declares; if empty, those that no op uses.
    output : str or int
        A name, which is returned as it is, or a number in the list of outputs, from 0.
    logits : object, optional
        What the user names as logits.

    Returns
    -------
    str
        The name.

    Raises
    ------
    BindingError
        If there is no output of this number; the message lists the outputs.
    OptionError
        If both `output` and `logits` are given, or `output` is neither a name nor a number.
    """
    if logits is not None:
        raise OptionError(f"output {output!r} and logits {logits!r} both name what is explained; give one of them")
    if isinstance(output, str):
        return output
    if isinstance(output, bool) or not isinstance(output, (int, np.integer)):
        raise OptionError(f"output is {output!r}; give the name of an output, or its number counted from 0")
    outputs = list(declared) or final_outputs(graph.get_operations())[::-1]
    if not 0 <= output < len(outputs):
        listed = ", ".join(f"{number} '{name}'" for number, name in enumerate(outputs)) or "none"
        raise BindingError(f"no output {output!r}; the model has {len(outputs)}: {listed}; give one of these numbers")
    return outputs[output]


def several_outputs(chosen: str, others: Sequence[str]) -> str:
    """Return the warning for a net with several outputs of which none was requested; "" if it has one."""
    if not others:
        return ""
    return (
        f"the model has {len(others) + 1} outputs and none was requested: '{chosen}' is explained; the others are "
        f"{_listed(others)}; choose with --output {others[0]} (in Python output={others[0]!r})"
    )
