"""The same tensors fed and fetched again and again, without what `tf.Session.run` looks up and checks each time."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, NamedTuple, Sequence, Set, Tuple

import numpy as np

from gradcam_tf1.tf_runtime import numpy_dtype, prepared_call, tf

# Of the tensors fetched and fed, by identity: their own hash takes a while, and `_Prepared` keeps them alive.
_Key = Tuple[Tuple[int, ...], Tuple[int, ...]]


class _Prepared(NamedTuple):
    """A prepared call, its tensors, what it takes, and the shapes of values that are known to fit."""

    call: Any
    tensors: Tuple[Tuple[tf.Tensor, ...], Tuple[tf.Tensor, ...]]
    dtypes: Sequence[np.dtype]
    fitting: Set[Tuple[Tuple[int, ...], ...]]


class PreparedRuns:
    """The prepared calls of one session, one for each set of tensors that was fetched and fed."""

    def __init__(self, sess: tf.Session) -> None:
        self._sess = sess
        self._known: Dict[_Key, _Prepared] = {}

    def __call__(self, fetches: Sequence[tf.Tensor], feed: Mapping[tf.Tensor, Any]) -> List[np.ndarray]:
        """Return what `sess.run(fetches, feed)` returns, with its errors; no tensor is fetched twice."""
        try:
            return self._run(fetches, feed)
        except (TypeError, ValueError, RuntimeError, tf.errors.OpError):
            return list(self._sess.run(list(fetches), feed))  # whose error names the op, or the value that does not fit

    def _run(self, fetches: Sequence[tf.Tensor], feed: Mapping[tf.Tensor, Any]) -> List[np.ndarray]:
        key = (tuple(map(id, fetches)), tuple(map(id, feed)))
        prepared = self._known.get(key)
        if prepared is None:
            dtypes = [numpy_dtype(tensor.dtype.base_dtype.name) for tensor in feed]
            tensors = (tuple(fetches), tuple(feed))
            prepared = _Prepared(prepared_call(self._sess, *tensors), tensors, dtypes, set())
            self._known[key] = prepared
        values = [np.asarray(value, dtype) for value, dtype in zip(feed.values(), prepared.dtypes)]
        shapes = tuple([value.shape for value in values])
        if shapes not in prepared.fitting:
            for tensor, value in zip(feed, values):
                tensor.shape.assert_is_compatible_with(value.shape)
            prepared.fitting.add(shapes)
        found: List[np.ndarray] = prepared.call(*values)
        return found
