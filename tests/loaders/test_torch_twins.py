"""Nets that came from torch through ONNX: maps equal those of torch's own autograd, on both runtimes.

The graphs and arrays are stored, made by tests/support/torch_twins.py; neither torch nor ONNX is needed here.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from twin_maps import assert_equal_maps

from gradcam_tf1 import GradCamGraph

DATA = Path(__file__).resolve().parent.parent / "data"
STEPS = 6


@pytest.mark.parametrize("name", ["torch_residual", "torch_depthwise"])
def test_maps_equal_those_of_torch(name):
    with np.load(DATA / f"{name}.npz") as expected, GradCamGraph(str(DATA / f"{name}.pb"), preset="torch") as net:
        assert_equal_maps(net, expected, STEPS)
