"""From what a person writes ("op", "op:0", a scope, part of a name, an output's number) to one tensor of the graph."""

from __future__ import annotations

import difflib
from typing import Any, List, Sequence, Set, Union

from gradcam_tf1.binding.op_kinds import PIPELINE_ENDS, PLACEHOLDERS, VALUE_FREE, is_training_op
from gradcam_tf1.errors import BindingError, OptionError
from gradcam_tf1.tf_runtime import OUR_SCOPE, tf

_SHOWN = 8


def find_tensor(graph: tf.Graph, spec: Any) -> tf.Tensor:
    """The tensor of `graph` that `spec` names.

    Args: spec: a tf.Tensor (of this graph, or of another with the same names), "op:0", "op", the end of a name after a
        "/", a scope (its last output), or a part of a name that only one op has.
    Raises: BindingError naming near matches, or all candidates where several fit.
    """
    name = spec if isinstance(spec, str) else getattr(spec, "name", None)
    if not isinstance(name, str) or not name:
        raise BindingError(f"{spec!r} names no tensor; give a tf.Tensor or a name such as 'conv5_3/Relu:0'")
    text = name.strip()
    op_name, _, index = text.partition(":")
    exact = _exact(graph, op_name)
    if exact is not None:
        return _output(exact, index, text)
    operations = [op for op in graph.get_operations() if not op.name.startswith(OUR_SCOPE)]
    if not isinstance(spec, str):
        raise _unknown(graph, operations, text)
    for found in (_by_ending(operations, op_name), _by_scope(operations, op_name), _by_part(operations, op_name)):
        if len(found) > 1:
            raise BindingError(f"{text!r} fits several tensors: {_listed([op.outputs[0].name for op in found])}; "
                               "write one of them in full")  # fmt: skip
        if found:
            return _output(found[0], index, text)
    raise _unknown(graph, operations, text)


def _exact(graph: tf.Graph, name: str) -> Any:
    if name.startswith(OUR_SCOPE):
        return None
    try:
        return graph.get_operation_by_name(name)
    except KeyError:
        return None


def _output(op: Any, index: str, text: str) -> tf.Tensor:
    if not op.outputs:
        raise BindingError(f"{text!r} is the op '{op.name}' ({op.type}), which has no output")
    if not (index or "0").isdigit() or int(index or 0) >= len(op.outputs):
        raise BindingError(f"no tensor {text!r}: '{op.name}' ({op.type}) has outputs 0 to {len(op.outputs) - 1}")
    return op.outputs[int(index or 0)]


def _by_ending(operations: Sequence[Any], name: str) -> List[Any]:
    return [op for op in operations if op.name.endswith("/" + name) and op.outputs]


def _by_scope(operations: Sequence[Any], name: str) -> List[Any]:
    """What a scope puts out: computed in it, not used in it; scalars and vectors only where there is nothing else."""
    scope = "/" + name.strip("/") + "/"
    inside = [op for op in values(operations) if scope in "/" + op.name]
    made = {op.name for op in inside}
    used = {tensor.op.name for op in inside for tensor in op.inputs if tensor.op.name in made}
    outputs = [op for op in inside if op.name not in used]
    return [op for op in outputs if op.outputs[0].shape.rank not in (0, 1)] or outputs


def _by_part(operations: Sequence[Any], part: str) -> List[Any]:
    return [op for op in values(operations) if part in op.name]


def values(operations: Sequence[Any]) -> List[Any]:
    """The ops that compute data from what is fed: no weights, shapes, bookkeeping or gradients."""
    fed: Set[str] = set()
    found = []
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
            found.append(op)
    return found


def _is_data(tensor: Any) -> bool:
    return not tensor.dtype.is_bool and not (tensor.dtype.is_integer and tensor.shape.rank in (0, 1))


def final_outputs(operations: Sequence[Any]) -> List[str]:
    """Tensors that nothing uses: the outputs of the graph, last ones first."""
    used = {tensor.name for op in operations if not is_training_op(op.name, op.type) for tensor in op.inputs}
    return [op.outputs[0].name for op in reversed(values(operations)) if op.outputs[0].name not in used]


def near_names(wanted: str, names: Sequence[str]) -> List[str]:
    """The names most like `wanted`: equal but for case first, then similar ones, then those that share a component."""
    lower = wanted.lower()
    near = [name for name in names if name.lower() == lower or name.split("/")[-1].lower() == lower]
    near += difflib.get_close_matches(wanted, list(names)[:5000], n=5, cutoff=0.7)
    near += [name for name in names if lower in name.lower()]
    return list(dict.fromkeys(near))[:_SHOWN]


def _unknown(graph: tf.Graph, operations: Sequence[Any], text: str) -> BindingError:
    near = near_names(text.partition(":")[0], [op.name for op in values(operations)])
    similar = f"; similar: {_listed([graph.get_operation_by_name(n).outputs[0].name for n in near])}" if near else ""
    outputs = final_outputs(operations)
    found = f"outputs found: {_listed(outputs)}" if outputs else "the graph has no outputs"
    return BindingError(f"no tensor {text!r} in the graph; {found}{similar}")


def _listed(names: Sequence[str]) -> str:
    rest = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(f"'{name}'" for name in names[:_SHOWN]) + rest


_OUTPUTS_SHOWN = 8


def choose_output(graph: tf.Graph, declared: Sequence[str], output: Union[str, int], logits: Any = None) -> str:
    """The tensor that `output` means: a name as it is, a number counts the declared outputs from 0.

    declared: the outputs that the model file declares; where it has none, those that nothing in the graph uses.
    Raises: BindingError listing the outputs; OptionError where `logits` names a tensor too.
    """
    if logits is not None:
        raise OptionError(f"output {output!r} and logits {logits!r} both name what is explained; give one of them")
    if isinstance(output, str):
        return output
    outputs = list(declared) or final_outputs(graph.get_operations())[::-1]
    if not 0 <= output < len(outputs):
        listed = ", ".join(f"{number} '{name}'" for number, name in enumerate(outputs)) or "none"
        raise BindingError(f"no output {output!r}; the model has {len(outputs)}: {listed}")
    return outputs[output]


def several_outputs(chosen: str, others: Sequence[str]) -> str:
    """What to say where a net has several outputs and none was asked for; "" where it has one."""
    if not others:
        return ""
    listed = ", ".join(f"'{name}'" for name in others[:_OUTPUTS_SHOWN])
    more = f" and {len(others) - _OUTPUTS_SHOWN} more" if len(others) > _SHOWN else ""
    return (
        f"the model has {len(others) + 1} outputs and none was asked for: '{chosen}' is explained; the others are "
        f"{listed}{more}; choose with --output {others[0]} (in Python output={others[0]!r})"
    )
