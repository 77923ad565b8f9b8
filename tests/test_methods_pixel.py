"""Gradients by the pixels, under each rule and under noise: float64 twins, identities, the saliency package."""

from __future__ import annotations

import numpy as np
import pytest
from small_nets import SmallNet, class_asks, conv_same_backward, relu_backward, run

from gradcam_tf1.engine import Engine
from gradcam_tf1.errors import GradientError, OptionError
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.guided import override_map
from gradcam_tf1.methods import METHODS
from gradcam_tf1.methods.noise import KINDS, Noise, Spread
from gradcam_tf1.methods.options import check_options
from gradcam_tf1.noisy import run_with_noise
from gradcam_tf1.runner import session_config
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


def pictures(count, size=(6, 5), channels=3, seed=5):
    return np.random.RandomState(seed).randn(count, *size, channels).astype(np.float32)


def white(count, size=(8, 12)):
    return np.full((count, *size, 3), 255, np.float32)


def explain(graph, binding, images, class_ids, methods, noise=None, batch_size=8, **how):
    """The engine's answer; the pictures behind the images are in 0..255, and to_batch maps 0..255 to -1..1."""
    with tf.Session(graph=graph, config=session_config()) as sess:
        engine = Engine(graph, sess, binding, batch_size)
        how.setdefault("pixels", np.random.RandomState(9).uniform(0, 255, (*images.shape[:3], 3)).astype(np.float32))
        how.setdefault("to_batch", lambda rgb: (rgb[..., : images.shape[3]] / 127.5 - 1).astype(images.dtype))
        arguments = (images, class_asks(class_ids, len(images)), methods, binding.layers)
        return engine.run(*arguments, **how) if noise is None else run_with_noise(engine, noise, *arguments, **how)


def test_the_gradient_equals_the_twin():
    net = SmallNet("flat")
    images = net.images(2)
    expected = np.stack([net.pixel_grads(images, c, guided=False) for c in (0, 3)], axis=1)
    maps = run(net, images, [0, 3], ["gradient", "gradient_x_input"])["maps"]
    np.testing.assert_allclose(maps["gradient", ""], expected, atol=1e-5)
    np.testing.assert_allclose(maps["gradient_x_input", ""], expected * images[:, np.newaxis], atol=1e-5)
    assert np.abs(expected).max() > 0.05


def test_gradient_times_input_adds_up_to_the_score_of_a_net_without_biases():
    net = SmallNet("flat")
    for name in ("b1", "b2", "b3", "b4"):
        net.weights[name][:] = 0
    images = net.images(2)
    maps = run(net, images, [1, 2], ["gradient_x_input"])["maps"]["gradient_x_input", ""]
    np.testing.assert_allclose(maps.sum((2, 3, 4)), net.forward(images)["logits"][:, 1:3], rtol=1e-4)


def deconvnet_twin(net, images, class_id):
    """As `SmallNet.pixel_grads`, each ReLU handing down [R > 0] R whatever it put out."""
    w = {name: value.astype(np.float64) for name, value in net.weights.items()}
    state = net.forward(images)
    passed = {name: np.ones_like(value) for name, value in state.items()}
    grad = relu_backward(np.broadcast_to(w["w4"][:, class_id], state["hidden"].shape), passed["hidden"], True)
    grad = relu_backward((grad @ w["w3"].T).reshape(state["features"].shape), passed["features"], True)
    grad = np.repeat(np.repeat(conv_same_backward(grad, w["w2"]), 2, axis=1), 2, axis=2) / 4
    return conv_same_backward(relu_backward(grad, passed["a1"], True), w["w1"])


def test_deconvnet_equals_the_twin():
    net = SmallNet("flat")
    images = net.images(2)
    answer = run(net, images, [1, 2], ["deconvnet", "guided_backprop"])
    expected = np.stack([deconvnet_twin(net, images, c) for c in (1, 2)], axis=1)
    np.testing.assert_allclose(answer["maps"]["deconvnet", ""], expected, atol=1e-5)
    assert np.abs(expected - answer["maps"]["guided_backprop", ""]).max() > 0.01


def test_what_a_rule_reached_is_said_of_each_map():
    answer = run(SmallNet("flat"), SmallNet("flat").images(2), [1, 2], ["gradient", "deconvnet", "guided_gradcam"])
    assert {status.notes for row in answer["statuses"]["gradient", ""] for status in row} == {()}
    for key, rule in ((("deconvnet", ""), "deconvnet"), (("guided_gradcam", "features:0"), "guided")):
        notes = [status.notes for row in answer["statuses"][key] for status in row]
        assert notes == [(f"the {rule} rule changed 3 Relu",)] * 4


