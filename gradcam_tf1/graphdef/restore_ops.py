"""Find the checkpoint entry of each variable from the restore ops of the graph.

Nothing is run, so unknown ops, absent devices and input pipelines with missing files do not matter. Renamed and
partitioned variables get the values that their Saver would restore.
"""

from __future__ import annotations

from typing import Dict, List, NamedTuple, Optional, Tuple

import numpy as np

from gradcam_tf1.graphdef.nodes import Edge, edges, parse_edge
from gradcam_tf1.graphdef.tensor_sizes import check_constants
from gradcam_tf1.tf_runtime import tf

_RESTORES = {"Restore", "RestoreSlice", "RestoreV2"}
_ASSIGNS = {"Assign", "AssignVariableOp"}
_PASSED = {"Identity", "Reshape", "Cast"}


class CheckpointEntry(NamedTuple):
    """Where a checkpoint stores the value of a variable.

    Attributes
    ----------
    key : str
        The key in the checkpoint.
    slices : tuple of slice or None
        For one part of a partitioned variable, the part of the stored value; None for all of it.
    """

    key: str
    slices: Optional[Tuple[slice, ...]] = None


def restored_entries(graph_def: tf.GraphDef, filename_tensor: str = "") -> Dict[str, CheckpointEntry]:
    """Find the checkpoint entry of each variable.

    Parameters
    ----------
    graph_def : GraphDef
        The graph with its restore ops.
    filename_tensor : str
        The filename tensor of a SaverDef, which selects one of several savers; "" uses all.

    Returns
    -------
    dict
        Name of a variable node -> CheckpointEntry.
    """
    origins = _Origins(graph_def)
    entries: Dict[str, List[CheckpointEntry]] = {}
    filename = parse_edge(filename_tensor).node
    restores = [node for node in graph_def.node if node.op in _RESTORES]
    chosen = [node for node in restores if filename and origins.of(edges(node)[0]).node == filename]
    for node in chosen or restores:
        entries[node.name] = _entries_of(origins, node)
    found = {}
    for node in graph_def.node:
        if node.op not in _ASSIGNS:
            continue
        target, value = edges(node)[:2]
        origin = origins.of(value)
        if origin.node in entries and origin.output < len(entries[origin.node]):
            found[origins.of(target).node] = entries[origin.node][origin.output]
    return found


class _Origins:
    """Follow an edge back through ops that pass values on; each result is computed once."""

    def __init__(self, graph_def: tf.GraphDef) -> None:
        self.nodes = {node.name: node for node in graph_def.node}
        self._passing = {n.name: edges(n)[0] for n in graph_def.node if n.op in _PASSED and n.input}
        self._known: Dict[str, Edge] = {}

    def of(self, edge: Edge) -> Edge:
        passed: List[str] = []
        while edge.node in self._passing:
            if edge.node in self._known:
                edge = self._known[edge.node]
                break
            self._known[edge.node] = edge  # ends the search on a circle
            passed.append(edge.node)
            edge = self._passing[edge.node]
        self._known.update(dict.fromkeys(passed, edge))
        return edge

    def strings(self, edge: Edge) -> List[str]:
        node = self.nodes.get(self.of(edge).node)
        if node is None or node.op != "Const":
            return []
        check_constants(node)
        return [bytes(text).decode("utf-8") for text in np.ravel(tf.make_ndarray(node.attr["value"].tensor))]


def _entries_of(origins: _Origins, restore: tf.NodeDef) -> List[CheckpointEntry]:
    inputs = edges(restore)
    keys = origins.strings(inputs[1])
    slices = origins.strings(inputs[2]) if restore.op != "Restore" else []
    slices = slices or [""] * len(keys)
    return [CheckpointEntry(key, parse_slices(text)) for key, text in zip(keys, slices)]


def parse_slices(text: str) -> Optional[Tuple[slice, ...]]:
    """Parse "30 10 0,10:-": the full shape, then "start,length" or "-" (all) for each axis; None for ""."""
    if not text:
        return None
    parts = []
    for part in text.split(" ")[-1].split(":"):
        if part == "-":
            parts.append(slice(None))
        else:
            start, length = (int(number) for number in part.split(","))
            parts.append(slice(start, start + length))
    return tuple(parts)
