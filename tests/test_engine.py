"""Every map against its float64 twin, an identity or a case worked by hand; batches, layouts, slots."""

from __future__ import annotations

import numpy as np
import pytest
from small_nets import SmallNet, class_asks, gradcam_twin, run

from gradcam_tf1.engine import MAX_SLOTS, Engine
from gradcam_tf1.errors import GradientError, RunError
from gradcam_tf1.guided import override_map
from gradcam_tf1.methods import METHODS
from gradcam_tf1.methods.families import IteratedMethod
from gradcam_tf1.tf_runtime import IS_TF2, tf
from gradcam_tf1.types import Binding, LayerInfo

HEADS = ["gap", "flat"]


def twin_cams(net, images, class_ids, sign=1, kernel=None):
    features = net.forward(images)["features"]
    cams = [gradcam_twin(features, sign * net.feature_grads(images, c, kernel)) for c in class_ids]
    return np.stack(cams, axis=1)


@pytest.mark.parametrize("head", HEADS)
def test_gradcam_equals_the_float64_twin(head):
    net = SmallNet(head)
    images = net.images(3)
    answer = run(net, images, [0, 1, 2, 3], ["gradcam"])
    expected = np.maximum(twin_cams(net, images, range(4)), 0)
    assert expected.max() > 0.01
    np.testing.assert_allclose(answer["maps"]["gradcam", "features:0"], expected, atol=1e-5)
    np.testing.assert_allclose(answer["scores"], net.forward(images)["logits"], atol=1e-5)


def test_gradcam_is_cam_over_z_on_a_gap_head():
    net = SmallNet("gap")
    images = net.images(2)
    answer = run(net, images, [2], ["gradcam"])
    features = net.forward(images)["features"]
    cam = features @ net.weights["w4"][:, 2].astype(np.float64)
    positions = features.shape[1] * features.shape[2]
    np.testing.assert_allclose(answer["maps"]["gradcam", "features:0"][:, 0], np.maximum(cam, 0) / positions, atol=1e-6)


def test_hirescam_is_the_unrectified_gradcam_on_a_gap_head_and_differs_elsewhere():
    for head, same in (("gap", True), ("flat", False)):
        net = SmallNet(head)
        images = net.images(2)
        hires = run(net, images, [1], ["hirescam"])["maps"]["hirescam", "features:0"]
        assert np.allclose(hires, twin_cams(net, images, [1]), atol=1e-5) == same
        grads, features = net.feature_grads(images, 1), net.forward(images)["features"]
        np.testing.assert_allclose(hires[:, 0], (grads * features).sum(-1), atol=1e-5)
        assert hires.min() < 0


def test_counterfactual_turns_the_gradient_round():
    net = SmallNet()
    images = net.images(2)
    cams = run(net, images, [1, 3], ["counterfactual"])["maps"]["counterfactual", "features:0"]
    np.testing.assert_allclose(cams, np.maximum(twin_cams(net, images, [1, 3], sign=-1), 0), atol=1e-5)


@pytest.mark.parametrize("head", HEADS)
def test_positive_and_negative_split_the_last_kernel(head):
    net = SmallNet(head)
    images = net.images(2)
    maps = run(net, images, [0, 2], ["positive", "negative"])["maps"]
    kernel = net.weights["w4"].astype(np.float64)
    for name, part in (("positive", np.maximum(kernel, 0)), ("negative", np.maximum(-kernel, 0))):
        expected = np.maximum(twin_cams(net, images, [0, 2], kernel=part), 0)
        np.testing.assert_allclose(maps[name, "features:0"], expected, atol=1e-5)
    if head == "gap":  # features and both kernels are >= 0 there, so the parts add up to the whole map
        difference = maps["positive", "features:0"] - maps["negative", "features:0"]
        np.testing.assert_allclose(difference, twin_cams(net, images, [0, 2]), atol=1e-5)


