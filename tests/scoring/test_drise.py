"""D-RISE: the score against a float64 twin, and RISE with it on a detector that is worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from detector_nets import ANCHORS, BIAS, GAIN, SIDE, opened, random_boxes, scene, ssd, yolo

from gradcam_tf1 import Boxes, Detections, method
from gradcam_tf1.scoring.found_boxes import MEASURES

TWO = scene(red=[(0, 0), (3, 3)])
SSD = Boxes(anchors=ANCHORS)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


@pytest.fixture(scope="module")
def net():
    with opened(ssd) as bound:
        yield bound


def drise_twin(boxes, shares, objectness, a):
    """max_j IoU cos O in float64, for the detection at anchor a."""
    scores = []
    for j in range(len(boxes)):
        top, left = np.maximum(boxes[a, :2], boxes[j, :2])
        bottom, right = np.minimum(boxes[a, 2:], boxes[j, 2:])
        inside = max(bottom - top, 0) * max(right - left, 0)
        areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (boxes[a], boxes[j])]
        cosine = shares[a] @ shares[j] / np.linalg.norm(shares[a]) / np.linalg.norm(shares[j])
        scores.append(inside / (sum(areas) - inside) * cosine * objectness[j])
    return max(scores)


@pytest.mark.parametrize("kind", ["sigmoid", "softmax"])
def test_drise_equals_its_float64_twin(kind):
    image = np.random.RandomState(3).randint(0, 256, (8, 8, 3)).astype(np.uint8)
    background = 0 if kind == "softmax" else -1
    with opened(random_boxes, kind) as net:
        reading = Boxes(form="yxyx", background=background)
        target = Detections(score=0.2, k=3, boxes=reading, measure="drise")
        found = net.explain(image, target, methods="odam")
        names = ["boxes:0", "class_probabilities:0"]
        values = net.sess.run(names, {"input:0": image[np.newaxis] / np.float32(255)})
        boxes, shares = (part[0].astype(np.float64) for part in values)
        objectness = shares.max(axis=1)
        if kind == "softmax":
            objectness, shares = 1 - shares[:, 0], shares * [0, 1, 1]
        expected = [drise_twin(boxes, shares, objectness, map.detection.anchor) for map in found]
        assert len(expected) >= 2
        np.testing.assert_allclose(found.scores[0], expected, rtol=1e-5)
        assert [map.about for map in found][:2] == ["detection 1 drise", "detection 2 drise"]


def test_drise_uses_the_objectness_of_the_net():
    with opened(yolo) as net:
        target = Detections(boxes=Boxes("detections", form="cxcywh"), measure="drise")
        found = net.explain(TWO, target, methods="odam")
    # IoU and cosine with itself are 1
    np.testing.assert_allclose(found.scores[0], sigmoid(GAIN + BIAS), rtol=1e-5)


def test_rise_with_the_score_of_drise_finds_each_object(net):
    target = Detections(boxes=SSD, measure="drise")
    found = net.explain(np.kron(TWO, np.ones((2, 2, 1), np.uint8)), target, methods=method("rise", masks=600))
    for t, (own, other) in enumerate([((0, 0), (3, 3)), ((3, 3), (0, 0))]):
        cells = found["rise"][0, t].reshape(SIDE, 2, SIDE, 2).mean((1, 3))
        assert cells[own] > cells[other] + 0.1
        assert np.unravel_index(cells.argmax(), cells.shape) == own


@pytest.mark.parametrize(("measure", "value"), [("top", 2 / 8), ("left", 3 / 8), ("bottom", 4 / 8), ("right", 5 / 8)])
def test_a_side_of_the_box_is_explained(net, measure, value):
    target = Detections(boxes=SSD, measure=measure)
    (map,) = net.explain(scene(red=[(1, 1)], blue=[(1, 1)]), target, methods="hirescam")
    assert map.score == pytest.approx(value)
    expected = np.zeros((SIDE, SIDE))
    expected[1, 1] = 0.5 / SIDE if measure in ("left", "right") else 0  # only blue moves the box, and only sideways
    np.testing.assert_allclose(map.values, expected, atol=1e-6)
    assert measure in MEASURES
