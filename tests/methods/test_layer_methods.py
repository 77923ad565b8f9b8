"""Symbolic layer methods against their float64 twins, the identities between them, layouts and empty maps."""

from __future__ import annotations

import numpy as np
import pytest
from layer_twins import HEADS, TWINS, maps_of, twin, weighted
from small_nets import SmallNet, run

from gradcam_tf1.methods import METHODS
from gradcam_tf1.methods.base import GRADIENT_IS_ZERO, NO_EFFECT
from gradcam_tf1.methods.layer import LAYER_ROWS
from gradcam_tf1.tf_runtime import tf

ON_ANY_HEAD = list(TWINS)
ALL = ["cam", *TWINS, "smoothgradcampp"]


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("method", ON_ANY_HEAD)
def test_equals_the_float64_twin(method, head):
    net = SmallNet(head, classes=6)
    images = net.images(3)
    expected = np.maximum(twin(method, net, images, range(6)), 0)
    assert expected.max() > 0.003
    np.testing.assert_allclose(maps_of(net, images, range(6), method), expected, rtol=1e-4, atol=1e-6)


def test_no_two_methods_are_the_same():
    net = SmallNet("flat", classes=6)
    images = net.images(1)
    # on features >= 0 elementwise is LayerCAM; Zoom-CAM is the positive part of HiResCAM
    methods = [name for name in ON_ANY_HEAD if name not in ("elementwise", "zoomcam")]
    maps = run(net, images, [0, 3], ["gradcam", "hirescam", *methods]).maps
    found = [np.maximum(one, 0) for one in maps.values()]
    for n, one in enumerate(found):
        for other in found[:n]:
            assert np.abs(one - other).max() > 1e-4


def test_on_a_gap_head_the_gradient_says_the_same_at_every_position():
    net = SmallNet("gap")
    images = net.images(2)
    maps = run(net, images, [0, 1], ["gradcam", "hirescam", "xgradcam", "layercam", "gradcampp"]).maps
    gradcam = maps["gradcam", "features:0"]
    np.testing.assert_allclose(np.maximum(maps["hirescam", "features:0"], 0), gradcam, atol=1e-6)
    np.testing.assert_allclose(maps["xgradcam", "features:0"], gradcam, atol=1e-6)
    # Grad-CAM++ in closed form: sum_k ReLU(W_k) A_k / (2 + W_k mean(A_k))
    features = net.forward(images)["features"]
    for c in (0, 1):
        kernel = net.weights["w4"][:, c].astype(np.float64)
        weights = np.maximum(kernel, 0) / (2 + kernel * features.mean((1, 2)))
        np.testing.assert_allclose(maps["gradcampp", "features:0"][:, c], weighted(weights, features), atol=1e-6)


def test_sums_and_signs():
    net = SmallNet("flat")
    images = net.images(3)
    methods = ["hirescam", "layercam", "elementwise"]
    hires, layer, each = (run(net, images, range(4), methods).maps[name, "features:0"] for name in methods)
    # features are >= 0 behind a ReLU: ReLU(g) A = ReLU(g A), and HiResCAM is that less the rest
    np.testing.assert_allclose(layer, each, atol=1e-6)
    assert layer.min() >= 0
    assert (each >= hires - 1e-6).all()
    downwards = np.stack(
        [(np.maximum(-net.feature_grads(images, c), 0) * net.forward(images)["features"]).sum(-1) for c in range(4)], 1
    )
    np.testing.assert_allclose(each - downwards, hires, atol=1e-5)


def test_xgradcam_keeps_the_sum_of_hirescam():
    net = SmallNet("flat")
    images = net.images(2)
    graph = net.graph()
    with graph.as_default(), tf.Session(graph=graph) as sess:
        features = graph.get_tensor_by_name("features:0")
        grads = tf.gradients(graph.get_tensor_by_name("logits:0")[:, 1], features)[0]
        raw = [METHODS[name].compute(features, grads) for name in ("xgradcam", "hirescam")]
        axes, hires = sess.run([tf.reduce_sum(one, [1, 2]) for one in raw], {"input:0": images})
    assert np.abs(hires).min() > 0.01
    np.testing.assert_allclose(axes, hires, rtol=1e-4)


