"""aug_smooth and eigen_smooth against float64 twins, and where they must change nothing."""

from __future__ import annotations

import numpy as np
import pytest
from map_net import MapNet
from small_nets import SmallNet, gradcam_twin

from gradcam_tf1.engine.explain_options import ExplainOptions
from gradcam_tf1.engine.graph_ops import GraphOps
from gradcam_tf1.errors import TargetError
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.images.geometry import upsample
from gradcam_tf1.methods import METHODS
from gradcam_tf1.methods.families import LayerMethod
from gradcam_tf1.methods.noise import Noise
from gradcam_tf1.targets import Anchor, Contrast, Region, Top, Worst
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import Slot

GAINS = (0.9, 1.0, 1.1)


def opened(net):
    return GradCamGraph(net.graph().as_graph_def(), preset="raw", layer="features")


# aug_smooth


def symmetric_net():
    """Left and right are the same to it, and twice the input is twice the features."""
    net = SmallNet("gap")
    for name in ("w1", "w2"):
        net.weights[name] = ((net.weights[name] + net.weights[name][:, ::-1]) / 2).astype(np.float32)
    for name in ("b1", "b2", "b3", "b4"):
        net.weights[name] = np.zeros_like(net.weights[name])
    return net


@pytest.mark.parametrize("methods", [["gradcam", "hirescam"], ["guided_backprop", "guided_gradcam"], ["eigencam"]])
def test_on_a_net_that_does_not_tell_left_from_right_nothing_changes(methods):
    net = symmetric_net()
    images = net.images(2)
    with opened(net) as graph:
        plain = graph.explain(images, [Top(2), Worst(), Contrast(0)], methods)
        smooth = graph.explain(images, [Top(2), Worst(), Contrast(0)], methods, options=ExplainOptions(aug_smooth=True))
    for key in plain.maps:
        largest = np.abs(plain.maps[key]).max()
        assert largest > 0
        np.testing.assert_allclose(smooth.maps[key], plain.maps[key], atol=2e-5 * largest)
    np.testing.assert_array_equal(smooth.class_ids, plain.class_ids)
    np.testing.assert_allclose(smooth.scores, plain.scores, atol=1e-6)
    assert smooth.abouts == plain.abouts


def test_the_mean_over_the_views_of_the_images_own_class():
    net = SmallNet("flat")
    images = net.images(4)
    with opened(net) as graph:
        smooth = graph.explain(images, options=ExplainOptions(aug_smooth=True))
    changed = 0
    for n, image in enumerate(images):
        top = int(net.forward(image[None])["logits"][0].argmax())
        maps = []
        for gain in GAINS:
            for view, back in ((image, 1), (image[:, ::-1], -1)):
                seen = (view * np.float32(gain))[None]
                state = net.forward(seen)
                changed += int(state["logits"][0].argmax()) != top
                maps.append(np.maximum(gradcam_twin(state["features"], net.feature_grads(seen, top))[0], 0)[:, ::back])
        np.testing.assert_allclose(smooth["gradcam"][n, 0], np.mean(maps, axis=0), atol=1e-5)
        assert smooth.class_ids[n, 0] == top
    assert changed  # else the test would not see a view that is asked about its own top class


def test_masks_and_points_are_mirrored_with_the_image():
    net = MapNet()
    mask = np.zeros((8, 12))
    mask[2:5, 1:6] = 1
    targets = [Region(1, mask=mask), Region(0, point=(7, 2.6)), Region(2)]
    options = {"preset": "raw", "logits": "scores", "layer": "features"}
    with GradCamGraph(net.graph.as_graph_def(), **options) as graph:
        plain = graph.explain(net.images, targets, "hirescam")
        smooth = graph.explain(net.images, targets, "hirescam", options=ExplainOptions(aug_smooth=True))
    assert np.abs(plain["hirescam"]).max(axis=(2, 3)).min() > 0
    np.testing.assert_allclose(smooth["hirescam"], plain["hirescam"], atol=1e-5)


def test_an_anchor_by_number_has_no_mirror_image():
    net = MapNet(anchors=True)
    options = {"preset": "raw", "logits": "anchors", "layer": "features"}
    with GradCamGraph(net.graph.as_graph_def(), **options) as graph:
        graph.explain(net.images, Anchor(1, best=2), options=ExplainOptions(aug_smooth=True))
        with pytest.raises(TargetError, match="aug_smooth takes detections and the best anchors, not one"):
            graph.explain(net.images, Anchor(1, index=2), options=ExplainOptions(aug_smooth=True))


