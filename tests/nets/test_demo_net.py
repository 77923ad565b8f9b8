"""Maps of the demo net point at the requested objects; the scripts in nets/ reproduce its scenes and graph."""

from __future__ import annotations

import os

import cv2
import numpy as np
import pytest

from gradcam_tf1.errors import OptionError
from gradcam_tf1.nets import train_demo
from gradcam_tf1.nets.demo import DEMO_CLASSES, demo_model, demo_scenes
from gradcam_tf1.nets.scenes import KINDS, draw_object, draw_scene, outline
from gradcam_tf1.tf_runtime import tf


@pytest.fixture(scope="module")
def grad_cam():
    """Compute plain Grad-CAM: (images uint8 RGB, class ids) -> (maps [N, 12, 16], logits [N, 7])."""
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(read_graph(), name="")
        logits, features = (graph.get_tensor_by_name(name) for name in ("logits/BiasAdd:0", "conv5/Relu:0"))
        class_ids = tf.placeholder(tf.int32, (None,))
        (grads,) = tf.gradients(tf.reduce_sum(logits * tf.one_hot(class_ids, len(KINDS))), features)
        cams = tf.nn.relu(tf.reduce_sum(tf.reduce_mean(grads, axis=[1, 2], keepdims=True) * features, axis=-1))
        with tf.Session() as session:

            def run(images, ids):
                sized = [cv2.resize(image, (128, 96), interpolation=cv2.INTER_AREA) for image in images]
                values = np.stack(sized).astype(np.float32) / 127.5 - 1.0
                return session.run([cams, logits], {"input:0": values, class_ids: ids})

            yield run


def read_graph():
    graph_def = tf.GraphDef()
    with open(demo_model(), "rb") as stream:
        graph_def.ParseFromString(stream.read())
    return graph_def


def pointing(grad_cam, scenes):
    """Return by kind and scene whether the map's peak lies in the box, and by scene whether it has the top class."""
    hits, known = [], []
    for image, boxes in scenes:
        ids = [KINDS.index(kind) for kind in boxes]
        cams, logits = grad_cam([image] * len(ids), ids)
        known.append(int(logits[0].argmax()) in ids)
        for cam, (top, left, bottom, right) in zip(cams, boxes.values()):
            placed = cv2.resize(cam, image.shape[1::-1], interpolation=cv2.INTER_LINEAR)
            y, x = np.unravel_index(placed.argmax(), placed.shape)
            hits.append(placed.max() > 0 and top <= y < bottom and left <= x < right)
    return hits, known


def test_shipped_scenes_light_up_where_asked(grad_cam):
    scenes = [(cv2.imread(scene.path)[:, :, ::-1], scene.boxes) for scene in demo_scenes()]
    hits, known = pointing(grad_cam, scenes)
    assert len(hits) == 36
    assert sum(hits) >= 35
    assert all(known)


def test_new_scenes_light_up_where_asked(grad_cam):
    rng = np.random.RandomState(77)
    sizes = [(240, 320), (320, 240), (300, 300), (240, 400), (96, 128)]
    scenes = [draw_scene(rng, *sizes[i % 5], rng.permutation(KINDS)[: 2 + i % 3]) for i in range(100)]
    hits, known = pointing(grad_cam, scenes)
    assert len(hits) > 280
    assert np.mean(hits) >= 0.95
    assert np.mean(known) >= 0.97


def test_shipped_graph_is_the_network_of_the_script():
    shipped = read_graph()
    assert os.path.getsize(demo_model()) < 10**6
    values = {n.name: tf.make_ndarray(n.attr["value"].tensor) for n in shipped.node if n.op == "Const"}
    scopes = ("conv", "logits/")
    again = train_demo.frozen_graph({name: v for name, v in values.items() if name.startswith(scopes) and "/" in name})
    assert [(n.name, n.op, list(n.input)) for n in again.node if n.op != "Const"] == [
        (n.name, n.op, list(n.input)) for n in shipped.node if n.op != "Const"
    ]


def test_shipped_scenes_are_those_the_script_draws():
    scenes, drawn = demo_scenes(), train_demo.shipped_scenes()
    assert len(scenes) == len(drawn) == 12
    for scene, (image, boxes) in zip(scenes, drawn):
        shipped = cv2.imread(scene.path)[:, :, ::-1]
        assert scene.size == shipped.shape[:2]
        assert scene.boxes == boxes
        assert np.abs(shipped.astype(int) - image).mean() < 0.5  # versions of cv2 differ a little at edges
    assert {len(scene.boxes) for scene in scenes} == {2, 3, 4}
    assert {kind for scene in scenes for kind in scene.boxes} == set(DEMO_CLASSES)
    assert {np.sign(scene.size[0] - scene.size[1]) for scene in scenes} == {-1, 0, 1}


@pytest.mark.parametrize("kind", KINDS)
def test_boxes_enclose_what_was_drawn(kind):
    rng = np.random.RandomState(3)
    for _ in range(5):
        canvas = np.zeros((80, 100, 3))
        top, left, bottom, right = draw_object(rng, canvas, kind, 41.3, 52.7, 20.0)
        covered = canvas.max(axis=2) > 0.6 * canvas.max()  # at least half covered, in the darkest shade
        rows, columns = np.nonzero(covered.any(axis=1))[0], np.nonzero(covered.any(axis=0))[0]
        found = (rows[0], columns[0], rows[-1] + 1, columns[-1] + 1)
        np.testing.assert_allclose((top, left, bottom, right), found, atol=1)
        assert np.hypot(*outline(kind, rng).T).max() <= 1.08


def test_objects_keep_apart_and_seeds_repeat():
    for seed in range(10):
        image, boxes = draw_scene(np.random.RandomState(seed), 120, 160, KINDS[:4])
        again, _ = draw_scene(np.random.RandomState(seed), 120, 160, KINDS[:4])
        np.testing.assert_array_equal(image, again)
        taken = np.zeros((120, 160), int)
        for top, left, bottom, right in boxes.values():
            assert 0 <= top < bottom <= 120
            assert 0 <= left < right <= 160
            taken[top:bottom, left:right] += 1
        assert taken.max() == 1


def test_unknown_kinds_are_named():
    with pytest.raises(OptionError, match="no kind of object is called 'blob'; possible: star, ring"):
        outline("blob", np.random.RandomState(0))


def test_training_repeats_and_its_graph_scores_as_the_parameters_say():
    parameters, again = (train_demo.train(steps=2, batch=4, seed=5) for _ in range(2))
    start = train_demo.initial_parameters(np.random.RandomState(5))
    assert set(parameters) == {*start, *(f"conv{i}/{name}" for i in range(1, 6) for name in ("mean", "variance"))}
    for name, value in parameters.items():
        np.testing.assert_allclose(value, again[name], atol=1e-3, err_msg=name)
    assert np.abs(parameters["conv1/weights"] - start["conv1/weights"]).max() > 1e-3
    images, present = train_demo.training_batch(np.random.RandomState(1), 6)
    assert (np.abs(images).max() <= 1.0, present.sum(axis=1)[::2].tolist()) == (True, [1.0, 1.0, 1.0])
    with tf.Graph().as_default(), tf.Session() as session:
        features, logits = tf.import_graph_def(
            train_demo.frozen_graph(parameters), return_elements=["conv5/Relu:0", "logits/BiasAdd:0"], name=""
        )
        found = session.run([features, logits], {"input:0": images})
    expected = found[0].mean(axis=(1, 2)) @ parameters["logits/weights"] + parameters["logits/biases"]
    np.testing.assert_allclose(found[1], expected, atol=1e-5)
