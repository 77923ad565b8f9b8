"""The same net from every origin gives the logits of the session that made it."""

from __future__ import annotations

import os

import numpy as np
import pytest
from loader_nets import (
    IMAGES,
    INPUT,
    LOGITS,
    build_net,
    freeze,
    logits_of,
    net_session,
    op_types,
    save_checkpoint,
    save_saved_model,
)

from gradcam_tf1.errors import ModelFileError
from gradcam_tf1.loaders import load
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import KeyTensors

ORIGINS = {}


def origin(function):
    ORIGINS[function.__name__] = function
    return function


@origin
def frozen_pb(session, folder):
    path = folder / "net.pb"
    path.write_bytes(freeze(session).SerializeToString())
    return load(path)


@origin
def frozen_pbtxt(session, folder):
    tf.train.write_graph(freeze(session), str(folder), "net.pbtxt", as_text=True)
    return load(str(folder / "net.pbtxt"))


@origin
def graph_def(session, folder):
    return load(freeze(session))


@origin
def checkpoint_prefix(session, folder):
    return load(save_checkpoint(session, folder))


@origin
def checkpoint_folder(session, folder):
    save_checkpoint(session, folder)
    return load(folder)


@origin
def checkpoint_meta(session, folder):
    return load(save_checkpoint(session, folder) + ".meta")


@origin
def checkpoint_index(session, folder):
    return load(save_checkpoint(session, folder) + ".index")


@origin
def checkpoint_data(session, folder):
    return load(save_checkpoint(session, folder) + ".data-00000-of-00001")


@origin
def checkpoint_state(session, folder):
    save_checkpoint(session, folder)
    return load(folder / "checkpoint")


@origin
def saved_model_folder(session, folder):
    return load(save_saved_model(session, folder / "export"))


@origin
def saved_model_file(session, folder):
    return load(os.path.join(save_saved_model(session, folder / "export"), "saved_model.pb"))


@origin
def live_session(session, folder):
    return load(session)


@origin
def live_pair(session, folder):
    return load((session.graph, session))


@pytest.mark.parametrize("resource", [False, True], ids=["reference variables", "resource variables"])
@pytest.mark.parametrize("name", sorted(ORIGINS))
def test_same_logits_from_every_origin(name, resource, tmp_path):
    with net_session(resource=resource, training=True) as session:
        wanted = session.run(LOGITS, {INPUT: IMAGES})
        model = ORIGINS[name](session, tmp_path)
    np.testing.assert_array_equal(logits_of(model), wanted)
    left = op_types(model) & {
        "VariableV2",
        "VarHandleOp",
        "ReadVariableOp",
        "Assign",
        "SaveV2",
        "RestoreV2",
        "ScalarSummary",
    }
    assert not left
    if name.startswith("saved_model"):
        assert (model.inputs, model.outputs) == ((INPUT,), (LOGITS,))


@pytest.mark.parametrize("resource", [False, True])
def test_optimiser_slots_are_not_carried_along(resource, tmp_path):
    with net_session(resource=resource, training=True) as session:
        model = load(save_checkpoint(session, tmp_path))
    names = {node.name for node in model.graph_def.node}
    assert "conv/kernel" in names
    assert not {name for name in names if "Adam" in name or "beta1_power" in name or "Initializer" in name}


def test_checkpoint_with_the_function_that_builds_its_graph(tmp_path):
    with net_session() as session:
        wanted = session.run(LOGITS, {INPUT: IMAGES})
        prefix = save_checkpoint(session, tmp_path, meta=False)

    def build():
        images, logits = build_net()
        return KeyTensors(input=images, logits=logits)

    before = len(tf.get_default_graph().get_operations())
    model = load(prefix, build=build)
    assert len(tf.get_default_graph().get_operations()) == before
    np.testing.assert_array_equal(logits_of(model), wanted)
    assert (model.inputs, model.outputs) == ((INPUT,), (LOGITS,))
    assert load(tmp_path, build=lambda: {"input": build_net()[0], "logits": "head/logits"}).outputs == (LOGITS,)
    assert load(prefix, build=lambda: build_net() and None).inputs == ()


@pytest.mark.parametrize("with_meta", [True, False])
def test_partitioned_variables(with_meta, tmp_path):
    with net_session(partitions=4, resource=False) as session:
        wanted = session.run(LOGITS, {INPUT: IMAGES})
        prefix = save_checkpoint(session, tmp_path, meta=with_meta)
    model = load(prefix, build=None if with_meta else lambda: build_net(partitions=4, resource=False))
    np.testing.assert_array_equal(logits_of(model), wanted)


def test_saver_with_other_names_and_the_right_one_of_two_savers(tmp_path):
    with net_session(training=True) as session, session.graph.as_default():
        wanted = session.run(LOGITS, {INPUT: IMAGES})
        by_name = {variable.op.name: variable for variable in tf.global_variables()}
        swapped = {**by_name, "conv/beta": by_name["conv/gamma"], "conv/gamma": by_name["conv/beta"]}
        saver = tf.train.Saver(swapped)
        tf.train.Saver(by_name, name="other")
        prefix = saver.save(session, str(tmp_path / "renamed"))
    np.testing.assert_array_equal(logits_of(load(prefix)), wanted)


