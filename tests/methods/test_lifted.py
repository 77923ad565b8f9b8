"""DeepLIFT, DeepSHAP, LIFT-CAM and expected gradients through the engine: identities, layouts, targets, notes."""

from __future__ import annotations

import re

import numpy as np
import pytest
from array_nets import ArrayNet
from clip_nets import clip_graph, clips
from pixel_nets import explain, linear_net, random_images, small, the_map
from small_nets import SmallNet, request

from gradcam_tf1 import Anchor, GradCamGraph, Keypoint, Region, Total, method
from gradcam_tf1.engine.map_engine import MapEngine
from gradcam_tf1.engine.session_runner import session_config
from gradcam_tf1.errors import GradientError, OptionError
from gradcam_tf1.gradients.guided import override_map
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import Binding, LayerInfo, ScoreRequest

SETS = ["deepshap", "expected_gradients"]


def sums_of(note):
    """What the map adds up to, and what the score rises by."""
    return [float(number) for number in re.findall(r"(?:up to|rises by) (-?[\d.e+-]+)", note)]


@pytest.mark.parametrize("rule", ["rescale", "revealcancel"])
@pytest.mark.parametrize("channels", [1, 3])
def test_on_a_linear_net_deeplift_is_the_gradient_times_the_difference(rule, channels):
    graph, binding, kernel = linear_net(channels)
    images = random_images(2, channels=channels)
    if rule == "revealcancel":
        with pytest.raises(GradientError, match="RevealCancel is defined at no activation between 'input:0' and the"):
            the_map(graph, binding, images, "deeplift", rule=rule)
        return
    maps = the_map(graph, binding, images, "deeplift", (2, 0), batch_size=3)
    for place, class_id in enumerate((2, 0)):
        # black pixels come to -1 in the net
        np.testing.assert_allclose(maps[:, place], (images + 1) * kernel[..., class_id], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("method", SETS)
def test_on_a_linear_net_a_set_counts_as_its_mean(method):
    graph, binding, kernel = linear_net()
    images = random_images(2)
    starts = np.random.RandomState(3).uniform(0, 255, (5, 6, 5, 3)).astype(np.float32)
    maps = the_map(graph, binding, images, method, (2, 0), baselines=starts, batch_size=2)
    for place, class_id in enumerate((2, 0)):
        expected = (images - (starts / 127.5 - 1).mean(0)) * kernel[..., class_id]
        np.testing.assert_allclose(maps[:, place], expected, rtol=1e-4, atol=1e-5)


def test_an_additive_net_gives_each_pixel_its_own_rise():
    """y = sum of tanh(w x) over the pixels: nothing interacts, so that all methods of Shapley values agree."""
    scale = np.random.RandomState(1).randn(4, 4, 3).astype(np.float32)
    graph = tf.Graph()
    with graph.as_default(), override_map(graph):
        x = tf.placeholder(tf.float32, [None, 4, 4, 3], name="input")
        features = tf.tanh(x * scale, name="features")
        tf.reduce_sum(features, [1, 2], name="logits")
    layer = LayerInfo("features:0", "Tanh", (None, 4, 4, 3))
    binding = Binding("input:0", "logits:0", "features:0", layers=(layer,), image_size=(4, 4), classes=3)
    images = random_images(1, (4, 4))
    expected = (np.tanh(images * scale) - np.tanh(-scale))[0] * [0, 1, 0]
    np.testing.assert_allclose(the_map(graph, binding, images, "deeplift")[0, 0], expected, rtol=1e-4, atol=1e-6)
    found = the_map(graph, binding, images, "expected_gradients", baselines="black", samples=4000)[0, 0]
    np.testing.assert_allclose(found, expected, rtol=0.02, atol=2e-3)


@pytest.mark.parametrize("method", ["deeplift", "deepshap"])
def test_the_layout_of_the_net_and_its_batch_size_change_nothing(method):
    net = SmallNet("flat")
    images = net.images(3)
    plain = small(images, method, net, class_ids=(1, 3))
    for first, batch in ((True, None), (False, 1), (False, 2), (True, 2)):
        fed = np.transpose(images, (0, 3, 1, 2)) if first else images
        graph, binding = net.graph(batch, channels_first=first), net.binding(first, batch)
        assert fed.shape[1:] == tuple(graph.get_tensor_by_name("input:0").shape.as_list()[1:])
        found = the_map(graph, binding, images, method, (1, 3))
        np.testing.assert_allclose(found, plain, rtol=1e-4, atol=1e-5)


def test_the_image_alone_decides_not_its_batch():
    net = SmallNet("flat")
    images = net.images(5)
    pixels = np.random.RandomState(9).uniform(0, 255, images.shape).astype(np.float32)
    together = small(images, "deepshap", net, pixels=pixels)
    for n in range(5):
        alone = small(images[n : n + 1], "deepshap", net, pixels=pixels[n : n + 1])
        np.testing.assert_allclose(together[n], alone[0], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("score", ["probability", "log_probability", "margin", "down"])
@pytest.mark.parametrize("method", ["deeplift", "deepshap", "liftcam"])
def test_every_score_adds_up_as_it_is(method, score):
    """Also a softmax, which our own ops make of the logits."""
    net = SmallNet("flat")
    images = net.images(2)
    options = {"pixels": np.zeros_like(images), "to_batch": lambda pixels: pixels}

    graph = net.graph()
    asked = [ScoreRequest((score,), {"code": np.array([1, 2], np.int32)})]
    with tf.Session(graph=graph, config=session_config()) as sess:
        engine = MapEngine(graph, sess, net.binding(), 8)
        answer = engine.run(request(images, asked, [method], net.binding().layers, **options))
    ((_, statuses),) = answer.statuses.items()
    for status in statuses:
        total, rise = sums_of(status[0].notes[-1])
        assert rise != 0
        np.testing.assert_allclose(total, rise, rtol=1e-3, atol=1e-5)


MASK = np.zeros((6, 5), bool)
MASK[1:4, 2:] = True


@pytest.mark.parametrize(
    ("target", "held"),
    [
        (Region(1, mask=MASK), lambda maps: MASK),
        (Region(1), lambda maps: maps.argmax(-1) == 1),
        (Region(None, point=(2, 3)), lambda maps: np.arange(30).reshape(6, 5) == 13),
        (Total(1), lambda maps: np.ones((6, 5))),
        (Keypoint(1), lambda maps: maps[..., 1] == maps[..., 1].max()),
        (Anchor(1, best=2), lambda maps: maps[..., 1] >= np.sort(maps[..., 1], axis=None)[-2]),
    ],
    ids=["mask", "own region", "point", "total", "keypoint", "anchors"],
)
def test_the_positions_of_a_target_are_those_of_the_image(target, held):
    """y = sum of the class's map over positions that the target, or the net at the image, chooses; maps are linear."""
    kernel = np.random.RandomState(2).randn(1, 1, 3, 4).astype(np.float32)
    kernel[..., 1] *= 2
    graph = tf.Graph()
    with graph.as_default(), override_map(graph):
        x = tf.placeholder(tf.float32, [None, 6, 5, 3], name="input")
        maps = tf.nn.conv2d(tf.nn.bias_add(x, [9.0, -9.0, 0.0], name="layer"), kernel, [1, 1, 1, 1], "SAME")
        tf.reshape(maps, [-1, 30, 4] if isinstance(target, Anchor) else [-1, 6, 5, 4], name="logits")
    images = np.random.RandomState(3).randint(0, 256, (2, 6, 5, 3)).astype(np.uint8)
    with GradCamGraph(graph.as_graph_def(), preset="raw", input="input", layer="layer", logits="logits") as net:
        found = net.explain(images, target, [method("deeplift", baseline="white"), "liftcam"])
    for n, image in enumerate(images.astype(np.float64)):
        features = image + np.array([9, -9, 0])
        scores = features @ kernel[0, 0].astype(np.float64)
        best = int(found.class_ids[n, 0]) if isinstance(target, Region) else 1
        where = np.asarray(held(scores), float)[..., np.newaxis] * kernel[0, 0, :, best]
        if not isinstance(target, Keypoint):  # its maximum at white is somewhere else
            np.testing.assert_allclose(found["deeplift"][n, 0], where * (image - 255), rtol=1e-4, atol=1e-2)
            weights = (where * features).sum((0, 1))
            np.testing.assert_allclose(found["liftcam"][n, 0], np.maximum(features @ weights, 0), rtol=1e-3, atol=1)
        for name in ("deeplift", "liftcam"):
            ((status,),) = [found.statuses[key][n] for key in found.statuses if key[0] == name]
            total, rise = sums_of(status.notes[-1])
            np.testing.assert_allclose(total, rise, rtol=2e-3, atol=1e-2)


def test_liftcam_weighs_channels_by_their_share_of_a_linear_score():
    """Behind the features are a mean and a dense layer: w_k = mean(A_k) W_kc."""
    net = SmallNet("gap")
    images = net.images(2)
    answer = explain(net.graph(), net.binding(), images, [0, 3], ["liftcam"])
    features, kernel = net.forward(images)["features"], net.weights["w4"].astype(np.float64)
    for target, class_id in enumerate((0, 3)):
        weights = features.mean((1, 2)) * kernel[:, class_id]
        expected = np.maximum((features * weights[:, None, None]).sum(-1), 0)
        found = answer.maps["liftcam", "features:0"][:, target]
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
        for n in range(2):
            (note,) = answer.statuses["liftcam", "features:0"][n][target].notes
            total, rise = sums_of(note)
            assert note.startswith("completeness: the weights add up to ")
            np.testing.assert_allclose([total, rise], weights[n].sum(), rtol=2e-3)


@pytest.mark.parametrize("method", [*SETS, "deeplift", "gradient_shap"])
def test_the_notes_say_how_far_the_sum_is_off(method):
    net = SmallNet("flat")
    images = net.images(1)
    key = "baseline" if method == "deeplift" else "baselines"
    options = {key: "black"} if method == "deeplift" else {key: "black,white"}
    answer = explain(net.graph(), net.binding(), images, [2], [method], options={method: options})
    (note,) = answer.statuses[method, ""][0][0].notes
    total, rise = sums_of(note)
    starts = [np.full_like(images, -1), np.full_like(images, 1)][: 1 + (key == "baselines")]
    expected = net.forward(images)["logits"] - np.mean([net.forward(start)["logits"] for start in starts], axis=0)
    np.testing.assert_allclose(rise, expected[0, 2], rtol=1e-3)
    np.testing.assert_allclose(total, answer.maps[method, ""].sum(dtype=np.float64), rtol=1e-3)
    assert note.endswith("% off")
    assert ("from black" if method == "deeplift" else "from the mean of 2 baselines") in note


def test_samples_are_shared_by_all_baselines_and_are_at_least_one_each():
    net = SmallNet("flat")
    images = net.images(1)
    starts = np.random.RandomState(3).uniform(0, 255, (7, 8, 12, 3)).astype(np.float32)
    few = small(images, "expected_gradients", net, baselines=starts, samples=1)
    assert np.array_equal(few, small(images, "expected_gradients", net, baselines=starts, samples=7))
    assert not np.array_equal(few, small(images, "expected_gradients", net, baselines=starts, samples=8))
    assert not np.array_equal(few, small(images, "expected_gradients", net, baselines=starts, samples=7, seed=1))


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        ("deeplift", {"rule": "linear"}, "deeplift.rule is one of rescale, revealcancel, not 'linear'"),
        ("deepshap", {"baselines": "grey"}, "deepshap.baselines is names of zero, black, .* or a list of these, not"),
        ("deepshap", {"baselines": np.zeros((2, 3, 3, 3))}, r"float64 \[2, 3, 3, 3\]; .*\[B, 8, 12, 3\], RGB 0..255"),
        ("deepshap", {"baselines": []}, "the baselines are 0 images; give 1 to 256"),
        ("deepshap", {"baselines": [0] * 257}, "the baselines are 257 images; give 1 to 256"),
        ("expected_gradients", {"samples": 0}, "samples is a whole number at least 1 and at most 1000000, not 0"),
        ("gradient_shap", {"level": -1}, "level is a number at least 0 and at most 1000000, not -1"),
    ],
)
def test_wrong_options_are_errors(method, options, message):
    with pytest.raises(OptionError, match=message):
        small(SmallNet().images(1), method, **options)


