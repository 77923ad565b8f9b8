"""A net's session, shared by threads that run it, add ops to its graph, or close it.

Runs are concurrent. One thread at a time adds ops, while nothing runs: at each run a session copies the graph, also
half-built parts.

Functional loops and conditions of TensorFlow (While, If) output the intermediate values of their body only after their
gradient is built. That changes the op, and a session that has copied the old op cannot run again ("Connecting to
invalid output"), so the net gets a new session. `experimental.output_all_intermediates` does not help: it acts when the
op is built, not when it is imported (measured).
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from gradcam_tf1.engine.freed_memory import give_back
from gradcam_tf1.engine.large_weights import Fillers, Weights, constant_of, handle_of, make_fillers, put_weights
from gradcam_tf1.engine.prepared_runs import PreparedRuns
from gradcam_tf1.errors import ClosedError, OptionError
from gradcam_tf1.tf_runtime import tf, unfinalized

_FUNCTIONAL = ("While", "StatelessWhile", "If", "StatelessIf", "Case", "StatelessCase")


class LiveSession:
    """A tf.Session on a private graph.

    Parameters
    ----------
    sess : tf.Session
        The session; another one may replace it, see above.
    config : tf.ConfigProto or None
        Its configuration.
    weights : dict or None
        Values of its variables, see `large_weights`; the dict ends empty.
    """

    def __init__(
        self, sess: tf.Session, config: Optional[tf.ConfigProto] = None, weights: Optional[Weights] = None
    ) -> None:
        self.sess = sess
        self.graph = sess.graph
        self._config = config
        self._prepared = PreparedRuns(sess)
        self._turn = threading.Condition()
        self._runs = 0
        self._builders = 0  # threads that add ops or wait to do so
        self._builder: Optional[int] = None  # ident of the thread that adds ops
        self._closed = False
        self._outdated = False
        self.assigned = 0  # how often weights were changed
        self._ports: Dict[tf.Operation, Tuple[int, int]] = {}
        self._seen = 0  # number of ops that were checked; their list only grows
        self._given_back = 0  # the same, when memory was last given back
        self._note_functional()
        values = {} if weights is None else weights
        self._fillers: Fillers = make_fillers(self.graph, values)
        self._weights = dict(values) if self._ports else {}  # kept if a later session may need them
        put_weights(sess, values, self._fillers)

    def run(self, fetches: Any, feed: Optional[Mapping[tf.Tensor, Any]] = None, **options: Any) -> Any:
        """Call `tf.Session.run`. Raises ClosedError if the net is closed before the end."""
        return self._in_turn(lambda: self.sess.run(fetches, feed, **options))

    def run_again(self, fetches: Sequence[tf.Tensor], feed: Mapping[tf.Tensor, Any]) -> List[np.ndarray]:
        """Return the same for tensors that are fetched again and again, no tensor twice, in less time."""
        found: List[np.ndarray] = self._in_turn(lambda: self._prepared(fetches, feed))
        return found

    def _in_turn(self, run: Callable[[], Any]) -> Any:
        if self._given_back != self._seen:  # new ops need room that others have left
            self._given_back = self._seen
            give_back()
        with self._running():
            try:
                return run()
            except (RuntimeError, tf.errors.OpError) as error:  # cancelled, or an op without its resources
                if self._closed:
                    raise ClosedError() from error
                raise

    def assign(self, values: Mapping[str, np.ndarray]) -> None:
        """Set variables, by the names of the constants whose places they took.

        Raises
        ------
        OptionError
            If a constant has no variable, or a value has another shape.
        ClosedError
            If the net is closed.
        """
        taken = {handle_of(name): value for name, value in values.items()}
        for handle, (name, value) in zip(taken, values.items()):
            if handle not in self._fillers:
                raise OptionError(f"'{name}' is no variable of this net; its model lists those it has in `variables`")
            expected = self._fillers[handle][0].shape
            if not expected.is_compatible_with(np.shape(value)):
                raise OptionError(f"'{name}' has shape {expected}, the value given {list(np.shape(value))}")
        taken = {handle: np.array(value) for handle, value in taken.items()}  # a variable may take over what is fed
        fed = {self._fillers[handle][0]: value for handle, value in taken.items()}
        if fed:
            self.run([self._fillers[handle][1] for handle in taken], fed)
            self.assigned += 1
        if self._ports:
            self._weights.update(taken)

    @contextmanager
    def _running(self) -> Iterator[None]:
        with self._turn:
            builds = self._builder == threading.get_ident()
            self._turn.wait_for(
                lambda: builds or self._closed or not (self._builders or (self._outdated and self._runs))
            )
            self.check_open()
            if self._outdated and not builds:
                self._renew()
            self._runs += 1
        try:
            yield
        finally:
            with self._turn:
                self._runs -= 1
                self._turn.notify_all()

    @contextmanager
    def building(self) -> Iterator[tf.Graph]:
        """Let this thread add ops inside the block, which it may enter again. Raises ClosedError."""
        if self._builder == threading.get_ident():
            yield self.graph
            return
        self._take_turn()
        try:
            with unfinalized(self.graph) as graph:
                yield graph
        finally:
            self._note_functional()
            with self._turn:
                self._builder = None
                self._builders -= 1
                self._turn.notify_all()

    def _take_turn(self) -> None:
        with self._turn:
            self._builders += 1
            self._turn.wait_for(lambda: self._closed or (self._builder is None and not self._runs))
            if self._closed:
                self._builders -= 1
                self.check_open()
            self._builder = threading.get_ident()

    def _note_functional(self) -> None:
        """Record new functional ops, and mark the session as outdated if a recorded one has changed its ports."""
        changed = {op: _ports(op) for op, ports in self._ports.items() if ports != _ports(op)}
        self._outdated |= bool(changed)
        ops = self.graph.get_operations()
        self._ports.update(changed)
        self._ports.update({op: _ports(op) for op in ops[self._seen :] if op.type in _FUNCTIONAL})
        self._seen = len(ops)

    def check_open(self) -> None:
        """Raise ClosedError if the net was closed."""
        if self._closed:
            raise ClosedError()

    def _renew(self) -> None:
        """Open a new session on the present graph, with the same weights."""
        self.sess.close()  # first: a GPU may not have room for both
        fresh = tf.Session(graph=self.graph, config=self._config)
        put_weights(fresh, dict(self._weights), self._fillers)
        self.sess, self._prepared, self._outdated = fresh, PreparedRuns(fresh), False

    @contextmanager
    def fresh(self) -> Iterator[Tuple[LiveSession, Dict[tf.Tensor, np.ndarray]]]:
        """Open a second session on the graph for the block.

        Yields
        ------
        LiveSession
            The session. Its variables have no values.
        dict
            The values to feed in their place.
        """
        readers = [self.graph.get_tensor_by_name(constant_of(handle) + ":0") for handle in self._fillers]
        values = dict(zip(readers, self.run(readers)))
        sess = LiveSession(tf.Session(graph=self.graph, config=self._config), self._config)
        try:
            yield sess, values
        finally:
            sess.close()

    def close(self) -> None:
        """Free the session. A run in progress ends with ClosedError."""
        with self._turn:
            self._closed = True
            self._turn.notify_all()
            self.sess.close()


def _ports(op: tf.Operation) -> Tuple[int, int]:
    """Return the numbers of inputs and outputs."""
    return len(op.inputs), len(op.outputs)
