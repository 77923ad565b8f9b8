"""What a page needs to know of the net: its classes, layers and methods, and what may be asked of them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Dict, List, Mapping

from gradcam_tf1._version import __version__
from gradcam_tf1.binding.json_report import binding_report
from gradcam_tf1.errors import OptionError
from gradcam_tf1.methods import METHODS
from gradcam_tf1.methods.base import Method
from gradcam_tf1.methods.noise import KINDS
from gradcam_tf1.methods.options import Option
from gradcam_tf1.run.settings import net_warnings
from gradcam_tf1.scoring.score_functions import CLASS_SCORES
from gradcam_tf1.serve.question import MOST, largest
from gradcam_tf1.serve.serve_options import ServeOptions
from gradcam_tf1.serve.uploads import MOST_IMAGES
from gradcam_tf1.tf_runtime import tf

if TYPE_CHECKING:
    from gradcam_tf1.graph import GradCamGraph

Facts = Dict[str, Any]
_NUMBER_TYPES = {bool: "bool", int: "int", float: "float", str: "name"}
_MOST_CLASSES = 100_000  # names that are sent


def check_images_net(net: GradCamGraph) -> None:
    """Refuse a net that the page cannot ask. Raises OptionError."""
    binding = net.binding
    if binding.array_shape is not None:
        kind = "clips" if binding.frame_order else "signals or volumes"
        raise OptionError(f"the live page explains images, and this net takes {kind}; use explain in Python, or run")
    if binding.per_image:
        names = ", ".join(binding.per_image)
        raise OptionError(
            f"the live page sends images only, and {names} need a value with each image; give one for all in feed"
        )


def model_facts(net: GradCamGraph, options: ServeOptions) -> Facts:
    """Return what GET /model answers: plain JSON values. Builds what every method needs, which takes seconds."""
    binding = net.binding
    report = binding_report(binding)
    usable, reasons = net.usable_methods(list(METHODS))
    classes = 2 if binding.classes == 1 else binding.classes
    return {
        **{"model": os.path.basename(net.model.source.rstrip("/\\")) or "model", "kind": net.model.kind},
        **{"gradcam_tf1": __version__, "tensorflow": tf.__version__},
        **{key: report[key] for key in ("input", "logits", "layer", "layers", "image_size", "channels")},
        **{"classes": classes, "labels": _labels(net, classes), "branches": bool(binding.branches)},
        "methods": [_method(METHODS[name], reasons) for name in [*usable, *reasons]],
        **{"scores": list(CLASS_SCORES), "noise": list(KINDS), "warnings": net_warnings(net)},
        "limits": {
            **{"images": MOST_IMAGES, "classes": MOST["class"], "methods": MOST["method"], "layers": MOST["layer"]},
            **{"bytes": options.max_bytes, "pixels": options.max_pixels, "seconds": options.timeout},
            "queue": options.queue,
        },
    }


def _labels(net: GradCamGraph, classes: Any) -> Any:
    labels = net.labels
    if labels is None or classes is None:
        return None
    return [labels.full_name(class_id) for class_id in range(min(classes, _MOST_CLASSES))]


def _method(row: Method, reasons: Mapping[str, str]) -> Facts:
    options: List[Facts] = [_option(option) for option in row.options if _is_simple(option)]
    return {
        **{"name": row.name, "summary": row.summary, "space": row.space, "uses_layer": row.uses_layer},
        **{"slow": row.iterated, "usable": row.name not in reasons, "reason": reasons.get(row.name, "")},
        "options": options,
    }


def _is_simple(option: Option) -> bool:
    return option.kind is not object or bool(option.choices)


def _option(option: Option) -> Facts:
    kind = type(option.default) if option.kind is None else option.kind
    return {
        **{"name": option.name, "default": option.default, "type": _NUMBER_TYPES.get(kind, "name")},
        **{"choices": list(option.choices), "low": option.low, "above": option.above},
        **{"high": largest(option), "below": option.below},
    }
