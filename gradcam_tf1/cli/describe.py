"""A readable report of the key tensors of a model, and why each was chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Sequence

from gradcam_tf1.cli.terminal import say, shown, warn
from gradcam_tf1.images.preprocessing import Preprocessing
from gradcam_tf1.run.listing import counted
from gradcam_tf1.run.settings import net_warnings
from gradcam_tf1.types import Binding, LayerInfo

if TYPE_CHECKING:
    from gradcam_tf1.binding.candidates import Candidate, Candidates
    from gradcam_tf1.graph import GradCamGraph

_KEYS = ("input", "logits", "probabilities", "layer")
_MAX_LISTED = 12  # candidates of one kind


def describe_all(net: GradCamGraph, candidates: Candidates, bound: bool) -> None:
    """Print the key tensors if they are bound, all layers, and the candidates for each key tensor."""
    if bound:
        describe(net, layers=True)
    else:
        say(f"{shown(net.model.source)}: {net.model.kind}, not bound; candidates:")
        list_candidates("layer", "layer", candidates.layer)
    list_candidates("input", "input", candidates.input)
    list_candidates("logits", "score", candidates.logits)


def list_candidates(option: str, noun: str, items: Sequence[Candidate]) -> None:
    """Print the candidates for one key tensor."""
    say(f"\n{noun}s that --{option} can name:" if items else f"\nno candidate for --{option}")
    width = max((len(shown(item.name)) for item in items[:_MAX_LISTED]), default=0)
    for item in items[:_MAX_LISTED]:
        shape = "any shape" if item.shape is None else shape_text(item.shape) or "one number"
        say(f"  {shown(item.name):<{width}}  {item.dtype} {shape}; {shown(item.why)}")
    if len(items) > _MAX_LISTED:
        say(f"  and {len(items) - _MAX_LISTED} more; gradcam-tf1 inspect --json lists them")


def describe(net: GradCamGraph, layers: bool = False) -> None:
    """Print the key tensors and the reason for each, optionally all layers. Warnings go to stderr."""
    binding = net.binding
    preset = net.preset or net.model.preprocessing or binding.preprocessing
    preprocessing = preset.description if isinstance(preset, Preprocessing) else preset
    say(f"{shown(net.model.source)}: {net.model.kind}")
    for key in _KEYS:
        _print_key(key, getattr(binding, key) or "none", binding.reasons.get(key, ""))
    if "placement" in binding.reasons:
        _print_key("placement", binding.reasons["placement"])
    _print_key("feeds", ", ".join(_feeds(binding)) or "none")
    _print_key("size", _size(binding))
    _print_key("classes", _classes(binding))
    if binding.array_shape is None or binding.frame_order:
        _print_key("pixels", preprocessing or "unknown: give --preset, which `gradcam-tf1 presets MODEL IMAGES` finds")
    if layers:
        _list_layers(binding.layers)
    for warning in net_warnings(net):
        warn(warning)


def _print_key(key: str, value: str, reason: str = "") -> None:
    say(f"  {key:<15}{shown(value)}")
    if reason:
        say(" " * 17 + shown(reason))


def _list_layers(layers: Sequence[LayerInfo]) -> None:
    numbered = [layer for layer in layers if layer.counted]
    width = max((len(shown(layer.name)) for layer in numbered), default=0)
    say("\nlayers, input side first:")
    for number, layer in enumerate(numbered, -len(numbered)):
        say(f"  {number:>4}  {shown(layer.name):<{width}}  {layer.op:<12}  {shape_text(layer.shape)}")
    single = [layer for layer in layers if not layer.parts]
    if len(numbered) < len(single):
        more = counted(len(single) - len(numbered), "output")
        say(f"{more} of convolutions can be named too; see gradcam-tf1 inspect MODEL --json")


def shape_text(shape: Sequence[int | None]) -> str:
    """Return [None, 7, 7, 512] as "? x 7 x 7 x 512"."""
    return " x ".join("?" if side is None else str(side) for side in shape)


def _feeds(binding: Binding) -> list[str]:
    from gradcam_tf1.binding.feed_values import shown_value

    fed = [f"{name} = {shown_value(value)}" for name, value in binding.feeds.items()]
    return fed + [f"{name} with each image" for name in binding.per_image]


def _size(binding: Binding) -> str:
    batch = "" if binding.batch_size is None else f", {binding.batch_size} at a time"
    if binding.frame_order and binding.array_shape is not None:
        frames, height, width, channels = ("any" if side is None else str(side) for side in binding.array_shape[1:])
        return f"a clip of {frames} frames, {height} x {width} x {channels}, {binding.dtype}{batch}"
    if binding.token_ids and binding.array_shape is not None:
        tokens, numbers = ("any number of" if side is None else str(side) for side in binding.array_shape[1:])
        vocabulary = f"{binding.vocabulary:,} different ids at {shown(binding.token_ids)}"
        return f"texts of {tokens} tokens, {vocabulary}, {numbers} numbers each{batch}"
    if binding.array_shape is not None:
        kind = "a signal" if len(binding.array_shape) == 3 else "a volume"
        sides = " x ".join("any" if side is None else str(side) for side in binding.array_shape[1:])
        return f"{kind} of {sides}, {binding.dtype}{batch}"
    height, width = (("any" if side is None else str(side)) for side in binding.image_size)
    return f"{height} x {width} x {binding.channels}, {binding.dtype}{batch}"


def _classes(binding: Binding) -> str:
    count = "unknown" if binding.classes is None else str(binding.classes)
    return f"{count}, class 0 is background" if binding.background else count
