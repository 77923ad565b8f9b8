"""What was found in a model and why, for people."""

from __future__ import annotations

from typing import Any, Iterable, Sequence

from gradcam_tf1.cli.terminal import say, shown, warn
from gradcam_tf1.types import Binding, LayerInfo

_KEYS = ("input", "logits", "probabilities", "layer")


def describe(net: Any, layers: bool = False) -> None:
    """Print what is bound and why; with `layers`, also the other layers that could be.  Warnings go to stderr."""
    binding = net.binding
    say(f"{net.model.source}: {net.model.kind}")
    rows = [(key, getattr(binding, key) or "none", binding.reasons.get(key, "")) for key in _KEYS]
    rows += [
        ("feed" if i == 0 else "", f"{name} = {value}", "") for i, (name, value) in enumerate(binding.feeds.items())
    ]
    rows += [("size", _size(binding), ""), ("classes", _classes(binding), "")]
    preset = net.preset or binding.preprocessing
    rows += [("pixels", getattr(preset, "description", preset) or "not known: give --preset", "")]
    table(rows)
    if layers:
        say("\nlayers, input side first (-1 is the last):")
        table(_layer_rows(binding.layers))
    for warning in (*net.model.notes, *binding.warnings, *_label_note(net)):
        warn(warning)


def table(rows: Iterable[Sequence[str]]) -> None:
    """Columns of equal width, the last one free."""
    cells = [[shown(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(cells[0]))]
    for row in cells:
        say("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


def shape_text(shape: Sequence[int | None]) -> str:
    """[None, 7, 7, 512] as "? x 7 x 7 x 512"."""
    return " x ".join("?" if side is None else str(side) for side in shape)


def _layer_rows(layers: Sequence[LayerInfo]) -> list[tuple[str, ...]]:
    counted = [layer for layer in layers if layer.counted]
    place = {layer.name: str(i - len(counted)) for i, layer in enumerate(counted)}
    return [(place.get(layer.name, ""), layer.name, layer.op, shape_text(layer.shape)) for layer in layers]


def _size(binding: Binding) -> str:
    height, width = (("any" if side is None else str(side)) for side in binding.image_size)
    batch = "" if binding.batch_size is None else f", {binding.batch_size} at a time"
    return f"{height} x {width} x {binding.channels}, {binding.dtype}{batch}"


def _classes(binding: Binding) -> str:
    count = "not known" if binding.classes is None else str(binding.classes)
    return f"{count}, class 0 is background" if binding.background else count


def _label_note(net: Any) -> list[str]:
    return [net.labels.note] if net.labels is not None and net.labels.note else []
