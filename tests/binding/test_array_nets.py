"""Signals and volumes: binding, maps against float64 twins and against nets of images, and axes."""

from __future__ import annotations

import json

import numpy as np
import pytest
from array_nets import ArrayNet, conv1d
from command_line import command
from flat_options import chosen

from gradcam_tf1 import GradCamGraph, Noise
from gradcam_tf1.binding.bind_graph import bind
from gradcam_tf1.engine.explain_options import ExplainOptions
from gradcam_tf1.errors import BindingError, OptionError, TargetError
from gradcam_tf1.images.array_placement import ArrayPlacement
from gradcam_tf1.methods import method
from gradcam_tf1.targets import Contrast, Region, Similar
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import KeyTensors

NETS = {"signal": ((11,), 2, False), "flat signal": ((11,), 1, True), "volume": ((3, 4, 5), 2, False)}


@pytest.fixture(params=sorted(NETS))
def net(request):
    sides, channels, flat = NETS[request.param]
    return ArrayNet(sides, channels, flat)


def with_channels(net, arrays):
    return arrays[..., np.newaxis] if net.flat else arrays


# maps


@pytest.mark.parametrize("baked", [True, False])
def test_maps_equal_the_twin(net, baked):
    arrays = net.arrays(3)
    with GradCamGraph(net.graph(baked)) as graph:
        found = graph.explain(arrays, [2, 0], ["gradcam", "hirescam", "gradient", "guided_gradcam"])
        guided = graph.explain(arrays, [2, 0], "guided_backprop")["guided_backprop"]
    values = with_channels(net, arrays)
    features = net.features(values)
    np.testing.assert_allclose(found.scores, net.logits(features)[:, [2, 0]], atol=1e-4)
    np.testing.assert_array_equal(found.predicted, net.logits(features).argmax(axis=1))
    for t, class_id in enumerate((2, 0)):
        grads = net.grads(features, class_id)
        weights = grads.mean(tuple(range(1, grads.ndim - 1)), keepdims=True)
        cam = np.maximum((weights * features).sum(axis=-1), 0)
        assert cam.any()
        np.testing.assert_allclose(found["gradcam"][:, t], cam, atol=1e-5)
        np.testing.assert_allclose(found["hirescam"][:, t], (grads * features).sum(axis=-1), atol=1e-4)
        np.testing.assert_allclose(found["gradient"][:, t], net.pixel_grads(values, class_id), atol=1e-4)
        np.testing.assert_allclose(found["guided_gradcam"][:, t], guided[:, t] * cam[..., np.newaxis], atol=1e-4)
        np.testing.assert_allclose(found.map("gradcam", 1, t).placed(), cam[1], atol=1e-5)
    assert found.map("gradient", 0).placed().shape == (*net.sides, net.channels)


SAME_AS_IMAGES = {
    "eigencam": {},
    "gradcampp": {},
    "ablationcam": {},
    "scorecam": {},
    "smoothgradcampp": {"samples": 3},
    "smoothgrad": {"samples": 3},
    "integrated_gradients": {"baseline": "zero", "steps": 5},
    "blur_ig": {"steps": 4, "max_sigma": 2.0},
    "guided_ig": {"baseline": "blur", "steps": 6},
    "occlusion": {"window": 1},
}


def test_a_signal_is_an_image_one_pixel_high():
    """Both nets have the same weights, so every method makes the same map, except for the axis of one row."""
    images, signals = ArrayNet((9,), 3, image=True), ArrayNet((9,), 3)
    arrays = signals.arrays(2) * 40
    names = list(SAME_AS_IMAGES)
    options = {name: given for name, given in SAME_AS_IMAGES.items() if given}
    with GradCamGraph(images.graph(), preset="raw", layer="features", logits="logits") as graph:
        wanted = graph.explain(arrays[:, np.newaxis], [1, 0], chosen(names, options))
        noisy = graph.explain(
            arrays[:, np.newaxis], 1, "gradcam", options=ExplainOptions(noise=Noise(samples=3), eigen_smooth=True)
        )
    with GradCamGraph(signals.graph()) as graph:
        found = graph.explain(arrays, [1, 0], chosen(names, options))
        noisy_found = graph.explain(
            arrays, 1, "gradcam", options=ExplainOptions(noise=Noise(samples=3), eigen_smooth=True)
        )
    for name in names:
        assert found[name].any(), name
        scale = np.abs(wanted[name]).max()
        np.testing.assert_allclose(found[name], wanted[name][:, :, 0], atol=2e-4 * scale, err_msg=name)
    np.testing.assert_allclose(noisy_found["gradcam"], noisy["gradcam"][:, :, 0], rtol=1e-3, atol=1e-4)


