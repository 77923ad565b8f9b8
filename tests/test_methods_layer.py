"""Symbolic layer methods against float64 twins written from the papers, and the identities between them."""

from __future__ import annotations

import numpy as np
import pytest
from small_nets import SmallNet, gradcam_twin, run

from gradcam_tf1.derivatives import hessian_product
from gradcam_tf1.engine import Engine
from gradcam_tf1.errors import GradientError, OptionError
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.images import read_image
from gradcam_tf1.methods import METHODS
from gradcam_tf1.methods.layer import LAYER_ROWS
from gradcam_tf1.methods.noise import Noise
from gradcam_tf1.status import GRADIENT_IS_ZERO, NO_EFFECT
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import Ask

HEADS = ["gap", "flat"]
NEW = ["cam", "gradcampp", "xgradcam", "layercam", "elementwise", "finercam", "shapleycam"]
ON_ANY_HEAD = [name for name in NEW if name != "cam"]


def maps_of(net, images, class_ids, method, **options):
    return run(net, images, class_ids, [method], **options)["maps"][method, "features:0"]


# twins: what a method makes of features A [n, h, w, k] and of all classes' gradients and logits


def weighted(weights, a):
    return np.einsum("nk,nhwk->nhw", weights, a)


def gradcampp_twin(a, grads, logits, c):
    g = grads[c]
    below = 2 * g**2 + a.sum((1, 2), keepdims=True) * g**3
    alpha = np.where(g == 0, 0, g**2 / np.where(g == 0, 1, below))
    return weighted((alpha * np.maximum(g, 0)).sum((1, 2)), a)


def xgradcam_twin(a, grads, logits, c):
    sums = a.sum((1, 2))
    return weighted((grads[c] * a).sum((1, 2)) / np.where(sums == 0, 1, sums), a)


def layercam_twin(a, grads, logits, c):
    return (np.maximum(grads[c], 0) * a).sum(-1)


def elementwise_twin(a, grads, logits, c):
    return np.maximum(grads[c] * a, 0).sum(-1)


def finercam_twin(a, grads, logits, c):
    grad = grads[c].copy()
    for n, row in enumerate(logits):
        others = [j for j in range(len(row)) if j != c]
        rivals = sorted(others, key=lambda j: abs(row[j] - row[c]))[:3]
        grad[n] -= 0.6 * np.mean([grads[d][n] for d in rivals], axis=0)
    return gradcam_twin(a, grad)


def shapleycam_twin(a, grads, logits, c):
    """u = y_c + log p_c of a piecewise linear y: g = 2 g_c - sum_j p_j g_j, H = -(sum_j p_j g_j g_j' - m m')."""
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    stack = np.stack(grads, axis=-1)
    mean = (stack * p[:, None, None, None, :]).sum(-1)
    along = np.einsum("nhwkj,nhwk->nj", stack, a)
    product = -np.einsum("nhwkj,nj->nhwk", stack, p * along) + mean * (mean * a).sum((1, 2, 3), keepdims=True)
    return gradcam_twin(a, 2 * grads[c] - mean - product / 2)


TWINS = {
    "gradcampp": gradcampp_twin,
    "xgradcam": xgradcam_twin,
    "layercam": layercam_twin,
    "elementwise": elementwise_twin,
    "finercam": finercam_twin,
    "shapleycam": shapleycam_twin,
}


def twin(method, net, images, class_ids):
    state = net.forward(images)
    grads = [net.feature_grads(images, j) for j in range(net.classes)]
    return np.stack([TWINS[method](state["features"], grads, state["logits"], c) for c in class_ids], axis=1)


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
    methods = [name for name in ON_ANY_HEAD if name != "elementwise"]  # on features >= 0 it is LayerCAM
    maps = run(net, images, [0, 3], ["gradcam", "hirescam", *methods])["maps"]
    found = [np.maximum(one, 0) for one in maps.values()]
    for n, one in enumerate(found):
        for other in found[:n]:
            assert np.abs(one - other).max() > 1e-4