def test_xgradcam_has_no_epsilon_beside_its_sums():
    random = np.random.RandomState(4)
    a, g = (random.rand(1, 3, 3, 4).astype(np.float32) for _ in range(2))
    with tf.Graph().as_default(), tf.Session() as sess:
        plain, tiny = sess.run(
            [METHODS["xgradcam"].compute(tf.constant(a * scale), tf.constant(g)) for scale in (1, 1e-9)]
        )
    np.testing.assert_allclose(tiny, plain * 1e-9, rtol=1e-5)


def test_gradcampp_survives_gradients_whose_powers_underflow():
    net = SmallNet("gap")
    images = net.images(1)
    plain = maps_of(net, images, [0], "gradcampp")
    net.weights["w4"] = (net.weights["w4"] * 1e-18).astype(np.float32)
    tiny = maps_of(net, images, [0], "gradcampp")
    assert tiny.max() > 0
    features = net.forward(images)["features"]
    expected = weighted(np.maximum(net.weights["w4"][None, :, 0].astype(np.float64), 0) / 2, features)
    np.testing.assert_allclose(tiny[:, 0], expected, rtol=1e-5)
    assert np.isfinite(plain).all()


# layouts, ranks and empty maps


@pytest.mark.parametrize("method", ALL)
def test_channels_first_gives_the_maps_of_channels_last(method):
    net = SmallNet("gap" if method == "cam" else "flat")
    images = net.images(2)
    last, first = (maps_of(net, images, [0, 1], method, channels_first=flag) for flag in (False, True))
    assert np.abs(last).max() > 1e-3
    np.testing.assert_allclose(first, last, atol=1e-6)


@pytest.mark.parametrize("method", LAYER_ROWS, ids=lambda row: row.name)
def test_signals_and_volumes_give_what_images_of_the_same_positions_give(method):
    random = np.random.RandomState(3)
    a, g = (random.randn(2, 4, 6, 5).astype(np.float32) for _ in range(2))
    a = np.maximum(a, 0)
    shapes = [(2, 4, 6, 5), (2, 24, 5), (2, 2, 2, 6, 5)]
    with tf.Graph().as_default(), tf.Session() as sess:
        maps = sess.run([method.compute(tf.constant(a.reshape(s)), tf.constant(g.reshape(s))) for s in shapes])
    assert [one.shape for one in maps] == [s[:-1] for s in shapes]
    for one in maps[1:]:
        np.testing.assert_allclose(one.reshape(2, 4, 6), maps[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("method", ALL)
def test_no_gradient_is_an_empty_map_never_nan(method):
    net = SmallNet("gap")
    net.weights["w4"][:] = 0
    answer = run(net, net.images(1), [1], [method])
    np.testing.assert_array_equal(answer.maps[method, "features:0"], 0)
    status = answer.statuses[method, "features:0"][0][0]
    meaning = {"smoothgradcampp": NO_EFFECT}.get(method, GRADIENT_IS_ZERO)
    assert (status.state, status.reason) == ("empty", meaning)


@pytest.mark.parametrize("level", [0, 1])
@pytest.mark.parametrize("method", ALL)
def test_constant_and_dead_features_give_constant_maps(method, level):
    net = SmallNet("gap")
    net.weights["w2"][:] = 0
    net.weights["b2"][:] = level
    maps = maps_of(net, net.images(1), range(4), method)
    assert np.isfinite(maps).all()
    assert np.ptp(maps, axis=(2, 3)).max() < 1e-6
    assert (np.abs(maps).max() > 0) == (level > 0)


@pytest.mark.parametrize("method", ON_ANY_HEAD)
def test_one_position(method):
    net = SmallNet("flat", size=(2, 2))
    images = net.images(2)
    maps = maps_of(net, images, range(4), method)
    assert maps.shape == (2, 4, 1, 1)
    np.testing.assert_allclose(maps, np.maximum(twin(method, net, images, range(4)), 0), rtol=1e-4, atol=1e-6)
