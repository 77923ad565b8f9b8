"""Detections on detectors that are worked by hand: each box has its own map, whatever the form of the boxes."""

from __future__ import annotations

import numpy as np
import pytest
from detector_nets import (
    ANCHORS,
    BIAS,
    CELLS,
    GAIN,
    SIDE,
    YXYX,
    class_scores,
    corners,
    decoded,
    opened,
    scene,
    sided,
    ssd,
    suppressed,
    trunk,
    with_background,
    yolo,
)

from gradcam_tf1 import Anchor, Boxes, Contrast, Detection, Detections, ExplainOptions, Top
from gradcam_tf1.errors import TargetError
from gradcam_tf1.tf_runtime import tf

TWO = scene(red=[(0, 0), (3, 3)])  # two objects of class 0, far apart
SSD = Boxes(anchors=ANCHORS)
CORNER, FAR = (0.0, 0.0, 2.0, 2.0), (6.0, 6.0, 8.0, 8.0)  # their boxes in pixels


def boxes_of(explanation, n=0, name="odam"):
    """The boxes of one image's detections, rounded."""
    maps = [map for map in explanation if map.n == n and map.method == name]
    return [tuple(np.round(map.detection.box, 3).tolist()) for map in maps]


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


@pytest.fixture(scope="module")
def net():
    with opened(ssd, labels=["mask", "face"]) as bound:
        yield bound


def test_each_box_has_its_own_map_and_is_zero_at_the_other(net):
    found = net.explain(TWO, Detections(boxes=SSD), methods=["hirescam", "layercam", "gradcam"])
    assert boxes_of(found, name="hirescam") == [CORNER, FAR]
    for t, (row, column) in enumerate([(0, 0), (3, 3)]):
        expected = np.zeros((SIDE, SIDE))
        expected[row, column] = GAIN  # dy/dA * A of the only cell that the anchor sees
        for name in ("hirescam", "layercam"):
            np.testing.assert_allclose(found[name][0, t], expected, atol=1e-5)
    # Grad-CAM averages the gradient over all positions, so both have one map: why ODAM exists
    np.testing.assert_allclose(found["gradcam"][0, 0], found["gradcam"][0, 1], atol=1e-6)


def test_what_is_told_of_a_detection(net):
    found = net.explain(TWO, Detections(boxes=SSD))
    first, second = found
    assert (first.class_id, first.label, first.about, second.about) == (0, "mask", "detection 1", "detection 2")
    assert first.score == pytest.approx(GAIN + BIAS)
    assert first.probability == pytest.approx(sigmoid(GAIN + BIAS))
    assert first.detection.confidence == pytest.approx(sigmoid(GAIN + BIAS))
    assert {first.detection.anchor, second.detection.anchor} == {0, CELLS - 1}


def test_a_detection_is_the_anchor_that_it_comes_from(net):
    found = net.explain(TWO, Detections(boxes=SSD), methods=["odam", "gradcam"])
    anchors = [Anchor(0, index=map.detection.anchor) for map in found if map.method == "odam"]
    same = net.explain(TWO, anchors, methods=["odam", "gradcam"])
    for name in ("odam", "gradcam"):
        assert np.abs(found[name]).max() > 0
        np.testing.assert_array_equal(found[name], same[name])


def test_the_box_moves_as_the_net_says(net):
    (map,) = net.explain(scene(red=[(1, 1)], blue=[(1, 1)]), Detections(boxes=SSD))
    assert map.detection.box == pytest.approx((2, 3, 4, 5))  # half an anchor to the right


def test_boxes_are_placed_on_the_original_image(net):
    image = np.kron(TWO, np.ones((4, 10, 1), np.uint8))
    found = net.explain(image, Detections(boxes=SSD), methods="odam")
    assert boxes_of(found) == [(0, 0, 8, 20), (24, 60, 32, 80)]
    wide = opened(ssd, fit="letterbox")
    high = np.zeros((16, 8, 3), np.uint8)
    high[12:, 4:, 0] = 255  # the lower right of a picture that fills columns 2 to 6 of the input
    (map,) = wide.explain(high, Detections(boxes=SSD, k=1, score=0.3))
    assert map.detection.box == pytest.approx((12, 4, 16, 8))