def test_guided_backprop_equals_the_twin_and_leaves_gradcam_alone():
    net = SmallNet("flat")
    images = net.images(3)
    answer = run(net, images, [1, 2], ["guided_backprop", "gradcam"])
    guided = np.stack([net.pixel_grads(images, c, guided=True) for c in (1, 2)], axis=1)
    plain = np.stack([net.pixel_grads(images, c, guided=False) for c in (1, 2)], axis=1)
    np.testing.assert_allclose(answer["maps"]["guided_backprop", ""], guided, atol=1e-5)
    assert np.abs(guided - plain).max() > 0.01
    expected = np.maximum(twin_cams(net, images, [1, 2]), 0)
    np.testing.assert_allclose(answer["maps"]["gradcam", "features:0"], expected, atol=1e-5)


def test_guided_gradcam_is_guided_backprop_times_the_upsampled_map_of_the_same_class():
    net = SmallNet("flat")
    images = net.images(2)
    maps = run(net, images, range(4), ["guided_gradcam"])["maps"]
    assert list(maps) == [("guided_gradcam", "features:0")]
    raw = twin_cams(net, images, range(4))
    assert raw.min() < -0.01  # what the ReLU must drop before the product
    # half-pixel bilinear by 2: each fine pixel is 3/4 of its cell and 1/4 of the neighbour on its side
    rows, columns = half_pixel_rows(raw.shape[2]), half_pixel_rows(raw.shape[3])
    for t in range(4):
        cams = rows @ np.maximum(raw[:, t], 0) @ columns.T
        expected = net.pixel_grads(images, t, guided=True) * cams[..., None]
        np.testing.assert_allclose(maps["guided_gradcam", "features:0"][:, t], expected, atol=1e-6)


def half_pixel_rows(cells):
    rows = np.zeros((2 * cells, cells))
    for cell in range(cells):
        for fine, neighbour in ((2 * cell, cell - 1), (2 * cell + 1, cell + 1)):
            rows[fine, cell] += 0.75
            rows[fine, min(max(neighbour, 0), cells - 1)] += 0.25
    return rows


def test_gradcam_agrees_with_finite_differences_at_the_layer():
    net = SmallNet("flat", size=(4, 6))
    images = net.images(1)
    graph = net.graph(dtype=np.float64)
    with tf.Session(graph=graph) as sess:
        features = sess.run("features:0", {"input:0": images})
        grads = np.zeros_like(features)
        for place in np.ndindex(features.shape):
            step = np.zeros_like(features)
            step[place] = 1e-6
            up, down = (sess.run("logits:0", {"features:0": features + s})[0, 2] for s in (step, -step))
            grads[place] = (up - down) / 2e-6
    cams = run(net, images, [2], ["gradcam"])["maps"]["gradcam", "features:0"]
    np.testing.assert_allclose(cams[:, 0], np.maximum(gradcam_twin(features, grads), 0), atol=1e-5)


def test_a_five_by_five_net_worked_by_hand():
    """A_1 = relu(x), A_2 = relu(-x); y_0 = sum A_1 - 2 sum A_2, so Grad-CAM is relu(A_1 - 2 A_2)."""
    x = np.zeros((1, 5, 5, 1), np.float32)
    x[0, 1, 3] = 4
    x[0, 3, 0] = -1
    graph = tf.Graph()
    with graph.as_default(), override_map(graph):
        placeholder = tf.placeholder(tf.float32, [None, 5, 5, 1], name="input")
        tf.nn.relu(tf.concat([placeholder, -placeholder], 3), name="features")
        sums = tf.reduce_sum(graph.get_tensor_by_name("features:0"), [1, 2])
        tf.matmul(sums, tf.constant([[1.0, -1.0], [-2.0, 2.0]]), name="logits")
    layer = LayerInfo("features:0", "Relu", (None, 5, 5, 2))
    binding = Binding("input:0", "logits:0", "features:0", layers=(layer,), channels=1, classes=2)
    with tf.Session(graph=graph) as sess:
        engine = Engine(graph, sess, binding, 8)
        answer = engine.run(x, class_asks([0, 1]), ["gradcam", "hirescam", "guided_backprop"], (layer,))
    evidence = np.zeros((5, 5))
    evidence[1, 3] = 4
    against = np.zeros((5, 5))
    against[3, 0] = 2
    np.testing.assert_array_equal(answer["maps"]["gradcam", "features:0"][0], [evidence, against])
    np.testing.assert_array_equal(answer["maps"]["hirescam", "features:0"][0], [evidence - against, against - evidence])
    # class 0: A_1 carries +1 where x > 0; A_2 carries -2, which the guided ReLU stops. Class 1 the other way round.
    np.testing.assert_array_equal(answer["maps"]["guided_backprop", ""][0, ..., 0], [evidence / 4, -against])
    np.testing.assert_array_equal(answer["scores"], [[2, -2]])


