"""Grad-CAM, its closest kin and the guided maps: float64 twins, identities, a case worked by hand, a peer."""

from __future__ import annotations

import numpy as np
import pytest
from small_nets import SmallNet, class_asks, gradcam_twin, request, run, twin_cams

from gradcam_tf1.engine.map_engine import MapEngine
from gradcam_tf1.gradients.guided import override_map
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import Binding, LayerInfo

HEADS = ["gap", "flat"]


@pytest.mark.parametrize("head", HEADS)
def test_gradcam_equals_the_float64_twin(head):
    net = SmallNet(head)
    images = net.images(3)
    answer = run(net, images, [0, 1, 2, 3], ["gradcam"])
    expected = np.maximum(twin_cams(net, images, range(4)), 0)
    assert expected.max() > 0.01
    np.testing.assert_allclose(answer.maps["gradcam", "features:0"], expected, atol=1e-5)
    np.testing.assert_allclose(answer.scores, net.forward(images)["logits"], atol=1e-5)


def test_gradcam_is_cam_over_z_on_a_gap_head():
    net = SmallNet("gap")
    images = net.images(2)
    answer = run(net, images, [2], ["gradcam"])
    features = net.forward(images)["features"]
    cam = features @ net.weights["w4"][:, 2].astype(np.float64)
    positions = features.shape[1] * features.shape[2]
    np.testing.assert_allclose(answer.maps["gradcam", "features:0"][:, 0], np.maximum(cam, 0) / positions, atol=1e-6)


def test_hirescam_is_the_unrectified_gradcam_on_a_gap_head_and_differs_elsewhere():
    for head, same in (("gap", True), ("flat", False)):
        net = SmallNet(head)
        images = net.images(2)
        hires = run(net, images, [1], ["hirescam"]).maps["hirescam", "features:0"]
        assert np.allclose(hires, twin_cams(net, images, [1]), atol=1e-5) == same
        grads, features = net.feature_grads(images, 1), net.forward(images)["features"]
        np.testing.assert_allclose(hires[:, 0], (grads * features).sum(-1), atol=1e-5)
        assert hires.min() < 0


def test_counterfactual_turns_the_gradient_round():
    net = SmallNet()
    images = net.images(2)
    cams = run(net, images, [1, 3], ["counterfactual"]).maps["counterfactual", "features:0"]
    np.testing.assert_allclose(cams, np.maximum(twin_cams(net, images, [1, 3], sign=-1), 0), atol=1e-5)


@pytest.mark.parametrize("head", HEADS)
def test_positive_and_negative_split_the_last_kernel(head):
    net = SmallNet(head)
    images = net.images(2)
    maps = run(net, images, [0, 2], ["positive", "negative"]).maps
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
    np.testing.assert_allclose(answer.maps["guided_backprop", ""], guided, atol=1e-5)
    assert np.abs(guided - plain).max() > 0.01
    expected = np.maximum(twin_cams(net, images, [1, 2]), 0)
    np.testing.assert_allclose(answer.maps["gradcam", "features:0"], expected, atol=1e-5)


def test_guided_gradcam_is_guided_backprop_times_the_upsampled_map_of_the_same_class():
    net = SmallNet("flat")
    images = net.images(2)
    maps = run(net, images, range(4), ["guided_gradcam"]).maps
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
    cams = run(net, images, [2], ["gradcam"]).maps["gradcam", "features:0"]
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
        engine = MapEngine(graph, sess, binding, 8)
        answer = engine.run(request(x, class_asks([0, 1]), ["gradcam", "hirescam", "guided_backprop"], (layer,)))
    evidence = np.zeros((5, 5))
    evidence[1, 3] = 4
    against = np.zeros((5, 5))
    against[3, 0] = 2
    np.testing.assert_array_equal(answer.maps["gradcam", "features:0"][0], [evidence, against])
    np.testing.assert_array_equal(answer.maps["hirescam", "features:0"][0], [evidence - against, against - evidence])
    # class 0: A_1 carries +1 where x > 0; A_2 carries -2, which the guided ReLU stops. Class 1 the other way round.
    np.testing.assert_array_equal(answer.maps["guided_backprop", ""][0, ..., 0], [evidence / 4, -against])
    np.testing.assert_array_equal(answer.scores, [[2, -2]])


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
    ours = run(net, images, range(4), ["gradcam"]).maps["gradcam", "features:0"][0]
    assert np.max(masks) > 0.01
    np.testing.assert_allclose(ours, masks, atol=1e-6)
