"""Ops that are added to a graph once, when they are first asked for; what cannot be built is remembered too."""

from __future__ import annotations

from copy import copy
from functools import partial
from typing import Any, Callable, ContextManager, Dict, Hashable, List, NamedTuple, Optional, Set

from gradcam_tf1.errors import GradCamError, GradientError
from gradcam_tf1.gradients.loop_gradients import LoopError
from gradcam_tf1.methods import without_gradients
from gradcam_tf1.tf_runtime import OUR_SCOPE, tf, unfinalized


class _Refused(NamedTuple):
    """What could not be built, and why."""

    error: GradCamError


class BuiltOnce:
    """What was built for one graph, by key. Asking again for what was refused adds nothing to the graph.

    building: the context in which ops may be added, see `LiveSession`; for a graph that has no session yet there is
    nobody to wait for.
    """

    def __init__(self, graph: tf.Graph, building: Optional[Callable[[], ContextManager[tf.Graph]]] = None) -> None:
        self._built: Dict[Hashable, Any] = {}
        self._building = building or partial(unfinalized, graph)

    def __call__(self, key: Hashable, build: Callable[[], Any]) -> Any:
        """What `build` makes, or made before. Raises: what it raised, a GradCamError."""
        if key not in self._built:
            try:
                with self._building(), tf.name_scope(OUR_SCOPE):
                    if key not in self._built:  # by another thread, meanwhile
                        self._built[key] = build()
            except LoopError as error:
                usable = ", ".join(without_gradients())
                self._built[key] = _Refused(GradientError(f"{error}; methods that need no gradient work: {usable}"))
            except GradCamError as error:
                self._built[key] = _Refused(error)
        found = self._built[key]
        if isinstance(found, _Refused):
            raise copy(found.error)
        return found


def made_of(tensor: tf.Tensor) -> str:
    """The tensor in quotes where it is the net's, else "what is made of" the nearest ones of the net before it."""
    level, seen = [tensor], {tensor.name}
    while level:
        own = sorted(each.name for each in level if not each.op.name.startswith(OUR_SCOPE))
        if own:
            names = " and ".join(f"'{name}'" for name in own)
            return names if own == [tensor.name] else f"what is made of {names}"
        level = _before(level, seen)
    return "what is made of the scores"


def _before(level: List[tf.Tensor], seen: Set[str]) -> List[tf.Tensor]:
    fresh = {each.name: each for tensor in level for each in tensor.op.inputs if each.name not in seen}
    seen.update(fresh)
    return list(fresh.values())
