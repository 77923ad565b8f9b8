"""What fails while maps are made is said once, and never ends a training unless that is requested."""

from __future__ import annotations

import os
import shutil
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
from event_files import images_of
from training_nets import NotingNet, batch, fed_net, opened, photos

from gradcam_tf1 import (
    ExplainOptions,
    GradCamGraph,
    ImageFileError,
    OptionError,
    TargetError,
    TrainingMaps,
)
from gradcam_tf1.loaders.followed import follow_session
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.training.map_logger import MapLogger


@pytest.fixture
def trained(graph):
    """A session of a net in training, and a function that makes one step."""
    opened.clear()
    step = fed_net()
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        yield session, lambda seed: session.run(step, batch(seed))


def logger(images, folder, net=NotingNet, **options):
    return MapLogger(TrainingMaps(images, net, logdir=str(folder), **options), follow_session)


def said(caplog):
    return [record.getMessage() for record in caplog.records if record.name == "gradcam_tf1.training.map_logger"]


def test_a_failure_is_said_once_and_the_next_step_is_tried(trained, tmp_path, caplog):
    session, train = trained
    broken = [False]

    class Moody(NotingNet):
        def preprocess(self, images):
            if broken[0]:
                raise ZeroDivisionError("no light")
            return images / 255

    log = logger(photos(), tmp_path, Moody)
    for step in range(5):
        train(step)
        broken[0] = step in (1, 2, 3)
        log.log(session, step)
    log.close()
    assert said(caplog) == ["no maps at step 1: ZeroDivisionError: no light"]
    assert {step for shown in images_of(str(tmp_path)).values() for step, _ in shown} == {0, 4}


def test_an_event_file_that_takes_nothing_more_is_told(trained, tmp_path, caplog):
    session, train = trained
    log = logger(photos(), tmp_path / "logs")
    train(0)
    log.log(session, 0)
    shutil.rmtree(str(tmp_path / "logs"))
    for step in (1, 2):
        log.log(session, step)
    log.close()
    (message,) = said(caplog)
    assert message.startswith(f"no maps at step 1: the event file in {str(tmp_path / 'logs')!r} did not take them")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
def test_a_full_disk_is_told(trained, tmp_path):
    session, _ = trained
    log = logger(photos(), tmp_path, on_error="stop")
    log.log(session, 0)
    (path,) = tmp_path.iterdir()
    descriptors = [int(name) for name in os.listdir("/proc/self/fd") if is_link_to(name, path)]
    full = os.open("/dev/full", os.O_WRONLY)
    for descriptor in descriptors:
        os.dup2(full, descriptor)  # what is written from now on finds no room
    os.close(full)
    assert descriptors
    with pytest.raises(OSError, match="is the disk full, or was the file removed"):
        log.log(session, 1)
    log.close()


def is_link_to(descriptor, path):
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}") == str(path)
    except OSError:  # closed meanwhile
        return False


def test_two_trainings_in_one_second_and_folder_keep_their_maps(trained, tmp_path):
    session, _ = trained
    logs = [logger(photos(), tmp_path, methods=method) for method in ("gradcam", "hirescam")]
    for step in range(3):
        for log in logs:
            log.log(session, step)
    for log in logs:
        log.close()
    found = {}
    for path in tmp_path.iterdir():
        found.update(images_of(str(path)))
    assert {tag.split("/")[1] for tag in found} == {"gradcam", "hirescam"}
    assert all([step for step, _ in steps] == [0, 1, 2] for steps in found.values())


def test_on_error_stop_lets_the_error_through(trained, tmp_path):
    session, _ = trained
    with pytest.raises(TargetError, match="no class 7"):
        logger(photos(), tmp_path, targets=7, on_error="stop").log(session, 1)


def test_a_net_that_cannot_be_opened_is_tried_once(trained, tmp_path, caplog):
    session, _ = trained
    calls = []

    def net(model):
        calls.append(model)
        return GradCamGraph(model, preset="zero-one", logits="nowhere:0")

    log = logger(photos(), tmp_path, net)
    for step in range(3):
        log.log(session, step)
    log.close()
    assert len(calls) == 1
    (message,) = said(caplog)
    assert "nowhere" in message
    assert message.endswith("; no maps are made in this training")


def test_images_that_cannot_be_read_are_left_out_with_their_rows(trained, tmp_path, caplog):
    session, _ = trained
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, image in enumerate(photos(2)):
        cv2.imwrite(str(folder / f"{number}.png"), image)
    (folder / "0b.png").write_bytes(b"no image")
    log = logger([str(folder), photos(1)[0]], tmp_path / "log", targets=[[0], [1], [2], [1]])
    log.log(session, 1)
    log.close()
    (message,) = said(caplog)
    assert message.startswith("image '0b.png' is left out: ")
    tags = images_of(str(tmp_path / "log"))
    assert sorted(tags) == [f"gradcam/gradcam/{name}" for name in ("0/0", "1/2", "image-1/1")]


