"""Small ONNX files, written op by op."""

from __future__ import annotations

from pathlib import Path
from typing import Any, List, Sequence

import numpy as np
from onnx import TensorProto, helper, numpy_helper, save

ACROSS = [0, 3, 1, 2]


def weight(name: str, *shape: int) -> Any:
    values = np.random.default_rng(len(name) + sum(shape)).standard_normal(shape)
    return numpy_helper.from_array(values.astype(np.float32), name)


def conv_net(path: Path, sides: Sequence[Any], first: Sequence[Any] = (), data: str = "images", **entries: Any) -> Path:
    """A convolution, a ReLU, an average and a dense layer over an input of these sides; `first` are nodes before it."""
    nodes = [
        *first,
        helper.make_node("Conv", [data, "kernel"], ["features"], "conv", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["features"], ["active"], "relu"),
        helper.make_node("GlobalAveragePool", ["active"], ["mean"], "pool"),
        helper.make_node("Flatten", ["mean"], ["flat"], "flatten"),
        helper.make_node("MatMul", ["flat", "head"], ["logits"], "dense"),
    ]
    model = net(nodes, sides, [weight("kernel", 6, 3, 3, 3), weight("head", 6, 4)], [sides[0], 4])
    save(model, str(path), **entries)
    return path


def net(nodes: List[Any], sides: Sequence[Any], weights: Sequence[Any], output: Sequence[Any]) -> Any:
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, sides)
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, output)
    graph = helper.make_graph(nodes, "net", [images], [logits], list(weights))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