def test_a_net_of_swishes_has_a_gradient_but_no_guided_one():
    graph = tf.Graph()
    with graph.as_default(), override_map(graph):
        x = tf.placeholder(tf.float32, [None, 4, 4, 3], name="input")
        features = tf.multiply(x, tf.sigmoid(x), name="features")
        tf.matmul(tf.reduce_mean(features, [1, 2]), np.eye(3, dtype=np.float32), name="logits")
    binding = Binding("input:0", "logits:0", "features:0", layers=(), classes=3, image_size=(4, 4))
    images = pictures(1, (4, 4))
    for method in ("guided_backprop", "deconvnet"):
        with pytest.raises(GradientError, match=r"found there: 1 Sigmoid\. Swish, SiLU and GELU have no such rule"):
            explain(graph, binding, images, [1], [method])
    sigmoid = 1 / (1 + np.exp(-images[0].astype(np.float64)))
    expected = (sigmoid + images[0] * sigmoid * (1 - sigmoid)) * [0, 1, 0] / 16
    maps = explain(graph, binding, images, [1], ["gradient"])["maps"]["gradient", ""]
    np.testing.assert_allclose(maps[0, 0], expected, atol=1e-6)


# noise

NOISY = ["smoothgrad", "squaregrad", "vargrad"]


@pytest.mark.parametrize("channels", [1, 3])
def test_noise_changes_nothing_on_a_linear_net(channels):
    graph, binding, kernel = linear_net(channels)
    images = pictures(2, channels=channels)
    maps = explain(graph, binding, images, [2, 0], NOISY)["maps"]
    expected = np.broadcast_to(np.moveaxis(kernel, -1, 0)[[2, 0]], (2, 2, 6, 5, channels))
    np.testing.assert_allclose(maps["smoothgrad", ""], expected, rtol=1e-6)
    np.testing.assert_allclose(maps["squaregrad", ""], expected**2, rtol=1e-6)
    np.testing.assert_array_equal(maps["vargrad", ""], 0)


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


@pytest.mark.parametrize("kind", KINDS)
def test_the_moments_of_the_noise_come_out(kind):
    """dy/dx = x there: over many copies the mean is x, the variance (level * range)^2."""
    graph, binding = square_net()
    images = pictures(1, (4, 4))
    options = {kind: {"samples": 4000, "level": 0.2, "seed": 7}}
    found = explain(graph, binding, images, [1], [kind], options=options, batch_size=500)["maps"][kind, ""][
        0, 0, ..., 1
    ]
    x, variance = images[0, ..., 1].astype(np.float64), (0.2 * np.ptp(images)) ** 2
    expected = {"smoothgrad": x, "squaregrad": x**2 + variance, "vargrad": np.full(x.shape, variance)}[kind]
    error = variance**0.5 / 4000**0.5
    tolerance = {"smoothgrad": 4 * error, "squaregrad": 0.5, "vargrad": 0.15}[kind]
    np.testing.assert_allclose(found, expected, atol=tolerance)


@pytest.mark.parametrize("kind", KINDS)
def test_the_rows_are_the_modifier_around_the_gradient(kind):
    net = SmallNet("flat")
    images = net.images(3)
    row = explain(net.graph(), net.binding(), images, [1, 2], [kind])["maps"][kind, ""]
    around = explain(net.graph(), net.binding(), images, [1, 2], ["gradient"], Noise(kind))["maps"]["gradient", ""]
    np.testing.assert_allclose(row, around, atol=1e-6)
    assert np.abs(row).max() > 1e-3


