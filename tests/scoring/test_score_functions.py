"""Every kind of target: its score and its gradient against numpy twins; and what does not fit is refused."""

from __future__ import annotations

import numpy as np
import pytest
from flat_options import grouped
from map_net import MapNet
from small_nets import SmallNet

from gradcam_tf1.errors import OptionError, TargetError
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.images.geometry import fit
from gradcam_tf1.scoring.mask_regions import fit_mask, fit_point
from gradcam_tf1.targets import All, Anchor, Contrast, Down, Region, Scalar, Similar, Top, Worst
from gradcam_tf1.tf_runtime import tf

NET = SmallNet("flat")
IMAGES = NET.images(3)
STATE = NET.forward(IMAGES)


def explain(targets, **options):
    with GradCamGraph(NET.graph().as_graph_def(), preset="raw", layer="features") as net:
        return net.explain(IMAGES, targets, methods=["hirescam"], **grouped(**options))


def hires(weights):
    """The HiResCAM twin of y = sum_j weights[n, j] * logit_j: [N, h, w]."""
    grads = np.stack([NET.feature_grads(IMAGES, j) for j in range(4)], axis=-1)
    return ((grads * np.asarray(weights)[:, None, None, None, :]).sum(-1) * STATE["features"]).sum(-1)


def one_hot(ids):
    return np.eye(4)[np.asarray(ids)]


def softmax(logits):
    exp = np.exp(logits - logits.max(1, keepdims=True))
    return exp / exp.sum(1, keepdims=True)


@pytest.mark.parametrize("score", ["logit", "probability", "log_probability", "margin", "down"])
def test_scores_of_a_class_and_their_gradients(score):
    logits, c = STATE["logits"], 2
    p = softmax(logits)
    rivals = np.where(one_hot([c] * 3) > 0, -np.inf, logits).argmax(1)
    each = np.arange(3)
    expected = {
        "logit": (logits[:, c], one_hot([c] * 3)),
        "probability": (p[:, c], p[:, c : c + 1] * (one_hot([c] * 3) - p)),
        "log_probability": (np.log(p[:, c]), one_hot([c] * 3) - p),
        "margin": (logits[:, c] - logits[each, rivals], one_hot([c] * 3) - one_hot(rivals)),
        "down": (-logits[:, c], -one_hot([c] * 3)),
    }
    y, weights = expected[score]
    explanation = explain(c, score=score)
    np.testing.assert_allclose(explanation.scores[:, 0], y, atol=1e-5)
    np.testing.assert_allclose(explanation["hirescam"][:, 0], hires(weights), atol=1e-5)
    assert explanation.abouts == ("" if score == "logit" else score,)


def test_a_certain_log_probability_still_has_a_gradient():
    net = SmallNet("gap")
    net.weights["b4"][1] = 60  # its probability is 1 to the last bit of float32
    with GradCamGraph(net.graph().as_graph_def(), preset="raw", layer="features") as graph:
        certain, log = (
            graph.explain(net.images(1), 1, methods="hirescam", score=score)["hirescam"]
            for score in ("probability", "log_probability")
        )
        other = graph.explain(net.images(1), 0, methods="hirescam", score="log_probability")["hirescam"]
    assert np.abs(certain).max() < 1e-20
    assert np.abs(log).max() < 1e-6
    weights = net.weights["w4"][:, 0] - net.weights["w4"][:, 1]
    features = net.forward(net.images(1))["features"]
    np.testing.assert_allclose(other[0, 0], (features @ weights)[0] / features[0, ..., 0].size, atol=1e-5)


def test_contrast_and_down_and_ranks():
    ranking = np.argsort(-STATE["logits"], axis=1)
    targets = [Contrast(3, 1), Contrast(0), Down(2), Top(2), Worst()]
    explanation = explain(targets)
    logits, each = STATE["logits"], np.arange(3)
    expected = [
        (logits[:, 3] - logits[:, 1], one_hot([3] * 3) - one_hot([1] * 3)),
        (logits[:, 0] - logits.max(1), one_hot([0] * 3) - one_hot(ranking[:, 0])),
        (-logits[:, 2], -one_hot([2] * 3)),
        *[(logits[each, ranking[:, r]], one_hot(ranking[:, r])) for r in (0, 1, 3)],
    ]
    for t, (y, weights) in enumerate(expected):
        np.testing.assert_allclose(explanation.scores[:, t], y, atol=1e-5)
        np.testing.assert_allclose(explanation["hirescam"][:, t], hires(weights), atol=1e-5)
    np.testing.assert_array_equal(explanation.class_ids[:, 3:], ranking[:, [0, 1, 3]])
    assert explanation.abouts == ("not 1", "not predicted", "down", "", "", "")


