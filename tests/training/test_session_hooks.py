"""Hook and listener: the maps of a step are those of its checkpoint, and the graph that is trained stays as it is."""

from __future__ import annotations

from functools import partial

import cv2
import numpy as np
import pytest
from event_files import images_of, scalars_of
from training_nets import NotingNet, batch, fed_net, for_inference, opened, photos, piped_net

from gradcam_tf1 import (
    GradCamGraph,
    GradCamHook,
    GradCamSaverListener,
    OptionError,
    Style,
    TrainingMaps,
    load,
    read_image,
)
from gradcam_tf1.nets.demo import DEMO_CLASSES, demo_model, demo_scenes
from gradcam_tf1.nets.train_demo import network, training_batch
from gradcam_tf1.tf_runtime import tf

METHODS = ["gradcam", "guided_backprop", "eigencam"]


@pytest.fixture(autouse=True)
def no_nets():
    opened.clear()


def listening(folder, maps, every=2):
    return tf.train.CheckpointSaverHook(folder, save_steps=every, listeners=[GradCamSaverListener(maps)])


def monitored(folder, *hooks):
    return tf.train.MonitoredTrainingSession(
        checkpoint_dir=folder, hooks=hooks, save_checkpoint_secs=None, save_checkpoint_steps=None
    )


def train(step, session, steps=5, feed=batch):
    for number in range(steps):
        session.run(step, feed(number) if feed else None)


def contents(graph):
    """What must not change: the ops, and what is in the collections."""
    collections = {key: len(graph.get_collection(key)) for key in graph.get_all_collection_keys()}
    return [op.name for op in graph.get_operations()], collections