def test_methods_that_mask_and_paths_work_on_volumes():
    net = ArrayNet((3, 4, 5))
    arrays = net.arrays(2)
    options = {"rise": {"masks": 6, "cells": 2}, "integrated_gradients": {"steps": 64}}
    with GradCamGraph(net.graph()) as graph:
        names = ["rise", "occlusion", "scorecam", "integrated_gradients"]
        found = graph.explain(arrays, 1, chosen(names, options))
    assert found["rise"].shape == found["occlusion"].shape == (2, 1, 3, 4, 5)
    scores = [net.logits(net.features(each))[:, 1] for each in (arrays, np.zeros_like(arrays[:1]))]
    total = found["integrated_gradients"].sum(axis=(1, 2, 3, 4, 5))
    np.testing.assert_allclose(total, scores[0] - scores[1], rtol=0.02)
    assert "from zero" in found.statuses["integrated_gradients", ""][0][0].notes[0]  # black is a colour
    hidden = arrays.copy()
    hidden[0, 1, 2, 3] = arrays[0].mean(axis=(0, 1, 2))
    with GradCamGraph(net.graph()) as graph:
        one = graph.explain(arrays[:1], 1, method("occlusion", window=1))["occlusion"]
    drop = net.logits(net.features(arrays))[0, 1] - net.logits(net.features(hidden))[0, 1]
    np.testing.assert_allclose(one[0, 0, 1, 2, 3], drop, atol=1e-4)


def test_the_peak_is_at_the_spike():
    """Kernel (-1, 2, -1), ReLU, stride-2 mean pool, mean: a spike at 40 of 64 lights the cell that holds it."""
    graph = tf.Graph()
    with graph.as_default():
        x = tf.placeholder(tf.float32, [None, None], name="x")
        a = tf.nn.relu(conv1d(x[..., tf.newaxis], np.float32([-1, 2, -1]).reshape(3, 1, 1)))
        a = tf.nn.relu(conv1d(a, np.full((2, 1, 1), 0.5, np.float32), stride=2))
        tf.matmul(tf.reduce_mean(a, axis=1), tf.constant([[1.0, -1.0]]), name="logits")
    signals = np.sin(np.arange(128, dtype=np.float32) / 9).reshape(2, 64)
    signals[0, 40] += 3
    signals[1, 9] += 3
    with GradCamGraph(graph.as_graph_def()) as net:
        found = net.explain(signals, 0)
    assert found["gradcam"].shape == (2, 1, 32)
    for n, spike in enumerate((40, 9)):
        placed = found.map("gradcam", n).placed()
        assert placed.shape == (64,)
        assert found["gradcam"][n, 0].argmax() == spike // 2
        assert abs(int(placed.argmax()) - spike) <= 1


# placement


def test_placing_is_half_pixel_linear():
    map = np.random.RandomState(0).randn(5).astype(np.float32)
    at = (np.arange(23) + 0.5) * 5 / 23 - 0.5
    np.testing.assert_allclose(ArrayPlacement((23,)).place(map), np.interp(at, np.arange(5), map), atol=1e-6)
    volume = np.random.RandomState(0).randn(2, 3, 4).astype(np.float32)
    wanted = volume.astype(np.float64)
    for axis, (cells, side) in enumerate(zip((2, 3, 4), (7, 5, 9))):
        at = (np.arange(side) + 0.5) * cells / side - 0.5
        wanted = np.apply_along_axis(lambda line, at=at: np.interp(at, np.arange(len(line)), line), axis, wanted)
    np.testing.assert_allclose(ArrayPlacement((7, 5, 9)).place(volume), wanted, atol=1e-6)
    channels = np.stack([map, 2 * map], axis=-1)
    placed = ArrayPlacement((23,)).place(channels)
    np.testing.assert_allclose(placed[:, 1], 2 * ArrayPlacement((23,)).place(map), atol=1e-6)
    with pytest.raises(OptionError, match=r"the map has shape \[2, 3, 4\]; give 1 axes, or one more"):
        ArrayPlacement((23,)).place(volume)


# binding


def graph_of(build, shape):
    graph = tf.Graph()
    with graph.as_default():
        build(tf.placeholder(tf.float32, shape, name="x"))
    return graph


@pytest.mark.parametrize("named", [True, False])
def test_signals_and_volumes_are_bound(net, named):
    graph = tf.Graph()
    with graph.as_default():
        tf.import_graph_def(net.graph(), name="")
    requested = KeyTensors(input="x" if named else None)
    binding = bind(graph, requested=requested)
    assert (binding.input, binding.logits, binding.layer) == ("x:0", "logits:0", "features:0")
    assert binding.array_shape == (None, *net.sides, net.channels)
    assert (binding.channels, binding.preprocessing, binding.has_batch_axis) == (net.channels, None, True)
    assert ("named" if named else "in the shape of signals or volumes") in binding.reasons["input"]


def test_layers_of_a_keras_net():
    """Dilation, batch norm, pooling and a residual sum between convolutions; the last convolution has no activation."""

    def build(x):
        layers = tf.keras.layers
        a = layers.Conv1D(4, 3, padding="causal", dilation_rate=2, activation="relu")(x)
        a = layers.BatchNormalization()(a, training=False)
        b = layers.MaxPooling1D(2)(a)
        a = layers.Conv1D(4, 3, padding="same", use_bias=False)(b)
        a = tf.nn.relu(tf.add(a, b, name="sum"), name="joined")
        a = layers.SeparableConv1D(5, 3)(a)
        a = layers.Conv1D(6, 1)(a)
        tf.nn.softmax(tf.matmul(layers.GlobalAveragePooling1D()(a), tf.ones([6, 3]), name="logits"))

    binding = bind(graph_of(build, [None, 16, 2]))
    counted = [layer for layer in binding.layers if layer.counted]
    assert [layer.shape[1:] for layer in counted] == [(16, 4), (8, 4), (8, 4), (6, 5), (6, 6)]
    assert counted[2].name == "joined:0"
    assert counted[-1].op == "Squeeze"
    assert "the output of Conv2D" in binding.reasons["layer"]