@pytest.mark.parametrize(
    ("form", "scale", "pixels"),
    [("yxyx", 1, False), ("xyxy", 1, False), ("cxcywh", 1, False), ("xyxy", 8, True), ("cxcywh", 8, True)],
)
def test_every_form_of_boxes(form, scale, pixels):
    with opened(decoded, form, scale) as net:
        image = scene(red=[(0, 0)], blue=[(0, 0)], green=[(3, 1)])
        found = net.explain(image, Detections(boxes=Boxes(form=form, pixels=pixels)), methods="odam")
    assert boxes_of(found) == [(0, 1, 2, 3), (6, 2, 8, 4)]
    assert [map.class_id for map in found] == [0, 1]


def test_a_function_reads_the_boxes():
    def turned(boxes):
        return tf.gather(boxes, [1, 0, 3, 2], axis=-1)

    with opened(decoded, "xyxy") as net:
        found = net.explain(TWO, Detections(boxes=Boxes(form=turned)), methods="odam")
        assert boxes_of(found) == [CORNER, FAR]
        with pytest.raises(TargetError, match=r"the function that reads boxes returned 3; it returns a tensor"):
            net.explain(TWO, Detections(boxes=Boxes(form=lambda _boxes: 3)))


def test_other_orders_of_offsets_and_other_variances(net):
    image = scene(red=[(1, 1)], blue=[(1, 1)])
    (map,) = net.explain(image, Detections(boxes=Boxes(anchors=ANCHORS, form="ssd-yx")))
    assert map.detection.box == pytest.approx((3, 2, 5, 4))
    (map,) = net.explain(image, Detections(boxes=Boxes(anchors=ANCHORS, variances=(0.05, 1, 1, 1))))
    assert map.detection.box == pytest.approx((2, 2.5, 4, 4.5))


def test_objectness_times_class_decides_in_yolo():
    with opened(yolo) as net:
        assert net.binding.score_parts
        found = net.explain(TWO, Detections(boxes=Boxes("detections", form="cxcywh")), methods="odam")
        assert boxes_of(found) == [CORNER, FAR]
        assert found.probabilities[0] == pytest.approx(sigmoid(GAIN + BIAS) ** 2)
        assert [map.class_id for map in found] == [0, 0]


def test_a_background_class_is_never_found():
    with opened(with_background) as net:
        with pytest.raises(TargetError, match=r"come from a softmax, of which one class means no object; say which"):
            net.explain(TWO, Detections(boxes=Boxes(form="yxyx")))
        found = net.explain(TWO, Detections(boxes=Boxes(form="yxyx", background=2)), methods="odam")
        assert boxes_of(found) == [CORNER, FAR]
        with pytest.raises(TargetError, match=r"background=3: give a class id, 0 to 2, or -1"):
            net.explain(TWO, Detections(boxes=Boxes(form="yxyx", background=3)))


def test_overlapping_boxes_of_a_class_are_dropped_and_those_of_another_kept(net):
    image = scene(red=[(1, 1), (1, 2)], blue=[(1, 1)])  # the first box moves over half of the second
    counts = [len(net.explain(image, Detections(iou=iou, boxes=SSD))) for iou in (0.3, 0.4)]
    assert counts == [1, 2]  # their overlap is 1/3
    image = scene(red=[(1, 1)], green=[(1, 2)], blue=[(1, 1)])
    assert len(net.explain(image, Detections(iou=0.1, boxes=SSD))) == 2


