"""Compare a net's maps with those that another program made of the same net."""

from __future__ import annotations

from typing import Any, Mapping

import numpy as np

from gradcam_tf1 import GradCamGraph, method

METHODS = ("gradcam", "guided_backprop", "integrated_gradients")


def assert_equal_maps(net: GradCamGraph, expected: Mapping[str, Any], steps: int, tolerance: float = 1e-4) -> None:
    """Explain the images, and compare scores and maps; the tolerance is relative to the largest value of a map."""
    chosen = [
        method("integrated_gradients", steps=steps) if name == "integrated_gradients" else name for name in METHODS
    ]
    found = net.explain(list(expected["images"]), methods=chosen)
    logits, ids = expected["logits"], expected["class_ids"]
    assert found.class_ids[:, 0].tolist() == ids.tolist()
    np.testing.assert_allclose(found.scores[:, 0], logits[np.arange(len(ids)), ids], rtol=tolerance)
    for name in METHODS:
        values = found[name][:, 0]
        assert values.shape == expected[name].shape
        assert expected[name].any()
        np.testing.assert_allclose(values, expected[name], atol=tolerance * np.abs(expected[name]).max(), rtol=0)
