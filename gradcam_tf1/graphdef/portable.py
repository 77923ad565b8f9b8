"""Make a GraphDef portable: ordinary ops with the attributes of TensorFlow 1.15, which every later TensorFlow loads.

What TensorFlow 1.15 knows is read from the stored table `ops_of_1_15.txt` (the registry of 1.15.5: an op and its
attributes a line), so that the answer does not depend on the TensorFlow that runs.
"""

from __future__ import annotations

import os
from functools import lru_cache
from itertools import chain
from typing import Any, Callable, Dict, FrozenSet, Iterable, Iterator, Tuple

from gradcam_tf1.errors import ExportError
from gradcam_tf1.graphdef.attributes import Defaults, drop_unknown
from gradcam_tf1.graphdef.cut_ops import drop_unused_functions
from gradcam_tf1.tf_runtime import op_definition, tf

_TABLE = os.path.join(os.path.dirname(__file__), "ops_of_1_15.txt")
_SHOWN = 3  # obstacles that a message lists


def portable(graph_def: tf.GraphDef, everywhere: bool = True) -> Tuple[tf.GraphDef, Tuple[str, ...]]:
    """Remove from a GraphDef, in place, what only one version of TensorFlow or one program understands.

    Devices, colocation, recorded shapes, names of custom gradients and every other attribute that starts with "_" are
    hints and are removed. An attribute that 1.15 does not know is dropped only at its default.

    Parameters
    ----------
    graph_def : GraphDef
        A graph whose ops are all in the registry of the running TensorFlow.
    everywhere : bool
        Whether TensorFlow 1.15 has to load it; else ops and attributes of later versions are named in the notes.

    Returns
    -------
    graph_def : GraphDef
        The argument.
    notes : tuple of str
        One sentence for each change, or each obstacle, that the user should know of.

    Raises
    ------
    ExportError
        If TensorFlow 1.15 lacks an op, or an attribute that is not at its default; the message names the node.
    """
    drop_unused_functions(graph_def)
    del graph_def.library.gradient[:]
    functions = {function.signature.name for function in graph_def.library.function}
    for function in graph_def.library.function:
        _drop_hints(function.attr)
    for node in _all_nodes(graph_def):
        node.device = ""
        _drop_hints(node.attr)
        if node.op in _REWRITES:
            _REWRITES[node.op](node)
    ops = {node.op: node.name for node in _all_nodes(graph_def) if node.op not in functions}
    obstacles = [f"the op {op} (node {name!r})" for op, name in sorted(ops.items()) if op not in ops_of_1_15()]
    note = drop_unknown(
        _all_nodes(graph_def),
        _defaults(ops),
        ops_of_1_15().get,
        lambda node, setting: obstacles.append(f"{setting} ({node})"),
    )
    notes = [note] if note else []
    if obstacles:
        listed = "; ".join(obstacles[:_SHOWN]) + (f" and {len(obstacles) - _SHOWN} more" * (len(obstacles) > _SHOWN))
        if everywhere:
            raise ExportError(f"TensorFlow 1.15 cannot load this graph, it does not have {listed}")
        notes.append(f"only TensorFlow 2 can load it: 1.15 does not have {listed}")
    return graph_def, tuple(notes)


@lru_cache(maxsize=None)
def ops_of_1_15() -> Dict[str, FrozenSet[str]]:
    """Return the ops of TensorFlow 1.15.5 with the names of their attributes."""
    with open(_TABLE, encoding="ascii") as file:
        rows = [line.split() for line in file]
    return {op: frozenset(attributes) for op, *attributes in rows}


def _all_nodes(graph_def: tf.GraphDef) -> Iterator[tf.NodeDef]:
    return chain(graph_def.node, *(function.node_def for function in graph_def.library.function))


def _drop_hints(attributes: Any) -> None:
    for name in [name for name in attributes if name.startswith("_")]:
        del attributes[name]


def _defaults(ops: Iterable[str]) -> Defaults:
    """Return the defaults that the running TensorFlow gives to the attributes of these ops."""
    known = {op: op_definition(op) for op in ops}
    return {
        (op, attribute.name): attribute.default_value
        for op, definition in known.items()
        for attribute in (definition.attr if definition is not None else ())
        if attribute.HasField("default_value")
    }


def _as_batch_mat_mul_v2(node: tf.NodeDef) -> None:
    """Turn BatchMatMulV3 into V2, which takes two operands of one dtype."""
    types = {node.attr[name].type for name in ("Ta", "Tb", "Tout")}
    if len(types) == 1:
        for name in ("Ta", "Tb", "Tout"):
            del node.attr[name]
        node.op, node.attr["T"].type = "BatchMatMulV2", types.pop()


# op that 1.15 lacks -> what turns a node of it into one of an older op where that computes the same
_REWRITES: Dict[str, Callable[[tf.NodeDef], None]] = {"BatchMatMulV3": _as_batch_mat_mul_v2}
