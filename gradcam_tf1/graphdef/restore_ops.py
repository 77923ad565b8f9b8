"""Which checkpoint entry each variable of a graph is restored from, read off the graph's own restore ops.

Nothing is run: an op that this runtime does not know, a device that is absent or an input pipeline that points at lost
files does not stand in the way, and renamed or partitioned variables come out as their Saver meant them.
"""

from __future__ import annotations

from typing import Any, Dict, List, NamedTuple, Optional, Tuple

import numpy as np

from gradcam_tf1.graphdef.nodes import Edge, edges, parse_edge
from gradcam_tf1.graphdef.tensor_sizes import check_constants
from gradcam_tf1.tf_runtime import tf

_RESTORES = {"Restore", "RestoreSlice", "RestoreV2"}
_ASSIGNS = {"Assign", "AssignVariableOp"}
_PASSED = {"Identity", "Reshape", "Cast"}


class CheckpointEntry(NamedTuple):
    """A key of the checkpoint and, for one part of a partitioned variable, the slices to take of it."""

    key: str
    slices: Optional[Tuple[slice, ...]] = None


def restored_entries(graph_def: Any, filename_tensor: str = "") -> Dict[str, CheckpointEntry]:
    """Variable node name -> checkpoint entry. filename_tensor: SaverDef's, to pick one of several savers."""
    origins = _Origins(graph_def)
    entries: Dict[str, List[CheckpointEntry]] = {}
    wanted = parse_edge(filename_tensor).node
    restores = [node for node in graph_def.node if node.op in _RESTORES]
    chosen = [node for node in restores if wanted and origins.of(edges(node)[0]).node == wanted]
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
    """Where the value of an edge comes from, through ops that pass it on; each way is gone once."""

    def __init__(self, graph_def: Any) -> None:
        self.nodes = {node.name: node for node in graph_def.node}
        self._passing = {n.name: edges(n)[0] for n in graph_def.node if n.op in _PASSED and n.input}
        self._known: Dict[str, Edge] = {}

    def of(self, edge: Edge) -> Edge:
        way: List[str] = []
        while edge.node in self._passing:
            if edge.node in self._known:
                edge = self._known[edge.node]
                break
            self._known[edge.node] = edge  # so that a circle ends
            way.append(edge.node)
            edge = self._passing[edge.node]
        self._known.update(dict.fromkeys(way, edge))
        return edge

    def strings(self, edge: Edge) -> List[str]:
        node = self.nodes.get(self.of(edge).node)
        if node is None or node.op != "Const":
            return []
        check_constants(node)
        return [bytes(text).decode("utf-8") for text in np.ravel(tf.make_ndarray(node.attr["value"].tensor))]


def _entries_of(origins: _Origins, restore: Any) -> List[CheckpointEntry]:
    inputs = edges(restore)
    keys = origins.strings(inputs[1])
    slices = origins.strings(inputs[2]) if restore.op != "Restore" else []
    slices = slices or [""] * len(keys)
    return [CheckpointEntry(key, parse_slices(text)) for key, text in zip(keys, slices)]


def parse_slices(text: str) -> Optional[Tuple[slice, ...]]:
    """The slices of "30 10 0,10:-" (full shape, then start,length per axis or - for all of it); None for ""."""
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
