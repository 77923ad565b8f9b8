"""Ops that are unknown, touch files, run code or print are cut; the rest computes the same."""

from __future__ import annotations

import numpy as np
import pytest
from graphdef_nodes import FLOAT, X, make, node_of, run, small

from gradcam_tf1 import tf_runtime as runtime
from gradcam_tf1.errors import ModelFileError
from gradcam_tf1.graphdef.cleanup import clean
from gradcam_tf1.loaders import load
from gradcam_tf1.tf_runtime import tf


def test_unknown_op_after_the_net_is_left_out():
    graph_def = small()
    graph_def.node.add(name="boxes", op="Detection_PostProcess", input=["out"])
    graph_def.node.add(name="after", op="Identity", input=["boxes"]).attr["T"].type = FLOAT
    graph_def.node.add(name="done", op="NoOp", input=["^after"])
    (note,) = clean(graph_def)
    assert note.endswith("left out, with the nodes that depend on them (2 in all): Detection_PostProcess")
    assert not {node.name for node in graph_def.node} & {"boxes", "after", "done"}
    np.testing.assert_array_equal(run(graph_def), np.maximum(X, 0))


def test_unknown_op_inside_the_net():
    graph_def = small()
    node_of(graph_def, "act").op = "MyCudaRelu"
    with pytest.raises(ModelFileError, match=r"does not know the op MyCudaRelu \(node 'act'\), and the layer 'out'"):
        clean(graph_def)


def test_unknown_op_inside_a_function():
    def build(x):
        out = tf.map_fn(lambda row: row * 2, x)
        tf.nn.relu(x, name="act")
        tf.identity(out, name="after")

    tf.enable_control_flow_v2()
    try:
        graph_def = make(build)
    finally:
        if not runtime.IS_TF2:
            tf.disable_control_flow_v2()
    body = next(f for f in graph_def.library.function if any(node.op == "Mul" for node in f.node_def))
    next(node for node in body.node_def if node.op == "Mul").op = "Alien"
    model = load(graph_def)
    assert {"act", "x"} <= {node.name for node in model.graph_def.node}
    assert "after" not in {node.name for node in model.graph_def.node}
    assert not model.graph_def.library.function


def test_nothing_but_unknown_ops():
    graph_def = tf.GraphDef()
    graph_def.node.add(name="a", op="Alien")
    with pytest.raises(ModelFileError, match="without the unknown ops Alien the graph is empty"):
        clean(graph_def)


def test_files_are_not_touched(tmp_path):
    """A graph that would write a file when its output is run, and reads one before the net."""
    target = tmp_path / "written"
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")

    def build(x):
        write = tf.write_file(str(target), "hello")
        with tf.control_dependencies([write]):
            text = tf.read_file(str(secret), name="text")
            tf.add(x, tf.cast(tf.strings.length(text), tf.float32), name="out")

    model = load(make(build))
    assert "are replaced by placeholders: ReadFile (text)" in model.notes[0]
    got = run(model.graph_def, feed={"x:0": X, "text:0": b"abc"})
    np.testing.assert_array_equal(got, X + 3)
    assert not target.exists()
    with pytest.raises(tf.errors.InvalidArgumentError, match="text"):
        run(model.graph_def)


def test_code_of_the_author_is_not_run():
    called = []

    def build(x):
        first, second = tf.py_func(lambda value: (called.append(1), value), [x], [tf.int64, tf.float32], name="code")
        tf.add(second, tf.cast(first, tf.float32), name="out")

    graph_def = make(build)
    model = load(graph_def)
    got = run(model.graph_def, feed={"code:0": 2, "code/output_1:0": X})
    np.testing.assert_array_equal(got, X + 2)
    assert not called


def test_functions_that_touch_files_are_not_called():
    def build(x):
        files = tf.data.Dataset.from_tensors("name").map(tf.read_file)
        tf.add(x, tf.cast(tf.strings.length(tf.data.make_one_shot_iterator(files).get_next()), tf.float32), name="out")

    model = load(make(build))
    assert "OneShotIterator" in model.notes[0]
    assert "OneShotIterator" not in {node.op for node in model.graph_def.node}
    np.testing.assert_array_equal(run(model.graph_def, feed={"x:0": X, "IteratorGetNext:0": b"ab"}), X + 2)


def test_unused_file_ops_just_go():
    def build(x):
        tf.write_file("/nowhere/at/all", "x")
        tf.identity(x, name="out")

    model = load(make(build))
    assert model.notes == ("ops that touch files or run code left out: WriteFile",)
    np.testing.assert_array_equal(run(model.graph_def), X)


def test_print_is_silenced_and_assert_stays(capfd):
    def build(x):
        with tf.control_dependencies([tf.Assert(tf.reduce_all(x < 10), [x])]):
            tf.identity(tf.Print(tf.identity(x), [x], "\x1b]0;seen\x07"), name="out")

    model = load(make(build))
    np.testing.assert_array_equal(run(model.graph_def), X)
    assert "seen" not in capfd.readouterr().err
    with pytest.raises(tf.errors.InvalidArgumentError, match="assertion failed"):
        run(model.graph_def, feed={"x:0": X * 10})
