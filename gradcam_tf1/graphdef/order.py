"""The order in which a graph can be computed, and the circle where it cannot."""

from __future__ import annotations

from collections import defaultdict
from typing import Dict, List, Tuple

Before = Dict[str, List[str]]  # name -> where it comes from


def in_order(before: Before) -> List[str]:
    """The names, each behind all that it comes from; those on a circle, or behind one, are left out."""
    waiting = {name: len(set(names)) for name, names in before.items()}
    users: Dict[str, List[str]] = defaultdict(list)
    for name, names in before.items():
        for source in set(names):
            users[source].append(name)
    order = [name for name, count in waiting.items() if not count]
    for name in order:  # grows
        for user in users.get(name, ()):
            waiting[user] -= 1
            if not waiting[user]:
                order.append(user)
    return order


def circle_in(before: Before) -> str:
    """One circle as text, 'a' <- 'b' <- 'a', "" where there is none."""
    order = in_order(before)
    if len(order) == len(before):
        return ""
    left = before.keys() - set(order)
    name, seen = next(name for name in before if name in left), {}  # type: ignore[var-annotated]
    while name not in seen:  # every one that is left has a source that is left
        seen[name] = len(seen)
        name = next(source for source in before[name] if source in left)
    return _path(tuple(seen)[seen[name] :])


def _path(circle: Tuple[str, ...]) -> str:
    names = [*circle[:4], *(["..."] if len(circle) > 4 else []), circle[0]]
    return " <- ".join(repr(name) if name != "..." else name for name in names)