@pytest.mark.parametrize("method", ["guided_backprop", "gradcam", "guided_gradcam", "integrated_gradients", "eigencam"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_modifier_makes_one_map_of_those_of_the_copies(kind, method):
    net = SmallNet("flat")
    images = net.images(2)
    noise = Noise(kind, samples=4, level=0.3, seed=2)
    answer = explain(net.graph(), net.binding(), images, [1], [method], noise, pixels=white(2))
    ((key, maps),) = answer["maps"].items()
    copies = np.concatenate(list(noise.copies(images)))
    # two pictures a copy, all in one batch
    copies = explain(net.graph(), net.binding(), copies, [1], [method], pixels=white(8))["maps"][key]
    copies = copies.reshape((4, 2, *copies.shape[1:])).astype(np.float64)
    expected = {"smoothgrad": copies.mean(0), "squaregrad": (copies**2).mean(0), "vargrad": copies.var(0)}[kind]
    np.testing.assert_allclose(maps, expected, atol=1e-5 * np.abs(expected).max() + 1e-9)
    assert maps.dtype == np.float32
    np.testing.assert_allclose(answer["scores"], net.forward(images)["logits"][:, [1]], atol=1e-5)
    status = answer["statuses"][key][0][0]
    assert status.notes[-1] == f"{kind} of 4 noisy copies, level 0.3, seed 2"
    assert (status.minimum, status.maximum) == (maps[0, 0].min(), maps[0, 0].max())


def test_the_modifier_keeps_the_class_of_the_clean_picture():
    """Noise strong enough to change the top class must not change which class is explained."""
    graph, binding, kernel = linear_net()
    images = pictures(1)
    best = int(explain(graph, binding, images, [-1], ["gradient"])["class_ids"][0, 0])
    answer = explain(graph, binding, images, [-1], ["gradient"], Noise(samples=20, level=2.0))
    assert answer["class_ids"][0, 0] == best
    np.testing.assert_allclose(answer["maps"]["gradient", ""][0, 0], kernel[..., best], rtol=1e-5)


def test_noise_is_the_same_for_a_picture_in_any_batch():
    net = SmallNet("flat")
    images = net.images(3)
    together = explain(net.graph(), net.binding(), images, [1], ["gradcam"], Noise(samples=3))["maps"]
    alone = explain(net.graph(), net.binding(), images[2:], [1], ["gradcam"], Noise(samples=3))["maps"]
    np.testing.assert_allclose(together["gradcam", "features:0"][2:], alone["gradcam", "features:0"], atol=1e-6)


def test_maps_that_noise_leaves_empty_say_why():
    graph, binding, _ = linear_net()
    status = explain(graph, binding, pictures(1), [1], ["gradient"], Noise("vargrad"))["statuses"]["gradient", ""][0][0]
    assert (status.state, status.reason) == ("empty", "the maps of all noisy copies are the same")
    net = SmallNet("gap")
    net.weights["w4"][:] = -np.abs(net.weights["w4"])
    answer = explain(net.graph(), net.binding(), net.images(1), [0], ["gradcam"], Noise(samples=2))
    status = answer["statuses"]["gradcam", "features:0"][0][0]
    assert status.state == "empty"
    assert "against this class" in status.reason


def test_smoothgrad_equals_the_saliency_package():
    saliency = pytest.importorskip("saliency.tf1")
    graph, _ = square_net()
    images = pictures(1, (4, 4))
    noise = Noise(samples=3, level=0.15)
    draws = [(copy[0] - images[0]).astype(np.float64) for copy in noise.copies(images)]
    with graph.as_default(), tf.Session(graph=graph) as sess:
        x, logits = graph.get_tensor_by_name("input:0"), graph.get_tensor_by_name("logits:0")
        peer = saliency.GradientSaliency(graph, sess, logits[0, 1], x)
        for kind, squared in (("smoothgrad", False), ("squaregrad", True)):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(np.random, "normal", lambda *_, pending=list(draws): pending.pop(0))
                mask = peer.GetSmoothedMask(images[0], stdev_spread=0.15, nsamples=3, magnitude=squared)
            options = {kind: {"samples": 3, "level": 0.15}}
            ours = explain(*square_net(), images, [1], [kind], options=options)["maps"][kind, ""][0, 0]
            np.testing.assert_allclose(ours, mask, rtol=1e-4, atol=1e-6)


def test_spread_keeps_its_precision_where_the_mean_is_large():
    spread = Spread()
    for value in (1e8, 1e8 + 1, 1e8 + 2):
        spread.add(np.array([value]))
    np.testing.assert_allclose(spread.result("vargrad"), [2 / 3], rtol=1e-6)


def test_a_uint8_net_gets_its_noise_after_the_cast():
    graph = tf.Graph()
    with graph.as_default(), override_map(graph):
        x = tf.placeholder(tf.uint8, [None, 4, 4, 3], name="input")
        floats = tf.cast(x, tf.float32) / 127.5 - 1.0
        features = tf.multiply(floats, floats, name="features")
        tf.reduce_sum(features / 2, [1, 2], name="logits")
    layer = LayerInfo("features:0", "Mul", (None, 4, 4, 3))
    binding = Binding("input:0", "logits:0", "features:0", layers=(layer,), image_size=(4, 4), classes=3, dtype="uint8")
    images = np.random.RandomState(0).randint(0, 255, (2, 4, 4, 3)).astype(np.uint8)
    # the first float tensor holds 0..255; y = (x / 127.5 - 1)^2 / 2, so dy/dx = (x / 127.5 - 1) / 127.5
    maps = explain(graph, binding, images, [0], ["gradient", "smoothgrad"], options={"smoothgrad": {"level": 0.0}})[
        "maps"
    ]
    expected = (images / 127.5 - 1) / 127.5 * [1, 0, 0]
    for name in ("gradient", "smoothgrad"):
        np.testing.assert_allclose(maps[name, ""][:, 0], expected, atol=1e-6)
    noise = Noise(samples=2, level=0.1)
    around = explain(graph, binding, images, [0], ["gradient"], noise)["maps"]["gradient", ""]
    copies = np.mean([(copy / 127.5 - 1) / 127.5 for copy in noise.copies(images.astype(np.float32))], axis=0)
    np.testing.assert_allclose(around[:, 0], copies * [1, 0, 0], atol=1e-6)
    assert np.abs(copies - (images / 127.5 - 1) / 127.5).max() > 1e-3


@pytest.mark.parametrize("batch", [1, 3])
def test_a_baked_batch_size_changes_nothing(batch):
    net = SmallNet("flat")
    images = net.images(2)
    methods = ["gradient", "deconvnet", "smoothgrad"]
    free = explain(net.graph(), net.binding(), images, [1], methods)["maps"]
    baked = explain(net.graph(batch=batch), net.binding(batch=batch), images, [1], methods)["maps"]
    for key, maps in free.items():
        np.testing.assert_allclose(baked[key], maps, atol=1e-6)


def test_no_gradient_is_an_error_that_names_the_op():
    graph = tf.Graph()
    with graph.as_default(), override_map(graph):
        x = tf.placeholder(tf.float32, [None, 4, 4, 3], name="input")
        tf.reduce_mean(tf.round(x, name="steps"), [1, 2], name="logits")
    binding = Binding("input:0", "logits:0", "steps:0", layers=(), classes=3, image_size=(4, 4))
    for method in ("gradient", "smoothgrad", "integrated_gradients", "blur_ig", "guided_ig", "fullgrad"):
        with pytest.raises(GradientError, match=r"stops at 'steps' \(R"):
            explain(graph, binding, pictures(1, (4, 4)), [0], [method])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"kind": "smooth"}, "no noise 'smooth'; possible: smoothgrad, squaregrad, vargrad"),
        ({"samples": 0}, "samples=0, level=0.15: at least one sample"),
        ({"level": -1}, "samples=25, level=-1: .* no level below 0"),
    ],
)
def test_wrong_noise_is_an_error(given, message):
    with pytest.raises(OptionError, match=message):
        Noise(**given)