def test_all_classes_in_one_call_equal_one_call_each():
    together = explain(All())
    np.testing.assert_array_equal(together.class_ids, [[0, 1, 2, 3]] * 3)
    for c in range(4):
        np.testing.assert_allclose(together["hirescam"][:, c], explain(c)["hirescam"][:, 0], atol=1e-6)


def test_similarity_to_a_reference():
    logits = STATE["logits"]
    explanation = explain(Similar(IMAGES[1]))
    reference = logits[1] / np.linalg.norm(logits[1])
    norms = np.linalg.norm(logits, axis=1, keepdims=True)
    cosine = logits / norms @ reference
    np.testing.assert_allclose(explanation.scores[:, 0], cosine, atol=1e-5)
    np.testing.assert_allclose(explanation.scores[1, 0], 1, atol=1e-5)
    weights = (reference - cosine[:, None] * logits / norms) / norms
    np.testing.assert_allclose(explanation["hirescam"][:, 0], hires(weights), atol=1e-5)
    np.testing.assert_array_equal(explanation.class_ids, [[-1]] * 3)


@pytest.mark.parametrize("source", ["twice:0", lambda graph: graph.get_tensor_by_name("logits:0")[:, 1] * 2.0])
def test_any_number_per_image(source):
    graph = NET.graph()
    with graph.as_default():
        tf.multiply(graph.get_tensor_by_name("logits:0")[:, 1:2], 2.0, name="twice")
    with GradCamGraph(graph.as_graph_def(), preset="raw", logits="logits", layer="features") as net:
        explanation = net.explain(IMAGES, Scalar(source), methods="hirescam")
        net.explain(IMAGES, Scalar(source), methods="hirescam")
    np.testing.assert_allclose(explanation.scores[:, 0], 2 * STATE["logits"][:, 1], atol=1e-5)
    np.testing.assert_allclose(explanation["hirescam"][:, 0], 2 * hires(one_hot([1] * 3)), atol=1e-5)


def test_segmentation_sums_a_class_over_a_region():
    net = MapNet()
    mask = np.zeros((8, 12))
    mask[2:5, 4:8] = 1
    coarse = np.broadcast_to(mask.reshape(4, 2, 6, 2).mean((1, 3)), (2, 4, 6))
    own = (net.maps.argmax(-1) == 2).astype(float)
    assert 0 < own.mean() < 1
    point = np.zeros((2, 4, 6))
    point[:, 3, 1] = 1
    targets = [Region(1, mask=mask), Region(2), Region(0, point=(7, 2.6))]
    explanation = net.explain(targets)
    for t, (weights, class_id) in enumerate([(coarse, 1), (own, 2), (point, 0)]):
        np.testing.assert_allclose(explanation.scores[:, t], (weights * net.maps[..., class_id]).sum((1, 2)), atol=1e-4)
        np.testing.assert_allclose(explanation["hirescam"][:, t], net.hires(weights, class_id), atol=1e-5)
    assert explanation.abouts == ("mask", "region", "at 7-2.6")


