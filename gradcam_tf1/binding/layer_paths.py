"""The paths from the input to the scores: which maps lie on every path, alone or together.

A path follows values that a gradient can flow back through. Each search is one pass over the paths.
"""

from __future__ import annotations

from typing import Collection, Dict, List, Mapping, Optional, Sequence, Set

from gradcam_tf1.binding.graph_index import GraphIndex
from gradcam_tf1.tf_runtime import is_differentiable, tf

Steps = Dict[str, List[str]]


class LayerPaths:
    """The paths that lead to one tensor.

    Parameters
    ----------
    before : dict of str to list of str
        For each tensor the tensors one step nearer to the input.
    position : mapping of str to int
        Position of each tensor in the graph, producers first.
    end : str
        The tensor that the paths lead to.

    Attributes
    ----------
    before, end
        As given.
    after : dict of str to list of str
        The inverse of `before`.
    order : list of str
        All tensors by position.
    """

    def __init__(self, before: Steps, position: Mapping[str, int], end: str) -> None:
        self.before, self.end = before, end
        self._position = position
        self.order = sorted(before, key=position.__getitem__)
        self.after = _inverse(before)

    def to(self, end: str, start: Optional[str]) -> LayerPaths:
        """Return the paths that lead to another tensor; those that pass `start` begin there."""
        seen, stack = {end}, [end]
        while stack:
            name = stack.pop()
            fresh = [] if name == start else [i for i in self.before[name] if i not in seen]
            seen.update(fresh)
            stack += fresh
        return LayerPaths({name: [] if name == start else self.before[name] for name in seen}, self._position, end)

    def on_every_path(self) -> List[str]:
        """Return the tensors that every path passes (the dominators of the end), producers first.

        In this order, a path can skip a tensor only by one step from before it to after it.
        """
        position = {name: n for n, name in enumerate(self.order)}
        reach = max((position[name] for name in self.order if not self.before[name]), default=0)
        passed = []
        for n, name in enumerate(self.order):
            if reach <= n:
                passed.append(name)
            reach = max([reach, *(position[later] for later in self.after[name])])
        return passed

    def together(self, maps: Collection[str]) -> List[str]:
        """Return the last of `maps` of which every path passes exactly one; empty if some path passes none.

        The part behind such a set is closed: with a tensor it contains all that follow it, and all before it that are
        not in the set. The smallest such part is grown from the end; a member of the set that the part reaches is
        moved into it.
        """
        members: Set[str] = set()
        behind: Set[str] = {self.end}
        stack = [self.end]
        while stack:
            name = stack.pop()
            if name in behind:
                if not self.before[name]:
                    return []
                grown = [i for i in self.before[name] if i not in maps]
                fresh = [i for i in self.before[name] if i in maps and i not in members and i not in behind]
                members.update(fresh)
                stack += fresh
                grown += self.after[name]
            else:
                grown = self.after[name]
            grown = [i for i in dict.fromkeys(grown) if i not in behind]
            behind.update(grown)
            members.difference_update(grown)
            stack += grown
        return [name for name in self.order if name in members]

    def last(self, maps: Collection[str]) -> List[str]:
        """Return those of `maps` after which some path to the end passes no other."""
        seen, stack, last = {self.end}, [self.end], set()
        while stack:
            for name in self.before[stack.pop()]:
                if name in maps:
                    last.add(name)
                elif name not in seen:
                    seen.add(name)
                    stack.append(name)
        return [name for name in self.order if name in last]

    def first(self, maps: Collection[str]) -> List[str]:
        """Return those of `maps` that follow none of the others."""
        following = _reached([later for name in maps for later in self.after[name]], self.after)
        return [name for name in self.order if name in maps and name not in following]

    def can_avoid(self, names: Collection[str]) -> bool:
        """Return whether some path passes none of these tensors."""
        if self.end in names:
            return False
        seen, stack = {self.end}, [self.end]
        while stack:
            steps = self.before[stack.pop()]
            if not steps:
                return True
            fresh = [name for name in steps if name not in seen and name not in names]
            seen.update(fresh)
            stack += fresh
        return False

    def behind(self, starts: Sequence[str]) -> Set[str]:
        """Return these tensors and all that follow one of them."""
        return _reached([name for name in starts if name in self.before], self.after)


def find_paths(index: GraphIndex, path: Set[str], start: str, end: str) -> LayerPaths:
    """Find the paths from `start` to `end`.

    If no gradient reaches `start` (integer pixels, a decoder), the paths begin where the gradient ends.

    Parameters
    ----------
    index : GraphIndex
        The graph.
    path : set of str
        All tensors between `start` and `end`.
    start, end : str
        The input and the scores.

    Returns
    -------
    LayerPaths
        The paths.
    """
    before = _steps_back(index, path, end)
    if start in before:
        live = _reached([start], _inverse(before))
        before = {name: [i for i in steps if i in live] for name, steps in before.items() if name in live}
    order = sorted(before, key=lambda name: (index.position[index.maker[name].name], index.tensors[name].value_index))
    return LayerPaths(before, {name: n for n, name in enumerate(order)}, end)


def _steps_back(index: GraphIndex, path: Set[str], end: str) -> Steps:
    passes: Dict[str, bool] = {}  # by kind of op: a look-up per op takes a second for 100,000 ops
    before: Steps = {}
    stack = [end]
    while stack:
        name = stack.pop()
        if name in before:
            continue
        op = index.maker[name]
        if op.type not in passes:
            passes[op.type] = _is_of_loops(index, name) or is_differentiable(op)
        steps = index.carried(op, name) if passes[op.type] else ()
        before[name] = [i for i in dict.fromkeys(steps) if i in path and (index.is_float(i) or _is_list(index, i))]
        stack += before[name]
    return before


def _is_of_loops(index: GraphIndex, name: str) -> bool:
    """Return whether a loop makes the tensor; paths lead through loops, even if TensorFlow has no gradient there."""
    return index.maker[name].type == "Exit" or _is_list(index, name)


def _is_list(index: GraphIndex, name: str) -> bool:
    """Return whether the tensor is a list of the values of all rounds of a loop."""
    return bool(index.tensors[name].dtype == tf.variant)


def _inverse(steps: Steps) -> Steps:
    inverse: Steps = {name: [] for name in steps}
    for name, others in steps.items():
        for other in others:
            inverse[other].append(name)
    return inverse


def _reached(starts: Sequence[str], steps: Steps) -> Set[str]:
    seen, stack = set(starts), list(starts)
    while stack:
        fresh = [name for name in steps[stack.pop()] if name not in seen]
        seen.update(fresh)
        stack += fresh
    return seen
