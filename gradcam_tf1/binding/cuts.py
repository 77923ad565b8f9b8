"""Several maps taken together as one layer, whose maps are added up on the picture: "a/Relu:0 + b/Relu:0"."""

from __future__ import annotations

from typing import Any, Callable, List, Sequence

from gradcam_tf1.binding.layers import Features
from gradcam_tf1.binding.ways import Ways
from gradcam_tf1.errors import BindingError
from gradcam_tf1.types import LayerInfo

_PLUS = "+"  # no name of a TensorFlow op has one


def is_several(spec: Any) -> bool:
    """Whether a layer is asked for as a sum of several."""
    return isinstance(spec, str) and _PLUS in spec


def names_of(spec: str) -> List[str]:
    """The parts of "a + b" as they are written."""
    return [part.strip() for part in spec.split(_PLUS)]


def taken_together(parts: Sequence[LayerInfo]) -> LayerInfo:
    """One layer of several; of one alone it itself."""
    if len(parts) == 1:
        return parts[0]
    return LayerInfo(f" {_PLUS} ".join(part.name for part in parts), "Sum", (), True, False, tuple(parts))


def resolve_several(spec: str, resolve: Callable[[str], LayerInfo], ways: Ways) -> LayerInfo:
    """The layer that "a + b" means; each part is looked up by itself.

    Raises: BindingError where one of them follows another: its map would be counted twice.
    """
    parts = list(dict.fromkeys(resolve(name) for name in names_of(spec)))
    by_name = {part.name for part in parts}
    for part in parts:
        following = by_name & ways.behind(ways.after.get(part.name, []))
        if following:
            raise BindingError(
                f"layer {spec!r}: '{min(following)}' is made from '{part.name}', so that their sum would count the "
                "same evidence twice; name one of them, or maps of different branches"
            )
    return taken_together(parts)


def infos_of(features: Features, names: Sequence[str]) -> LayerInfo:
    """The record of maps of the path, by their tensors' names."""
    return taken_together([features.info(name) for name in names])