def test_gradcam_equals_the_saliency_package_on_the_same_graph():
    saliency = pytest.importorskip("saliency.tf1")
    net = SmallNet("flat")
    images = net.images(1)
    graph = net.graph()
    masks = []
    with graph.as_default(), tf.Session(graph=graph) as sess:
        x, features, logits = (graph.get_tensor_by_name(name) for name in ("input:0", "features:0", "logits:0"))
        for class_id in range(4):
            peer = saliency.GradCam(graph, sess, logits[0, class_id], x, features)
            masks.append(peer.GetMask(images[0], should_resize=False, three_dims=False))
    ours = run(net, images, range(4), ["gradcam"])["maps"]["gradcam", "features:0"][0]
    assert np.max(masks) > 0.01
    np.testing.assert_allclose(ours, masks, atol=1e-6)


@pytest.mark.parametrize("options", [{}, {"batch_size": 2}, {"batch": 3}], ids=["batch", "chunks", "baked batch"])
def test_a_batch_equals_its_images_one_by_one(options):
    net = SmallNet("flat")
    images = net.images(5)
    methods = ["gradcam", "guided_backprop", "guided_gradcam"]
    together = run(net, images, [1, 0], methods, **options)
    for n in range(5):
        alone = run(net, images[n : n + 1], [1, 0], methods)
        assert together["predicted"][n] == alone["predicted"][0]
        np.testing.assert_allclose(together["probabilities"][n], alone["probabilities"][0], atol=1e-6)
        for key, maps in alone["maps"].items():
            np.testing.assert_allclose(together["maps"][key][n], maps[0], atol=1e-6)


def test_channels_first_gives_the_maps_of_channels_last():
    net = SmallNet("flat")
    images = net.images(2)
    methods = ["gradcam", "hirescam", "guided_backprop"]
    last, first = (run(net, images, [0], methods, channels_first=flag) for flag in (False, True))
    for key, maps in last["maps"].items():
        np.testing.assert_allclose(first["maps"][key], maps, atol=1e-6)


def test_several_targets_equal_one_call_each_beyond_the_slots_of_one_run():
    net = SmallNet("flat")
    images = net.images(2)
    ids = [n % 4 for n in range(MAX_SLOTS + 3)]
    together = run(net, images, ids, ["gradcam"])
    assert together["maps"]["gradcam", "features:0"].shape == (2, MAX_SLOTS + 3, 4, 6)
    np.testing.assert_array_equal(together["class_ids"], [ids, ids])
    expected = np.maximum(twin_cams(net, images, range(4)), 0)[:, ids]
    np.testing.assert_allclose(together["maps"]["gradcam", "features:0"], expected, atol=1e-5)


def test_negative_codes_are_places_in_the_ranking():
    net = SmallNet("flat")
    images = net.images(4)
    answer = run(net, images, [-1, -2, -4], ["gradcam"])
    ranking = np.argsort(-net.forward(images)["logits"], axis=1)
    np.testing.assert_array_equal(answer["class_ids"], ranking[:, [0, 1, 3]])
    np.testing.assert_array_equal(answer["predicted"], ranking[:, 0])


def test_a_one_logit_net_has_two_classes_with_opposite_scores():
    net = SmallNet("gap", classes=1)
    images = net.images(3)
    answer = run(net, images, [0, 1], ["gradcam", "positive", "negative"])
    logit = net.forward(images)["logits"][:, 0]
    np.testing.assert_allclose(answer["scores"], np.stack([-logit, logit], 1), atol=1e-5)
    np.testing.assert_array_equal(answer["predicted"], (logit > 0).astype(int))
    raw = twin_cams(net, images, [0])[:, 0]
    maps = answer["maps"]
    np.testing.assert_allclose(maps["gradcam", "features:0"][:, 0], np.maximum(-raw, 0), atol=1e-5)
    np.testing.assert_allclose(maps["gradcam", "features:0"][:, 1], np.maximum(raw, 0), atol=1e-5)
    np.testing.assert_allclose(maps["positive", "features:0"][:, 0], maps["negative", "features:0"][:, 1], atol=1e-6)


