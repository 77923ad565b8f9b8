"""The ops of this toolkit in messages: nobody can name them, so what they are made of in the net is named instead."""

from __future__ import annotations

from typing import List, Set

from gradcam_tf1.tf_runtime import OUR_SCOPE, tf


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