def test_variables_under_the_names_they_share(tmp_path):
    """A graph imported into a scope, without a saver: its handles still name their variables."""
    with net_session(resource=True) as session:
        wanted = session.run(LOGITS, {INPUT: IMAGES})
        graph_def = session.graph.as_graph_def()
        prefix = save_checkpoint(session, tmp_path, meta=False)
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(graph_def, name="net")
        tf.train.export_meta_graph(prefix + ".meta", graph=graph)
    np.testing.assert_array_equal(logits_of(load(prefix), IMAGES, "net/" + INPUT, "net/" + LOGITS), wanted)


def test_moving_averages_are_taken_where_they_are_all_there_is(tmp_path):
    with net_session() as session, session.graph.as_default():
        wanted = session.run(LOGITS, {INPUT: IMAGES})
        averages = {v.op.name + "/ExponentialMovingAverage": v for v in tf.global_variables()}
        prefix = tf.train.Saver(averages).save(session, str(tmp_path / "averaged"), write_meta_graph=False)
    model = load(prefix, build=build_net)
    np.testing.assert_array_equal(logits_of(model), wanted)
    assert any("moving averages" in note for note in model.notes)


def test_object_based_checkpoint(tmp_path):
    with net_session() as session, session.graph.as_default():
        wanted = session.run(LOGITS, {INPUT: IMAGES})
        objects = {f"part{index}": variable for index, variable in enumerate(tf.global_variables())}
        prefix = tf.train.Checkpoint(**objects).save(str(tmp_path / "objects"), session=session)
    np.testing.assert_array_equal(logits_of(load(prefix, build=build_net)), wanted)


def test_first_checkpoint_format(tmp_path):
    with net_session() as session, session.graph.as_default():
        wanted = session.run(LOGITS, {INPUT: IMAGES})
        saver = tf.train.Saver(write_version=tf.train.SaverDef.V1)
        prefix = saver.save(session, str(tmp_path / "old.ckpt"))
    assert os.path.isfile(prefix)
    np.testing.assert_array_equal(logits_of(load(prefix)), wanted)


def test_newest_of_several_checkpoints(tmp_path):
    with net_session() as session, session.graph.as_default():
        saver = tf.train.Saver()
        for step in (9, 10):
            saver.save(session, str(tmp_path / "model"), global_step=step)
    (tmp_path / "checkpoint").unlink()
    assert load(tmp_path).source.endswith("model-10")


def test_a_checkpoint_that_was_moved(tmp_path):
    with net_session() as session:
        save_checkpoint(session, tmp_path)
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "/gone/with/the/trainer/model.ckpt-7"\n')
    assert load(tmp_path).source == str(tmp_path / "model.ckpt-7")
    assert load(tmp_path / "checkpoint").source == str(tmp_path / "model.ckpt-7")


@pytest.mark.parametrize("resource", [False, True])
def test_user_graph_and_session_stay_as_they_are(resource):
    with net_session(resource=resource, training=True) as session:
        session.graph.finalize()
        before = session.graph.as_graph_def()
        values = session.run(LOGITS, {INPUT: IMAGES})
        load(session)
        assert session.graph.as_graph_def() == before
        np.testing.assert_array_equal(session.run(LOGITS, {INPUT: IMAGES}), values)


def test_monitored_session_is_read_without_calling_its_hooks():
    class Count(tf.train.SessionRunHook):
        runs = 0

        def before_run(self, run_context):
            self.runs += 1

    hook = Count()
    with tf.Graph().as_default():
        build_net()
        with tf.train.MonitoredSession(hooks=[hook]) as session:
            wanted = session.run(LOGITS, {INPUT: IMAGES})
            model = load(session)
            assert hook.runs == 1
    np.testing.assert_array_equal(logits_of(model), wanted)


def test_given_graph_def_is_not_changed():
    with net_session() as session:
        given = freeze(session)
    given.node[0].device = "/gpu:7"
    before = given.SerializeToString(deterministic=True)
    load(given)
    assert given.SerializeToString(deterministic=True) == before


def test_live_graph_without_variables():
    with net_session() as session:
        wanted = session.run(LOGITS, {INPUT: IMAGES})
        frozen = freeze(session)
    graph = tf.Graph()
    with graph.as_default():
        tf.import_graph_def(frozen, name="")
    np.testing.assert_array_equal(logits_of(load(graph)), wanted)


def test_saved_model_tags_and_signatures(tmp_path):
    with net_session() as session:
        wanted = session.run(LOGITS, {INPUT: IMAGES})
        folder = save_saved_model(session, tmp_path / "a", tags=("gpu", "mine"), key="classify")
        untagged = save_saved_model(session, tmp_path / "b", tags=())
    for model in (load(folder), load(folder, tag="mine,gpu", signature="classify")):
        np.testing.assert_array_equal(logits_of(model), wanted)
        assert (model.inputs, model.outputs) == ((INPUT,), (LOGITS,))
    assert load(untagged, tag="").outputs == (LOGITS,)
    with pytest.raises(ModelFileError, match="no graph tagged 'serve,tpu'; tags found: 'gpu,mine'"):
        load(folder, tag="serve,tpu")
    with pytest.raises(ModelFileError, match="no signature 'detect'; signatures found: 'classify'"):
        load(folder, signature="detect")
