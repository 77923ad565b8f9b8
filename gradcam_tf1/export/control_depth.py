"""Which ops of a graph may run not at all, or several times: those inside a loop or a branch of a conditional."""

from __future__ import annotations

from typing import Dict, Set

from gradcam_tf1.tf_runtime import tf


def ops_inside(graph: tf.Graph) -> Set[str]:
    """Return the names of the ops inside loops and conditionals (Enter to Exit, Switch to Merge).

    A session cannot fetch them for certain: it has no value of a branch that is not taken, and many of a loop.

    Parameters
    ----------
    graph : tf.Graph
        Any graph.
    """
    depth: Dict[str, int] = {}
    for op in graph.get_operations():  # an op's inputs come before it, but for those that close a loop
        before = [*(tensor.op for tensor in op.inputs), *op.control_inputs]
        outer = max((depth.get(each.name, 0) for each in before), default=0)
        depth[op.name] = max(outer + _step(op), 0)
    return {name for name, deep in depth.items() if deep}


def _step(op: tf.Operation) -> int:
    """Return by how much an op leads into, or out of, a loop or a conditional."""
    kinds = {tensor.op.type for tensor in op.inputs}
    enters = op.type in ("Enter", "RefEnter") or (op.type in ("Switch", "RefSwitch") and "LoopCond" not in kinds)
    leaves = op.type in ("Exit", "RefExit") or (op.type in ("Merge", "RefMerge") and not _starts_iterations(op))
    return int(enters) - int(leaves)


def _starts_iterations(merge: tf.Operation) -> bool:
    """Whether a Merge is that of a loop's variable."""
    return any(tensor.op.type in ("Enter", "RefEnter", "NextIteration", "RefNextIteration") for tensor in merge.inputs)