KINDS = {"signal": ((11,), 2, False), "flat signal": ((11,), 1, True), "volume": ((3, 4, 5), 2, False)}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["deeplift", "deepshap"])
def test_signals_and_volumes_add_up_from_zero_or_their_own_set(kind, name):
    sides, channels, flat = KINDS[kind]
    net = ArrayNet(sides, channels, flat)
    arrays = net.arrays(2)
    values = arrays[..., np.newaxis] if flat else arrays
    start = np.random.RandomState(1).randn(*values.shape[1:]).astype(np.float32)
    with GradCamGraph(net.graph()) as graph:
        chosen = method(name, **{"baseline" if name == "deeplift" else "baselines": start})
        found = [graph.explain(arrays, 1, each) for each in (name, chosen)]
        weights = graph.explain(arrays, 1, "liftcam")["liftcam"]
        with pytest.raises(OptionError, match="is for images only; for signals and volumes give"):
            graph.explain(arrays, 1, method(name, **{next(iter(dict(chosen.given))): "black"}))
    scores = net.logits(net.features(values))[:, 1]
    rise = scores - net.logits(net.features(start[np.newaxis]))[:, 1]
    np.testing.assert_allclose(found[1][name].reshape(2, -1).sum(axis=1), rise, rtol=1e-3, atol=1e-4)
    (note,) = found[0].statuses[name, ""][0][0].notes
    assert ("from zero" if name == "deeplift" else "from the mean of 3 baselines") in note
    total, risen = sums_of(note)
    np.testing.assert_allclose(total, risen, rtol=1e-3, atol=1e-4)
    assert weights.shape == (2, 1, *sides)
    assert weights.max() > 0


