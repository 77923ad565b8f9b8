"""Opti-CAM: its gradient against finite differences, its steps against a float64 twin, its optimum by hand."""

from __future__ import annotations

import numpy as np
import pytest
from perturbation_nets import CLASSES, IMAGE, LAYER, NET, counted, enlarged, logits, maps_of, minmax, run_on
from small_nets import SmallNet, class_asks, request, run

from gradcam_tf1.engine.map_engine import MapEngine
from gradcam_tf1.gradients.guided import override_map
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.images.geometry import upsample
from gradcam_tf1.methods.opticam import ChannelMasks, axis_matrices
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import Cells

FEATURES = NET.forward(IMAGE)["features"][0]


def softmax(u):
    return np.exp(u) / np.exp(u).sum()


def score(net, u, class_id, fill=0.0):
    """y of the masked image: what Opti-CAM raises."""
    mask = minmax(enlarged(net.forward(IMAGE)["features"][0] @ softmax(u), net.size))[..., np.newaxis]
    return logits(net, IMAGE * mask + fill * (1 - mask), [class_id])[0, 0]


def slopes(function, u, width=1e-6):
    """Central differences."""
    return np.array([(function(u + width * e) - function(u - width * e)) / (2 * width) for e in np.eye(len(u))])


def twin(net, class_id, steps, rate, fill=0.0):
    """Adam with the numbers of its paper, along finite differences: the map on the layer's grid."""
    u, m, v = np.zeros(5), np.zeros(5), np.zeros(5)
    for t in range(1, steps + 1):
        g = slopes(lambda each: score(net, each, class_id, fill), u)
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        u = u + rate * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    cells = net.forward(IMAGE)["features"][0] @ softmax(u)
    pixels = enlarged(cells, net.size)
    return (cells - pixels.min()) / np.ptp(pixels), u


@pytest.mark.parametrize("kind", ["gap", "flat"])
def test_it_equals_the_float64_twin(kind):
    net = SmallNet(kind, seed=2)
    found = maps_of(net, IMAGE, "opticam", steps=6, rate=0.3)[0]
    start, _ = twin(net, 0, 0, 0.3)
    for t, class_id in enumerate(CLASSES):
        expected, _ = twin(net, class_id, 6, 0.3)
        assert np.abs(expected - start).max() > 0.05  # it has moved
        np.testing.assert_allclose(found[t], expected, atol=2e-4)


def test_the_baseline_is_what_is_hidden():
    expected, _ = twin(NET, 1, 4, 0.2, 3.0)
    np.testing.assert_allclose(
        maps_of(NET, IMAGE, "opticam", [1], steps=4, rate=0.2, baseline=3.0)[0, 0], expected, atol=2e-4
    )


SHAPES = [((11,), (4,), None), ((9, 7), (4, 3), Cells((1.5, 1.0), (1.75, 2.0))), ((5, 6, 4), (2, 3, 4), None)]


@pytest.mark.parametrize(("sides", "grid", "places"), SHAPES, ids=["signal", "placed cells", "volume"])
def test_the_gradient_equals_finite_differences(sides, grid, places):
    random = np.random.RandomState(0)
    masks = ChannelMasks(random.randn(*grid, 6), axis_matrices(sides, grid, places))
    weights, u = random.randn(*sides), random.randn(6)
    found = masks.back(u, weights)
    np.testing.assert_allclose(found, slopes(lambda each: (weights * masks.mask(each)).sum(), u), atol=1e-6)
    assert np.abs(found).max() > 1e-3
    np.testing.assert_allclose(masks.large(u), upsample(masks.combined(u), sides, places), atol=1e-5)
    np.testing.assert_allclose(enlarged_cells(masks, u, sides, places), masks.mask(u), atol=1e-5)
    assert (masks.mask(u).min(), masks.mask(u).max()) == (0, 1)


def enlarged_cells(masks, u, sides, places):
    return upsample(masks.cells(u), sides, places)


