"""Which output of a net with several is explained."""

from __future__ import annotations

from typing import Any, Sequence, Union

from gradcam_tf1.binding.names import final_outputs
from gradcam_tf1.errors import BindingError, OptionError
from gradcam_tf1.tf_runtime import tf

_SHOWN = 8


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
    listed = ", ".join(f"'{name}'" for name in others[:_SHOWN])
    more = f" and {len(others) - _SHOWN} more" if len(others) > _SHOWN else ""
    return (
        f"the model has {len(others) + 1} outputs and none was asked for: '{chosen}' is explained; the others are "
        f"{listed}{more}; choose with --output {others[0]} (in Python output={others[0]!r})"
    )
