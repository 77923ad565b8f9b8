"""The relevance methods through the engine, against a float64 twin of the small net; notes, options and refusals."""

from __future__ import annotations

import re

import numpy as np
import pytest
from pixel_nets import explain, linear_net, random_images
from small_nets import SmallNet, class_asks, conv_same, conv_same_backward, request, run

from gradcam_tf1.engine.map_engine import MapEngine
from gradcam_tf1.engine.session_runner import session_config
from gradcam_tf1.errors import OptionError
from gradcam_tf1.gradients.guided import override_map
from gradcam_tf1.methods import METHODS, method
from gradcam_tf1.methods.relevance_methods import RELEVANCE_ROWS
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import Binding, LayerInfo, ScoreRequest

NAMES = [row.name for row in RELEVANCE_ROWS]


def share(x, forward, backward, relevance, bias, signs=(1,)):
    """R_i of a linear layer in float64; signs (1,): epsilon rule with no epsilon; (1, -1): z+ without biases."""
    if signs == (1,):
        total = forward(x, 0) + bias
        return x * backward(np.divide(relevance, total, out=np.zeros_like(total), where=total != 0), 0)
    plus, minus = np.maximum(x, 0), np.minimum(x, 0)
    total = forward(plus, 1) + forward(minus, -1)
    s = np.divide(relevance, total, out=np.zeros_like(total), where=total != 0)
    return plus * backward(s, 1) + minus * backward(s, -1)


class Twin:
    """Relevance of `SmallNet("flat")`, layer by layer."""

    def __init__(self, net, images):
        self.w = {name: value.astype(np.float64) for name, value in net.weights.items()}
        self.images, self.state = images.astype(np.float64), net.forward(images)

    def of_sign(self, name, sign):
        return {0: lambda w: w, 1: lambda w: np.maximum(w, 0), -1: lambda w: np.minimum(w, 0)}[sign](self.w[name])

    def dense(self, x, number, relevance, signs):
        return share(
            x,
            lambda v, sign: v @ self.of_sign(f"w{number}", sign),
            lambda s, sign: s @ self.of_sign(f"w{number}", sign).T,
            relevance,
            self.w[f"b{number}"],
            signs,
        )

    def convolution(self, x, number, relevance, signs):
        return share(
            x,
            lambda v, sign: conv_same(v, self.of_sign(f"w{number}", sign)),
            lambda s, sign: conv_same_backward(s, self.of_sign(f"w{number}", sign)),
            relevance,
            self.w[f"b{number}"],
            signs,
        )

    def features(self, start, signs):
        hidden = self.dense(self.state["hidden"], 4, start, signs)
        features = self.state["features"]
        return self.dense(features.reshape(len(features), -1), 3, hidden, signs).reshape(features.shape)

    def pixels(self, start, signs):
        a1 = self.state["a1"]
        n, height, width, k = a1.shape
        pooled = a1.reshape(n, height // 2, 2, width // 2, 2, k).mean((2, 4))
        below = self.convolution(pooled, 2, self.features(start, signs), signs)
        ratio = np.divide(below, pooled, out=np.zeros_like(below), where=pooled != 0)
        spread = a1 * np.repeat(np.repeat(ratio, 2, 1), 2, 2) / 4
        return self.convolution(self.images, 1, spread, signs)


def start_at(logits, class_id):
    return logits * (np.arange(logits.shape[1]) == class_id)


@pytest.mark.parametrize("channels_first", [False, True])
@pytest.mark.parametrize(("name", "signs"), [("lrp_epsilon", (1,)), ("lrp_zplus", (1, -1))])
def test_maps_are_those_of_the_twin_for_several_targets(name, signs, channels_first):
    net = SmallNet("flat")
    images = net.images(3)
    answer = run(net, images, [0, 2], [name], batch_size=2, channels_first=channels_first)
    for t, class_id in enumerate([0, 2]):
        expected = Twin(net, images).pixels(start_at(net.forward(images)["logits"], class_id), signs)
        np.testing.assert_allclose(answer.maps[name, ""][:, t], expected, atol=2e-3 * np.abs(expected).max())
        for n in range(3):
            rules, conserved = answer.statuses[name, ""][n][t].notes
            assert rules == f"rules by layers with weights: {name[4:]} in 4"
            numbers = re.findall(r"adds up to (\S+), the score is (\S+), (\S+)% of it", conserved)[0]
            total, score, percent = map(float, numbers)
            assert score == pytest.approx(net.forward(images)["logits"][n, class_id], rel=1e-3)
            assert total == pytest.approx(expected[n].sum(), rel=2e-2, abs=2e-3)
            assert percent == pytest.approx(100 * total / score, abs=0.2)


def test_relevance_cam_is_that_of_the_twin():
    net = SmallNet("flat")
    images = net.images(3)
    answer = run(net, images, [1, 3], ["relevance_cam", "gradcam"])
    for t, class_id in enumerate([1, 3]):
        start = np.tile(np.where(np.arange(4) == class_id, 1, -1 / 3), (3, 1))
        twin = Twin(net, images)
        weights = twin.features(start, (1, -1)).mean((1, 2), keepdims=True)
        expected = np.maximum((weights * twin.state["features"]).sum(-1), 0)
        found = answer.maps["relevance_cam", "features:0"][:, t]
        np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(twin.state["features"]).max())
    assert answer.maps["relevance_cam", "features:0"].max() > 0


