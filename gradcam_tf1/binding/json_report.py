"""A binding as plain JSON values, for `gradcam-tf1 inspect --json`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Dict, List, Optional, Sequence

import numpy as np

from gradcam_tf1.binding.candidates import Candidate, Candidates
from gradcam_tf1.types import Binding, LayerInfo


def binding_report(binding: Binding) -> Dict[str, Any]:
    """Return a binding under the keys that `inspect --json` prints.

    Parameters
    ----------
    binding : Binding
        The binding.

    Returns
    -------
    dict
        Dicts, lists, strings, numbers and None only. A feed of None comes with each image.
    """
    return {
        "input": binding.input,
        "logits": binding.logits,
        "probabilities": binding.probabilities,
        "layer": binding.layer,
        "shared_layer": binding.shared_layer,
        "layers": _layer_rows(binding.layers),
        "branches": [asdict(branch) for branch in binding.branches],
        "feeds": {
            **{name: np.asarray(value).tolist() for name, value in binding.feeds.items()},
            **dict.fromkeys(binding.per_image),
        },
        "image_size": list(binding.image_size),
        "array_shape": None if binding.array_shape is None else list(binding.array_shape),
        "token_ids": binding.token_ids or None,
        "vocabulary": binding.vocabulary or None,
        "classes": binding.classes,
        "warnings": list(binding.warnings),
        "dtype": binding.dtype,
        "channels": binding.channels,
        "batch_size": binding.batch_size,
        "background": binding.background,
        "preprocessing": binding.preprocessing,
        "reasons": dict(binding.reasons),
    }


def candidates_report(candidates: Candidates) -> Dict[str, Any]:
    """Return the candidates under the keys input, logits and layer, each a list of name, dtype, shape and why."""
    return {key: [_candidate(item) for item in getattr(candidates, key)] for key in ("input", "logits", "layer")}


def _candidate(item: Candidate) -> Dict[str, Any]:
    return {**asdict(item), "shape": None if item.shape is None else list(item.shape)}


def _layer_rows(layers: Sequence[LayerInfo]) -> List[Dict[str, Any]]:
    """Return a row per layer; its count is what to type for it (-1 = last feature map), None if it is not counted."""
    left = sum(layer.counted for layer in layers)
    rows = []
    for layer in layers:
        rows.append(_row(layer, -left if layer.counted else None))
        left -= layer.counted
    return rows


def _row(layer: LayerInfo, count: Optional[int]) -> Dict[str, Any]:
    return {"name": layer.name, "shape": list(layer.shape), "op": layer.op, "count": count}