def assert_same(explanation, other):
    assert set(explanation.maps) == set(other.maps)
    for key, maps in explanation.maps.items():
        scale = np.abs(other.maps[key]).max()
        np.testing.assert_allclose(maps, other.maps[key], atol=1e-5 * scale, err_msg=str(key))
    np.testing.assert_allclose(explanation.scores, other.scores, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(explanation.probabilities, other.probabilities, atol=1e-5)


@pytest.mark.parametrize("kind", ["reference", "resource", "partitioned"])
def test_maps_are_those_of_the_checkpoint(graph, tmp_path, kind):
    step = fed_net(resource=kind != "reference", parts=2 if kind == "partitioned" else None)
    folder = str(tmp_path)
    maps = TrainingMaps(photos(), NotingNet, methods=METHODS, targets=[0, None], logdir=folder, on_error="stop")
    with monitored(folder, listening(folder, maps)) as session:
        before = contents(graph)
        train(step, session)
    assert contents(graph) == before
    (net,) = opened
    assert len(net.made) == 4
    assert len(set(net.ops)) == 1  # nothing grows
    for number, explanation in zip((0, 2, 4, 5), net.made):
        with GradCamGraph(f"{folder}/model.ckpt-{number}", preset="zero-one") as fresh:
            assert_same(explanation, fresh.explain(photos(), [0, None], METHODS))
    assert np.abs(net.made[0].scores - net.made[-1].scores).max() > 1e-3  # it did train
    assert net.binding.feeds["is_training:0"] is False


def test_a_net_in_training_mode_is_refused_without_its_inference_graph(graph, tmp_path, caplog):
    step = piped_net()
    folder = str(tmp_path)
    with monitored(folder, listening(folder, TrainingMaps(photos(), NotingNet, logdir=folder))) as session:
        train(step, session, feed=None)
    assert not images_of(folder)
    (message,) = [record.getMessage() for record in caplog.records if record.name == "gradcam_tf1.training.map_logger"]
    assert "no maps at step 0: the net is in training mode: batch norm in training mode (1 ops" in message
    assert "random numbers" in message
    assert message.endswith("for inference; no maps are made in this training")


def test_an_inference_graph_gets_the_weights_of_a_graph_fed_by_an_iterator(graph, tmp_path):
    step = piped_net()
    folder = str(tmp_path)
    maps = TrainingMaps(photos(), NotingNet, logdir=folder, build=for_inference, methods=METHODS, on_error="stop")
    with monitored(folder, listening(folder, maps)) as session:
        before = contents(graph)
        train(step, session, feed=None)
    assert contents(graph) == before
    (net,) = opened
    for number, explanation in zip((0, 2, 4, 5), net.made):
        model = load(f"{folder}/model.ckpt-{number}", build=for_inference)
        with GradCamGraph(model, preset="zero-one") as fresh:
            assert_same(explanation, fresh.explain(photos(), methods=METHODS))


def test_the_images_of_an_iterator_are_found(graph, tmp_path):
    """Without training mode, the graph that is trained can be explained as it is."""
    step = piped_net(training=False)
    folder = str(tmp_path)
    with monitored(folder, listening(folder, TrainingMaps(photos(), NotingNet, logdir=folder, on_error="stop"))) as s:
        train(step, s, feed=None)
    (net,) = opened
    assert net.binding.input == "IteratorGetNext:0"
    with GradCamGraph(f"{folder}/model.ckpt-5", preset="zero-one") as fresh:
        assert_same(net.made[-1], fresh.explain(photos()))


def test_build_with_other_variables_is_refused(graph, tmp_path):
    def other():
        with tf.variable_scope("renamed"):
            return for_inference()

    step = piped_net()
    maps = TrainingMaps(photos(), NotingNet, logdir=str(tmp_path), build=other, on_error="stop")
    message = r"build makes 8 variables that the training graph does not have, the first is 'renamed/conv1/kernel'"
    with pytest.raises(Exception, match=message), monitored(str(tmp_path), GradCamHook(maps, every_n_steps=1)) as s:
        train(step, s, feed=None)


def test_a_switch_in_a_variable_makes_a_new_copy(graph, tmp_path):
    """A net that takes another way from step 2 on; the counter is a constant in the copy."""
    count = tf.train.get_or_create_global_step()
    images = tf.placeholder(tf.float32, [None, 16, 16, 3], name="images")
    kernel = tf.get_variable("kernel", [3, 3, 3, 4])
    features = tf.nn.relu(tf.nn.conv2d(images, kernel, strides=1, padding="SAME"))
    late = tf.cast(count >= 2, tf.float32)
    features = tf.nn.relu(features * (1.0 + late) - 0.1 * late, name="last")
    tf.matmul(tf.reduce_mean(features, [1, 2]), tf.get_variable("head", [4, 3]), name="logits")
    with tf.control_dependencies([kernel.assign(kernel * 1.01)]):
        step = count.assign_add(1)
    folder = str(tmp_path)
    maps = TrainingMaps(photos(), NotingNet, logdir=folder, on_error="stop")
    with monitored(folder, listening(folder, maps, every=1)) as session:
        train(step, session, steps=3, feed=None)
    made = [explanation for net in opened for explanation in net.made]
    for number, explanation in enumerate(made):
        with GradCamGraph(f"{folder}/model.ckpt-{number}", preset="zero-one") as fresh:
            other = fresh.explain(photos())
            np.testing.assert_allclose(explanation["gradcam"], other["gradcam"], rtol=1e-5, atol=1e-7)
            np.testing.assert_allclose(explanation.scores, other.scores, rtol=1e-5)


def test_steps_tags_and_images_of_the_hook(graph, tmp_path):
    """Without logdir the images lie with the checkpoints; first, every second and last step."""
    step = fed_net()
    folder = str(tmp_path)
    style = Style("viridis")
    names = ["a b/c", "a-b c", "ring"]
    net = lambda model: NotingNet(model, labels=names)  # noqa: E731
    maps = TrainingMaps(
        list(photos(2)),
        net,
        targets=[0, 1, 1, None],
        methods=["gradcam", "guided_backprop"],
        style=style,
        on_error="stop",
    )
    with monitored(folder, GradCamHook(maps, every_n_steps=2), listening(folder, TrainingMaps([]), every=100)) as s:
        train(step, s, steps=4)
    found, curves = images_of(folder), scalars_of(folder)
    made = opened[0].made
    assert [tag for tag in found if "ring" not in tag] == [
        f"gradcam/{method}/image-{n}/{token}"
        for n in (0, 1)
        for token in ("a-b-c-0", "a-b-c-1")  # names alike in tags have the class id behind them
        for method in ("gradcam", "guided_backprop")
    ]
    for n, token, t in ((0, "a-b-c-0", 0), (1, "a-b-c-1", 1)):
        for method in ("gradcam", "guided_backprop"):
            shown = found[f"gradcam/{method}/image-{n}/{token}"]
            assert [number for number, _ in shown] == [1, 3, 4]
            for (_, image), explanation in zip(shown, made):
                assert np.array_equal(image, explanation.map(method, n, t).overlay(style))
        scores = curves[f"gradcam/score/image-{n}/{token}"]
        assert [number for number, _ in scores] == [1, 3, 4]
        np.testing.assert_allclose([value for _, value in scores], [each.scores[n, t] for each in made], rtol=1e-6)
        assert f"gradcam/probability/image-{n}/{token}" in curves


def test_seconds_between_two_sets_of_maps(graph, tmp_path):
    step = fed_net()
    maps = TrainingMaps(photos(), NotingNet, logdir=str(tmp_path), on_error="stop")
    with monitored(None, GradCamHook(maps, every_n_secs=1000)) as session:
        train(step, session)
    assert len(opened[0].made) == 2  # the first and the last


def test_runs_count_where_there_is_no_global_step(graph, tmp_path):
    images = tf.placeholder(tf.float32, [None, 16, 16, 3], name="images")
    kernel = tf.get_variable("kernel", [3, 3, 3, 4])
    features = tf.nn.relu(tf.nn.conv2d(images, kernel, strides=1, padding="SAME"))
    tf.matmul(tf.reduce_mean(features, [1, 2]), tf.get_variable("head", [4, 3]), name="logits")
    maps = TrainingMaps(photos(), NotingNet, logdir=str(tmp_path), on_error="stop")
    with tf.train.SingularMonitoredSession(hooks=[GradCamHook(maps, every_n_steps=3)]) as session:
        train(kernel, session, feed=None)
    assert [number for number, _ in next(iter(images_of(str(tmp_path)).values()))] == [1, 4, 5]


def test_a_hook_is_of_the_class_that_sessions_ask_for():
    maps = TrainingMaps(photos())
    hook, listener = GradCamHook(maps, every_n_steps=1), GradCamSaverListener(maps)
    assert isinstance(hook, GradCamHook)
    assert isinstance(hook, tf.train.SessionRunHook)
    assert isinstance(listener, GradCamSaverListener)
    assert isinstance(listener, tf.train.CheckpointSaverListener)
    assert type(hook) is type(GradCamHook(maps, every_n_secs=1.5))


@pytest.mark.parametrize(
    ("every", "message"),
    [
        ({}, "give one of every_n_steps or every_n_secs, not none"),
        ({"every_n_steps": 1, "every_n_secs": 1}, "not every_n_steps, every_n_secs"),
        ({"every_n_steps": 0}, "every_n_steps is a number above 0, not 0"),
        ({"every_n_steps": 1.5}, "every_n_steps is a number above 0, not 1.5"),
        ({"every_n_secs": True}, "every_n_secs is a number above 0, not True"),
    ],
)
def test_intervals_that_are_not_possible(every, message):
    with pytest.raises(OptionError, match=message):
        GradCamHook(TrainingMaps(photos()), **every)


def test_what_is_explained_comes_as_a_record():
    with pytest.raises(OptionError, match=r"'photos' does not say what to explain; give TrainingMaps\(images, ...\)"):
        GradCamSaverListener("photos")


def trained_demo_net():
    """The shipped demo net in variables, and a step that trains it a little; it has the weights of the file."""
    stored = {node.name: tf.make_ndarray(node.attr["value"].tensor) for node in load(demo_model()).graph_def.node
              if node.op == "Const" and node.attr["value"].tensor.dtype == tf.float32}  # fmt: skip
    weights = {name: tf.get_variable(name, initializer=value) for name, value in stored.items() if "/" in name}
    images = tf.placeholder(tf.float32, [None, 96, 128, 3], name="input")
    logits, _ = network(images, weights, training=False)
    labels = tf.placeholder(tf.float32, [None, 7], name="labels")
    loss = tf.losses.sigmoid_cross_entropy(labels, logits)
    return tf.train.GradientDescentOptimizer(1e-4).minimize(loss, tf.train.get_or_create_global_step())


def test_the_images_in_tensorboard_are_red_on_the_object(graph, tmp_path):
    """Read back with TensorBoard's reader: the redder the tint, the higher the map; its peak is in the object's box."""
    step, scene = trained_demo_net(), demo_scenes()[8]
    x, y = training_batch(np.random.RandomState(0), 4)
    kinds = list(scene.boxes)
    net = partial(GradCamGraph, preset="inception", labels=DEMO_CLASSES)
    maps = TrainingMaps(scene.path, net, targets=kinds, style=Style(alpha=1.0), logdir=str(tmp_path), on_error="stop")
    with monitored(None, GradCamHook(maps, every_n_steps=1)) as session:
        train(step, session, 2, lambda _: {"input:0": x, "labels:0": y})
    photo, found = read_image(scene.path).astype(int), images_of(str(tmp_path))
    for kind in kinds:
        shown = found[f"gradcam/gradcam/scene_08/{kind}"]
        assert [number for number, _ in shown] == [1, 2]
        tint = shown[-1][1].astype(int) - photo
        redness = cv2.blur((tint[..., 0] - tint[..., 2]).astype(np.float32), (15, 15))
        row, column = np.unravel_index(np.argmax(redness), redness.shape)
        top, left, bottom, right = scene.boxes[kind]
        assert top <= row < bottom, kind
        assert left <= column < right, kind
        red, _, blue = shown[-1][1][row, column].astype(int)
        assert red > 100 > blue