def test_limits_of_score_count_and_class(net):
    image = scene(red=[(0, 0), (0, 3), (3, 0)], green=[(3, 3)])
    assert len(net.explain(image, Detections(boxes=SSD))) == 4
    assert len(net.explain(image, Detections(boxes=SSD, k=2))) == 2
    (map,) = net.explain(image, Detections(boxes=SSD, class_spec="face"))
    assert (map.class_id, map.detection.box) == (1, pytest.approx(FAR))
    assert len(net.explain(image, Detections(boxes=SSD, score=0.01, k=99))) == CELLS  # empty cells have 0.018


def test_images_with_fewer_detections_and_with_none(net):
    images = [TWO, scene(green=[(2, 2)]), scene()]
    found = net.explain(images, [Detections(boxes=SSD), 1], methods="odam")
    assert found.class_ids.tolist() == [[0, 0, 1], [1, -1, 1], [-1, -1, 1]]
    told = [[map.reason for map in found if map.n == n] for n in range(3)]
    assert told[1][1] == "the image has no further detection of confidence 0.5 or more"
    assert told[2][:2] == ["the image has no detection of confidence 0.5 or more"] * 2
    assert not found["odam"][1, 1].any()
    assert not found["odam"][2, :2].any()
    assert np.isnan(found.scores[2, 0])
    assert np.isfinite(found.scores[:, 2]).all()
    assert found.detections[2] == (None, None, None)
    assert [found.shown_targets(n) for n in range(3)] == [[0, 1, 2], [0, 2], [0, 2]]
    alone = net.explain(scene(), Detections(boxes=SSD, measure="drise"), methods="odam")
    assert [(map.status, map.detection) for map in alone] == [("empty", None)]


def test_several_detections_and_rows_per_image(net):
    rows = [[Detections(boxes=SSD, class_spec=0), Detections(boxes=SSD, class_spec=1)]] * 2
    found = net.explain([TWO, scene(green=[(1, 1)])], rows, methods="odam")
    assert found.class_ids.tolist() == [[0, 0, -1], [-1, -1, 1]]


@pytest.mark.parametrize(("shift", "background"), [(1, False), (0, False), (1, True)])
def test_suppression_in_the_graph_leads_back_to_the_anchors(shift, background):
    image = scene(red=[(0, 0), (3, 3)], green=[(2, 0)], blue=[(2, 0)])
    with opened(suppressed, shift, background) as net:
        found = net.explain([image, scene()], Detections(), methods=["hirescam"])
        assert sorted(boxes_of(found, name="hirescam")) == [CORNER, (4, 1, 6, 3), FAR]
        for t, map in enumerate(found.map("hirescam", 0, t) for t in range(3)):
            row, column = divmod(map.detection.anchor, SIDE)
            expected = np.zeros((SIDE, SIDE))
            expected[row, column] = GAIN
            np.testing.assert_allclose(found["hirescam"][0, t], expected, atol=1e-5)
            assert map.class_id == background + (map.detection.anchor == 8)
        assert found.map("hirescam", 1).reason.startswith("the image has no detection")
        assert not net.explain(scene(), Detections()).detections[0][0]
        only = net.explain(image, Detections(class_spec=background + 1))
        assert [map.detection.anchor for map in only] == [8]


def test_suppressed_boxes_that_are_no_anchors_are_refused():
    with opened(moved) as net, pytest.raises(TargetError, match=r"are not among the boxes of the anchors of"):
        net.explain(TWO, Detections())
    with opened(moved) as net:  # the way out
        found = net.explain(TWO, Detections(boxes=Boxes("decoded", form="yxyx")), methods="odam")
        assert boxes_of(found) == [CORNER, FAR]


def of_proposals():
    """In the manner of Faster R-CNN: each class refines the box of a proposal in its own way."""
    features = trunk()
    shares = tf.nn.sigmoid(class_scores(features), name="class_probabilities")
    own = sided(corners(features), YXYX)
    boxes = tf.multiply(tf.stack([own, own], axis=2), [[0.5], [1.0]], name="refined")  # [N, 16, 2, 4]
    sure = tf.reduce_max(shares, axis=2)
    best = tf.argmax(sure, axis=1, output_type=tf.int32)
    kinds = tf.argmax(tf.reduce_max(shares, axis=1), axis=1, output_type=tf.int32)
    places = tf.stack([tf.range(tf.shape(best)[0]), best, kinds], axis=1)
    tf.identity(tf.gather_nd(boxes, places)[:, tf.newaxis], name="detection_boxes")
    tf.identity(tf.gather_nd(sure, places[:, :2])[:, tf.newaxis], name="detection_scores")
    tf.cast(places[:, 2:] + 1, tf.float32, name="detection_classes")


