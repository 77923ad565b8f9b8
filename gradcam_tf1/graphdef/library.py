"""The functions of a graph: defined once, not circular, and not more than TensorFlow can unfold."""

from __future__ import annotations

from collections import Counter
from typing import Any, Dict, List

from gradcam_tf1.errors import ModelFileError
from gradcam_tf1.graphdef.constants import check_constants
from gradcam_tf1.graphdef.nodes import functions_called
from gradcam_tf1.graphdef.order import circle_in, in_order

MAX_CALLS = 200  # functions that call each other in a row: TensorFlow goes down them on its stack


def check_functions(library: Any, max_nodes: int) -> None:
    """Raises ModelFileError by name. max_nodes: of a function and all that it calls, each as often as it is called."""
    counts = Counter(function.signature.name for function in library.function)
    twice = sorted(name for name, count in counts.items() if count > 1)
    if twice:
        raise ModelFileError(f"the function {twice[0]!r} is defined more than once")
    called: Dict[str, List[str]] = {name: [] for name in counts}
    for function in library.function:
        name = function.signature.name
        for node in function.node_def:
            called[name] += [other for other in functions_called(node) if other in counts]
            check_constants(node)
        _check_body(function)
    own_nodes = {function.signature.name: len(function.node_def) for function in library.function}
    _check_calls(called, own_nodes, max_nodes)
    for gradient in library.gradient:
        if gradient.function_name in called and gradient.gradient_func in called:
            called[gradient.function_name].append(gradient.gradient_func)
    circle = circle_in(called)
    if circle:
        raise ModelFileError(f"functions call themselves, {circle}: such a graph cannot be computed")


def _check_body(function: Any) -> None:
    name = function.signature.name
    nodes = {node.name for node in function.node_def}
    if len(nodes) < len(function.node_def):
        raise ModelFileError(f"in the function {name!r} node names occur more than once")
    before = {
        node.name: [source for source in (text.lstrip("^").split(":")[0] for text in node.input) if source in nodes]
        for node in function.node_def
    }
    circle = circle_in(before)
    if circle:
        raise ModelFileError(f"the function {name!r} is circular, {circle}: it cannot be computed")


def _check_calls(called: Dict[str, List[str]], own_nodes: Dict[str, int], max_nodes: int) -> None:
    """TensorFlow puts the bodies of functions where they are called: a few that call each other twice are millions."""
    depth: Dict[str, int] = {}
    nodes: Dict[str, int] = {}
    for name in in_order(called):
        depth[name] = 1 + max((depth[other] for other in called[name]), default=0)
        nodes[name] = own_nodes[name] + sum(nodes[other] for other in called[name])
        if depth[name] > MAX_CALLS:
            raise ModelFileError(f"more than {MAX_CALLS} functions call each other in a row, the first is {name!r}")
        if nodes[name] > max_nodes:
            raise ModelFileError(
                f"the function {name!r} is more than {max_nodes:,} nodes with the functions that it calls"
            )
