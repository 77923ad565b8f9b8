"""The mean and variance that a batch norm recorded in training, and how far other features are from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterator, Optional, Set, Tuple

import numpy as np

from gradcam_tf1.binding.graph_index import GraphIndex
from gradcam_tf1.binding.op_kinds import BATCH_NORMS
from gradcam_tf1.binding.switches import dead_tensors, switch_values
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import Binding

_EPSILON = 1e-3  # added to variances, as batch norms do


@dataclass(frozen=True)
class NormRecord:
    """What one batch norm recorded.

    Attributes
    ----------
    tensor : str
        Its input.
    mean, variance : np.ndarray
        float64 [K], of each channel over the training images and their positions.
    channels_last : bool
        Whether the channels are the last axis of `tensor`; otherwise axis 1.
    """

    tensor: str
    mean: np.ndarray
    variance: np.ndarray
    channels_last: bool = True

    def moments(self, features: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
        """Return mean and mean square over the positions of each image: float [N, ...] -> two float64 [N, K]."""
        features = features if self.channels_last else np.moveaxis(features, 1, -1)
        values = features.reshape(len(features), -1, features.shape[-1])
        squares = np.einsum("npk,npk->nk", values, values, dtype=np.float64)
        return values.mean(axis=1, dtype=np.float64), squares / values.shape[1]

    def distance(self, mean: np.ndarray, square: np.ndarray) -> np.ndarray:
        """Return the Kullback-Leibler divergence of normal distributions with these moments from the recorded ones.

        Parameters
        ----------
        mean, square : np.ndarray
            float64 [..., K], mean and mean square.

        Returns
        -------
        np.ndarray
            float64 [...], in nats, the mean over the channels; 0 for features as in training.
        """
        recorded = self.variance + _EPSILON
        ratio = (np.maximum(square - mean**2, 0) + _EPSILON) / recorded
        each = 0.5 * (ratio + (mean - self.mean) ** 2 / recorded - 1 - np.log(ratio))
        result: np.ndarray = each.mean(axis=-1)
        return result


def first_norm(graph: tf.Graph, binding: Binding) -> Optional[NormRecord]:
    """Return the record of the first batch norm behind the input; None if the graph has none, or folded it away.

    Parameters
    ----------
    graph : tf.Graph
        The graph.
    binding : Binding
        Its key tensors.
    """
    index = GraphIndex(graph)
    index.dead = dead_tensors(index, switch_values(index, binding.feeds))
    path = index.path(binding.input, binding.logits)
    for op in index.makers(path):
        if op.type in BATCH_NORMS:
            record = _fused(index, op, path)
        elif op.type == "Mul":
            record = _spelled_out(index, op, path)
        else:
            continue
        if record is not None and index.rank(record.tensor) == 4 and record.tensor not in index.looped:
            return record
    return None


def _fused(index: GraphIndex, op: tf.Operation, path: Set[str]) -> Optional[NormRecord]:
    inputs = index.inputs[op.name]
    if inputs[0] not in path or index.outputs[op.name][0] not in path or op.get_attr("is_training"):
        return None
    mean, variance = index.constant(inputs[3]), index.constant(inputs[4])
    if mean is None or variance is None or not mean.size:
        return None
    last = op.get_attr("data_format") == b"NHWC"
    return NormRecord(inputs[0], mean.astype(np.float64), variance.astype(np.float64), last)


def _spelled_out(index: GraphIndex, op: tf.Operation, path: Set[str]) -> Optional[NormRecord]:
    """Return the record of x * scale + (beta - mean * scale) with scale = rsqrt(variance + epsilon) * gamma."""
    images = [name for name in index.inputs[op.name] if name in path]
    scales = [name for name in index.inputs[op.name] if name not in path]
    if len(images) != 1 or len(scales) != 1:
        return None
    variance = next(_variances(index, scales[0]), None)
    users = [user for user, _ in index.users[scales[0]] if user.type == "Mul" and user.name != op.name]
    means = [index.constant(name) for user in users for name in index.inputs[user.name] if name != scales[0]]
    if variance is None or len(means) != 1 or means[0] is None or means[0].size != variance.size:
        return None
    mean = means[0].astype(np.float64)
    last = mean.ndim != 4 or mean.shape[1] == 1  # [1, K, 1, 1] in a net with the channels first
    return NormRecord(images[0], mean.reshape(-1), variance.reshape(-1).astype(np.float64), last)


def _variances(index: GraphIndex, scale: str) -> Iterator[np.ndarray]:
    """Yield the constants v of rsqrt(v + epsilon) that a scale is made of."""
    maker = index.source(scale)
    parts = [index.source(name) for name in index.inputs[maker.name]] if maker.type == "Mul" else [maker]
    for root in (part for part in parts if part.type == "Rsqrt"):
        added = index.source(index.inputs[root.name][0])
        values = [index.constant(name) for name in index.inputs[added.name]] if added.type in ("Add", "AddV2") else []
        yield from (value for value in values if value is not None and value.size > 1)
