"""Recipro-CAM against a float64 twin, a closed form, and a case worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from array_nets import ArrayNet
from perturbation_nets import CLASSES, IMAGE, LAYER, NET, head, maps_of, run_on
from small_nets import SmallNet

from gradcam_tf1.gradients.guided import override_map
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.tf_runtime import tf

WEIGHTS = {(0, 0): 1 / 4, (0, 1): 1 / 8, (1, 0): 1 / 8, (1, 1): 1 / 16}


def twin(net, image, class_ids, gaussian):
    """The score of each position by a loop over positions and neighbours: float64 [T, h, w]."""
    features = net.forward(image)["features"][0]
    height, width = features.shape[:2]
    scores = np.zeros((len(class_ids), height, width))
    for row in range(height):
        for column in range(width):
            masked = np.zeros_like(features)
            for i in range(height):
                for j in range(width):
                    near = WEIGHTS.get((abs(i - row), abs(j - column)), 0.0)
                    masked[i, j] = features[i, j] * (near if gaussian else float((i, j) == (row, column)))
            scores[:, row, column] = head(net, masked[np.newaxis])[0, class_ids]
    return scores - scores.min(axis=(1, 2), keepdims=True)


@pytest.mark.parametrize("gaussian", [True, False])
@pytest.mark.parametrize("kind", ["gap", "flat"])
def test_it_equals_the_float64_twin(kind, gaussian):
    net = SmallNet(kind, seed=2)
    expected = twin(net, IMAGE, CLASSES, gaussian)
    assert expected.max(axis=(1, 2)).min() > 0.01
    np.testing.assert_allclose(maps_of(net, IMAGE, "reciprocam", gaussian=gaussian)[0], expected, atol=1e-5)


def test_the_gaussian_is_the_default():
    maps = maps_of(NET, IMAGE, "reciprocam")
    np.testing.assert_array_equal(maps, maps_of(NET, IMAGE, "reciprocam", gaussian=True))
    assert np.abs(maps - maps_of(NET, IMAGE, "reciprocam", gaussian=False)).max() > 1e-3


def test_after_global_average_pooling_it_is_cam_from_its_lowest_cell():
    """y(A * M_ij) = sum_k W_kc A_ijk / Z + b_c."""
    net = SmallNet("gap", seed=2)
    features = net.forward(IMAGE)["features"][0]
    cam = np.moveaxis(features @ net.weights["w4"][:, CLASSES], -1, 0) / features[..., 0].size
    expected = cam - cam.min(axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(maps_of(net, IMAGE, "reciprocam", gaussian=False)[0], expected, atol=1e-6)


def test_by_hand():
    """y = (sum A)^2 of A = (1, 2, 3): alone 1, 4, 9; with half of each neighbour 1, (1 + 4 + 3)^2 / 16, ..."""
    graph = tf.Graph()
    with graph.as_default(), override_map(graph):
        x = tf.placeholder(tf.float32, [None, 1, 3, 1], name="input")
        a = tf.nn.relu(x, name="features")
        total = tf.reduce_sum(a, [1, 2])
        tf.concat([total * total, -total], axis=1, name="logits")
    image = np.array([1, 2, 3], np.float32).reshape((1, 1, 3, 1))
    alone = run_on(graph, image, [0], ["reciprocam"], {"reciprocam": {"gaussian": False}})
    np.testing.assert_allclose(alone["reciprocam", LAYER][0, 0], [[0, 3, 8]], atol=1e-6)
    # the kernel of rows is 1/2 at the only row; that of columns 1/4, 1/2, 1/4
    sums = np.array([1 / 2 + 2 / 4, 1 / 4 + 2 / 2 + 3 / 4, 2 / 4 + 3 / 2]) / 2
    near = run_on(graph, image, [0], ["reciprocam"])
    np.testing.assert_allclose(near["reciprocam", LAYER][0, 0], [sums**2 - sums.min() ** 2], atol=1e-6)


def test_a_way_round_the_layer_sees_the_image():
    """y = sum(A) + sum(x): the second part is the same for each mask, and nothing of it is in the map."""
    graph = tf.Graph()
    with graph.as_default(), override_map(graph):
        x = tf.placeholder(tf.float32, [None, 2, 2, 1], name="input")
        a = tf.nn.relu(x, name="features")
        both = tf.reduce_sum(a, [1, 2]) + 10 * tf.reduce_sum(x, [1, 2])
        tf.concat([both, -both], axis=1, name="logits")
    image = np.array([[1, 2], [4, 8]], np.float32).reshape((1, 2, 2, 1))
    maps = run_on(graph, image, [0, 1], ["reciprocam"], {"reciprocam": {"gaussian": False}})
    np.testing.assert_allclose(maps["reciprocam", LAYER][0], [[[0, 1], [3, 7]], [[7, 6], [4, 0]]], atol=1e-5)


def test_volumes():
    net = ArrayNet((3, 4, 5))
    arrays = net.arrays(1)
    features = net.features(arrays)
    with GradCamGraph(net.graph()) as graph:
        found = graph.explain(arrays, 1, "reciprocam")["reciprocam"][0, 0]
    near = {0: 1 / 2, 1: 1 / 4}
    expected = np.zeros(features.shape[1:-1])
    for place in np.ndindex(*expected.shape):
        mask = np.zeros_like(expected)
        for other in np.ndindex(*expected.shape):
            mask[other] = np.prod([near.get(abs(a - b), 0.0) for a, b in zip(place, other)])
        expected[place] = net.logits(features * mask[..., np.newaxis])[0, 1]
    np.testing.assert_allclose(found, expected - expected.min(), atol=1e-4)
    assert found.max() > 0.01
