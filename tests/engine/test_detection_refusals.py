"""Detections that cannot be read rightly are refused, with what to give."""

from __future__ import annotations

import numpy as np
import pytest
from detector_nets import ANCHORS, CELLS, decoded, opened, scene, ssd

from gradcam_tf1 import Boxes, Detections
from gradcam_tf1.errors import BindingError, RunError, TargetError
from gradcam_tf1.tf_runtime import tf

TWO = scene(red=[(0, 0), (3, 3)])
SSD = Boxes(anchors=ANCHORS)
CORNERS = [(0.0, 0.0, 2.0, 2.0), (6.0, 6.0, 8.0, 8.0)]


@pytest.fixture(scope="module")
def net():
    with opened(ssd) as bound:
        yield bound


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (Detections(), r"the graph does not show what the columns of the boxes 'offsets:0' are; give their form"),
        (
            Detections(boxes=Boxes(form="ssd")),
            r"'ssd' are offsets from anchors, which the graph does not show; give \[",
        ),
        (Detections(boxes=Boxes(form="xyxy", anchors=ANCHORS)), r"'xyxy' have no anchors; leave one of the two out"),
        (Detections(boxes=Boxes(form="corners")), r"no form of boxes 'corners'; possible: yxyx, xyxy, cxcywh, ssd"),
        (Detections(boxes=Boxes(form="yxyx")), r"'offsets:0' read as 'yxyx' gives no boxes: one has top, left, bottom"),
        (Detections(boxes=Boxes(anchors=ANCHORS[:3, :2])), r"anchors are \[anchors, 4\], .*; given: \[3, 2\]"),
        (Detections(boxes=Boxes(anchors="none.npy")), r"the anchors 'none.npy' cannot be read .*; give an .npy file"),
        (Detections(boxes=Boxes(anchors=ANCHORS * 260)), r"as shares of the input; divide pixels by it"),
        (Detections(boxes=Boxes(anchors=ANCHORS, variances=(1, 2))), r"four numbers above 0, .*, not \(1, 2\)"),
        (Detections(boxes=Boxes(anchors=ANCHORS, variances=(1, 1, 0, 1))), r"above 0, .*, not \(1, 1, 0"),
        (Detections(boxes=Boxes(anchors=ANCHORS, activation="relu")), r"no activation 'relu'; possible: sigmoid, soft"),
        (Detections(boxes=Boxes("class_scores")), r"'class_scores:0' is float32 .*; boxes are floats \[N, anchors, 4"),
        (Detections(boxes=ANCHORS), r"give Boxes\(...\)"),
        (Detections(score=1.5), r"Detections\(score=1.5\): give a number from 0 to 1"),
        (Detections(iou="much"), r"Detections\(iou='much'\): give a number from 0 to 1"),
        (Detections(k=0), r"Detections\(k=0\): give the most detections of an image, at least 1"),
        (Detections(measure="box"), r"Detections\(measure='box'\); possible: logit, drise, top, left, bottom, right"),
        (Detections(class_spec=2, boxes=SSD), r"no class 2: the net has 2 classes"),
    ],
)
def test_what_cannot_be_read_is_refused(net, target, message):
    with pytest.raises(TargetError, match=message):
        net.explain(TWO, target)


def test_a_wrong_number_of_anchors_is_refused(net):
    with pytest.raises(RunError, match=r"boxes:"):
        net.explain(TWO, Detections(boxes=Boxes(anchors=ANCHORS[:15])))
    with pytest.raises(BindingError, match=r"no tensor 'nowhere'|nowhere"):
        net.explain(TWO, Detections(boxes=Boxes("nowhere")))


def test_several_tensors_of_four_columns_are_listed():
    def both():
        decoded()
        features = tf.get_default_graph().get_tensor_by_name("features:0")
        tf.reshape(tf.tile(features, [1, 1, 1, 4])[..., :4], [-1, CELLS, 4], name="other")

    with opened(both) as net:
        with pytest.raises(TargetError, match=r"several tensors may be: .*boxes:0.*; name one: Boxes\(tensor=...\)"):
            net.explain(TWO, Detections(boxes=Boxes(form="yxyx")))
        found = net.explain(TWO, Detections(boxes=Boxes("boxes", form="yxyx")), methods="odam")
        np.testing.assert_allclose([map.detection.box for map in found], CORNERS, atol=1e-3)


def test_a_net_without_confidences_needs_an_activation():
    with opened(ssd, "none", logits="class_scores") as net:
        with pytest.raises(TargetError, match=r"the graph has no confidences after 'class_scores:0'; say what makes"):
            net.explain(TWO, Detections(boxes=SSD))
        reading = Boxes(anchors=ANCHORS, activation="sigmoid")
        found = net.explain(TWO, Detections(boxes=reading), methods="odam")
        np.testing.assert_allclose([map.detection.box for map in found], CORNERS, atol=1e-3)


def test_a_classifier_has_no_detections(tmp_path):
    from gradcam_tf1.graph import GradCamGraph
    from gradcam_tf1.nets.demo import demo_model

    with GradCamGraph(demo_model(), preset="inception") as net:
        image = np.zeros((192, 256, 3), np.uint8)
        with pytest.raises(TargetError, match=r"Detections need a detector, with scores \[N, anchors, C\]"):
            net.explain(image, Detections())


def test_methods_of_class_scores_refuse_detections(net):
    from gradcam_tf1.errors import OptionError

    with pytest.raises(OptionError, match=r"explains class scores only, not 'anchor' targets"):
        net.explain(TWO, Detections(boxes=SSD), methods="finercam")
