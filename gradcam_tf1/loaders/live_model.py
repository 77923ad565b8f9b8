"""Load live graphs and sessions: copy the graph and read the variables; add nothing to either."""

from __future__ import annotations

from typing import Callable, Dict, List, Optional

import numpy as np

from gradcam_tf1.errors import ModelFileError
from gradcam_tf1.graphdef.nodes import consumers
from gradcam_tf1.graphdef.training_ops import VARIABLES
from gradcam_tf1.loaders.finish_loading import NOTHING, Declared, finish
from gradcam_tf1.loaders.moving_averages import Averages
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import LoadedModel

Run = Callable[[List[str]], List[np.ndarray]]  # tensor names -> their values


def is_session(source: object) -> bool:
    """Whether a source is a session of any kind."""
    return hasattr(source, "run") and isinstance(getattr(source, "graph", None), tf.Graph)


def is_graph(source: object) -> bool:
    """Whether a source is a live tf.Graph."""
    return isinstance(source, tf.Graph)


def is_pair(source: object) -> bool:
    """Whether a source is a (graph, session) pair."""
    return isinstance(source, tuple) and len(source) == 2 and isinstance(source[0], tf.Graph) and is_session(source[1])


def load_session(
    graph: tf.Graph,
    session: tf.Session,
    source: str = "live session",
    kind: str = "live session",
    graph_def: Optional[tf.GraphDef] = None,
    declared: Declared = NOTHING,
    averages: Optional[Averages] = None,
) -> LoadedModel:
    """Load a frozen graph from a live graph and its session.

    Parameters
    ----------
    graph : tf.Graph
        The live graph.
    session : tf.Session
        A session of this graph, also a monitored one.
    source, kind : str
        For `LoadedModel`.
    graph_def : GraphDef, optional
        The part of `graph` to load; changed in place. Default: a copy of all of it.
    declared : Declared
        The inputs and outputs that the model states.
    averages : Averages, optional
        Whether moving averages replace the values of variables.

    Returns
    -------
    LoadedModel
        The frozen graph.

    Raises
    ------
    ModelFileError
        If the session runs another graph, or variables cannot be read.
    """
    if session.graph is not graph:
        raise ModelFileError(f"{source}: the session runs another graph than the one given; give its session.graph")
    graph_def = copy_graph(graph, source) if graph_def is None else graph_def
    values = SessionValues(variable_readers(graph_def, averages or Averages()), session_runner(session))
    return finish(graph_def, source, kind, values.read, declared)


class SessionValues:
    """The values of a session's variables.

    Parameters
    ----------
    readers : dict
        Variable -> name of an existing tensor with its value, see `variable_readers`.
    run : callable
        Names of tensors -> their values, see `session_runner`.
    """

    def __init__(self, readers: Dict[str, str], run: Run) -> None:
        self._readers, self._run = readers, run

    def read(self, names: List[str]) -> Dict[str, np.ndarray]:
        """Return the values of the variables that are initialised."""
        names = [name for name in names if name in self._readers]
        try:
            return dict(zip(names, self._run([self._readers[name] for name in names])))
        except tf.errors.FailedPreconditionError:  # one of them is not initialised; try them one by one
            if len(names) == 1:
                return {}
            return {name: value for single in names for name, value in self.read([single]).items()}
        except (RuntimeError, tf.errors.OpError) as error:
            raise ModelFileError(f"variables cannot be read from the session: {str(error).splitlines()[0]}") from error


def copy_graph(graph: tf.Graph, source: str) -> tf.GraphDef:
    """Return the GraphDef of a live graph. Raises ModelFileError if it exceeds 2 GB."""
    try:
        return graph.as_graph_def()
    except ValueError as error:
        raise ModelFileError(f"{source}: the graph cannot be copied: {error}") from error


def load_graph(graph: tf.Graph) -> LoadedModel:
    """Load a frozen graph from a live tf.Graph without variables. Raises ModelFileError if it has variables."""
    return finish(copy_graph(graph, "live graph"), "live graph", "live session")


def session_runner(session: tf.Session) -> Run:
    """Return a function that fetches tensors by name without calling the hooks of a monitored session."""
    if not hasattr(session, "run_step_fn"):
        run: Run = session.run
        return run
    # A monitored session counts runs and calls hooks; a step function uses the plain session inside it.
    return lambda names: session.run_step_fn(lambda step_context: step_context.session.run(names))


def variable_readers(graph_def: tf.GraphDef, averages: Averages) -> Dict[str, str]:
    """Return variable node name -> an existing tensor with its value, or with its moving average where requested."""
    return _averaged(_readers(graph_def), averages)


def _readers(graph_def: tf.GraphDef) -> Dict[str, str]:
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


def _averaged(readers: Dict[str, str], averages: Averages) -> Dict[str, str]:
    """Return the readers, those of requested moving averages in place of their variables' own."""
    return {name: readers[averages.key([name], readers) or name] for name in readers}


def _control_inputs(node: tf.NodeDef) -> int:
    return len(node.input)
