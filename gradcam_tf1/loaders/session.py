"""Live sessions: the graph is copied and the variables are read; nothing is added to either."""

from __future__ import annotations

from typing import Any, Callable, Dict, Optional

import numpy as np

from gradcam_tf1.errors import ModelFileError
from gradcam_tf1.graphdef.nodes import consumers
from gradcam_tf1.graphdef.training import VARIABLES
from gradcam_tf1.loaders.finish import NOTHING, Declared, finish
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import LoadedModel

Run = Callable[[str], Any]


def is_session(source: Any) -> bool:
    """Whether this is a session of any kind: it runs tensors of a graph."""
    return hasattr(source, "run") and isinstance(getattr(source, "graph", None), tf.Graph)


def is_graph(source: Any) -> bool:
    """Whether this is a live graph alone."""
    return isinstance(source, tf.Graph)


def is_pair(source: Any) -> bool:
    """Whether this is (graph, session)."""
    return isinstance(source, tuple) and len(source) == 2 and isinstance(source[0], tf.Graph) and is_session(source[1])


def load_session(
    graph: Any,
    session: Any,
    source: str = "live session",
    kind: str = "live session",
    graph_def: Any = None,
    declared: Declared = NOTHING,
) -> LoadedModel:
    """A frozen graph from a live one. graph_def: the part of `graph` to load, all of it by default."""
    if session.graph is not graph:
        raise ModelFileError(f"{source}: the session runs another graph than the one given with it")
    graph_def = copy_graph(graph, source) if graph_def is None else graph_def
    readers = _readers(graph_def)
    run = _runner(session)

    def read(name: str) -> Optional[np.ndarray]:
        if name not in readers:
            return None
        try:
            return np.asarray(run(readers[name]))
        except tf.errors.FailedPreconditionError:  # not initialised
            return None
        except (RuntimeError, tf.errors.OpError) as error:
            raise ModelFileError(f"variable {name!r} cannot be read from the session: {error}") from error

    return finish(graph_def, source, kind, read, declared)


def copy_graph(graph: Any, source: str) -> Any:
    """The GraphDef of a live graph. Raises ModelFileError where it exceeds 2 GB."""
    try:
        return graph.as_graph_def()
    except ValueError as error:
        raise ModelFileError(f"{source}: the graph cannot be copied: {error}") from error


def load_graph(graph: Any) -> LoadedModel:
    """A frozen graph from a live tf.Graph without variables."""
    return finish(copy_graph(graph, "live graph"), "live graph", "live session")


def _runner(session: Any) -> Run:
    if not hasattr(session, "run_step_fn"):
        run: Run = session.run
        return run
    # A monitored session counts its runs and calls its hooks; a step function reaches the session beneath them.
    return lambda name: session.run_step_fn(lambda step_context: step_context.session.run(name))


def _readers(graph_def: Any) -> Dict[str, str]:
    """Variable node name -> an existing tensor that yields its value."""
    users = consumers(graph_def)
    readers = {}
    for node in graph_def.node:
        if node.op not in VARIABLES:
            continue
        if node.op != "VarHandleOp":
            readers[node.name] = node.name + ":0"
            continue
        reads = [user for user in users.get(node.name, ()) if user.op == "ReadVariableOp"]
        reads.sort(key=_control_inputs)  # a plain read, not one that waits for other ops
        if reads:
            readers[node.name] = reads[0].name + ":0"
    return readers


def _control_inputs(node: Any) -> int:
    return len(node.input)
