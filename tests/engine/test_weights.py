"""Large weights go into variables and nothing else changes: names, logits, gradients, the GraphDef that was given."""

from __future__ import annotations

import weakref

import numpy as np
import pytest

from gradcam_tf1.engine import bound_net, live_session
from gradcam_tf1.engine.broken_weights import WeightCheck
from gradcam_tf1.engine.graph_import import open_sessions
from gradcam_tf1.engine.large_weights import put_weights, take_out_weights
from gradcam_tf1.errors import ModelFileError
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.graphdef.large_constants import MIN_BYTES, is_weight
from gradcam_tf1.loaders import load
from gradcam_tf1.tf_runtime import tf


def net(dtype=np.float32):
    """conv - relu - flatten - large dense - relu - dense, the large kernel of just MIN_BYTES."""
    random = np.random.RandomState(0)
    width = MIN_BYTES // (8 * 8 * 4 * np.dtype(dtype).itemsize)
    graph = tf.Graph()
    with graph.as_default():
        x = tf.placeholder(dtype, [None, 8, 8, 3], name="input")
        a = tf.nn.relu(tf.nn.conv2d(x, random.randn(3, 3, 3, 4).astype(dtype), [1, 1, 1, 1], "SAME"), name="features")
        kernel = tf.constant((random.randn(256, width) / 16).astype(dtype), name="kernel")
        hidden = tf.nn.relu(tf.matmul(tf.reshape(a, [-1, 256]), kernel))
        logits = tf.matmul(hidden, (random.randn(width, 5) / 30).astype(dtype), name="logits")
        tf.nn.softmax(logits, name="prob")
    return graph.as_graph_def()


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_logits_and_maps_are_those_of_the_constants(dtype):
    graph_def = net(dtype)
    before = graph_def.SerializeToString(deterministic=True)
    images = np.random.RandomState(1).randint(0, 256, (2, 8, 8, 3)).astype(np.uint8)
    with tf.Graph().as_default() as graph, tf.Session() as sess:
        tf.import_graph_def(graph_def, name="")
        logits = graph.get_tensor_by_name("logits:0")
        grads = tf.gradients(logits[:, 3], graph.get_tensor_by_name("input:0"))[0]
        expected = sess.run([logits, grads], {"input:0": images / 127.5 - 1})
    with GradCamGraph(graph_def, preset="inception") as ours:
        assert ours.graph.get_operation_by_name("kernel").type == "ReadVariableOp"
        explanation = ours.explain(images, 3, methods=["gradient", "gradcam", "positive_negative"])
    tolerance = 1e-5 if dtype == np.float32 else 1e-2
    np.testing.assert_allclose(explanation.scores[:, 0], expected[0][:, 3], atol=tolerance)
    np.testing.assert_allclose(explanation["gradient"][:, 0], expected[1], atol=tolerance)
    assert graph_def.SerializeToString(deterministic=True) == before


def test_what_is_small_or_no_float_or_inside_a_loop_stays_a_constant():
    graph = tf.Graph()
    with graph.as_default():
        tf.constant(np.zeros(MIN_BYTES // 4 - 1, np.float32), name="small")
        tf.constant(1.0, shape=[MIN_BYTES], name="one_value_for_all")
        tf.constant(np.arange(MIN_BYTES, dtype=np.int64), name="whole_numbers")
        with tf.control_dependencies([tf.no_op()]):
            tf.constant(np.random.rand(MIN_BYTES).astype(np.float32), name="in_a_loop")
        tf.constant(np.random.rand(MIN_BYTES // 4).astype(np.float32), name="large")
    light, weights = take_out_weights(graph.as_graph_def())
    assert {node.name: node.op for node in light.node if node.op not in ("NoOp", "VarHandleOp")} == {
        "small": "Const",
        "one_value_for_all": "Const",
        "whole_numbers": "Const",
        "in_a_loop": "Const",
        "large": "ReadVariableOp",
    }
    assert len(weights) == 1


def test_two_sessions_of_one_net_do_not_share_their_variables():
    first, second = net(), net()
    for node in second.node:
        if node.name == "kernel":
            kernel = tf.make_ndarray(node.attr["value"].tensor)
            node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(2 * kernel))
    sessions = [open_sessions(*take_out_weights(graph_def), "net")[0] for graph_def in (first, second)]
    values = [sess.run("kernel:0") for sess in sessions]
    for sess in sessions:
        sess.close()
    np.testing.assert_array_equal(values[1], 2 * values[0])


def test_a_constant_of_a_damaged_file_is_no_weight():
    assert not is_weight(tf.NodeDef(name="c", op="Const"))  # without a dtype


def test_a_constant_that_is_declared_as_a_handle_is_no_weight_and_is_refused():
    graph_def = net()
    node = next(node for node in graph_def.node if node.name == "kernel")
    node.attr["dtype"].type = tf.resource.as_datatype_enum
    assert not is_weight(node)
    with pytest.raises(ModelFileError, match="kernel"):
        GradCamGraph(graph_def, preset="raw")


def test_weights_are_read_for_nan_once_and_after_each_change():
    (sess,) = open_sessions(*take_out_weights(net(), ["kernel"]), "net")
    made = []

    def read():
        made.append(None)
        return [sess.graph.get_tensor_by_name("kernel:0")]

    check = WeightCheck(sess, read)
    kernel = sess.run("kernel:0")
    assert [check(), check(), len(made)] == [False, False, 1]
    sess.assign({"kernel": np.full_like(kernel, np.nan)})
    assert [check(), check(), len(made)] == [True, True, 2]
    sess.assign({"kernel": kernel})
    assert [check(), check(), len(made)] == [False, False, 3]
    sess.close()


def test_the_weights_are_let_go_one_by_one_and_devices_get_the_same():
    light, weights = take_out_weights(net())
    kernel = next(iter(weights.values())).copy()
    sessions = open_sessions(light, weights, "net", devices=["/cpu:0", "/cpu:0"])
    assert weights == {}
    for sess in sessions:
        np.testing.assert_array_equal(sess.run("kernel:0"), kernel)
        sess.close()


def test_a_loaded_model_can_be_opened_again():
    loaded = load(net())
    for _ in range(2):
        with GradCamGraph(loaded, preset="raw") as ours:
            assert ours.model.graph_def is None
            kernel = ours.sess.run("kernel:0")
    node = next(node for node in loaded.graph_def.node if node.name == "kernel")
    np.testing.assert_array_equal(tf.make_ndarray(node.attr["value"].tensor), kernel)


def test_the_graph_def_is_gone_before_the_first_variable_is_set(monkeypatch):
    alive, seen = [], []

    def loading(_):
        loaded = load(net())
        alive.append(weakref.ref(loaded))
        return loaded

    def putting(sess, weights, fillers):
        seen.append(alive[0]())
        put_weights(sess, weights, fillers)

    monkeypatch.setattr(bound_net, "load_apart", loading)
    monkeypatch.setattr(live_session, "put_weights", putting)
    GradCamGraph("net.pb", preset="raw").close()
    assert seen == [None]