def test_boxes_of_proposals_by_class_are_refused_and_their_class_is_not():
    image = scene(red=[(2, 1)])
    with opened(of_proposals, logits="class_scores") as net:
        with pytest.raises(TargetError, match=r"'refined:0' has a box of each class for each proposal, .*\(--class\)"):
            net.explain(image, Detections())
        found = net.explain(image, 0, methods="hirescam")
    expected = np.zeros((SIDE, SIDE))
    expected[2, 1] = GAIN
    np.testing.assert_allclose(found["hirescam"][0, 0], expected, atol=1e-5)


def test_ranks_beside_detections_keep_the_boxes_in_place(net):
    found = net.explain(TWO, [Top(2), Detections(boxes=SSD), 1], methods="odam")
    assert [map.detection is None for map in found] == [True, True, False, False, True]
    assert [map.class_id for map in found] == [0, 1, 0, 0, 1]
    assert sorted(map.detection.box for map in found if map.detection) == [
        pytest.approx(CORNER, abs=1e-3),
        pytest.approx(FAR, abs=1e-3),
    ]


def moved():
    """The graph changes the boxes after the suppression."""
    with tf.Graph().as_default() as inner:
        suppressed()
    tf.import_graph_def(renamed(inner.as_graph_def()), name="")
    graph = tf.get_default_graph()
    tf.identity(graph.get_tensor_by_name("own_boxes:0") * 3 + 1, name="detection_boxes")


def renamed(graph_def):
    for node in graph_def.node:
        if node.name == "detection_boxes":
            node.name = "own_boxes"
    return graph_def


def test_noise_explains_the_detections_of_the_clean_image(net):
    found = net.explain(TWO, Detections(boxes=SSD), methods="hirescam", options=ExplainOptions(noise="smoothgrad"))
    assert boxes_of(found, name="hirescam") == [CORNER, FAR]
    for t, own in enumerate([(0, 0), (3, 3)]):
        assert found["hirescam"][0, t][own] > 0.5 * GAIN
        assert np.count_nonzero(found["hirescam"][0, t]) == 1


def test_the_graph_does_not_grow_from_call_to_call(net):
    def ask():
        reading = Boxes(anchors=ANCHORS.copy())
        net.explain(TWO, [Detections(boxes=reading, measure="drise"), Contrast(0, 1)], methods="odam")
        return len(net.graph.get_operations())

    assert ask() == ask()


def test_the_file_of_anchors_is_read(net, tmp_path):
    np.save(tmp_path / "anchors.npy", ANCHORS)
    target = Detections(boxes=Boxes(anchors=str(tmp_path / "anchors.npy")))
    assert target.files == (str(tmp_path / "anchors.npy"),)
    assert boxes_of(net.explain(TWO, target, methods="odam")) == [CORNER, FAR]
    np.savez(tmp_path / "broken.npy", ANCHORS)
    (tmp_path / "broken.npy").write_bytes(b"\x93NUMPY broken")
    with pytest.raises(TargetError, match=r"cannot be read"):
        net.explain(TWO, Detections(boxes=Boxes(anchors=str(tmp_path / "broken.npy"))))


def test_a_detection_is_a_record():
    found = Detection((1.0, 2.0, 3.0, 4.0), 0.5, 7)
    assert found.scaled(2, 10) == Detection((2.0, 20.0, 6.0, 40.0), 0.5, 7)
    assert found.as_record() == {"box": [1.0, 2.0, 3.0, 4.0], "confidence": 0.5, "anchor": 7}