def test_clips_add_up():
    with GradCamGraph(clip_graph().as_graph_def(), preset="raw") as graph:
        for name in ("deeplift", "deepshap", "liftcam"):
            found = graph.explain(255 * clips(), 1, name)
            for rows in next(iter(found.statuses.values())):
                total, rise = sums_of(rows[0].notes[-1])
                np.testing.assert_allclose(total, rise, rtol=1e-3)


@pytest.mark.parametrize("first", [False, True])
def test_a_net_of_one_image_without_an_axis_for_it(first):
    """uint8 [H, W, C], and the floats that are made of it."""
    kernel = np.random.RandomState(0).randn(3, 3, 3, 4).astype(np.float32)
    graph = tf.Graph()
    with graph.as_default(), override_map(graph):
        x = tf.placeholder(tf.uint8, [8, 8, 3], name="x")
        floats = tf.cast(x, tf.float32) / 255
        if first:
            floats = tf.cast(tf.expand_dims(x, 0), tf.float32) / 255
        batch = floats if first else tf.expand_dims(floats, 0)
        features = tf.nn.relu(tf.nn.conv2d(batch, kernel, 1, "SAME"), name="features")
        tf.reduce_mean(features, [1, 2], name="logits")
    pixels = np.random.RandomState(1).randint(0, 256, (2, 8, 8, 3)).astype(np.uint8)
    with GradCamGraph(graph.as_graph_def(), input="x:0", logits="logits:0", layer="features:0", preset="raw") as net:
        found = net.explain(pixels, 1, ["deeplift", "deepshap", "liftcam"])
    for rows in found.statuses.values():
        for row in rows:
            total, rise = sums_of(row[0].notes[-1])
            assert rise > 0
            np.testing.assert_allclose(total, rise, rtol=1e-3)


def test_a_net_with_an_op_without_a_rule_says_so_for_deeplift_alone():
    graph = tf.Graph()
    with graph.as_default():
        x = tf.placeholder(tf.float32, [None, 8, 8, 3], name="x")
        kernel = np.random.RandomState(0).randn(3, 3, 3, 4).astype(np.float32)
        features = tf.nn.relu(tf.nn.conv2d(tf.nn.lrn(x, name="norm"), kernel, 1, "SAME"), name="features")
        tf.reduce_mean(features, [1, 2], name="logits")
    names = {"input": "x:0", "logits": "logits:0", "layer": "features:0"}
    with GradCamGraph(graph.as_graph_def(), preset="raw", **names) as net:
        usable, reasons = net.usable_methods(["deeplift", "deepshap", "liftcam", "expected_gradients"])
        with pytest.raises(GradientError, match=r"no multiplier passes 'norm' \(LRN\)"):
            net.explain(np.full((8, 8, 3), 99, np.uint8), 1, "deepshap")
    assert usable == ["liftcam", "expected_gradients"]
    assert set(reasons) == {"deeplift", "deepshap"}
