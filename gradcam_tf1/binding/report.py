"""A binding as plain JSON values, for `gradcam-tf1 inspect --json`."""

from __future__ import annotations

from typing import Any, Dict, List

import numpy as np

from gradcam_tf1.types import Binding, LayerInfo


def binding_report(binding: Binding) -> Dict[str, Any]:
    """The binding under the keys that `inspect --json` prints; lists, strings, numbers and None only."""
    return {
        "input": binding.input,
        "logits": binding.logits,
        "probabilities": binding.probabilities,
        "layer": binding.layer,
        "layers": _layer_rows(binding.layers),
        "feeds": {name: _plain(value) for name, value in binding.feeds.items()},
        "per_picture": list(binding.per_picture),
        "image_size": list(binding.image_size),
        "array_shape": None if binding.array_shape is None else list(binding.array_shape),
        "classes": binding.classes,
        "warnings": list(binding.warnings),
        "dtype": binding.dtype,
        "channels": binding.channels,
        "batch_size": binding.batch_size,
        "background": binding.background,
        "preprocessing": binding.preprocessing,
        "reasons": dict(binding.reasons),
    }


def _layer_rows(layers: Any) -> List[Dict[str, Any]]:
    """count: what to write for this layer (-1 = last feature map), None where it is not counted."""
    left = sum(layer.counted for layer in layers)
    rows = []
    for layer in layers:
        rows.append(_row(layer, -left if layer.counted else None))
        left -= layer.counted
    return rows


def _row(layer: LayerInfo, count: Any) -> Dict[str, Any]:
    return {"name": layer.name, "shape": list(layer.shape), "op": layer.op, "count": count}


def _plain(value: Any) -> Any:
    return np.asarray(value).tolist()
