"""SmoothGrad, its squares and its variance, as methods of their own and around any other method."""

from __future__ import annotations

import numpy as np
import pytest
from pixel_nets import explain, linear_net, random_images, square_net, white
from small_nets import SmallNet

from gradcam_tf1.errors import OptionError
from gradcam_tf1.gradients.guided import override_map
from gradcam_tf1.methods.noise import KINDS, Noise, Spread
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import Binding, LayerInfo


@pytest.mark.parametrize("channels", [1, 3])
def test_noise_changes_nothing_on_a_linear_net(channels):
    graph, binding, kernel = linear_net(channels)
    images = random_images(2, channels=channels)
    maps = explain(graph, binding, images, [2, 0], KINDS).maps
    expected = np.broadcast_to(np.moveaxis(kernel, -1, 0)[[2, 0]], (2, 2, 6, 5, channels))
    np.testing.assert_allclose(maps["smoothgrad", ""], expected, rtol=1e-6)
    np.testing.assert_allclose(maps["squaregrad", ""], expected**2, rtol=1e-6)
    np.testing.assert_array_equal(maps["vargrad", ""], 0)


@pytest.mark.parametrize("kind", KINDS)
def test_the_moments_of_the_noise_come_out(kind):
    """dy/dx = x there: over many copies the mean is x, the variance (level * range)^2."""
    graph, binding = square_net()
    images = random_images(1, (4, 4))
    options = {kind: {"samples": 4000, "level": 0.2, "seed": 7}}
    found = explain(graph, binding, images, [1], [kind], options=options, batch_size=500).maps[kind, ""][0, 0, ..., 1]
    x, variance = images[0, ..., 1].astype(np.float64), (0.2 * np.ptp(images)) ** 2
    expected = {"smoothgrad": x, "squaregrad": x**2 + variance, "vargrad": np.full(x.shape, variance)}[kind]
    error = variance**0.5 / 4000**0.5
    tolerance = {"smoothgrad": 4 * error, "squaregrad": 0.5, "vargrad": 0.15}[kind]
    np.testing.assert_allclose(found, expected, atol=tolerance)


@pytest.mark.parametrize("kind", KINDS)
def test_the_rows_are_the_modifier_around_the_gradient(kind):
    net = SmallNet("flat")
    images = net.images(3)
    row = explain(net.graph(), net.binding(), images, [1, 2], [kind]).maps[kind, ""]
    around = explain(net.graph(), net.binding(), images, [1, 2], ["gradient"], Noise(kind)).maps["gradient", ""]
    np.testing.assert_allclose(row, around, atol=1e-6)
    assert np.abs(row).max() > 1e-3


@pytest.mark.parametrize("method", ["guided_backprop", "gradcam", "guided_gradcam", "integrated_gradients", "eigencam"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_modifier_makes_one_map_of_those_of_the_copies(kind, method):
    net = SmallNet("flat")
    images = net.images(2)
    noise = Noise(kind, samples=4, level=0.3, seed=2)
    answer = explain(net.graph(), net.binding(), images, [1], [method], noise, pixels=white(2))
    ((key, maps),) = answer.maps.items()
    copies = np.concatenate(list(noise.copies(images)))
    # two images a copy, all in one batch
    copies = explain(net.graph(), net.binding(), copies, [1], [method], pixels=white(8)).maps[key]
    copies = copies.reshape((4, 2, *copies.shape[1:])).astype(np.float64)
    expected = {"smoothgrad": copies.mean(0), "squaregrad": (copies**2).mean(0), "vargrad": copies.var(0)}[kind]
    np.testing.assert_allclose(maps, expected, atol=1e-5 * np.abs(expected).max() + 1e-9)
    assert maps.dtype == np.float32
    np.testing.assert_allclose(answer.scores, net.forward(images)["logits"][:, [1]], atol=1e-5)
    status = answer.statuses[key][0][0]
    assert status.notes[-1] == f"{kind} of 4 noisy copies, level 0.3, seed 2"
    assert (status.minimum, status.maximum) == (maps[0, 0].min(), maps[0, 0].max())


def test_the_modifier_keeps_the_class_of_the_clean_image():
    """Noise strong enough to change the top class must not change which class is explained."""
    graph, binding, kernel = linear_net()
    images = random_images(1)
    best = int(explain(graph, binding, images, [-1], ["gradient"]).class_ids[0, 0])
    answer = explain(graph, binding, images, [-1], ["gradient"], Noise(samples=20, level=2.0))
    assert answer.class_ids[0, 0] == best
    np.testing.assert_allclose(answer.maps["gradient", ""][0, 0], kernel[..., best], rtol=1e-5)


def test_noise_is_the_same_for_an_image_in_any_batch():
    net = SmallNet("flat")
    images = net.images(3)
    together = explain(net.graph(), net.binding(), images, [1], ["gradcam"], Noise(samples=3)).maps
    alone = explain(net.graph(), net.binding(), images[2:], [1], ["gradcam"], Noise(samples=3)).maps
    np.testing.assert_allclose(together["gradcam", "features:0"][2:], alone["gradcam", "features:0"], atol=1e-6)


def test_maps_that_noise_leaves_empty_say_why():
    graph, binding, _ = linear_net()
    found = explain(graph, binding, random_images(1), [1], ["gradient"], Noise("vargrad"))
    status = found.statuses["gradient", ""][0][0]
    assert (status.state, status.reason) == ("empty", "the maps of all noisy copies are the same")
    net = SmallNet("gap")
    net.weights["w4"][:] = -np.abs(net.weights["w4"])
    answer = explain(net.graph(), net.binding(), net.images(1), [0], ["gradcam"], Noise(samples=2))
    status = answer.statuses["gradcam", "features:0"][0][0]
    assert status.state == "empty"
    assert "against this class" in status.reason


def test_smoothgrad_equals_the_saliency_package():
    saliency = pytest.importorskip("saliency.tf1")
    graph, _ = square_net()
    images = random_images(1, (4, 4))
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
            ours = explain(*square_net(), images, [1], [kind], options=options).maps[kind, ""][0, 0]
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
    plain = {"smoothgrad": {"level": 0.0}}
    maps = explain(graph, binding, images, [0], ["gradient", "smoothgrad"], options=plain).maps
    expected = (images / 127.5 - 1) / 127.5 * [1, 0, 0]
    for name in ("gradient", "smoothgrad"):
        np.testing.assert_allclose(maps[name, ""][:, 0], expected, atol=1e-6)
    noise = Noise(samples=2, level=0.1)
    around = explain(graph, binding, images, [0], ["gradient"], noise).maps["gradient", ""]
    copies = np.mean([(copy / 127.5 - 1) / 127.5 for copy in noise.copies(images.astype(np.float32))], axis=0)
    np.testing.assert_allclose(around[:, 0], copies * [1, 0, 0], atol=1e-6)
    assert np.abs(copies - (images / 127.5 - 1) / 127.5).max() > 1e-3


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"kind": "smooth"}, "no noise 'smooth'; possible: smoothgrad, squaregrad, vargrad"),
        ({"samples": 0}, "noise.samples is a whole number at least 1 and at most 1000000, not 0; its default is 25"),
        ({"samples": "5"}, "noise.samples is a whole number at least 1 and at most 1000000, not '5'"),
        ({"level": -1}, "noise.level is a number at least 0 and at most 1000000, not -1; its default is 0.15"),
    ],
)
def test_wrong_noise_is_an_error(given, message):
    with pytest.raises(OptionError, match=message):
        Noise(**given)