def test_cam_is_the_dense_kernel_times_the_features():
    net = SmallNet("gap")
    images = net.images(3)
    expected = np.einsum("nhwk,kc->nchw", net.forward(images)["features"], net.weights["w4"].astype(np.float64))
    maps = maps_of(net, images, range(4), "cam")
    assert maps.min() < -0.1
    np.testing.assert_allclose(maps, expected, atol=1e-5)
    positions = maps.shape[2] * maps.shape[3]
    np.testing.assert_allclose(maps_of(net, images, range(4), "gradcam"), np.maximum(maps, 0) / positions, atol=1e-6)


def test_cam_refuses_another_head_and_says_where_it_stopped():
    net = SmallNet("flat")
    with pytest.raises(GradientError, match=r"CAM needs .* on 'features:0'; walking back .* \(Relu\)\. Use gradcam"):
        maps_of(net, net.images(1), [0], "cam")


def test_on_a_gap_head_the_gradient_says_the_same_at_every_position():
    net = SmallNet("gap")
    images = net.images(2)
    maps = run(net, images, [0, 1], ["gradcam", "hirescam", "xgradcam", "layercam", "gradcampp"])["maps"]
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
    hires, layer, each = (run(net, images, range(4), methods)["maps"][name, "features:0"] for name in methods)
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


def test_the_hessian_product_of_a_cubic_and_of_a_plane():
    with tf.Graph().as_default(), tf.Session() as sess:
        a = tf.constant([[1.0, -2.0, 3.0]])
        cubic, plane = tf.reduce_sum(a * a * a), tf.reduce_sum(4 * a)
        both = tf.reduce_sum(a) ** 2  # H is all twos
        products = [hessian_product(tf.gradients(y, a)[0], a) for y in (cubic, plane, both)]
        cubed, flat, mixed = sess.run(products)
    np.testing.assert_allclose(cubed, [[6, 24, 54]])
    np.testing.assert_array_equal(flat, [[0, 0, 0]])
    np.testing.assert_allclose(mixed, [[4, 4, 4]])


def test_an_op_without_a_second_derivative_is_named():
    with tf.Graph().as_default():
        a = tf.placeholder(tf.float32, [1, 4, 4, 3], name="a")
        grad = tf.gradients(tf.reduce_sum(tf.nn.lrn(a)), a)[0]
        with pytest.raises(GradientError, match=r"no second derivative by 'a:0'.*LRNGrad.*Use gradcam"):
            hessian_product(grad, a)


def test_shapleycam_by_finite_differences():
    """(H A)_i is the change of g_i along A."""
    net = SmallNet("flat", size=(4, 6))
    images = net.images(1)
    graph = net.graph(dtype=np.float64)
    with graph.as_default():
        logits = graph.get_tensor_by_name("logits:0")
        utility = logits[0, 2] + tf.nn.log_softmax(logits)[0, 2]
        features = graph.get_tensor_by_name("features:0")
        grads = tf.gradients(utility, features)[0]
        with tf.Session(graph=graph) as sess:
            a = sess.run(features, {"input:0": images})
            g, up, down = (sess.run(grads, {features: a * step}) for step in (1, 1 + 1e-6, 1 - 1e-6))
    product = (up - down) / 2e-6
    assert np.abs(product).max() > 1e-3
    expected = np.maximum(gradcam_twin(a, g - product / 2), 0)
    np.testing.assert_allclose(maps_of(net, images, [2], "shapleycam")[:, 0], expected, atol=1e-5)


def test_finercam_of_a_one_logit_net_has_one_rival():
    net = SmallNet("gap", classes=1)
    images = net.images(2)
    maps = run(net, images, [0, 1], ["finercam", "gradcam"])["maps"]
    np.testing.assert_allclose(maps["finercam", "features:0"], 1.6 * maps["gradcam", "features:0"], atol=1e-6)