def test_options_that_a_method_does_not_take_are_an_error():
    rows = [METHODS["smoothgrad"], METHODS["gradcam"]]
    check_options({"smoothgrad": {"samples": 3}}, rows)
    with pytest.raises(OptionError, match="smoothgrad does not take 'steps'; it takes samples=25, level=0.15, seed=0"):
        check_options({"smoothgrad": {"samples": 3, "steps": 3}}, rows)
    with pytest.raises(OptionError, match="gradcam does not take 'steps'; it takes no options"):
        check_options({"gradcam": {"steps": 3}}, rows)
    with pytest.raises(
        OptionError, match="options for 'xrai', which was not asked for; asked for: smoothgrad, gradcam"
    ):
        check_options({"xrai": {}}, rows)


def test_options_and_noise_go_through_the_front_door():
    net = SmallNet("flat")
    pixels = np.random.RandomState(9).uniform(0, 255, (1, 8, 12, 3)).astype(np.float32)
    images = (pixels / 127.5 - 1).astype(np.float32)
    options = {"integrated_gradients": {"steps": 3, "baseline": "white"}}
    with GradCamGraph(net.graph().as_graph_def(), preset="inception", logits="logits", layer="features") as front:
        found = front.explain(pixels, [1], ["integrated_gradients"], options=options)
        noisy = front.explain(pixels, [1], ["gradcam"], noise=Noise(samples=3))
        with pytest.raises(
            OptionError, match="integrated_gradients does not take 'step'; it takes baseline='black', ste"
        ):
            front.explain(pixels, [1], ["integrated_gradients"], options={"integrated_gradients": {"step": 3}})
    how = {"pixels": pixels, "options": options}
    expected = explain(net.graph(), net.binding(), images, [1], ["integrated_gradients"], **how)["maps"]
    np.testing.assert_allclose(found["integrated_gradients"], expected["integrated_gradients", ""], atol=1e-5)
    expected = explain(net.graph(), net.binding(), images, [1], ["gradcam"], Noise(samples=3))["maps"]
    np.testing.assert_allclose(noisy["gradcam"], expected["gradcam", "features:0"], atol=1e-5)