def test_the_channel_that_shows_what_the_class_needs_wins():
    """A_1 marks the left pixels and A_2 the right ones, twice as bright; y_0 is the sum of the left, y_1 of the right.

    H is w_1 / (2 w_2) on the left and 1 on the right, until w_1 passes 2 w_2: then it is 1 and 2 w_2 / w_1, and y_0
    rises no more. y_1 is at its highest from the beginning, with equal weights.
    """
    graph = tf.Graph()
    with graph.as_default(), override_map(graph):
        x = tf.placeholder(tf.float32, [None, 1, 6, 2], name="input")
        a = tf.nn.relu(x, name="features")
        tf.reduce_sum(a, [1, 2], name="logits")
    image = np.zeros((1, 1, 6, 2), np.float32)
    image[0, :, :2, 0] = 1
    image[0, :, 2:4, 1] = 2
    left, right = run_on(graph, image, [0, 1], ["opticam"], channels=2)["opticam", LAYER][0, :, 0]
    np.testing.assert_allclose(left[:2], 1, atol=1e-6)
    assert 0 < left[2] == left[3] < 1
    np.testing.assert_allclose(left[4:], 0, atol=1e-6)
    np.testing.assert_allclose(right, [0.5, 0.5, 1, 1, 0, 0], atol=1e-6)


def test_the_note_has_the_score_at_both_ends_and_it_rises():
    answer = run(NET, IMAGE, CLASSES, ["opticam"], options={"opticam": {"steps": 20}})
    for t, class_id in enumerate(CLASSES):
        (note,) = answer.statuses["opticam", LAYER][0][t].notes
        start = score(NET, np.zeros(5), class_id)
        _, u = twin(NET, class_id, 20, 0.1)
        end = score(NET, u, class_id)
        assert end > start + 0.01
        words = note.replace(";", "").split()
        np.testing.assert_allclose([float(words[4]), float(words[-1])], [end, start], atol=2e-3)


def test_the_cost_is_told_first_and_is_what_is_run():
    calls, told = [], []
    graph = NET.graph()
    with tf.Session(graph=graph) as sess, counted(calls):
        how = {"pixels": IMAGE, "to_batch": lambda x: x, "options": {"opticam": {"steps": 3}}}
        MapEngine(graph, sess, NET.binding(), 8).run(
            request(IMAGE, class_asks(CLASSES), ["opticam"], NET.binding().layers, report=told.append, **how)
        )
    assert told[0].runs == told[-1].done == sum(calls) == 2 * 5
    assert max(calls) == 1


def test_features_that_are_the_same_everywhere_have_an_empty_map_that_costs_nothing():
    net = SmallNet("gap", seed=2)
    net.weights["w2"][:] = 0
    net.weights["b2"][:] = 1
    told = []
    graph = net.graph()
    with tf.Session(graph=graph) as sess:
        how = {"pixels": IMAGE, "to_batch": lambda x: x, "report": told.append}
        engine = MapEngine(graph, sess, net.binding(), 8)
        answer = engine.run(request(IMAGE, class_asks([0]), ["opticam"], net.binding().layers, **how))
    status = answer.statuses["opticam", LAYER][0][0]
    assert status.state == "empty"
    assert status.reason == "the features, or the gradient, do not vary over the positions"
    assert told[-1].done == told[0].runs == 102


def test_a_blocked_gradient_is_told_by_usable_methods():
    graph = tf.Graph()
    with graph.as_default(), override_map(graph):
        x = tf.placeholder(tf.float32, [None, 8, 8, 3], name="input")
        a = tf.nn.relu(tf.nn.conv2d(tf.round(x), np.ones((3, 3, 3, 2), np.float32), [1, 1, 1, 1], "SAME"), name="a")
        tf.matmul(tf.reduce_mean(a, [1, 2]), tf.ones([2, 2]), name="logits")
    with GradCamGraph(graph, preset="raw", input="input", layer="a", logits="logits") as net:
        usable, reasons = net.usable_methods(["opticam", "groupcam"])
    assert usable == ["groupcam"]
    assert "Round" in reasons["opticam"]
