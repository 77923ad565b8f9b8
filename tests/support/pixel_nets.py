"""Nets whose pixel gradients are known in closed form, and what the engine says about them."""

from __future__ import annotations

import numpy as np
from small_nets import SmallNet, class_asks, request, shared_engine

from gradcam_tf1.engine.map_engine import MapEngine
from gradcam_tf1.engine.session_runner import session_config
from gradcam_tf1.engine.smoothing import explain_request
from gradcam_tf1.gradients.guided import override_map
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import Binding, LayerInfo


def linear_net(channels=3, size=(6, 5), classes=3, seed=3, bias=True):
    """(graph, binding, kernel [H, W, C, classes]): logits = W x + b, with a convolution of one weight in between."""
    kernel = np.random.RandomState(seed).randn(*size, channels, classes).astype(np.float32)
    graph = tf.Graph()
    with graph.as_default(), override_map(graph):
        x = tf.placeholder(tf.float32, [None, *size, channels], name="input")
        features = tf.nn.conv2d(
            x, np.eye(channels, dtype=np.float32)[None, None], [1, 1, 1, 1], "SAME", name="features"
        )
        flat = tf.reshape(features, [-1, kernel[..., 0].size])
        offsets = np.arange(classes, dtype=np.float32) * bias
        tf.nn.bias_add(tf.matmul(flat, kernel.reshape(-1, classes)), offsets, name="logits")
    layer = LayerInfo("features:0", "Conv2D", (None, *size, channels))
    fields = {"layers": (layer,), "image_size": size, "channels": channels, "classes": classes}
    return graph, Binding("input:0", "logits:0", "features:0", **fields), kernel


def random_images(count, size=(6, 5), channels=3, seed=5):
    return np.random.RandomState(seed).randn(count, *size, channels).astype(np.float32)


def white(count, size=(8, 12)):
    return np.full((count, *size, 3), 255, np.float32)


def explain(graph, binding, images, class_ids, methods, noise=None, batch_size=8, **how):
    """The engine's answer; the images behind the images are in 0..255, and to_batch maps 0..255 to -1..1."""
    with tf.Session(graph=graph, config=session_config()) as sess:
        return answer_of(MapEngine(graph, sess, binding, batch_size), binding, images, class_ids, methods, noise, **how)


def answer_of(engine, binding, images, class_ids, methods, noise=None, **how):
    how.setdefault("pixels", np.random.RandomState(9).uniform(0, 255, (*images.shape[:3], 3)).astype(np.float32))
    how.setdefault("to_batch", lambda rgb: (rgb[..., : images.shape[3]] / 127.5 - 1).astype(images.dtype))
    wanted = request(images, class_asks(class_ids, len(images)), methods, binding.layers, **how)
    return explain_request(engine, binding, wanted, noise)


def square_net(size=(4, 4)):
    """logits_c = sum of x_c^2 / 2: the gradient is the input, so that noise goes straight through."""
    graph = tf.Graph()
    with graph.as_default(), override_map(graph):
        x = tf.placeholder(tf.float32, [None, *size, 3], name="input")
        features = tf.multiply(x, x, name="features")
        tf.reduce_sum(features / 2, [1, 2], name="logits")
    layer = LayerInfo("features:0", "Mul", (None, *size, 3))
    binding = Binding("input:0", "logits:0", "features:0", layers=(layer,), image_size=size, classes=3)
    return graph, binding


HOW = ("pixels", "to_batch", "batch_size")


def the_map(graph, binding, images, method, class_ids=(1,), **options):
    how = {name: options.pop(name) for name in HOW if name in options}
    answer = explain(graph, binding, images, list(class_ids), [method], options={method: options}, **how)
    return answer.maps[method, ""]


def small(images, method, net=None, class_ids=(1,), **options):
    """The map on a small net, whose engine is shared."""
    how = {name: options.pop(name) for name in HOW if name in options}
    engine, binding = shared_engine(net or SmallNet("flat"), how.pop("batch_size", 8))
    answer = answer_of(engine, binding, images, list(class_ids), [method], options={method: options}, **how)
    return answer.maps[method, ""]
