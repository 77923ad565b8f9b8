"""Tensors that a graph makes out of a few numbers: absurd ones are refused before TensorFlow computes them.

TensorFlow computes what depends on constants alone while it imports a graph, to find shapes.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Dict, Iterable, Optional

import numpy as np

from gradcam_tf1.errors import ModelFileError
from gradcam_tf1.graphdef.nodes import parse_edge, sources
from gradcam_tf1.graphdef.order import in_order
from gradcam_tf1.tf_runtime import tf

MAX_MADE = 2**28  # numbers of one tensor that is made of constants
_FEW = 4096  # numbers of a constant that are looked at
_PASSED = ("Identity", "Snapshot", "StopGradient")
# op -> the input that says its shape; how often, for Tile
_SHAPE_INPUT = {"Fill": 0, "BroadcastTo": 1, "Tile": 1}
_BACK = "NextIteration"


def check_made(graph_def: Any) -> None:
    """Raises ModelFileError for a tensor that constants make larger than any net needs, by name."""
    nodes = {node.name: node for node in graph_def.node}
    if not any(node.op in _SHAPE_INPUT or node.op in ("Range", "LinSpace") for node in graph_def.node):
        return
    made = _Made(nodes)
    for name in in_order({node.name: [] if node.op == _BACK else sources(node) for node in graph_def.node}):
        made.add(nodes[name])


class _Made:
    """How many numbers the tensors have that are made of constants, by the nodes seen so far."""

    def __init__(self, nodes: Dict[str, Any]) -> None:
        self.nodes = nodes
        self.values: Dict[str, np.ndarray] = {}
        self.sizes: Dict[str, float] = {}

    def add(self, node: Any) -> None:
        given = [parse_edge(text).node for text in node.input if not text.startswith("^")]
        if node.op == "Const":
            tensor = node.attr["value"].tensor
            self.sizes[node.name] = _product(dim.size for dim in tensor.tensor_shape.dim)
            dtype = tf.as_dtype(tensor.dtype)
            if self.sizes[node.name] <= _FEW and (dtype.is_integer or dtype.is_floating):
                with suppress(ValueError, TypeError):  # TensorFlow says what is wrong with it
                    self.values[node.name] = tf.make_ndarray(tensor)
        elif node.op in _PASSED and given:
            for known in (self.values, self.sizes):
                if given[0] in known:
                    known[node.name] = known[given[0]]
        else:
            size = self._size(node.op, given)
            if size is not None and size > MAX_MADE:
                raise ModelFileError(
                    f"'{node.name}' ({node.op}) would make a tensor of {size:,.0f} numbers out of constants; "
                    f"{MAX_MADE:,} are allowed"
                )
            if size is not None:
                self.sizes[node.name] = size

    def _size(self, op: str, given: Iterable[str]) -> Optional[float]:
        names = list(given)
        values = [self.values.get(name) for name in names]
        if op in _SHAPE_INPUT and len(values) == 2 and values[_SHAPE_INPUT[op]] is not None:
            size = _product(np.ravel(values[_SHAPE_INPUT[op]]).tolist())
            return size * self.sizes.get(names[0], 1.0) if op == "Tile" else size
        if op == "LinSpace" and len(values) == 3 and values[2] is not None:
            return _product(np.ravel(values[2]).tolist())
        if op == "Range" and len(values) == 3 and not any(value is None or value.size != 1 for value in values):
            start, end, step = (float(np.ravel(value)[0]) for value in values)
            return abs((end - start) / step) if step else None
        return None


def _product(sizes: Iterable[Any]) -> float:
    return float(np.prod([max(float(size), 0.0) for size in sizes], dtype=np.float64))
