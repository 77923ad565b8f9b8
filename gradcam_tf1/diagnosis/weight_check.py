"""Numbers in a net's weights that break it: NaN, infinite, all zero."""

from __future__ import annotations

from typing import Any, Iterator, List, Tuple

import numpy as np

from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.tf_runtime import OUR_SCOPE, static_value

_SHOWN = 3


def check_weights(net: GradCamGraph) -> Tuple[str, List[str]]:
    """Look at every float constant of a net.

    Parameters
    ----------
    net : GradCamGraph
        The net.

    Returns
    -------
    (str, list of str)
        What was looked at, and one sentence for each kind of trouble.
    """
    tensors = numbers = 0
    broken: List[str] = []
    zero: List[str] = []
    for name, value in _weights(net):
        tensors += 1
        numbers += value.size
        if not np.isfinite(value.sum(dtype=np.float64)) and not np.isfinite(value).all():
            broken.append(f"'{name}' ({int(value.size - np.isfinite(value).sum())} of {value.size})")
        elif value.ndim > 1 and not value.any():
            zero.append(f"'{name}'")
    problems = []
    if broken:
        problems.append(
            f"NaN or infinite weights in {_some(broken)}: training diverged or the file is damaged; "
            "export the model from an earlier checkpoint"
        )
    if zero:
        problems.append(f"only zeros in {_some(zero)}: were the weights loaded before the export?")
    return f"{numbers:,} numbers in {tensors} tensors", problems


def _weights(net: GradCamGraph) -> Iterator[Tuple[str, Any]]:
    """Yield name and value of every float weight with at least one axis."""
    operations = [op for op in net.graph.get_operations() if not op.name.startswith(OUR_SCOPE)]
    constants = [op for op in operations if op.type == "Const"]
    variables = [op.outputs[0] for op in operations if op.type == "ReadVariableOp"]
    for tensor in [op.outputs[0] for op in constants]:
        if tensor.dtype.is_floating and tensor.shape.rank:
            value = static_value(tensor)
            if value is not None and value.size:
                yield tensor.name, np.asarray(value, np.float32 if value.dtype.itemsize < 4 else value.dtype)
    for tensor in variables:  # one by one: together they take the memory of all weights again
        yield tensor.name, net.sess.run(tensor)


def _some(items: List[str]) -> str:
    more = f" and {len(items) - _SHOWN} more" if len(items) > _SHOWN else ""
    return ", ".join(items[:_SHOWN]) + more
