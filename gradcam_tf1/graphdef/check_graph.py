"""What no repair can help is refused before anything is built: damaged, absurd and hostile graphs, by name."""

from __future__ import annotations

from collections import Counter
from typing import Any, Optional

from gradcam_tf1.errors import ModelFileError
from gradcam_tf1.graphdef.function_library import check_functions
from gradcam_tf1.graphdef.nodes import circle_in, sources
from gradcam_tf1.graphdef.tensor_sizes import check_constants
from gradcam_tf1.tf_runtime import op_definition, tf

MAX_NODES, MAX_EDGES = 500_000, 1_000_000
_LOOP_BACK = "NextIteration"


def check(graph_def: Any) -> None:
    """Refuse a graph that TensorFlow could not build, or would run out of memory or stack over.

    Raises: ModelFileError that names the node or function.
    """
    if not graph_def.node:
        raise ModelFileError("the graph has no nodes; expected a frozen graph with its weights")
    if graph_def.versions.min_consumer > tf.version.GRAPH_DEF_VERSION:
        raise ModelFileError(
            f"the graph asks for graph version {graph_def.versions.min_consumer}, TensorFlow {tf.__version__} "
            f"has {tf.version.GRAPH_DEF_VERSION}; load it with a newer TensorFlow"
        )
    _check_size(graph_def)
    _check_edges(graph_def.node)
    _check_loops(graph_def.node)
    check_functions(graph_def.library, MAX_NODES)
    for node in graph_def.node:
        _check_inputs(node)
        check_constants(node)


def _check_size(graph_def: Any) -> None:
    """What is done here and in binding takes time and memory by nodes and edges."""
    bodies = [graph_def.node, *(function.node_def for function in graph_def.library.function)]
    for count, limit, what in (
        (sum(map(len, bodies)), MAX_NODES, "nodes"),
        (sum(len(node.input) for nodes in bodies for node in nodes), MAX_EDGES, "edges between its nodes"),
    ):
        if count > limit:
            raise ModelFileError(
                f"the graph has {count:,} {what}, with those of its functions; {limit:,} are allowed: export the part "
                "that the scores need"
            )


def _check_edges(nodes: Any) -> None:
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


def _check_loops(nodes: Any) -> None:
    """A loop of TensorFlow runs through NextIteration; any other circle can never be computed."""
    back = {node.name for node in nodes if node.op == _LOOP_BACK}
    circle = circle_in({node.name: [name for name in sources(node) if name not in back] for node in nodes})
    if circle:
        raise ModelFileError(f"the graph is circular, {circle}: such a graph cannot be computed")


def _check_inputs(node: Any) -> None:
    """Code that works on NodeDefs reads their inputs by position; here they are as many as the op takes."""
    definition = op_definition(node.op)
    wanted = None if definition is None else _count_inputs(definition, node)
    data = [text for text in node.input if not text.startswith("^")]
    if wanted is not None and wanted != len(data):
        raise ModelFileError(f"node {node.name!r} ({node.op}) has {len(data)} inputs, the op takes {wanted}")
    if len(data) < len(node.input) and not all(text.startswith("^") for text in node.input[len(data) :]):
        raise ModelFileError(f"node {node.name!r} ({node.op}) has control inputs before its data")


def _count_inputs(definition: Any, node: Any) -> Optional[int]:
    """How many data inputs an op takes, None where attributes that say so are absent (their defaults count)."""
    count = 0
    for argument in definition.input_arg:
        name = argument.number_attr or argument.type_list_attr
        if name and name not in node.attr:
            return None
        value = node.attr[name] if name else None
        count += value.i if argument.number_attr else len(value.list.type) if value is not None else 1
    return count