def test_the_graph_does_not_grow_over_a_thousand_calls_and_stays_finalized():
    net = SmallNet("gap", size=(4, 4))
    graph = net.graph()
    images = net.images(1)
    binding = net.binding()
    with tf.Session(graph=graph) as sess:
        engine = Engine(graph, sess, binding, 8)
        methods = [name for name, method in METHODS.items() if not isinstance(method, IteratedMethod)]
        for step in range(1000):
            engine.run(images, class_asks([step % 4]), methods, binding.layers)
            if step == 0:
                count = len(graph.get_operations())
        assert len(graph.get_operations()) == count
        assert graph.finalized


def test_half_precision_nets_give_float32_maps():
    net = SmallNet("gap")
    images = net.images(1)
    maps = run(net, images, [1], ["gradcam"], dtype=np.float16)["maps"]["gradcam", "features:0"]
    assert maps.dtype == np.float32
    np.testing.assert_allclose(maps, np.maximum(twin_cams(net, images, [1]), 0), atol=2e-3)


def test_an_all_negative_map_is_zero_and_says_so():
    net = SmallNet("gap")
    net.weights["w4"][:] = -np.abs(net.weights["w4"])
    answer = run(net, net.images(1), [0], ["gradcam", "hirescam"])
    status = answer["statuses"]["gradcam", "features:0"][0][0]
    assert (status.state, answer["maps"]["gradcam", "features:0"].max()) == ("empty", 0)
    assert "against this class" in status.reason
    assert status.minimum < 0
    assert answer["statuses"]["hirescam", "features:0"][0][0].state == "ok"


@pytest.mark.parametrize(("value", "reason"), [(0, "zero everywhere"), (np.inf, "24 of 24 values are NaN or infinite")])
def test_zero_gradients_and_overflow_are_told_apart(value, reason):
    net = SmallNet("gap")
    net.weights["w4"][:, 0] = value
    answer = run(net, net.images(1), [0], ["gradcam"])
    status = answer["statuses"]["gradcam", "features:0"][0][0]
    assert status.state == "empty"
    assert reason in status.reason
    np.testing.assert_array_equal(answer["maps"]["gradcam", "features:0"], 0)


@pytest.mark.parametrize(
    ("method", "reason"), [("eigencam", "do not vary over the positions"), ("ablationcam", "made a difference")]
)
def test_what_an_empty_map_means_depends_on_the_method(method, reason):
    net = SmallNet("gap")
    net.weights["w2"][:] = 0  # features that are the same everywhere
    net.weights["w4"][:] = 0  # and that no score depends on
    images = net.images(1)
    status = run(net, images, [0], [method])["statuses"][method, "features:0"][0][0]
    assert status.state == "empty"
    assert reason in status.reason


def test_what_tensorflow_cannot_run_is_one_error_that_names_the_op():
    graph = tf.Graph()
    with graph.as_default(), override_map(graph):
        x = tf.placeholder(tf.float32, [None, None, None, 3], name="input")
        tf.reshape(tf.nn.relu(x, name="features"), [1, 48], name="logits")
    layer = LayerInfo("features:0", "Relu", (None, None, None, 3))
    binding = Binding("input:0", "logits:0", "features:0", layers=(layer,))
    with tf.Session(graph=graph) as sess:
        engine = Engine(graph, sess, binding, 8)
        with pytest.raises(RunError, match=r"the net failed at 'logits' \(Reshape\): Input to reshape"):
            engine.run(np.zeros((1, 5, 5, 3), np.float32), class_asks([0]), ["gradcam"], (layer,))
        with pytest.raises(RunError, match="does not take what it was fed: Cannot feed value of shape"):
            engine.run(np.zeros((1, 5, 5, 4), np.float32), class_asks([0]), ["gradcam"], (layer,))