def test_detection_takes_one_anchor_or_the_best_ones():
    net = MapNet(anchors=True)
    explanation = net.explain([Anchor(1, index=9), Anchor(2, best=3)])
    flat = net.maps.reshape(2, 24, 3)
    one = np.zeros((2, 24))
    one[:, 9] = 1
    best = np.zeros((2, 24))
    np.put_along_axis(best, np.argsort(-flat[..., 2], axis=1)[:, :3], 1, axis=1)
    for t, (weights, class_id) in enumerate([(one, 1), (best, 2)]):
        np.testing.assert_allclose(explanation.scores[:, t], (weights * flat[..., class_id]).sum(1), atol=1e-4)
        expected = net.hires(weights.reshape(2, 4, 6), class_id)
        np.testing.assert_allclose(explanation["hirescam"][:, t], expected, atol=1e-5)


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (Top(5), r"Top\(5\): the net has 4 classes"),
        (Region(1), r"Region, Keypoint and Total targets need maps of scores, \[N, h, w, C\]"),
        (Region(1, mask=np.zeros((8, 12)), point=(1, 1)), "a mask or a point, not both"),
        (Region(1, mask=np.zeros((8, 11))), r"the mask is \[8, 11\], the image \[8, 12\]"),
        (Region(1, mask=np.full((8, 12), 7)), r"a mask has values in 0\.\.1, this one 7\.\.7"),
        (Region(1, point=(8, 0)), "row 8 is outside the part that the net saw, 0 to 7"),
        (Anchor(1), r"Anchor targets need a detector, with scores \[N, anchors, C\]"),
        (Anchor(1, best=0), "at least 1"),
        (Anchor(1, index=-1), "counted from 0"),
        (Anchor(1, index=2**32 + 3), "no net has so many anchors; give at most 2147483647"),  # anchor 3 in 32 bits
        (Anchor(1, best=2**32 + 1), "no net has so many anchors"),
        (Scalar("features:0"), "one float per image"),
        (Scalar("feature"), r"no tensor 'feature' in the graph for a Scalar target; give its full name, 'op:0'"),
        (Scalar(lambda graph: 3.0), "one float per image"),
        ([[0, Down(1)], [Down(1), 0], [0, 1]], r"mixes \['down', 'logit'\]"),
    ],
)
def test_targets_that_do_not_fit_are_refused(targets, message):
    with pytest.raises(TargetError, match=message):
        explain(targets)


def test_unknown_scores_are_listed():
    with pytest.raises(TargetError, match="no score 'logits'; possible: logit, probability"):
        explain(0, score="logits")


def test_a_method_with_its_own_head_explains_class_scores_only():
    net = GradCamGraph(NET.graph().as_graph_def(), preset="raw", layer="features")
    message = "positive head explains class scores only, not 'contrast'"
    with net, pytest.raises(OptionError, match=message):
        net.explain(IMAGES, Contrast(1, 2), methods="positive")


@pytest.mark.parametrize("mode", ["stretch", "letterbox", "center-crop"])
def test_masks_and_points_go_where_the_image_goes(mode):
    """The oracle is the image itself: a white square on black, fitted like any other."""
    image = np.zeros((60, 100, 3), np.float32)
    image[20:40, 40:70] = 255
    fitted = fit(image, (32, 48), mode)
    mask = fit_mask(image[..., 0] / 255, fitted.placement)
    top, left, bottom, right = fitted.placement.inside
    np.testing.assert_allclose(mask[top:bottom, left:right], fitted.pixels[top:bottom, left:right, 0] / 255, atol=0.02)
    outside = mask.copy()
    outside[top:bottom, left:right] = 0
    assert not outside.any()
    rows, columns = np.nonzero(mask > 0.5)
    centre = fit_point((29.5, 54.5), fitted.placement) * fitted.placement.fitted - 0.5
    np.testing.assert_allclose(centre, [rows.mean(), columns.mean()], atol=0.5)


def test_segmentation_on_deeplab_lights_the_person_it_predicts(models_dir):
    from gradcam_tf1.images.image_files import read_image

    image = read_image(str(models_dir / "photos" / "soldiers.jpg"))
    with GradCamGraph(str(models_dir / "pb" / "deeplab_dm05_513" / "frozen_inference_graph.pb")) as net:
        fitted = net.fit_image(image)
        person = np.asarray(
            net.sess.run(net.binding.logits, {net.binding.input: fitted.pixels[np.newaxis].astype(np.uint8)})
        )[0].argmax(-1)
        explanation = net.explain(fitted, [Region(1), Region(1, mask=np.ones(image.shape[:2]))])
    assert 0.05 < person.mean() < 0.9
    cam = explanation["gradcam"][0, 0]
    row, column = np.unravel_index(cam.argmax(), cam.shape)
    shares = (row + 0.5) / cam.shape[0], (column + 0.5) / cam.shape[1]
    assert person[int(shares[0] * person.shape[0]), int(shares[1] * person.shape[1])] == 1
