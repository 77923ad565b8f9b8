"""Run a net with other values of its constants, or in a session of its own, without a change of the net itself."""

from __future__ import annotations

from contextlib import contextmanager
from copy import copy
from typing import Dict, Iterable, Iterator, List, Mapping, Sequence, TypeVar

import numpy as np

from gradcam_tf1.engine.session_runner import SessionRunner
from gradcam_tf1.tf_runtime import tf

Self = TypeVar("Self", bound="ConstantFeeder")


class ConstantFeeder:
    """The part of a MapEngine that changes what its runs are fed. The ops stay the same; nothing is assigned.

    Attributes
    ----------
    graph : tf.Graph
        Holds the net.
    """

    graph: tf.Graph
    _runner: SessionRunner

    def constants(self, names: Sequence[str]) -> Dict[str, np.ndarray]:
        """Return the values of tensors that depend on no input."""
        return dict(zip(names, self._runner.constants(self._named(names))))

    def feeding(self: Self, values: Mapping[str, np.ndarray]) -> Self:
        """Return an engine of the same ops and session that feeds other values of such tensors in every run."""
        return self._with_runner(self._runner.feeding(dict(zip(self._named(values), values.values()))))

    @contextmanager
    def in_fresh_session(self: Self) -> Iterator[Self]:
        """Return an engine of the same ops, in a session of its own that ends with the block."""
        with self._runner.in_fresh_session() as runner:
            yield self._with_runner(runner)

    def _with_runner(self: Self, runner: SessionRunner) -> Self:
        other = copy(self)
        other._runner = runner
        return other

    def _named(self, names: Iterable[str]) -> List[tf.Tensor]:
        return [self.graph.get_tensor_by_name(name) for name in names]