def test_its_first_principal_component_is_that_of_the_weighted_features():
    net = SmallNet("flat")
    images = net.images(1)
    with tf.Session(graph=net.graph(), config=session_config()) as sess:
        engine = MapEngine(sess.graph, sess, net.binding(), 4)
        wanted = request(images, class_asks([1]), ["relevance_cam"], net.binding().layers, eigen_smooth=True)
        component = engine.run(wanted).maps["relevance_cam", "features:0"]
    assert component.shape == (1, 1, 4, 6)
    assert not np.allclose(component, run(net, images, [1], ["relevance_cam"]).maps["relevance_cam", "features:0"])


@pytest.mark.parametrize("name", NAMES)
def test_one_pass_serves_all_methods_and_a_second_call_adds_nothing(name):
    net = SmallNet("gap")
    images = net.images(2)
    with tf.Session(graph=net.graph(), config=session_config()) as sess:
        engine = MapEngine(sess.graph, sess, net.binding(), 4)
        more = {"pixels": images, "to_batch": lambda pixels: pixels / 255}
        wanted = request(images, class_asks([0], 2), ["gradcam", name], net.binding().layers, **more)
        first = engine.run(wanted)
        ops = len(sess.graph.get_operations())
        again = engine.run(wanted)
        assert len(sess.graph.get_operations()) == ops
    for key, maps in first.maps.items():
        np.testing.assert_array_equal(maps, again.maps[key])
        assert key[0] != name or np.abs(maps).max() > 0
    alone = run(net, images, [0], ["gradcam"])
    np.testing.assert_allclose(first.maps["gradcam", "features:0"], alone.maps["gradcam", "features:0"], rtol=1e-6)


def test_deep_taylor_of_bytes_takes_its_range_behind_the_preprocessing():
    """One convolution of one weight: float64 by hand, with the range of x / 100 - 1 for bytes."""
    kernel = np.random.RandomState(2).randn(1, 1, 3, 2).astype(np.float32)
    graph = tf.Graph()
    with graph.as_default(), override_map(graph):
        x = tf.placeholder(tf.uint8, [None, 4, 4, 3], name="input")
        features = tf.nn.conv2d(tf.cast(x, tf.float32) / 100 - 1, kernel, [1] * 4, "SAME", name="features")
        tf.reduce_sum(features, [1, 2], name="logits")
    layer = LayerInfo("features:0", "Conv2D", (None, 4, 4, 2))
    binding = Binding("input:0", "logits:0", "features:0", layers=(layer,), image_size=(4, 4), classes=2, dtype="uint8")
    images = np.random.RandomState(0).randint(0, 255, (2, 4, 4, 3)).astype(np.uint8)
    answer = explain(
        graph,
        binding,
        images,
        [1],
        ["deep_taylor"],
        pixels=images.astype("f"),
        to_batch=lambda rgb: rgb.astype("uint8"),
    )
    w = kernel[0, 0, :, 1].astype(np.float64)
    values = images / 100 - 1.0
    parts = values * w - -1 * np.maximum(w, 0) - 1.55 * np.minimum(w, 0)
    expected = parts / parts.sum(-1, keepdims=True) * (values @ w)[..., None]
    np.testing.assert_allclose(answer.maps["deep_taylor", ""][:, 0], expected, atol=1e-4)


def test_zb_without_preprocessing_is_refused():
    graph, binding, _ = linear_net()
    with pytest.raises(OptionError, match="zb needs the smallest and the largest value of the input"):
        explain(graph, binding, random_images(1), [0], ["deep_taylor"], to_batch=None)
    graph, binding, _ = linear_net(bias=False)
    images = random_images(1)
    options = {"deep_taylor": {"first": "epsilon"}}
    found = explain(graph, binding, images, [0], ["deep_taylor"], to_batch=None, options=options)
    assert np.isfinite(found.maps["deep_taylor", ""]).all()


