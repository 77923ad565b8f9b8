"""Ops that are added to a graph once, when they are first requested; what cannot be built is remembered too."""

from __future__ import annotations

from copy import copy
from functools import partial
from typing import Any, Callable, ContextManager, Dict, Hashable, List, NamedTuple, Optional, Set, TypeVar, Union

from gradcam_tf1.errors import GradCamError, GradientError
from gradcam_tf1.gradients.loop_gradients import LoopError
from gradcam_tf1.methods import without_gradients
from gradcam_tf1.tf_runtime import OUR_SCOPE, tf, unfinalized

Built = TypeVar("Built")


class _Refused(NamedTuple):
    """What could not be built, and why."""

    error: GradCamError


class BuiltOnce:
    """What was built for one graph, by key. A second request for what was refused adds nothing to the graph.

    Parameters
    ----------
    graph : tf.Graph
        Finalized while nothing is built.
    building : Callable, optional
        The context in which ops may be added, see `LiveSession`; None for a graph that has no session yet.
    """

    def __init__(self, graph: tf.Graph, building: Optional[Callable[[], ContextManager[tf.Graph]]] = None) -> None:
        self._built: Dict[Hashable, Any] = {}
        self._building = building or partial(unfinalized, graph)

    def __call__(self, key: Hashable, build: Callable[[], Built]) -> Built:
        """Return what `build` returns, or returned before.

        Raises
        ------
        GradCamError
            That `build` raised, now or before.
        """
        if key not in self._built:
            try:
                with self._building(), tf.name_scope(OUR_SCOPE):
                    if key not in self._built:  # another thread may have built it meanwhile
                        self._built[key] = build()
            except LoopError as error:
                usable = ", ".join(without_gradients())
                self._built[key] = _Refused(GradientError(f"{error}; methods that need no gradient work: {usable}"))
            except GradCamError as error:
                self._built[key] = _Refused(error)
        result: Union[Built, _Refused] = self._built[key]
        if isinstance(result, _Refused):
            raise copy(result.error)
        return result


def made_of(tensor: tf.Tensor) -> str:
    """Return the name of a tensor of the net in quotes, else "what is made of" the nearest such ones before it."""
    level, seen = [tensor], {tensor.name}
    while level:
        own = sorted(before.name for before in level if not before.op.name.startswith(OUR_SCOPE))
        if own:
            names = " and ".join(f"'{name}'" for name in own)
            return names if own == [tensor.name] else f"what is made of {names}"
        level = _before(level, seen)
    return "what is made of the scores"


def _before(level: List[tf.Tensor], seen: Set[str]) -> List[tf.Tensor]:
    fresh = {before.name: before for tensor in level for before in tensor.op.inputs if before.name not in seen}
    seen.update(fresh)
    return list(fresh.values())
