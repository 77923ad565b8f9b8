"""Group-CAM against a float64 twin and cases whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from perturbation_nets import CLASSES, IMAGE, LAYER, NET, counted, enlarged, logits, maps_of, minmax, run_on
from small_nets import SmallNet, class_asks, request, run

from gradcam_tf1.engine.map_engine import MapEngine
from gradcam_tf1.gradients.guided import override_map
from gradcam_tf1.tf_runtime import tf


def quantile(values, percent):
    """The percentile between the two nearest of the sorted values."""
    ordered = sorted(values.ravel().tolist())
    at = (len(ordered) - 1) * percent / 100
    low = int(at)
    return ordered[low] + (at - low) * (ordered[min(low + 1, len(ordered) - 1)] - ordered[low])


def twin(net, image, class_id, parts, percent, fill=0.0):
    """The sum of gain times mask over the groups `parts` of channels, on the layer's grid and on the pixels."""
    features = net.forward(image)["features"][0]
    weights = net.feature_grads(image, class_id)[0].mean((0, 1))
    image = image[0].astype(np.float64)
    hidden = logits(net, np.zeros_like(image)[np.newaxis] + fill, [class_id])[0, 0]
    small, large = np.zeros(features.shape[:2]), np.zeros(net.size)
    for part in parts:
        cells = np.maximum(sum(weights[k] * features[..., k] for k in part), 0)
        cells = np.where(cells > quantile(cells, percent), cells, 0)
        pixels = enlarged(cells, net.size)
        mask = minmax(pixels)
        shown = image * mask[..., np.newaxis] + fill * (1 - mask[..., np.newaxis])
        gain = logits(net, shown[np.newaxis], [class_id])[0, 0] - hidden
        large += gain * mask
        small += gain * (cells - pixels.min()) / (np.ptp(pixels) or 1) * mask.any()
    return small, large


GROUPS = {2: [[0, 1, 2], [3, 4]], 5: [[0], [1], [2], [3], [4]], 1: [[0, 1, 2, 3, 4]], 99: [[0], [1], [2], [3], [4]]}


@pytest.mark.parametrize("groups", list(GROUPS))
@pytest.mark.parametrize("percentile", [0.0, 70.0])
def test_it_equals_the_float64_twin(groups, percentile):
    found = maps_of(NET, IMAGE, "groupcam", groups=groups, percentile=percentile, baseline="zero")[0]
    for t, class_id in enumerate(CLASSES):
        small, large = twin(NET, IMAGE, class_id, GROUPS[groups], percentile)
        assert np.abs(small).max() > 0.05
        np.testing.assert_allclose(found[t], np.maximum(small, 0), atol=1e-5)
        np.testing.assert_allclose(enlarged(small, NET.size), large, atol=1e-9)  # the map is the sum of the masks


@pytest.mark.parametrize("gray", [0.0, 2.0])
def test_the_baseline_is_what_is_hidden(gray):
    small, _ = twin(NET, IMAGE, 1, GROUPS[2], 70.0, gray)
    found = maps_of(NET, IMAGE, "groupcam", [1], groups=2, baseline=gray)
    np.testing.assert_allclose(found[0, 0], np.maximum(small, 0), atol=1e-5)


def test_by_hand():
    """y = 2 a_1 - a_2 + ..., A = x: the map of both channels, and what it keeps of the image."""
    graph = tf.Graph()
    with graph.as_default(), override_map(graph):
        x = tf.placeholder(tf.float32, [None, 1, 4, 2], name="input")
        a = tf.nn.relu(x, name="features")
        tf.matmul(tf.reduce_sum(a, [1, 2]), tf.constant([[2.0, 0.0], [-1.0, 1.0]]), name="logits")
    image = np.array([[4, 0], [2, 0], [0, 8], [0, 6]], np.float32).reshape((1, 1, 4, 2))
    options = {"groupcam": {"groups": 1, "percentile": 0.0, "baseline": "zero"}}
    maps = run_on(graph, image, [0, 1], ["groupcam"], options, channels=2)["groupcam", LAYER][0, :, 0]
    # class 0: M = ReLU(2, 1, 0, 0 / ...) from weights 2 and -1: (8, 4, 0, 0), mask (1, 1/2, 0, 0): 2 (4 + 1) = 10
    # class 1: weights 0 and 1: M = (0, 0, 8, 6), mask (0, 0, 1, 3/4): 8 + 6 * 3/4 = 12.5
    np.testing.assert_allclose(maps, [[10, 5, 0, 0], [0, 0, 12.5, 12.5 * 3 / 4]], rtol=1e-6)
    options["groupcam"]["percentile"] = 70.0
    maps = run_on(graph, image, [0, 1], ["groupcam"], options, channels=2)["groupcam", LAYER][0, :, 0]
    # 70 % of four values: between the third and the fourth, only the peak is above: 2 * 4 and 8
    np.testing.assert_allclose(maps, [[8, 0, 0, 0], [0, 0, 8, 0]], rtol=1e-6)


def test_what_equals_the_percentile_is_noise():
    """Of 1, 2, 3, 4, 5 the median is 3: 4 and 5 are left."""
    graph = tf.Graph()
    with graph.as_default(), override_map(graph):
        x = tf.placeholder(tf.float32, [None, 1, 5, 1], name="input")
        a = tf.nn.relu(x, name="features")
        tf.matmul(tf.reduce_sum(a, [1, 2]), tf.constant([[1.0, -1.0]]), name="logits")
    image = np.arange(1, 6, dtype=np.float32).reshape((1, 1, 5, 1))
    options = {"groupcam": {"groups": 1, "percentile": 50.0, "baseline": "zero"}}
    found = run_on(graph, image, [0], ["groupcam"], options, channels=1)["groupcam", LAYER][0, 0, 0]
    np.testing.assert_allclose(found, (4 * 4 / 5 + 5) * np.array([0, 0, 0, 4 / 5, 1]), rtol=1e-6)


def test_a_group_that_marks_nothing_has_no_run_and_no_weight():
    net = SmallNet("gap", seed=2)
    net.weights["w4"][:, 0] = 0
    net.weights["w4"][:2, 0] = (-1, 2)  # of the groups 0..1, 2, 3 and 4 only the first has a map
    calls, told = [], []
    graph = net.graph()
    with tf.Session(graph=graph) as sess, counted(calls):
        how = {"pixels": IMAGE, "to_batch": lambda x: x, "options": {"groupcam": {"groups": 4}}}
        MapEngine(graph, sess, net.binding(), 8).run(
            request(IMAGE, class_asks([0]), ["groupcam"], net.binding().layers, report=told.append, **how)
        )
    assert sum(calls) == 3  # the baseline, the gradients, one masked image
    assert (told[0].runs, told[-1].done) == (6, 6)
    assert told[0].unit == "forward and backward passes of the whole net"
    small, _ = twin(net, IMAGE, 0, [[0, 1]], 70.0)
    found = maps_of(net, IMAGE, "groupcam", [0], groups=4, baseline="zero")
    np.testing.assert_allclose(found[0, 0], np.maximum(small, 0), atol=1e-5)


def test_a_score_without_positive_weights_has_an_empty_map():
    net = SmallNet("gap", seed=2)
    net.weights["w4"][:, 0] = -1
    answer = run(net, IMAGE, [0], ["groupcam"])
    status = answer.statuses["groupcam", LAYER][0][0]
    assert (status.state, status.reason) == ("empty", "nothing that the method tried made a difference to the score")