def test_finercam_takes_no_class_for_its_own_rival():
    net = SmallNet("gap", classes=5)
    net.weights["w4"][:, 3] = net.weights["w4"][:, 1]
    net.weights["b4"][3] = net.weights["b4"][1]  # equal scores: 1 is 3's nearest rival, not 3 itself
    images = net.images(1)
    np.testing.assert_allclose(
        maps_of(net, images, [1, 3], "finercam"), np.maximum(twin("finercam", net, images, [1, 3]), 0), atol=1e-6
    )


@pytest.mark.parametrize("method", ["finercam", "shapleycam"])
def test_methods_with_a_score_of_their_own_explain_plain_classes_only(method):
    net = SmallNet("gap")
    graph, binding = net.graph(), net.binding()
    asks = [Ask(("margin",), {"code": np.zeros(1, np.int32)})]
    with tf.Session(graph=graph) as sess, pytest.raises(OptionError, match="explains class scores only, not 'margin'"):
        Engine(graph, sess, binding, 8).run(net.images(1), asks, [method], binding.layers)


# SmoothGrad-CAM++


def smooth_twin(net, copies, image, c):
    powers = [np.mean([net.feature_grads(one[None], c)[0] ** n for one in copies], axis=0) for n in (1, 2, 3)]
    a = net.forward(image[None])["features"][0]
    first, second, third = powers
    below = 2 * second + a.sum((0, 1)) * third
    alpha = np.where(below == 0, 0, second / np.where(below == 0, 1, below))
    return a @ (alpha * np.maximum(first, 0)).sum((0, 1))


@pytest.mark.parametrize("head", HEADS)
def test_smoothgradcampp_equals_the_twin_on_its_noisy_copies(head):
    net = SmallNet(head)
    images = net.images(2)
    options = {"samples": 11, "level": 0.3, "seed": 5}
    maps = maps_of(net, images, [0, 2], "smoothgradcampp", options={"smoothgradcampp": options})
    copies = [list(Noise("smoothgrad", 11, 0.3, 5).copies(image)) for image in images]
    expected = [[smooth_twin(net, copies[n], images[n], c) for c in (0, 2)] for n in range(2)]
    np.testing.assert_allclose(maps, np.maximum(expected, 0), rtol=1e-3, atol=1e-5)
    assert maps.max() > 0.01


def test_smoothgradcampp_without_noise_is_gradcampp():
    net = SmallNet("flat")
    images = net.images(2)
    options = {"smoothgradcampp": {"samples": 3, "level": 0.0}}
    maps = run(net, images, [1, 3], ["smoothgradcampp", "gradcampp"], options=options)["maps"]
    np.testing.assert_allclose(
        maps["smoothgradcampp", "features:0"], maps["gradcampp", "features:0"], rtol=1e-4, atol=1e-6
    )


