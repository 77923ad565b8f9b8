"""Input shift: add a constant to the image and take its effect out of the first layer. Do the maps stay the same?

The scores stay the same, so a map that changes tells about the constant, not about the net. The first layer must be
linear without padding, or its border sees the constant end: then the scores differ, and nothing is judged.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Dict, List, Mapping, Optional, Tuple

import numpy as np

from gradcam_tf1.engine.explain import NetExplainer
from gradcam_tf1.errors import GradCamError, OptionError
from gradcam_tf1.gradients.graph_walk import ops_before
from gradcam_tf1.sanity.compared_maps import MapQuestion, MapSet, of_engine
from gradcam_tf1.sanity.weight_layers import WeightLayer, behind_passed
from gradcam_tf1.tf_runtime import OUR_SCOPE, tf

SHIFT = 0.5  # of the range of the values that go in
_EQUAL = 1e-3  # largest difference of scores that count as the same, as a share of the largest score
_SUMS = ("BiasAdd", "Add", "AddV2")
_MEAN = {"FusedBatchNorm": 3, "FusedBatchNormV2": 3, "FusedBatchNormV3": 3, "BatchNormWithGlobalNormalization": 1}


def shifted_maps(
    explainer: NetExplainer,
    question: MapQuestion,
    intact: MapSet,
    weights: Mapping[str, np.ndarray],
    layers: Tuple[WeightLayer, ...],
) -> Tuple[float, MapSet]:
    """Explain the shifted images with the corrected net.

    Parameters
    ----------
    explainer, question, intact, weights
        As in `randomisation.randomise`.
    layers : tuple of WeightLayer
        All layers of the net.

    Returns
    -------
    float
        What was added to every value that goes in.
    MapSet
        The maps; the scores are those of `intact`.

    Raises
    ------
    OptionError
        If the net cannot be corrected; the message says why.

    References
    ----------
    https://arxiv.org/abs/1711.00867
    """
    if "float" not in explainer.binding.dtype:
        raise OptionError(f"the input takes {explainer.binding.dtype}, so no constant can be added to it")
    batch = question.given.to_batch(question.given.pixels)
    shift = float(SHIFT * (batch.max() - batch.min())) or SHIFT
    to_batch = question.given.to_batch
    moved = replace(question.given, to_batch=lambda pixels: (to_batch(pixels) + shift).astype(batch.dtype))
    fed = dict(weights)
    for op in _first_ops(explainer, layers):
        change = _change(explainer, op, batch, shift)
        fed.update(_corrected(op, change, weights))
    found = replace(question, given=moved).ask(of_engine(explainer, fed))
    off = float(np.abs(found.scores - intact.scores).max() / max(np.abs(intact.scores).max(), 1e-30))
    if not off <= _EQUAL:
        raise OptionError(f"the scores of the corrected net are off by {100 * off:.2g} %")
    return shift, found


def _first_ops(explainer: NetExplainer, layers: Tuple[WeightLayer, ...]) -> List[tf.Operation]:
    """Return the ops of the layers that come before all others."""
    ops = [explainer.engine.graph.get_operation_by_name(layer.name) for layer in layers]
    return [op for op in ops if not (ops_before(op.outputs[0]) - {op}) & set(ops)]


def _change(explainer: NetExplainer, op: tf.Operation, batch: np.ndarray, shift: float) -> np.ndarray:
    """Return by how much the shift changes each channel of a first layer: [K]. Raises OptionError."""
    name = op.outputs[0].name
    try:
        before, after = (
            explainer.engine.evaluate(values[:1], [name])[name].astype(np.float64)
            for values in (batch, (batch + shift).astype(batch.dtype))
        )
    except GradCamError as error:
        raise OptionError(f"the first layer '{op.name}' cannot be measured: {error}") from error
    difference = np.moveaxis(after - before, _channel_axis(op), -1)
    difference = difference.reshape(-1, difference.shape[-1])
    change = np.median(difference, axis=0)
    scale = max(np.abs(difference).max(), 1e-30)
    differs = (np.abs(difference - change) > _EQUAL * scale).any(axis=1)
    if differs.any():
        share = 100 * differs.mean()
        raise OptionError(
            f"the first layer '{op.name}' pads the image with zeros, which do not shift with it: {share:.2g} % of its "
            "positions see the border"
        )
    return np.asarray(change)


def _channel_axis(op: tf.Operation) -> int:
    attributes = op.node_def.attr
    return 1 if "data_format" in attributes and attributes["data_format"].s.startswith(b"NC") else -1


def _corrected(op: tf.Operation, change: np.ndarray, weights: Mapping[str, np.ndarray]) -> Dict[str, np.ndarray]:
    """Return the weight that takes the change out again, with its new value. Raises OptionError."""
    if not change.any():
        return {}
    tensor = op.outputs[0]
    while len(tensor.consumers()) >= 1:
        users = [user for user in tensor.consumers() if not _is_ours(user)]
        if len(users) != 1:
            break
        user = users[0]
        name = _weight_of(user, tensor, weights)
        if user.type == "Identity":
            tensor = user.outputs[0]
        elif user.type == "Mul" and name is not None:
            change, tensor = change * weights[name].astype(np.float64).reshape(-1), user.outputs[0]
        elif name is not None and (user.type in _SUMS or user.type in _MEAN):
            value = weights[name]
            if value.size != change.size:
                break
            sign = -1 if user.type in _SUMS else 1
            return {name: (value + sign * change.reshape(value.shape)).astype(value.dtype)}
        else:
            break
    raise OptionError(f"the first layer '{op.name}' has no bias of its own that could take the constant out")


def _is_ours(op: tf.Operation) -> bool:
    return bool(op.name.startswith(OUR_SCOPE))


def _weight_of(user: tf.Operation, data: tf.Tensor, weights: Mapping[str, np.ndarray]) -> Optional[str]:
    """Return the weight that an op adds, multiplies or subtracts as the mean."""
    if user.type in _MEAN:
        inputs = [user.inputs[_MEAN[user.type]]]
    else:
        inputs = [tensor for tensor in user.inputs if tensor.name != data.name]
    return next((tensor.name for tensor in map(behind_passed, inputs) if tensor.name in weights), None)
