"""What the tests of Score-CAM, Ablation-CAM, occlusion and RISE share: nets, float64 twins, runs that are counted."""

from __future__ import annotations

from contextlib import contextmanager

import numpy as np
from small_nets import SmallNet, class_asks, request, run

from gradcam_tf1.engine.map_engine import MapEngine
from gradcam_tf1.engine.probe import Probe
from gradcam_tf1.gradients.guided import override_map
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import Binding, LayerInfo

NET = SmallNet("flat", seed=2)
IMAGE = NET.images(1)
LAYER = "features:0"
CLASSES = [1, 0]
MASKED = ["scorecam", "fasterscorecam", "sscam", "iscam"]
LAYER_METHODS = [*MASKED, "ablationcam"]
ALL = [*LAYER_METHODS, "occlusion", "rise"]
SMALL = {"rise": {"masks": 12, "cells": 3}, "sscam": {"samples": 3}, "iscam": {"steps": 3}}


def maps_of(net, images, name, class_ids=CLASSES, **options):
    (maps,) = run(net, images, class_ids, [name], options={name: options}).maps.values()
    return maps


def enlarged(cells, size):
    """Half-pixel bilinear of [h, w] to `size`, position by position, float64."""
    for axis, length in enumerate(size):
        have = cells.shape[axis]
        rows = np.zeros((length, have))
        for place in range(length):
            at = min(max((place + 0.5) * have / length - 0.5, 0), have - 1)
            low = int(at)
            rows[place, low] += 1 - (at - low)
            rows[place, min(low + 1, have - 1)] += at - low
        cells = np.moveaxis(np.tensordot(rows, cells, (1, axis)), 0, axis)
    return cells


def minmax(values):
    spread = values.max() - values.min()
    return (values - values.min()) / spread if spread > 0 else np.zeros_like(values)


def logits(net, images, class_ids=CLASSES):
    return net.forward(images)["logits"][:, class_ids]


def weighted(features, weights):
    return np.maximum(np.einsum("hwk,kt->thw", features, weights), 0)


def run_on(graph, images, class_ids, methods, options=None, **binding):
    """The engine's maps on a graph of the test's own; its layer is `features:0`."""
    layer = LayerInfo(LAYER, "Relu", (None, None, None, None))
    bound = Binding("input:0", "logits:0", LAYER, layers=(layer,), classes=2, **binding)
    with tf.Session(graph=graph) as sess:
        how = {"pixels": images, "to_batch": lambda x: x, "options": options}
        requests = class_asks(class_ids, len(images))
        return MapEngine(graph, sess, bound, 4).run(request(images, requests, methods, (layer,), **how)).maps


def head(net, features):
    w = {name: value.astype(np.float64) for name, value in net.weights.items()}
    if net.head == "gap":
        return features.mean((1, 2)) @ w["w4"] + w["b4"]
    return np.maximum(features.reshape(len(features), -1) @ w["w3"] + w["b3"], 0) @ w["w4"] + w["b4"]


def linear_net(size=(7, 9), channels=2, bias=3.0):
    """y_0 = sum x * W + bias, y_1 = -y_0; its layer is of no interest."""
    kernel = np.random.RandomState(5).randn(*size, channels).astype(np.float32)
    graph = tf.Graph()
    with graph.as_default(), override_map(graph):
        x = tf.placeholder(tf.float32, [None, *size, channels], name="input")
        a = tf.nn.relu(x, name="features") - tf.nn.relu(-x)
        y = tf.reduce_sum(a * kernel, [1, 2, 3]) + bias
        tf.stack([y, -y], axis=1, name="logits")
    image = np.random.RandomState(6).randn(1, *size, channels).astype(np.float32)
    return graph, image, kernel.astype(np.float64)


def ablation_weights(net, images, class_ids):
    """(y - y_k) / |y| by the twin's head on features with one channel zeroed: float64 [K, T]."""
    features = net.forward(images)["features"]
    whole = head(net, features)[0, class_ids]
    drops = []
    for k in range(features.shape[-1]):
        without = features.copy()
        without[..., k] = 0
        drops.append(whole - head(net, without)[0, class_ids])
    return np.array(drops) / np.abs(whole)


@contextmanager
def counted(calls):
    """Within the block: how many images each run of an iterated method had."""
    run_inputs = Probe._run

    def counting(probe, fetches, inputs, feed):
        calls.append(len(inputs))
        return run_inputs(probe, fetches, inputs, feed)

    Probe._run = counting
    try:
        yield
    finally:
        Probe._run = run_inputs
