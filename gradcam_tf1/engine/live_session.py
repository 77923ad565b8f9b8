"""A net's session as threads share it: who runs it, who adds ops to its graph, who closes it.

Runs go side by side. Ops are added by one thread at a time, while nothing runs: a session takes over what is in the
graph whenever it runs, half-built things too.

TensorFlow's functional loops and conditions (While, If) hand out what a gradient needs of their inside only from when
that gradient is built: it changes the op, and a session that has seen the op as it was cannot run any more ("Connecting
to invalid output"). Then the net gets a new session. `experimental.output_all_intermediates` does not help: it acts
where such an op is built, not where it is imported (measured).
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import Any, Dict, Iterator, Optional, Tuple

from gradcam_tf1.engine.large_weights import Fillers, Weights, make_fillers, put_weights
from gradcam_tf1.errors import ClosedError
from gradcam_tf1.tf_runtime import tf, unfinalized

_FUNCTIONAL = ("While", "StatelessWhile", "If", "StatelessIf", "Case", "StatelessCase")


class LiveSession:
    """A tf.Session of a graph of ours. config: the session's. weights: of its variables, see `weights.py`."""

    def __init__(self, sess: tf.Session, config: Any = None, weights: Optional[Weights] = None) -> None:
        self.sess = sess
        self.graph = sess.graph
        self._config = config
        self._turn = threading.Condition()
        self._runs = 0
        self._builders = 0  # that wait or are at work
        self._builder: Any = None
        self._closed = False
        self._outdated = False
        self._ports: Dict[tf.Operation, Tuple[int, int]] = {}
        self._seen = 0  # ops of the graph, whose list only grows
        self._note_functional()
        self._fillers: Fillers = make_fillers(self.graph, weights or {})
        put_weights(sess, weights or {}, self._fillers)
        self._weights = weights if weights and self._ports else {}  # kept where a further session may need them

    def run(self, fetches: Any, feed: Any = None, **options: Any) -> Any:
        """`tf.Session.run`. Raises: ClosedError where the net is closed before it is done."""
        with self._running() as sess:
            try:
                return sess.run(fetches, feed, **options)
            except (RuntimeError, tf.errors.OpError) as error:  # cancelled, or an op that no longer finds its things
                if self._closed:
                    raise ClosedError() from error
                raise

    @contextmanager
    def _running(self) -> Iterator[tf.Session]:
        with self._turn:
            own = self._builder == threading.get_ident()
            self._turn.wait_for(lambda: own or self._closed or not (self._builders or (self._outdated and self._runs)))
            self._check_open()
            if self._outdated and not own:
                self._renew()
            self._runs += 1
        try:
            yield self.sess
        finally:
            with self._turn:
                self._runs -= 1
                self._turn.notify_all()

    @contextmanager
    def building(self) -> Iterator[tf.Graph]:
        """Inside, ops may be added; the same thread may go in again. Raises: ClosedError."""
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
                self._check_open()
            self._builder = threading.get_ident()

    def _note_functional(self) -> None:
        """Whether one of the functional ops that a session may have seen has other inputs and outputs now."""
        changed = {op: _ports(op) for op, ports in self._ports.items() if ports != _ports(op)}
        self._outdated |= bool(changed)
        ops = self.graph.get_operations()
        self._ports.update(changed)
        self._ports.update({op: _ports(op) for op in ops[self._seen :] if op.type in _FUNCTIONAL})
        self._seen = len(ops)

    def _check_open(self) -> None:
        if self._closed:
            raise ClosedError()

    def _renew(self) -> None:
        """A session of the graph as it is now, with the same weights."""
        self.sess.close()  # first: a GPU may not have room for both
        fresh = tf.Session(graph=self.graph, config=self._config)
        put_weights(fresh, self._weights, self._fillers)
        self.sess, self._outdated = fresh, False

    def close(self) -> None:
        """Free the session. A run that is under way ends, and says that the net is closed."""
        with self._turn:
            self._closed = True
            self._turn.notify_all()
            self.sess.close()


def _ports(op: tf.Operation) -> Tuple[int, int]:
    return len(op.inputs), len(op.outputs)
