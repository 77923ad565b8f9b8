"""An op of a graph that is read quickly."""

from __future__ import annotations

from typing import Any

from gradcam_tf1.tf_runtime import tf


class IndexedOp:
    """An op with its name and type at hand, which TensorFlow 1.15 asks its C library for at each use."""

    __slots__ = ("_op", "name", "outputs", "type")

    def __init__(self, op: tf.Operation) -> None:
        self._op, self.name, self.type, self.outputs = op, op.name, op.type, op.outputs

    def __getattr__(self, name: str) -> Any:
        return getattr(self._op, name)