def test_the_seed_decides():
    net = SmallNet("flat")
    images = net.images(1)
    first, again, other = (
        maps_of(net, images, [1], "smoothgradcampp", options={"smoothgradcampp": {"seed": seed, "samples": 4}})
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-6


# layouts, ranks and empty maps


@pytest.mark.parametrize("method", [*NEW, "smoothgradcampp"])
def test_channels_first_gives_the_maps_of_channels_last(method):
    net = SmallNet("gap" if method == "cam" else "flat")
    images = net.images(2)
    last, first = (maps_of(net, images, [0, 1], method, channels_first=flag) for flag in (False, True))
    assert np.abs(last).max() > 1e-3
    np.testing.assert_allclose(first, last, atol=1e-6)


@pytest.mark.parametrize("method", LAYER_ROWS, ids=lambda row: row.name)
def test_signals_and_volumes_give_what_pictures_of_the_same_positions_give(method):
    random = np.random.RandomState(3)
    a, g = (random.randn(2, 4, 6, 5).astype(np.float32) for _ in range(2))
    a = np.maximum(a, 0)
    shapes = [(2, 4, 6, 5), (2, 24, 5), (2, 2, 2, 6, 5)]
    with tf.Graph().as_default(), tf.Session() as sess:
        maps = sess.run([method.compute(tf.constant(a.reshape(s)), tf.constant(g.reshape(s))) for s in shapes])
    assert [one.shape for one in maps] == [s[:-1] for s in shapes]
    for one in maps[1:]:
        np.testing.assert_allclose(one.reshape(2, 4, 6), maps[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("method", [*NEW, "smoothgradcampp"])
def test_no_gradient_is_an_empty_map_never_nan(method):
    net = SmallNet("gap")
    net.weights["w4"][:] = 0
    answer = run(net, net.images(1), [1], [method])
    np.testing.assert_array_equal(answer["maps"][method, "features:0"], 0)
    status = answer["statuses"][method, "features:0"][0][0]
    meaning = {"smoothgradcampp": NO_EFFECT}.get(method, GRADIENT_IS_ZERO)
    assert (status.state, status.reason) == ("empty", meaning)


@pytest.mark.parametrize("level", [0, 1])
@pytest.mark.parametrize("method", [*NEW, "smoothgradcampp"])
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


def test_several_layers_in_one_call_have_their_own_curvature():
    net = SmallNet("flat")
    images = net.images(1)
    graph = net.graph()
    first = next(op.outputs[0].name for op in graph.get_operations() if op.type == "Relu")
    inner = net.layer().__class__(first, "Relu", (None, 8, 12, 6))
    binding = net.binding(layers=(inner, net.layer()))
    asks = [Ask(("logit",), {"code": np.array([1], np.int32)})]
    with tf.Session(graph=graph) as sess:
        engine = Engine(graph, sess, binding, 8)
        both = engine.run(images, asks, ["shapleycam"], binding.layers)["maps"]
        alone = engine.run(images, asks, ["shapleycam"], (inner,))["maps"]
    np.testing.assert_allclose(both["shapleycam", first], alone["shapleycam", first], atol=1e-6)
    expected = np.maximum(twin("shapleycam", net, images, [1]), 0)
    np.testing.assert_allclose(both["shapleycam", "features:0"], expected, atol=1e-5)


def test_on_a_real_net_cam_is_its_own_classifier_kernel(models_dir):
    """MobileNet's 1x1 classifier behind the pooling, read from the file; every other method works there too."""
    photo = read_image(str(models_dir / "photos" / "n01531178_goldfinch.JPEG"))
    file = models_dir / "pb" / "mobilenet_v1_0.25_128_2018" / "mobilenet_v1_0.25_128_frozen.pb"
    with GradCamGraph(str(file), preset="inception") as net:
        explanation = net.explain(photo, [12, 281], methods=[row.name for row in LAYER_ROWS])
        tensors = [
            net.graph.get_tensor_by_name(f"{name}:0") for name in ("MobilenetV1/Logits/Conv2d_1c_1x1/weights", "input")
        ]
        kernel = net.sess.run(tensors[0])[0, 0].astype(np.float64)
        pixels = net.preprocess(net.fit_image(photo).pixels[np.newaxis].astype(np.float32))
        features = net.sess.run(net.binding.layer, {tensors[1]: pixels})[0].astype(np.float64)
    expected = np.stack([features @ kernel[:, c] for c in (12, 281)])
    np.testing.assert_allclose(explanation["cam"][0], expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(explanation["gradcam"][0], np.maximum(expected, 0) / 16, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(explanation["xgradcam"], explanation["gradcam"], rtol=1e-3, atol=1e-5)
    for method in NEW:  # the finch is what the net sees: there is evidence for it in every map
        assert explanation.statuses[explanation.key(method)][0][0].state == "ok", method
