"""Detectors with objectness, of one scale and of several: the score of an anchor is the logit of its confidence."""

from __future__ import annotations

import numpy as np
import pytest
from binding_graphs import conv
from head_nets import IMAGES, answers, assert_same, opened, score_map, trunk, values_of

from gradcam_tf1.errors import RunError, TargetError
from gradcam_tf1.scoring.class_scores import softmax_logits
from gradcam_tf1.targets import Anchor, Top
from gradcam_tf1.tf_runtime import tf

ANCHORS, CLASSES = 3, 2
COLUMNS = 5 + CLASSES
COUNT = 4 * 4 * ANCHORS


def raw(name="raw", x=None):
    """[N, h, w, anchors, 5 + classes]."""
    maps = score_map(ANCHORS * COLUMNS) if x is None else conv(x, ANCHORS * COLUMNS, 1, 8, name=f"{name}_head")
    side = maps.shape[1]
    return tf.reshape(3 * maps, [-1, side, side, ANCHORS, COLUMNS], name=name)


def sigmoids(f):
    """Slices, each with its activation: places, sizes, objectness, classes."""
    return tf.sigmoid(f[..., :2]), tf.exp(f[..., 2:4]), tf.sigmoid(f[..., 4:5]), tf.sigmoid(f[..., 5:])


def rows(parts, count=COUNT):
    return tf.concat([tf.reshape(part, [-1, count, part.shape[-1]]) for part in parts], -1)


def sliced():
    rows(sigmoids(raw()))


def split():
    xy, wh, objectness, classes = tf.split(raw(), [2, 2, 1, CLASSES], axis=-1)
    rows([tf.sigmoid(xy), wh, tf.sigmoid(objectness), tf.sigmoid(classes)])


def split_after_flattening():
    flat = tf.reshape(raw(), [-1, COUNT, COLUMNS])
    parts = tf.split(flat, [2, 2, 1, CLASSES], axis=-1)
    tf.concat([tf.sigmoid(parts[0]), parts[1], tf.sigmoid(parts[2]), tf.sigmoid(parts[3])], -1, name="detections")


def activated_as_a_whole():
    """The exports of YOLO 5: one sigmoid, then boxes out of the first columns, the others as they are."""
    y = tf.sigmoid(raw())
    decoded = tf.concat([y[..., 0:2] * 2 - 0.5, tf.square(y[..., 2:4] * 2), y[..., 4:]], -1)
    tf.reshape(decoded, [-1, COUNT, COLUMNS], name="detections")


def single_column_dropped():
    f = raw()
    tf.multiply(tf.sigmoid(f[..., 4])[..., tf.newaxis], tf.sigmoid(f[..., 5:]), name="confidence")
    tf.concat([tf.sigmoid(f[..., 0:2]), f[..., 2:4]], -1, name="boxes")


def cut_after_the_sigmoid():
    f = raw()
    sure = tf.sigmoid(f[..., 4:])
    rows([tf.sigmoid(f[..., :2]), tf.exp(f[..., 2:4]), sure[..., :1] * sure[..., 1:]])


def split_after_the_sigmoid():
    """The places are single columns, too."""
    x, y, size, sure = tf.split(raw(), [1, 1, 2, 1 + CLASSES], axis=-1)
    objectness, classes = tf.split(tf.reshape(tf.sigmoid(sure), [-1, COUNT, 1 + CLASSES]), [1, CLASSES], axis=-1)
    tf.concat([tf.sigmoid(x), tf.sigmoid(y), tf.exp(size)], -1, name="boxes")
    tf.multiply(objectness, classes, name="confidence")


def all_columns_then_products():
    """The box is cut in one piece."""
    y = tf.sigmoid(raw())
    tf.identity(y[..., :4], name="boxes")
    tf.multiply(y[..., 5:], tf.expand_dims(y[..., 4], -1), name="confidence")


def separate_outputs():
    """keras-yolo3 before its non-maximum suppression: boxes here, confidence times class there."""
    xy, wh, objectness, classes = sigmoids(raw())
    tf.reshape(tf.concat([xy, wh], -1), [-1, COUNT, 4], name="boxes")
    tf.reshape(objectness * classes, [-1, COUNT, CLASSES], name="scores")


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def confidence(f):
    """float64 [N, anchors, classes] of raw columns."""
    f = f.astype(np.float64).reshape(len(f), -1, COLUMNS)
    return sigmoid(f[..., 4:5]) * sigmoid(f[..., 5:])


def logit(p):
    return np.log(p) - np.log1p(-p)


NETS = [sliced, split, split_after_flattening, activated_as_a_whole, single_column_dropped, separate_outputs]
NETS += [cut_after_the_sigmoid, split_after_the_sigmoid, all_columns_then_products]


