"""The ways from the input to the scores: which maps lie on every one of them, and which do so together.

A way goes along values that a gradient comes back by. Each search takes one pass over the ways.
"""

from __future__ import annotations

from typing import Collection, Dict, List, Mapping, Optional, Sequence, Set

from gradcam_tf1.binding.graph_index import GraphIndex
from gradcam_tf1.tf_runtime import is_differentiable, tf

Steps = Dict[str, List[str]]


class LayerPaths:
    """before: tensor -> the tensors one step nearer to the input. end: where the ways lead.

    place: tensor -> its rank in the graph, producers first. order: the tensors by that rank.
    """

    def __init__(self, before: Steps, place: Mapping[str, int], end: str) -> None:
        self.before, self.end = before, end
        self._place = place
        self.order = sorted(before, key=place.__getitem__)
        self.after = _turned(before)

    def to(self, end: str, start: Optional[str]) -> LayerPaths:
        """The part of them that leads to another of their tensors; where it passes `start`, only from there on."""
        seen, stack = {end}, [end]
        while stack:
            name = stack.pop()
            fresh = [] if name == start else [i for i in self.before[name] if i not in seen]
            seen.update(fresh)
            stack += fresh
        return LayerPaths({name: [] if name == start else self.before[name] for name in seen}, self._place, end)

    def on_every_way(self) -> List[str]:
        """The tensors that every way passes (the dominators of the end), producers first.

        In this order a way can pass a tensor by only with one step from before it to behind it.
        """
        place = {name: n for n, name in enumerate(self.order)}
        reach = max((place[name] for name in self.order if not self.before[name]), default=0)
        found = []
        for n, name in enumerate(self.order):
            if reach <= n:
                found.append(name)
            reach = max([reach, *(place[later] for later in self.after[name])])
        return found

    def together(self, maps: Collection[str]) -> List[str]:
        """The last of `maps` of which every way passes exactly one; empty where some way passes none of them.

        What lies behind such a set holds, with a tensor, all that follow it, and what comes before it unless that is
        in the set. The smallest such part is grown from the end; a member that turns out to lie in it moves in.
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
        """Those of `maps` behind which some way leads to the end past all others."""
        seen, stack, found = {self.end}, [self.end], set()
        while stack:
            for name in self.before[stack.pop()]:
                if name in maps:
                    found.add(name)
                elif name not in seen:
                    seen.add(name)
                    stack.append(name)
        return [name for name in self.order if name in found]

    def first(self, maps: Collection[str]) -> List[str]:
        """Those of `maps` that follow none of the others."""
        following = _reached([later for name in maps for later in self.after[name]], self.after)
        return [name for name in self.order if name in maps and name not in following]

    def lead_past(self, names: Collection[str]) -> bool:
        """Whether some way passes none of these tensors."""
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
        """These tensors and all that follow one of them."""
        return _reached([name for name in starts if name in self.before], self.after)


def find_ways(walk: GraphIndex, path: Set[str], start: str, end: str) -> LayerPaths:
    """The ways from `start` to `end`; path: all tensors between them.

    Where no gradient comes back to `start` (pixels of integers, a decoder), they begin where it ends.
    """
    before = _steps_back(walk, path, end)
    if start in before:
        live = _reached([start], _turned(before))
        before = {name: [i for i in steps if i in live] for name, steps in before.items() if name in live}
    places = sorted(before, key=lambda name: (walk.position[walk.maker[name].name], walk.tensors[name].value_index))
    return LayerPaths(before, {name: n for n, name in enumerate(places)}, end)


def _steps_back(walk: GraphIndex, path: Set[str], end: str) -> Steps:
    passes: Dict[str, bool] = {}  # by kind of op: asking for each costs a second for 100,000
    before: Steps = {}
    stack = [end]
    while stack:
        name = stack.pop()
        if name in before:
            continue
        op = walk.maker[name]
        if op.type not in passes:
            passes[op.type] = _is_of_loops(walk, name) or is_differentiable(op)
        steps = walk.carried(op, name) if passes[op.type] else ()
        before[name] = [i for i in dict.fromkeys(steps) if i in path and (walk.is_float(i) or _is_list(walk, i))]
        stack += before[name]
    return before


def _is_of_loops(walk: GraphIndex, name: str) -> bool:
    """A loop is a way too, whether or not TensorFlow can go back through it."""
    return walk.maker[name].type == "Exit" or _is_list(walk, name)


def _is_list(walk: GraphIndex, name: str) -> bool:
    """The values of all rounds of a loop."""
    return walk.tensors[name].dtype == tf.variant


def _turned(steps: Steps) -> Steps:
    found: Steps = {name: [] for name in steps}
    for name, others in steps.items():
        for other in others:
            found[other].append(name)
    return found


def _reached(starts: Sequence[str], steps: Steps) -> Set[str]:
    seen, stack = set(starts), list(starts)
    while stack:
        fresh = [name for name in steps[stack.pop()] if name not in seen]
        seen.update(fresh)
        stack += fresh
    return seen