def crops(graph):
    """A net without a batch axis that finds three parts in its picture: features [3, 2, 4, 3], logits [3, 2]."""
    with graph.as_default(), override_map(graph):
        x = tf.placeholder(tf.float32, [6, 4, 3], name="input")
        whole = tf.nn.relu(x[tf.newaxis], name="whole")
        parts = tf.identity(tf.reshape(whole, [3, 2, 4, 3]), name="parts")
        tf.matmul(tf.reduce_mean(parts, [1, 2]), np.eye(3, 2, dtype=np.float32), name="logits")
    layers = [LayerInfo(name, "Identity", (None, None, None, 3)) for name in ("whole:0", "parts:0")]
    return Binding("input:0", "logits:0", "whole:0", layers=tuple(layers), classes=2, has_batch_axis=False)


def test_a_net_that_cuts_its_picture_is_explained_by_the_best_part_and_only_before_the_cut():
    graph = tf.Graph()
    binding = crops(graph)
    image = np.random.RandomState(0).rand(1, 6, 4, 3).astype(np.float32)
    with tf.Session(graph=graph) as sess:
        engine = Engine(graph, sess, binding, 8)
        answer = engine.run(image, class_asks([1]), ["hirescam"], binding.layers[:1])
        parts = image.reshape(3, 2, 4, 3)[..., 1]
        best = parts.mean((1, 2)).argmax()
        expected = np.zeros((3, 2, 4))
        expected[best] = parts[best] / 8
        np.testing.assert_allclose(answer["maps"]["hirescam", "whole:0"][0, 0], expected.reshape(6, 4), atol=1e-6)
        np.testing.assert_allclose(answer["scores"], [[parts[best].mean()]], atol=1e-6)
        with pytest.raises(RunError, match=r"came out as \[3, 2, 4\] for 1 pictures: the net cuts pictures"):
            engine.run(image, class_asks([1]), ["hirescam"], binding.layers[1:])


def test_channels_first_on_the_cpu_is_explained_or_works():
    graph = tf.Graph()
    with graph.as_default(), override_map(graph):
        x = tf.placeholder(tf.float32, [None, 3, 4, 4], name="input")
        features = tf.nn.relu(
            tf.nn.max_pool(x, [1, 1, 2, 2], [1, 1, 2, 2], "SAME", data_format="NCHW"), name="features"
        )
        tf.matmul(tf.reduce_mean(features, [2, 3]), np.eye(3, dtype=np.float32), name="logits")
    layer = LayerInfo("features:0", "Relu", (None, 3, 2, 2), False)
    binding = Binding("input:0", "logits:0", "features:0", layers=(layer,), classes=3, input_channels_last=False)
    images = np.random.RandomState(0).rand(1, 4, 4, 3).astype(np.float32)
    with tf.Session(graph=graph) as sess:
        engine = Engine(graph, sess, binding, 8)
        if not IS_TF2:
            with pytest.raises(RunError, match=r"NHWC.*NCHW.*on a GPU only"):
                engine.run(images, class_asks([1]), ["gradcam"], (layer,))
            return
        answer = engine.run(images, class_asks([1]), ["gradcam"], (layer,))
    cells = images.reshape(2, 2, 2, 2, 3).max((1, 3))
    np.testing.assert_allclose(answer["maps"]["gradcam", "features:0"][0, 0], cells[..., 1] / 4, atol=1e-6)


def test_guided_backprop_without_a_relu_is_an_error():
    graph = tf.Graph()
    with graph.as_default(), override_map(graph):
        x = tf.placeholder(tf.float32, [None, 4, 4, 3], name="input")
        features = tf.tanh(x, name="features")
        tf.matmul(tf.reduce_mean(features, [1, 2]), tf.ones([3, 2]), name="logits")
    binding = Binding("input:0", "logits:0", "features:0", classes=2)
    with tf.Session(graph=graph) as sess, pytest.raises(
        GradientError, match="no activation between .* the guided rule could change.* found there: 1 Tanh"
    ):
        Engine(graph, sess, binding, 8).build(["guided_backprop"], ())