@pytest.mark.parametrize("build", NETS)
def test_the_score_is_the_logit_of_objectness_times_class(build):
    p = confidence(values_of(build, ["raw:0"])[0])
    targets = [0, 1, Anchor(1, index=20), Anchor(0, best=3)]
    ours = answers(build, targets)
    assert ours["classes"] == CLASSES
    best_three = np.sort(logit(p)[..., 0], axis=1)[:, -3:].sum(1)
    wanted = [logit(p[..., 0].max(1)), logit(p[..., 1].max(1)), logit(p[:, 20, 1]), best_three]
    np.testing.assert_allclose(ours["scores"], np.stack(wanted, 1), rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(ours["predicted"], p.max(1).argmax(1))
    np.testing.assert_allclose(ours["probabilities"][:, :2], p.max(1), rtol=1e-4)


@pytest.mark.parametrize("build", NETS)
def test_the_maps_are_those_of_the_confidence_written_out(build):
    """d logit(p) / dA = dp / dA / (p (1 - p)), by tf.gradients in the building graph."""
    n, anchor, c = np.arange(3), 20, 1
    with tf.Graph().as_default() as graph:
        build()
        f = tf.reshape(graph.get_tensor_by_name("raw:0"), [-1, COUNT, COLUMNS])[:, anchor]
        features = graph.get_tensor_by_name("features:0")
        p = tf.sigmoid(f[:, 4]) * tf.sigmoid(f[:, 5 + c])
        own = tf.reduce_sum(tf.gradients(p, features)[0] * features, -1) / (p * (1 - p))[:, tf.newaxis, tf.newaxis]
        with tf.Session(graph=graph) as sess:
            wanted = sess.run(own, {"input:0": IMAGES / np.float32(255)})
    maps = answers(build, [Anchor(c, index=anchor)])["maps"][n, 0]
    assert np.abs(wanted).max() > 1e-4
    np.testing.assert_allclose(maps, wanted, rtol=1e-3, atol=1e-6)


def softmax_classes():
    """YOLO 2."""
    f = raw()
    rows([tf.sigmoid(f[..., :2]), tf.exp(f[..., 2:4]), tf.sigmoid(f[..., 4:5]), tf.nn.softmax(f[..., 5:])])


def test_softmax_over_the_classes():
    f = values_of(softmax_classes, ["raw:0"])[0].astype(np.float64).reshape(3, COUNT, COLUMNS)
    power = np.exp(f[..., 5:])
    p = sigmoid(f[..., 4:5]) * power / power.sum(-1, keepdims=True)
    ours = answers(softmax_classes, [0, Anchor(1, index=7)])
    np.testing.assert_allclose(ours["scores"][:, 0], logit(p[..., 0].max(1)), rtol=1e-4)
    np.testing.assert_allclose(ours["scores"][:, 1], logit(p[:, 7, 1]), rtol=1e-4)


def test_softmax_logits_do_not_saturate():
    scores = np.array([[[40.0, 0.0, -3.0], [1.0, 1.0, 1.0], [-50.0, 2.0, 2.5]]], np.float32)
    with tf.Graph().as_default(), tf.Session() as sess:
        x = tf.constant(scores)
        y = softmax_logits(x)
        found, grads = sess.run([y, tf.gradients(y[0, 0, 0], x)[0]])
    wide = scores.astype(np.float64)
    others = [np.log(np.exp(np.delete(wide, c, -1)).sum(-1)) for c in range(3)]
    np.testing.assert_allclose(found, wide - np.stack(others, -1), rtol=1e-5)
    assert grads[0, 0, 0] == pytest.approx(1)


# several scales


def scales():
    x = trunk()
    return raw("fine", x), raw("coarse", tf.nn.avg_pool(x, [1, 2, 2, 1], [1, 2, 2, 1], "SAME"))


def detections_joined():
    decoded = [rows(sigmoids(f), f.shape.as_list()[1] ** 2 * ANCHORS) for f in scales()]
    tf.concat(decoded[::-1], 1, name="detections")


def classes_and_objectness_joined_apart():
    parts = [sigmoids(f) for f in scales()]
    for k, (name, size) in enumerate((("boxes", 2), ("sizes", 2), ("objectness", 1), ("classes", CLASSES))):
        tf.concat([tf.reshape(part[k], [-1, n, size]) for part, n in zip(parts, (48, 12))], 1, name=name)


@pytest.mark.parametrize(
    ("build", "order"), [(detections_joined, (1, 0)), (classes_and_objectness_joined_apart, (0, 1))]
)
def test_scales_are_joined_in_the_order_of_the_net(build, order):
    p = [confidence(f) for f in values_of(build, ["fine:0", "coarse:0"])]
    p = np.concatenate([p[k] for k in order], 1)
    ours = answers(build, [0, 1, Anchor(1, index=50), Anchor(0, index=3), Anchor(1, best=2)])
    assert ours["classes"] == CLASSES
    wanted = [p[..., 0].max(1), p[..., 1].max(1), p[:, 50, 1], p[:, 3, 0]]
    np.testing.assert_allclose(ours["scores"][:, :4], logit(np.stack(wanted, 1)), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(ours["scores"][:, 4], np.sort(logit(p)[..., 1], 1)[:, -2:].sum(1), rtol=1e-4)


def scales_apart():
    for name, f in zip(("fine_out", "coarse_out"), scales()):
        tf.identity(rows(sigmoids(f), f.shape.as_list()[1] ** 2 * ANCHORS), name=name)


def test_scales_that_are_outputs_of_their_own_are_listed():
    with opened(scales_apart) as net:
        assert "2 outputs" in net.binding.warnings[0]
        name = net.binding.warnings[0].split("--output ")[1].split(" ")[0]
    p = confidence(values_of(scales_apart, ["coarse:0" if name.startswith("Sigmoid_5") else "fine:0"])[0])
    ours = answers(scales_apart, [0, 1], output=name)
    np.testing.assert_allclose(ours["scores"], logit(p.max(1)), rtol=1e-4)


# named, declared, raw


@pytest.mark.parametrize("output", ["detections", "classes"])
def test_a_declared_or_named_output_of_a_detector_leads_to_its_scores(output):
    def build():
        xy, wh, objectness, classes = sigmoids(raw())
        classes = tf.identity(classes, name="classes")
        tf.identity(rows([xy, wh, objectness, classes]), name="detections")

    options = {"output": output} if output == "classes" else {}
    assert_same(answers(build, [0, 1], **options), answers(sliced, [0, 1]))


def test_raw_columns_of_rank_five_are_anchors():
    """No slice says which columns are classes: each is one."""
    f = values_of(raw, ["raw:0"])[0].reshape(3, COUNT, COLUMNS)
    targets = [5, Anchor(6, index=30), Anchor(4, best=2)]
    ours = answers(raw, targets)
    wanted = np.stack([f[..., 5].max(1), f[:, 30, 6], np.sort(f[..., 4], 1)[:, -2:].sum(1)], 1)
    assert ours["classes"] == COLUMNS
    np.testing.assert_allclose(ours["scores"], wanted, rtol=1e-4)

    def flat():
        tf.reshape(raw(), [-1, COUNT, COLUMNS], name="out")

    assert_same(ours, answers(flat, targets))


def test_a_detection_that_is_named_is_taken_column_by_column():
    """Whoever names the joined columns as logits means them, as they are."""
    ours = answers(split_after_flattening, [6, Anchor(4, index=3)], logits="detections")
    values = values_of(split_after_flattening, ["detections:0"])[0]
    assert ours["classes"] == COLUMNS
    np.testing.assert_allclose(ours["scores"], np.stack([values[..., 6].max(1), values[:, 3, 4]], 1), rtol=1e-4)


def test_ranks_and_ids_of_a_detector():
    ours = answers(sliced, [Top(2)])
    assert (np.diff(ours["scores"], axis=1) <= 0).all()
    with opened(sliced) as net, pytest.raises(TargetError, match="no class 2: the net has 2 classes"):
        net.explain(IMAGES, 2)


@pytest.mark.parametrize("target", [Anchor(1, index=COUNT), Anchor(1, best=COUNT + 1)])
def test_anchors_that_are_not_there(target):
    with pytest.raises(RunError, match=rf"anchors requested:\] \[{COUNT + 1}\] \[anchors of the net:\] \[{COUNT}\]"):
        answers(sliced, [target])


def test_ssd_keeps_its_anchors():
    """[N, anchors, classes] beside the boxes: no objectness, the best anchor by the class alone."""

    def build():
        x = trunk()
        tf.reshape(conv(x, ANCHORS * 4, 1, 8, name="boxes"), [-1, COUNT, 4], name="loc")
        tf.nn.softmax(tf.reshape(conv(x, ANCHORS * 3, 1, 8, name="kinds"), [-1, COUNT, 3], name="conf"), name="prob")

    conf = values_of(build, ["conf:0"])[0]
    ours = answers(build, [0, Anchor(2, index=9)])
    np.testing.assert_allclose(ours["scores"], np.stack([conf[..., 0].max(1), conf[:, 9, 2]], 1), rtol=1e-4)
    assert "'loc:0'" in ours["binding"].warnings[0]
