"""Refuse damaged, oversized and hostile graphs before anything is built from them."""

from __future__ import annotations

from collections import Counter
from types import MappingProxyType
from typing import TYPE_CHECKING, Mapping, Optional, Sequence, Sized

from gradcam_tf1.errors import ModelFileError
from gradcam_tf1.graphdef.function_library import check_functions
from gradcam_tf1.graphdef.nodes import circle_in, sources
from gradcam_tf1.graphdef.tensor_sizes import check_constants
from gradcam_tf1.tf_runtime import op_definition, tf

if TYPE_CHECKING:
    from gradcam_tf1.tf_runtime import OpDef

MAX_NODES, MAX_EDGES = 500_000, 1_000_000
_LOOP_BACK = "NextIteration"


def check(graph_def: tf.GraphDef, contents: Mapping[str, Sized] = MappingProxyType({})) -> None:
    """Refuse a graph that TensorFlow could not build, or that would exhaust memory or stack.

    Parameters
    ----------
    graph_def : tf.GraphDef
        The graph.
    contents : dict
        Name of a constant -> its bytes, where they are not in the graph, see `ApartGraph`.

    Raises
    ------
    ModelFileError
        If the graph is refused; the message names the node or function.
    """
    if not graph_def.node:
        raise ModelFileError("the graph has no nodes; expected a frozen graph with its weights")
    if graph_def.versions.min_consumer > tf.version.GRAPH_DEF_VERSION:
        raise ModelFileError(
            f"the graph needs graph version {graph_def.versions.min_consumer}, TensorFlow {tf.__version__} "
            f"has {tf.version.GRAPH_DEF_VERSION}; load it with a newer TensorFlow"
        )
    _check_size(graph_def)
    _check_edges(graph_def.node)
    _check_loops(graph_def.node)
    check_functions(graph_def.library, MAX_NODES)
    for node in graph_def.node:
        _check_inputs(node)
        check_constants(node, contents.get(node.name, b""))


def _check_size(graph_def: tf.GraphDef) -> None:
    """The time and memory of loading and binding grow with the number of nodes and edges."""
    bodies = [graph_def.node, *(function.node_def for function in graph_def.library.function)]
    for count, limit, what in (
        (sum(map(len, bodies)), MAX_NODES, "nodes"),
        (sum(len(node.input) for nodes in bodies for node in nodes), MAX_EDGES, "edges between its nodes"),
    ):
        if count > limit:
            raise ModelFileError(
                f"the graph has {count:,} {what}, those of its functions included; {limit:,} are allowed: export only "
                "the part that the scores need"
            )


def _check_edges(nodes: Sequence[tf.NodeDef]) -> None:
    counts = Counter(node.name for node in nodes)
    twice = sorted(name for name, count in counts.items() if count > 1)
    if twice:
        raise ModelFileError(f"{len(twice)} node names occur more than once, the first is {twice[0]!r}")
    for node in nodes:
        for source in sources(node):
            if source not in counts:
                raise ModelFileError(
                    f"node {node.name!r} ({node.op}) takes its input from {source!r}, which is not in the graph: "
                    "the file is incomplete; export it again with every node that the output needs"
                )


def _check_loops(nodes: Sequence[tf.NodeDef]) -> None:
    """A loop of TensorFlow passes through NextIteration; any other circle cannot be computed."""
    back = {node.name for node in nodes if node.op == _LOOP_BACK}
    circle = circle_in({node.name: [name for name in sources(node) if name not in back] for node in nodes})
    if circle:
        raise ModelFileError(f"the graph is circular, {circle}: such a graph cannot be computed")


def _check_inputs(node: tf.NodeDef) -> None:
    """Refuse a node whose number of inputs does not fit its op: other modules read inputs by position."""
    definition = op_definition(node.op)
    expected = None if definition is None else _count_inputs(definition, node)
    data = [text for text in node.input if not text.startswith("^")]
    if expected is not None and expected != len(data):
        raise ModelFileError(f"node {node.name!r} ({node.op}) has {len(data)} inputs, the op takes {expected}")
    if len(data) < len(node.input) and not all(text.startswith("^") for text in node.input[len(data) :]):
        raise ModelFileError(f"node {node.name!r} ({node.op}) has control inputs before its data inputs")


def _count_inputs(definition: OpDef, node: tf.NodeDef) -> Optional[int]:
    """Return how many data inputs a node takes, None if the attribute that says so is absent (a default applies)."""
    count = 0
    for argument in definition.input_arg:
        name = argument.number_attr or argument.type_list_attr
        if name and name not in node.attr:
            return None
        if argument.number_attr:
            count += node.attr[name].i
        else:
            count += len(node.attr[name].list.type) if name else 1
    return count