def test_alpha_minus_beta_is_one():
    graph, binding, _ = linear_net()
    with pytest.raises(OptionError, match=r"alpha - beta of lrp_alpha_beta must be 1, .*; 2 - 0.5 is 1.5"):
        explain(graph, binding, random_images(1), [0], ["lrp_alpha_beta"], options={"lrp_alpha_beta": {"beta": 0.5}})
    with pytest.raises(OptionError, match="lrp_gamma.first is one of same, epsilon"):
        method("lrp_gamma", first="best")


def contrast(own, rival):
    return ScoreRequest(("contrast",), {"code": np.int32([own]), "rival": np.int32([rival])})


def explained(names, score, net=None):
    net = net or SmallNet("flat")
    with tf.Session(graph=net.graph(), config=session_config()) as sess:
        engine = MapEngine(sess.graph, sess, net.binding(), 4)
        return engine.run(request(net.images(1), [score], names, net.binding().layers))


def test_a_contrast_is_the_difference_of_both_classes_where_the_rule_is_linear_in_relevance():
    answer = explained(["lrp_epsilon"], contrast(2, 0))
    single = run(SmallNet("flat"), SmallNet("flat").images(1), [2, 0], ["lrp_epsilon"]).maps["lrp_epsilon", ""]
    found = answer.maps["lrp_epsilon", ""][:, 0]
    np.testing.assert_allclose(found, single[:, 0] - single[:, 1], atol=1e-4 * np.abs(single).max())


def test_relevance_cam_of_a_contrast_is_refused():
    with pytest.raises(OptionError, match="relevance_cam compares a class with the others.*not 'contrast' targets"):
        explained(["relevance_cam"], contrast(2, 0))


def test_a_score_that_is_no_sum_of_outputs_says_where_its_relevance_starts():
    """A softmax of the net hands its relevance down; the logarithm of it is ours."""
    scores = {name: ScoreRequest((name,), {"code": np.int32([1])}) for name in ("probability", "log_probability")}
    notes = {
        name: explained(["lrp_epsilon"], score).statuses["lrp_epsilon", ""][0][0].notes[1]
        for name, score in scores.items()
    }
    assert re.search(r"the score is 0\.\d+", notes["probability"])
    assert re.search(r"relevance starts with \S+ for a score of -\d", notes["log_probability"])


@pytest.mark.parametrize(
    ("name", "bias", "percent", "reason"),
    [
        ("lrp_alpha_beta", 0.0, 200.0, "a missing summand of one sign"),  # alpha = 2 of what is positive, nothing else
        ("lrp_alpha_beta", -6.0, 200.0, "hand down more than it has"),  # what is negative stays with the bias
        ("lrp_alpha_beta", 10.0, 100.0, "keep the rest"),  # the bias has half of what is positive
        ("lrp_epsilon", -6.0, 250.0, "lrp_zplus does not"),  # 10 of a score of 4
        ("lrp_epsilon", 10.0, 50.0, "keep the rest"),
        ("lrp_zplus", -6.0, 100.0, "keep the rest"),
    ],
)
def test_the_note_says_why_there_is_more_relevance_than_score(name, bias, percent, reason):
    """y = sum of x + b, with a sum of 10."""
    graph = tf.Graph()
    with graph.as_default(), override_map(graph):
        x = tf.placeholder(tf.float32, [None, 2, 2, 1], name="input")
        tf.add(tf.matmul(tf.reshape(x, [-1, 4]), tf.ones([4, 2])), [bias, 0.0], name="logits")
    binding = Binding("input:0", "logits:0", "input:0", classes=2, channels=1, image_size=(2, 2))
    image = np.array([1, 2, 3, 4], np.float32).reshape((1, 2, 2, 1))
    with tf.Session(graph=graph, config=session_config()) as sess:
        answer = MapEngine(graph, sess, binding, 4).run(request(image, class_asks([0]), [name], ()))
    note = answer.statuses[name, ""][0][0].notes[1]
    assert answer.maps[name, ""].sum() == pytest.approx(percent / 100 * (10 + bias), rel=1e-4)
    assert f"{percent:.1f}% of it; " in note
    assert reason in note


def test_the_rows_are_of_one_family_each():
    assert {METHODS[name].space for name in NAMES[:-1]} == {"pixels"}
    assert METHODS["relevance_cam"].uses_layer
    assert not METHODS["relevance_cam"].signed