def test_statuses_are_those_of_all_views():
    net = SmallNet("gap")
    net.weights["w4"][:, 1] = -np.abs(net.weights["w4"][:, 1])  # all evidence is against class 1
    with opened(net) as graph:
        plain = graph.explain(net.images(1), [1, 0])
        smooth = graph.explain(net.images(1), [1, 0], options=ExplainOptions(aug_smooth=True))
    ((against, _),) = plain.statuses["gradcam", "features:0"]
    ((status, other),) = smooth.statuses["gradcam", "features:0"]
    assert (status.state, other.state) == ("empty", "ok")
    assert "all evidence here is against this class" in status.reason
    assert status.reason.endswith(f"(minimum {status.minimum:.3g})")
    assert status.minimum < against.minimum  # the brighter view reaches further down
    assert not smooth["gradcam"][0, 0].any()


def test_with_noise_around_it():
    net = symmetric_net()
    with opened(net) as graph:
        plain = graph.explain(net.images(1), options=ExplainOptions(aug_smooth=True))
        still = graph.explain(net.images(1), options=ExplainOptions(aug_smooth=True, noise=Noise(samples=2, level=0.0)))
        noisy = graph.explain(net.images(1), options=ExplainOptions(aug_smooth=True, noise=Noise(samples=2, level=0.5)))
    np.testing.assert_allclose(still["gradcam"], plain["gradcam"], atol=1e-6)
    assert np.abs(noisy["gradcam"] - plain["gradcam"]).max() > 1e-3


# eigen_smooth


def principal(parts):
    """The first principal component of [h, w, K] over the positions, turned as their sum."""
    matrix = parts.reshape(-1, parts.shape[-1])
    centred = matrix - matrix.mean(axis=0)
    vectors = np.linalg.eigh(centred.T @ centred)[1]
    component = centred @ vectors[:, -1]
    total = matrix.sum(axis=1)
    return (component * np.sign(component @ (total - total.mean()))).reshape(parts.shape[:2])


@pytest.mark.parametrize("head", ["gap", "flat"])
def test_the_principal_component_of_the_weighted_features(head):
    net = SmallNet(head)
    images = net.images(3)
    methods = ["gradcam", "hirescam", "guided_gradcam", "guided_backprop", "eigencam"]
    with opened(net) as graph:
        found = graph.explain(images, [2, 0], methods, options=ExplainOptions(eigen_smooth=True))
        plain = graph.explain(images, [2, 0], methods)
    state = net.forward(images)
    for t, class_id in enumerate((2, 0)):
        grads = net.feature_grads(images, class_id)
        for n in range(3):
            features, g = state["features"][n], grads[n]
            smooth = principal(g.mean((0, 1)) * features)
            np.testing.assert_allclose(found["gradcam"][n, t], np.maximum(smooth, 0), atol=1e-5)
            np.testing.assert_allclose(found["hirescam"][n, t], principal(g * features), atol=1e-5)
            product = plain["guided_backprop"][n, t] * upsample(np.maximum(smooth, 0), net.size)[..., None]
            np.testing.assert_allclose(found["guided_gradcam"][n, t], product, atol=1e-5)
    for untouched in ("guided_backprop", "eigencam"):
        np.testing.assert_array_equal(found[untouched], plain[untouched])


LAYER_METHODS = sorted(name for name, method in METHODS.items() if isinstance(method, LayerMethod))


@pytest.mark.parametrize("channels_first", [False, True])
def test_what_the_channels_add_sums_up_to_the_map_of_every_layer_method(channels_first):
    net = SmallNet("gap")
    images = net.images(2)
    binding = net.binding(channels_first)
    graph = net.graph(channels_first=channels_first)
    symbols, slot = GraphOps(graph, binding), Slot(0)
    methods = [METHODS[name] for name in LAYER_METHODS]
    pairs = [
        (symbols.cams(method, binding.layers, slot, {})[0], symbols.channel_cams(method, binding.layers, slot, {})[0])
        for method in methods
    ]
    feed = {"input:0": images.transpose(0, 3, 1, 2) if channels_first else images, symbols.value("code", slot): [1, 2]}
    with tf.Session(graph=graph) as sess:
        for method, (whole, parts) in zip(methods, sess.run(pairs, feed)):
            assert parts.shape == (*whole.shape, 5), method.name
            np.testing.assert_allclose(parts.sum(-1), whole, atol=1e-5, err_msg=method.name)