def test_images_of_several_sizes_run_in_groups(graph, tmp_path):
    """A net that takes any size; targets and further inputs go with their images."""
    images = tf.placeholder(tf.float32, [None, None, None, 3], name="images")
    factor = tf.placeholder(tf.float32, [None], name="factor")
    kernel = tf.get_variable("kernel", [3, 3, 3, 4])
    features = tf.nn.relu(tf.nn.conv2d(images, kernel, strides=1, padding="SAME"))
    scores = tf.matmul(tf.reduce_mean(features, [1, 2]), tf.get_variable("head", [4, 3]))
    tf.multiply(scores, factor[:, tf.newaxis], name="logits")
    given = [photos(1)[0], photos(1)[0][:8], photos(2)[1]]
    factors = np.array([1.0, 2.0, 3.0], np.float32)
    opened.clear()
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        options = ExplainOptions(inputs={"factor:0": factors})
        net = partial(NotingNet, fit="stretch")
        log = logger(given, tmp_path, net, targets=[[0], [1], [2]], options=options, on_error="stop")
        log.log(session, 1)
        log.close()
        with GradCamGraph(session, preset="zero-one", fit="stretch") as fresh:
            alone = [
                fresh.explain(image, [n], options=ExplainOptions(inputs={"factor:0": factors[n : n + 1]})).scores[0, 0]
                for n, image in enumerate(given)
            ]
    made = opened[0].made
    assert [list(each.class_ids[:, 0]) for each in made] == [[0, 2], [1]]
    np.testing.assert_allclose(
        np.concatenate([each.scores[:, 0] for each in made]), [alone[0], alone[2], alone[1]], rtol=1e-5, atol=1e-6
    )


def test_rows_that_do_not_fit_the_images_are_refused(trained, tmp_path):
    session, _ = trained
    with pytest.raises(TargetError, match="2 rows are given for 3 images; give one row for each image"):
        logger(photos(), tmp_path, targets=[[0], [1]], on_error="stop").log(session, 1)


def test_no_image_at_all_is_refused(trained, tmp_path):
    session, _ = trained
    (tmp_path / "bad.png").write_bytes(b"no image")
    with pytest.raises(ImageFileError, match="none of the 1 images can be explained"):
        logger(str(tmp_path / "bad.png"), tmp_path / "log", on_error="stop").log(session, 1)


def test_an_image_with_infinite_scores_has_no_maps_and_the_others_have(trained, tmp_path, caplog):
    session, _ = trained

    class Dark(NotingNet):
        def preprocess(self, images):
            return np.where(images[:, :1, :1, :1] == 7, 3e38, images / 255)

    images = photos(2)
    images[1, 0, 0, 0] = 7
    images[0, 0, 0, 0] = 8
    log = logger(images, tmp_path, Dark, on_error="stop")
    for step in range(2):
        log.log(session, step)
    log.close()
    (message,) = said(caplog)  # though the op that makes the first NaN differs from run to run
    assert message.startswith("image 'image-1' has no maps: ")
    assert {tag.split("/")[2] for tag in images_of(str(tmp_path))} == {"image-0"}


def test_labels_of_strangers_are_safe_in_tags(trained, tmp_path):
    session, _ = trained
    labels = ["../../etc/pass wd\n", "<script>alert(1)</script>", "\u202egnp.exe" + "x" * 500]
    log = logger(photos(1), tmp_path, partial(NotingNet, labels=labels), targets=[0, 1, 2], on_error="stop")
    log.log(session, 1)
    log.close()
    names = [tag.split("/") for tag in images_of(str(tmp_path))]
    assert all(len(name) == 4 and len(name[3]) <= 40 for name in names)
    assert [name[3] for name in names][:2] == ["etc-pass-wd", "script-alert-1-script"]


def test_without_checkpoints_a_folder_is_asked_for(trained):
    session, _ = trained
    maps = TrainingMaps(photos(), NotingNet, on_error="stop")
    with pytest.raises(OptionError, match="no checkpoint has been saved, so the folder for the maps is not known"):
        MapLogger(maps, follow_session).log(session, 1)


def test_net_returns_a_net(trained, tmp_path):
    session, _ = trained
    with pytest.raises(OptionError, match="net returned None; return a GradCamGraph of the model"):
        logger(photos(), tmp_path, lambda model: None, on_error="stop").log(session, 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"methods": "gradcamm"}, "gradcamm"),
        ({"style": "jet"}, r"style is 'jet'; give style=Style"),
        ({"options": None}, r"options is None; give options=ExplainOptions\(...\)"),
        ({"net": "model.pb"}, "net is a function, not 'model.pb'"),
        ({"build": 3}, "build is a function, not 3"),
        ({"logdir": 3}, "logdir is the path of a folder, or None, not 3"),
        ({"moving_averages": 1}, "moving_averages is True or False, not 1"),
        ({"on_error": "skip"}, "on_error is warn or stop, not 'skip'"),
    ],
)
def test_fields_that_are_not_possible(options, message):
    with pytest.raises(OptionError, match=message):
        TrainingMaps(photos(), **options)
