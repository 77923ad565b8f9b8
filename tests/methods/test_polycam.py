"""Poly-CAM against a float64 twin, and cases whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from perturbation_nets import CLASSES, IMAGE, NET, counted, enlarged, logits
from small_nets import class_asks, request

from gradcam_tf1.engine.explain_options import ExplainOptions
from gradcam_tf1.engine.layer_fusion import FUSED, fuse_layers
from gradcam_tf1.engine.layer_refinement import local_shares, refined
from gradcam_tf1.engine.map_engine import MapEngine
from gradcam_tf1.gradients.guided import override_map
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.images.geometry import upsample
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import Cells, LayerInfo

FINE, COARSE = "Relu:0", "features:0"
SIDES = ["both", "shown", "hidden"]


def single(name):
    return LayerInfo(name, "Relu", (None, None, None, None))


def polycam(*names, calls=None, fuse="polycam", **options):
    """The map [T, h, w] of the layers, fused where they are several."""
    graph = NET.graph()
    how = {"pixels": IMAGE, "to_batch": lambda x: x, "options": {"polycam": options}}
    with tf.Session(graph=graph) as sess, counted([] if calls is None else calls):
        engine = MapEngine(graph, sess, NET.binding(), 8)
        answer = engine.run(request(IMAGE, class_asks(CLASSES), ["polycam"], tuple(map(single, names)), **how))
    if len(names) > 1:
        fuse_layers(answer, fuse, NET.size)
    return answer.maps["polycam", FUSED if len(names) > 1 else names[0]][0]


def percentile(values, percent):
    ordered = sorted(values.ravel().tolist())
    at = (len(ordered) - 1) * percent / 100
    low = int(at)
    return ordered[low] + (at - low) * (ordered[min(low + 1, len(ordered) - 1)] - ordered[low])


def channel_weights(features, class_id, sides, fill):
    """One number for each channel, written with one masked image at a time."""
    image = IMAGE[0].astype(np.float64)
    score = lambda x: logits(NET, x[np.newaxis], [class_id])[0, 0]  # noqa: E731
    weights = []
    for k in range(features.shape[-1]):
        low, high = percentile(features[..., k], 0.1), percentile(features[..., k], 99.9)
        if high == low:
            weights.append(0.0)
            continue
        mask = enlarged(np.clip((features[..., k] - low) / (high - low), 0, 1), NET.size)[..., np.newaxis]
        more = score(image * mask + fill * (1 - mask)) - score(np.zeros_like(image) + fill)
        less = score(image) - score(image * (1 - mask) + fill * mask)
        weights.append({"shown": more, "hidden": max(less, 0), "both": max(more + less, 0)}[sides])
    return np.array(weights)


def halved(map):
    high, wide = map.shape
    return map.reshape(high // 2, 2, wide // 2, 2).mean((1, 3))


def twin(class_id, sides, fill=0.0):
    """The map of the coarse layer, and the one of both on the grid of the fine one."""
    state = NET.forward(IMAGE)
    coarse, fine = (
        np.maximum(state[name][0] @ channel_weights(state[name][0], class_id, sides, fill), 0)
        for name in ("features", "a1")
    )
    smooth = enlarged(halved(fine), fine.shape)
    return coarse, np.where(fine > 0, fine / np.where(smooth > 0, smooth, 1), 0) * enlarged(coarse, fine.shape)


@pytest.mark.parametrize("sides", SIDES)
def test_it_equals_the_float64_twin(sides):
    found, other = polycam(FINE, COARSE, weights=sides), polycam(COARSE, FINE, weights=sides)
    alone = polycam(COARSE, weights=sides)
    for t, class_id in enumerate(CLASSES):
        coarse, both = twin(class_id, sides)
        assert both.max() > 0.05
        np.testing.assert_allclose(found[t], both, rtol=1e-5, atol=2e-5)
        np.testing.assert_allclose(alone[t], coarse, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(other, found)  # in any order


def test_the_baseline_is_what_is_hidden():
    found = polycam(FINE, COARSE, baseline=2.0)
    np.testing.assert_allclose(found[0], twin(CLASSES[0], "both", 2.0)[1], rtol=1e-5, atol=2e-5)


@pytest.mark.parametrize("sides", SIDES)
def test_its_runs(sides):
    calls = []
    polycam(COARSE, calls=calls, weights=sides)
    features = NET.forward(IMAGE)["features"][0]
    assert sum(calls) == 2 + (2 if sides == "both" else 1) * sum(np.ptp(features[..., k]) > 0 for k in range(5))


def test_the_local_norm_by_hand():
    """Of each pair the share of its mean: a finer map keeps what is inside the coarser cells, not how much there is."""
    maps = np.array([[[[1.0, 3.0, 0.0, 0.0, 10.0, 10.0]]]])
    fine, coarse = Cells((0.5, 0.5), (1.0, 1.0)), Cells((0.5, 1.0), (1.0, 2.0))
    found = local_shares(maps, fine, (1, 3), coarse, (1, 6))
    # means 2, 0, 10; read at the centres: 2, 1.5, 0.5, 2.5, 7.5, 10
    np.testing.assert_allclose(found[0, 0], [[0.5, 2.0, 0, 0, 10 / 7.5, 1.0]], rtol=1e-6)


@pytest.mark.parametrize("stride", [1.0, -1.0], ids=["", "mirrored"])
def test_coarse_cells_in_the_middle_of_fine_ones(stride):
    """A cell of two that is centred on one has that one and half of its neighbours; the outer ones reach the ends."""
    maps = np.array([[[[0.0, 8.0, 0.0, 0.0, 0.0]]]])
    offset = 0.5 if stride > 0 else 4.5
    fine, coarse = Cells((0.5, offset), (1.0, stride)), Cells((0.5, offset + stride), (1.0, 2 * stride))
    found = local_shares(maps, fine, (1, 2), coarse, (1, 5))
    # the first covers cells 0, 1 and half of 2: 8 / 2.5; the second half of 2, 3 and 4: 0. At cell 1 that of the first
    np.testing.assert_allclose(found[0, 0, 0], [0, 2.5, 0, 0, 0], rtol=1e-6)


def opened():
    graph = tf.Graph()
    random = np.random.RandomState(3)
    with graph.as_default(), override_map(graph):
        x = tf.placeholder(tf.float32, [None, 32, 32, 3], name="input")
        for name, before, after in (("a", 3, 4), ("b", 4, 5), ("c", 5, 6)):
            kernel = random.randn(3, 3, before, after).astype(np.float32) * 0.3
            x = tf.nn.relu(tf.nn.conv2d(x, kernel, [1, 2 - (name == "b"), 2, 1], "SAME"), name=name)
        tf.nn.softmax(tf.matmul(tf.reduce_mean(x, [1, 2]), random.randn(6, 3).astype(np.float32), name="logits"))
    return GradCamGraph(graph.as_graph_def(), preset="raw", input="input", layer="c", logits="logits")


def test_three_layers_of_a_net_that_shrinks_one_axis_more():
    """The fused map lies on the finest grid, and where the coarsest map has nothing it has nothing."""
    images = np.random.RandomState(4).randint(0, 256, (2, 32, 32, 3)).astype(np.uint8)
    with opened() as net:
        options = ExplainOptions(fuse="polycam")
        found = net.explain(images, [0, 1], "polycam", layers=["a", "c", "b"], options=options)
    coarse, fused = found.maps["polycam", "c:0"], found.maps["polycam", FUSED]
    assert (coarse.shape, fused.shape) == ((2, 2, 8, 4), (2, 2, 16, 16))
    assert fused.min() == 0 < fused.max()
    assert not fused[~upsample(coarse, (16, 16)).astype(bool)].any()
    assert found.statuses["polycam", FUSED][0][0].notes == ("polycam of 3 layers",)


def test_layers_of_one_size_agree_where_both_have_evidence():
    maps = [np.array([[[[1.0, 2.0], [0.0, 4.0]]]]), np.array([[[[-1.0, 5.0], [5.0, 0.5]]]])]
    np.testing.assert_array_equal(refined(maps, [None, None], (4, 4))[0], [[[[0, 2], [0, 4]]]])
