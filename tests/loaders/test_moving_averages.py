"""Weights stored with moving averages: the averaged values are used only on request."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from binding_graphs import conv_relu, images, pooled
from click.testing import CliRunner

from gradcam_tf1.cli import main
from gradcam_tf1.errors import ModelFileError
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.loaders import load
from gradcam_tf1.run.settings import net_settings
from gradcam_tf1.tf_runtime import tf

PHOTO = np.random.RandomState(0).randint(0, 256, (16, 16, 3)).astype(np.float32)


def net(resource=False):
    x = conv_relu(images(), 8, name="conv1")
    kernel = tf.get_variable("logits/weights", [8, 3], use_resource=resource)
    return kernel, tf.nn.softmax(tf.matmul(pooled(x), kernel, name="scores"), name="prob")


def build():
    net()


def initialize(session):
    """Initialise one after the other: an average begins with the value of its variable, and does not wait for it."""
    for variable in tf.global_variables():
        session.run(variable.initializer)


class Trained:
    """Train a net; return both sets of weights, their scores and the files."""

    def __init__(self, folder, resource):
        self.prefix, self.saved, self.restored = (str(folder / name) for name in ("model.ckpt-7", "saved", "eval.ckpt"))
        self.graph = tf.Graph()
        with self.graph.as_default():
            kernel, prob = net(resource)
            ema = tf.train.ExponentialMovingAverage(0.99)
            update = ema.apply([kernel])
            self.session = tf.Session()
            initialize(self.session)
            self.session.run(update)
            values = np.random.RandomState(3).randn(2, 8, 3).astype(np.float32)
            self.session.run([tf.assign(kernel, values[0]), tf.assign(ema.average(kernel), values[1])])
            tf.train.Saver().save(self.session, self.prefix)
            inputs = {"x": self.graph.get_tensor_by_name("input:0")}
            tf.saved_model.simple_save(self.session, self.saved, inputs, {"prob": prob})
        with tf.Graph().as_default():
            tf.train.Saver({"logits/weights/ExponentialMovingAverage": net(resource)[0]}).export_meta_graph(
                self.restored + ".meta"
            )
        for path in Path(folder).glob("model.ckpt-7.[di]*"):
            shutil.copy(str(path), self.restored + path.suffix)
        hidden = self.session.run("gap:0", {"input:0": PHOTO[None] / 255})
        self.raw, self.averaged = hidden @ values[0], hidden @ values[1]


@pytest.fixture(scope="module", params=[False, True], ids=["ref", "resource"])
def trained(request, tmp_path_factory):
    found = Trained(tmp_path_factory.mktemp("averages"), request.param)
    yield found
    found.session.close()


def source(trained, kind):
    sources = {"checkpoint": trained.prefix, "SavedModel": trained.saved, "session": trained.session}
    return sources.get(kind, trained.prefix)


@pytest.mark.parametrize("kind", ["checkpoint", "SavedModel", "session", "function"])
def test_the_averaged_net_answers_where_asked(trained, kind):
    options = {"build": build} if kind == "function" else {}
    for asked, scores in ((False, trained.raw), (True, trained.averaged)):
        model = load(source(trained, kind), moving_averages=asked, **options)
        with GradCamGraph(model, preset="zero-one") as net:
            found = net.explain([PHOTO], [[0, 1, 2]])
            assert net.model.moving_averages is asked
            note = next(note for note in net.model.notes if "moving averages" in note)
        np.testing.assert_allclose(found.scores, scores, rtol=1e-4, atol=1e-6)
        assert ("moving averages of 1 variable are stored" in note) is not asked
        assert ("the requested moving averages are used for 1 variable" in note) is asked


def test_a_saver_that_reads_the_averages_itself_is_left_alone(trained):
    for asked in (False, True):
        model = load(trained.restored, moving_averages=asked)
        assert any("the requested moving averages" in note for note in model.notes) is asked
        with GradCamGraph(model, preset="zero-one") as net:
            np.testing.assert_allclose(net.explain([PHOTO], [[0, 1, 2]]).scores, trained.averaged, rtol=1e-4)


def test_the_command_line(trained):
    plain = CliRunner().invoke(main, ["inspect", trained.prefix])
    assert "--moving-averages" in plain.output
    asked = CliRunner().invoke(main, ["inspect", trained.prefix, "--moving-averages"])
    assert (plain.exit_code, asked.exit_code) == (0, 0)
    assert "the requested moving averages" in asked.output


def test_partitioned_weights(tmp_path):
    prefix = str(tmp_path / "parts")
    with tf.Graph().as_default(), tf.Session() as sess:
        with tf.variable_scope("", partitioner=tf.fixed_size_partitioner(2, axis=0)):
            kernel, _ = net()
        ema = tf.train.ExponentialMovingAverage(0.99)
        update = ema.apply(list(kernel))
        initialize(sess)
        sess.run(update)
        values = np.random.RandomState(4).randn(8, 3).astype(np.float32)
        for part, value in zip(kernel, (values[:4], values[4:])):
            sess.run(tf.assign(ema.average(part), value))
        tf.train.Saver().save(sess, prefix)
        hidden = sess.run("gap:0", {"input:0": PHOTO[None] / 255})
    with GradCamGraph(load(prefix, moving_averages=True), preset="zero-one") as found:
        np.testing.assert_allclose(found.explain([PHOTO], [[0, 1, 2]]).scores, hidden @ values, rtol=1e-4)


def test_where_there_are_none_it_is_said(trained, tmp_path):
    with tf.Graph().as_default() as graph:
        tf.nn.softmax(pooled(conv_relu(images(), 8)), name="prob")
    path = tmp_path / "frozen.pb"
    path.write_bytes(graph.as_graph_def().SerializeToString())
    with pytest.raises(ModelFileError, match="has no moving averages: .*load it without --moving-averages"):
        load(str(path), moving_averages=True)
    assert not any("moving" in note for note in load(str(path)).notes)


def test_a_model_that_is_loaded_already_keeps_its_weights(trained):
    with GradCamGraph(load(trained.prefix, moving_averages=True), preset="zero-one") as net:
        np.testing.assert_allclose(net.explain([PHOTO], [[0, 1, 2]]).scores, trained.averaged, rtol=1e-4)


def test_a_run_with_averages_is_not_resumed_without_them(trained):
    settings = []
    for asked in (False, True):
        with GradCamGraph(load(trained.prefix, moving_averages=asked), preset="zero-one") as net:
            settings.append(net_settings(net))
    assert [each["moving_averages"] for each in settings] == [False, True]