def test_images_stay_images():
    """A gray image [N, H, W] gets its new axis at the end, an image without a batch axis in front."""

    def gray(x):
        a = tf.nn.relu(tf.nn.conv2d(x[..., tf.newaxis], tf.ones([3, 3, 1, 4]), [1, 1, 1, 1], "SAME"))
        tf.matmul(tf.reduce_mean(a, [1, 2]), tf.ones([4, 3]), name="logits")

    def one(x):
        a = tf.nn.relu(tf.nn.conv2d(x[tf.newaxis], tf.ones([3, 3, 3, 4]), [1, 1, 1, 1], "SAME"))
        tf.matmul(tf.reduce_mean(a, [1, 2]), tf.ones([4, 3]), name="logits")

    assert bind(graph_of(gray, [None, 8, 9])).array_shape is None
    binding = bind(graph_of(one, [8, 9, 3]))
    assert (binding.array_shape, binding.image_size, binding.has_batch_axis) == (None, (8, 9), False)


def test_inspect_says_what_it_is(tmp_path):
    for sides, said in (((11,), "a signal of 11 x 2, float32"), ((3, 4, 5), "a volume of 3 x 4 x 5 x 2, float32")):
        path = tmp_path / "net.pb"
        path.write_bytes(ArrayNet(sides).graph().SerializeToString())
        shown = command("inspect", path)
        assert said in shown
        assert "--preset" not in shown
        report = json.loads(command("inspect", path, "--json"))
        assert report["array_shape"] == [None, *sides, 2]


# errors


def test_channels_first_is_refused():
    def build(x):
        a = tf.expand_dims(x, 2)
        a = tf.nn.conv2d(a, tf.ones([1, 3, 2, 4]), [1, 1, 1, 1], "SAME", data_format="NCHW")
        tf.matmul(tf.reduce_mean(a, [2, 3]), tf.ones([4, 3]), name="logits")

    with pytest.raises(
        BindingError, match=r"with channels first, as its convolution '.*' shows; signals are \[N, L, C\]"
    ):
        bind(graph_of(build, [None, 2, 16]), requested=KeyTensors(input="x"))


def test_a_layer_has_its_axes():
    for sides, said in (((11,), r"name a float map \[N, l, K\]"), ((3, 4, 5), r"\[N, d, h, w, K\]")):
        graph = GradCamGraph(ArrayNet(sides).graph())
        with graph, pytest.raises(BindingError, match=said):
            graph.explain(ArrayNet(sides).arrays(1), layers="Reshape")


def test_what_the_arrays_must_be():
    net = ArrayNet((11,))
    with GradCamGraph(net.graph()) as graph:
        for arrays in (np.zeros((1, 12, 2)), np.zeros((11, 2)), np.zeros((0, 11, 2)), np.full((1, 11, 2), "a")):
            with pytest.raises(OptionError, match=r"'x:0' takes floats \[N, 11, 2\]"):
                graph.explain(arrays)
        with pytest.raises(OptionError, match=r"the arrays are uint8 \[8, 8, 3\]; 'x:0' takes floats \[N, 11, 2\]"):
            graph.explain(np.zeros((8, 8, 3), np.uint8))
    images = ArrayNet((11,), 3, image=True)
    graph = GradCamGraph(images.graph(), layer="features", preset="raw")
    with graph, pytest.raises(OptionError, match=r"an image is float64 \[1, 11, 3, 1\]"):
        graph.explain(np.zeros((1, 1, 11, 3, 1)))


def test_what_needs_an_image_is_refused():
    net = ArrayNet((11,))
    arrays = net.arrays(1)
    with GradCamGraph(net.graph()) as graph:
        for method in ("xrai", "fullgrad"):
            with pytest.raises(OptionError, match=f"{method} works on images only"):
                graph.explain(arrays, methods=method)
        with pytest.raises(OptionError, match="the baseline 'white' of occlusion is for images only; for signals"):
            graph.explain(arrays, methods=chosen("occlusion", {"occlusion": {"baseline": "white"}}))
        for target in (Region(1, mask=np.ones((11, 2))), Region(1, point=(1, 2)), Similar(arrays)):
            with pytest.raises(TargetError, match="are targets of images; signals, volumes and clips have"):
                graph.explain(arrays, [target])
        found = graph.explain(arrays, [Contrast(0, 1)])
    logits = net.logits(net.features(arrays))[0]
    np.testing.assert_allclose(found.scores[0, 0], logits[0] - logits[1], atol=1e-4)
