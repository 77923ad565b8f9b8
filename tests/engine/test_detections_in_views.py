"""Detections averaged over mirrored views: each is found again in the mirror image, by its box."""

from __future__ import annotations

import numpy as np
import pytest
from detector_nets import (
    ANCHORS,
    SIDE,
    YXYX,
    class_scores,
    on_channels,
    opened,
    scene,
    sided,
    ssd,
    trunk,
    with_background,
)

from gradcam_tf1 import Anchor, Boxes, Detections, ExplainOptions
from gradcam_tf1.engine.detections import DetectionFinder
from gradcam_tf1.engine.map_request import MapRequest
from gradcam_tf1.engine.smoothing import GAINS
from gradcam_tf1.errors import TargetError
from gradcam_tf1.scoring.score_requests import TargetContext, make_requests
from gradcam_tf1.tf_runtime import tf

SSD = Boxes(anchors=ANCHORS)
VIEWS = ExplainOptions(aug_smooth=True)


def dim(**cells):
    """float32 [8, 8, 3] that 1.1 times as bright is still an image."""
    return scene(**cells).astype(np.float32) * np.float32(0.9)


THREE = dim(red=[(0, 0), (2, 3)], green=[(3, 1)])


@pytest.fixture(scope="module")
def net():
    with opened(ssd) as bound:
        yield bound


def decoded_downwards():
    """As `decoded`, but blue moves a box down by a quarter of its height."""
    features = trunk()
    tf.nn.sigmoid(class_scores(features), name="class_probabilities")
    moved = on_channels(features, [[0] * 4, [0] * 4, [0, 0.25 / SIDE, 0, 0]])
    tf.identity(sided(moved + tf.constant(ANCHORS), YXYX), name="boxes")


def by_hand(net, image, class_id, cell, method):
    """The mean over the views of the map of the anchor of a cell, which is known by its number."""
    row, column = cell
    total = 0.0
    for gain in GAINS:
        pixels = image * np.float32(gain)
        for mirrored, own in ((False, column), (True, SIDE - 1 - column)):
            view = np.ascontiguousarray(pixels[:, ::-1]) if mirrored else pixels
            target = Anchor(class_id, index=row * SIDE + own)
            map = net.explain(view, target, methods=method)[method][0, 0].astype(np.float64)
            total = total + (map[:, ::-1] if mirrored else map)
    return total / (2 * len(GAINS))


@pytest.mark.parametrize("method", ["hirescam", "odam", "gradcam"])
def test_a_map_is_the_mean_of_those_of_the_same_object(net, method):
    image = THREE.copy()
    image[0:2, 2:4] = 90  # some of every colour, so that views differ in more than the object
    found = net.explain(image, Detections(boxes=SSD), methods=method, options=VIEWS)
    cells = {(0, (0, 0)), (0, (2, 3)), (1, (3, 1))}
    told = set()
    for map in found:
        top, left = (int(round(side / 2)) for side in map.detection.box[:2])
        told.add((map.class_id, (top, left)))
        expected = by_hand(net, image, map.class_id, (top, left), method)
        np.testing.assert_allclose(map.values, expected, rtol=1e-5, atol=1e-6)
        assert map.details.notes == () or "views" not in map.details.notes[-1]
    assert told == cells


def test_a_view_without_the_box_does_not_count(net):
    """Blue moves a box to the right, in the mirror image too: there it is not at the mirrored place."""
    image = dim(red=[(1, 2), (3, 0)], blue=[(1, 2)])
    found = list(net.explain(image, Detections(boxes=SSD), methods="hirescam", options=VIEWS))
    shifted, plain = sorted(found, key=lambda map: map.detection.anchor)
    assert shifted.detection.anchor == 1 * SIDE + 2
    assert shifted.details.notes[-1] == "the mean of 3 of 6 views: the detector has no such box in the other ones"
    assert not any("views" in note for note in plain.details.notes)
    singles = [net.explain(image * np.float32(gain), Anchor(0, index=6), methods="hirescam") for gain in GAINS]
    expected = np.mean([single["hirescam"][0, 0] for single in singles], axis=0)
    np.testing.assert_allclose(shifted.values, expected, rtol=1e-5, atol=1e-6)


def test_an_image_without_detections_says_so_in_views_too(net):
    found = net.explain([dim(), dim(red=[(1, 1)])], Detections(boxes=SSD), methods="odam", options=VIEWS)
    assert [map.status for map in found] == ["empty", "ok"]
    assert found.map("odam", 0, 0).details.reason == "the image has no detection of confidence 0.5 or more"
    assert list(found)[1].detection.anchor == 5


def test_drise_in_views_compares_with_the_mirrored_box():
    """The net is symmetric, so the score of the mirrored box in the mirror image is that of the box in the image."""
    image = dim(red=[(1, 0)])
    target = Detections(boxes=Boxes("boxes", form="yxyx", background=2), measure="drise")
    with opened(with_background) as net:
        (found,) = net.explain(image, target, methods="hirescam", options=VIEWS)
        explainer = net.explainers[0]
        layer = explainer.resolve_layers(None)

        def batch(pixels):
            return explainer.to_batch(net.fit_image(pixels).pixels[np.newaxis].astype(np.float32))

        rows = DetectionFinder(explainer.engine, explainer.binding, None, batch(image), {}).spread(target)
        requests = make_requests(rows, 1, TargetContext(3, None, "logit"))
        views = [MapRequest(batch(image * np.float32(gain)), requests, {"hirescam": {}}, layer) for gain in GAINS]
        maps = [explainer.engine.run(view).maps["hirescam", layer[0].name][0, 0] for view in views]
    assert np.abs(maps).max() > 0
    np.testing.assert_allclose(found.values, np.mean(maps, axis=0), rtol=1e-4, atol=1e-7)


def test_the_upper_side_turns_with_the_image():
    """Blue moves the box of this net down, so the map of its upper side is where the blue is."""
    with opened(decoded_downwards) as net:
        target = Detections(boxes=Boxes("boxes", form="yxyx"), measure="top")
        (found,) = net.explain(dim(red=[(1, 0)], blue=[(1, 0)]), target, methods="hirescam", options=VIEWS)
    expected = np.zeros((SIDE, SIDE))
    expected[1, 0] = 0.25 / SIDE * 0.9  # of the blue channel, whose feature is 0.9 on average over the gains
    np.testing.assert_allclose(found.values, expected, atol=1e-6)


@pytest.mark.parametrize("measure", ["left", "right"])
def test_sides_that_change_places_are_refused(net, measure):
    with pytest.raises(TargetError, match=f"the {measure} side of a box changes places in a mirror image"):
        net.explain(THREE, Detections(boxes=SSD, measure=measure), methods="hirescam", options=VIEWS)


def test_an_anchor_by_its_number_is_still_refused(net):
    for targets in (Anchor(0, index=5), [Detections(boxes=SSD), Anchor(0, index=5)]):
        with pytest.raises(TargetError, match="an anchor by its number has no mirror image: aug_smooth takes det"):
            net.explain(THREE, targets, methods="hirescam", options=VIEWS)
