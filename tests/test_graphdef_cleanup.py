"""Each repair on NodeDefs: what it mends, what it notes, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

from gradcam_tf1 import tf_runtime as runtime
from gradcam_tf1.errors import ModelFileError
from gradcam_tf1.graphdef.attributes import drop_unknown, file_defaults
from gradcam_tf1.graphdef.cleanup import clean
from gradcam_tf1.loaders import load
from gradcam_tf1.tf_runtime import tf

FLOAT = 1
X = np.float32([[1, -2, 3]])


def make(build):
    """The GraphDef of what `build` makes from a placeholder x [?, 3]."""
    with tf.Graph().as_default() as graph:
        build(tf.placeholder(tf.float32, [None, 3], "x"))
    return graph.as_graph_def()


def small():
    return make(lambda x: tf.matmul(tf.nn.relu(x, name="act"), tf.constant(np.eye(3, dtype=np.float32)), name="out"))


def node_of(graph_def, name):
    return next(node for node in graph_def.node if node.name == name)


def run(graph_def, fetch="out:0", feed=None):
    with tf.Graph().as_default() as graph, tf.Session(graph=graph) as session:
        tf.import_graph_def(graph_def, name="")
        return session.run(fetch, {"x:0": X} if feed is None else feed)


def test_nothing_to_repair_nothing_to_note():
    graph_def = small()
    before = graph_def.SerializeToString(deterministic=True)
    assert clean(graph_def) == ()
    assert graph_def.SerializeToString(deterministic=True) == before


def test_no_nodes():
    with pytest.raises(ModelFileError, match="the graph has no nodes"):
        load(tf.GraphDef())


def test_names_used_twice():
    graph_def = small()
    graph_def.node.add().CopyFrom(node_of(graph_def, "act"))
    with pytest.raises(ModelFileError, match="1 node names occur more than once, the first is 'act'"):
        clean(graph_def)


@pytest.mark.parametrize("text", ["lost", "lost:1", "^lost"])
def test_inputs_from_nowhere(text):
    graph_def = small()
    node_of(graph_def, "out").input.append(text)
    with pytest.raises(ModelFileError, match=r"node 'out' \(MatMul\) takes its input from 'lost', which is not"):
        clean(graph_def)


def test_graph_from_the_future():
    graph_def = small()
    graph_def.versions.min_consumer = 99999
    with pytest.raises(ModelFileError, match="asks for graph version 99999, TensorFlow .* has"):
        clean(graph_def)


def test_devices_colocation_and_recorded_shapes():
    graph_def = small()
    act = node_of(graph_def, "act")
    act.device = "/job:trainer/gpu:7"
    act.attr["_class"].list.s.append(b"loc:@gone/away")
    act.attr["_output_shapes"].list.shape.add().dim.add().size = 99
    assert clean(graph_def) == ()
    assert act.device == ""
    assert not set(act.attr) & {"_class", "_output_shapes"}
    np.testing.assert_array_equal(run(graph_def), np.maximum(X, 0))


def test_gradient_overrides_of_other_programs():
    """Somebody's saved guided ReLU: without the repair, tf.gradients ends in a LookupError."""
    graph_def = small()
    node_of(graph_def, "act").attr["_gradient_op_type"].s = b"SomebodysGuidedRelu"
    assert clean(graph_def) == ("gradient overrides removed: SomebodysGuidedRelu",)
    with tf.Graph().as_default() as graph, tf.Session(graph=graph) as session:
        x, out = tf.import_graph_def(graph_def, name="", return_elements=["x:0", "out:0"])
        np.testing.assert_array_equal(session.run(tf.gradients(out, x)[0], {x: X}), [[1, 0, 1]])


def old_batch_norm():
    """What freezing leaves of a batch norm with references: RefSwitch on a constant, AssignSub, reference types."""
    graph_def = make(lambda x: tf.add(x, tf.constant([2.0, 2, 2], name="mean"), name="unused"))
    del graph_def.node[-1]
    training = graph_def.node.add(name="training", op="Placeholder")
    training.attr["dtype"].type = 10
    switch = graph_def.node.add(name="switch", op="RefSwitch", input=["mean", "training"])
    switch.attr["T"].type = FLOAT
    delta = graph_def.node.add(name="delta", op="Const")
    delta.CopyFrom(node_of(graph_def, "mean"))
    delta.name = "delta"
    update = graph_def.node.add(name="update", op="AssignSub", input=["switch:1", "delta"])
    update.attr["T"].type = FLOAT
    update.attr["use_locking"].b = False
    update.attr["_class"].list.s.append(b"loc:@mean")
    still = graph_def.node.add(name="still", op="Identity", input=["switch"])
    still.attr["T"].type = FLOAT + 100
    merge = graph_def.node.add(name="merge", op="RefMerge", input=["update", "still"])
    merge.attr["T"].type, merge.attr["N"].i = FLOAT, 2
    out = graph_def.node.add(name="out", op="Add", input=["x", "merge"])
    out.attr["T"].type = FLOAT
    return graph_def


def test_references_left_by_freezing():
    model = load(old_batch_norm())
    assert model.notes == ("references to variables made values: 3",)
    types = {node.name: node.op for node in model.graph_def.node}
    assert (types["switch"], types["update"], types["merge"]) == ("Switch", "Sub", "Merge")
    np.testing.assert_array_equal(run(model.graph_def, feed={"x:0": X, "training:0": False}), X + 2)
    np.testing.assert_array_equal(run(model.graph_def, feed={"x:0": X, "training:0": True}), X + 0)


def test_unknown_attributes_at_their_defaults():
    graph_def = small()
    act, out = node_of(graph_def, "act"), node_of(graph_def, "out")
    act.attr["explicit_paddings"].list.SetInParent()
    act.attr["bad_indices_policy"].s = b""
    out.attr["index_type"].type = 3
    out.attr["exponential_avg_factor"].f = 1.0
    notes = clean(graph_def)
    assert notes == (
        "attributes of a newer TensorFlow, at their defaults, removed: MatMul.exponential_avg_factor, "
        "MatMul.index_type, Relu.bad_indices_policy, Relu.explicit_paddings",
    )
    np.testing.assert_array_equal(run(graph_def), np.maximum(X, 0))


@pytest.mark.parametrize(("name", "field", "value"), [("explicit_paddings", "i", 3), ("from_the_future", "b", False)])
def test_unknown_attributes_with_a_meaning(name, field, value):
    graph_def = small()
    setattr(node_of(graph_def, "act").attr[name], field, value)
    message = rf"node 'act': TensorFlow .* does not know the attribute '{name}' of op Relu, set to {field}: .*wrongly"
    with pytest.raises(ModelFileError, match=message):
        clean(graph_def)


def test_harmless_values_of_unknown_attributes():
    """Averaging of batch statistics in a batch norm that uses none; an error that would be an answer."""
    node = tf.NodeDef(name="norm", op="Relu")
    node.attr["is_training"].b = False
    node.attr["exponential_avg_factor"].f = 0.1
    node.attr["incompatible_shape_error"].b = False
    known = tf.NodeDef(name="norm", op="Relu6")
    known.attr["exponential_avg_factor"].f = 0.1
    with pytest.raises(ModelFileError, match="does not know the attribute 'is_training'"):
        drop_unknown([node], {})
    with pytest.raises(ModelFileError, match="'exponential_avg_factor' of op Relu6"):
        drop_unknown([known], {})


def test_defaults_that_the_file_itself_states():
    meta = tf.MetaGraphDef()
    operation = meta.meta_info_def.stripped_op_list.op.add(name="Relu")
    attribute = operation.attr.add(name="from_the_future")
    attribute.default_value.i = 5
    defaults = file_defaults(meta.meta_info_def.stripped_op_list)
    for value, kept in ((5, False), (6, True)):
        graph_def = small()
        node_of(graph_def, "act").attr["from_the_future"].i = value
        if kept:
            with pytest.raises(ModelFileError, match="from_the_future"):
                clean(graph_def, defaults)
        else:
            clean(graph_def, defaults)
            np.testing.assert_array_equal(run(graph_def), np.maximum(X, 0))


def test_unknown_op_after_the_net_is_left_out():
    graph_def = small()
    graph_def.node.add(name="boxes", op="TFLite_Detection_PostProcess", input=["out"])
    graph_def.node.add(name="after", op="Identity", input=["boxes"]).attr["T"].type = FLOAT
    graph_def.node.add(name="done", op="NoOp", input=["^after"])
    (note,) = clean(graph_def)
    assert note.endswith("left out, with what depends on them (2 nodes): TFLite_Detection_PostProcess")
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
    with pytest.raises(ModelFileError, match="nothing is left of the graph without the unknown ops Alien"):
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
    assert "placeholders stand in their place: ReadFile (text)" in model.notes[0]
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


def test_placeholder_of_a_version_that_was_removed():
    graph_def = small()
    node_of(graph_def, "x").op = "PlaceholderV2"
    with pytest.raises(tf.errors.UnimplementedError, match="PlaceholderV2"):
        run(graph_def)
    np.testing.assert_array_equal(run(load(graph_def).graph_def), np.maximum(X, 0))


def test_global_normalisation_of_the_first_inception():
    """The op of the 2015 graphs, gone since graph version 9: the version in the file keeps it alive."""
    graph_def = tf.GraphDef()
    graph_def.versions.producer = 8
    graph_def.node.add(name="x", op="Placeholder").attr["dtype"].type = FLOAT
    values = {"m": [1.0, 2], "v": [3.0, 4], "beta": [0.5, 0.25], "gamma": [2.0, 3]}
    for name, value in values.items():
        constant = graph_def.node.add(name=name, op="Const")
        constant.attr["dtype"].type = FLOAT
        constant.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value, tf.float32))
    norm = graph_def.node.add(name="out", op="BatchNormWithGlobalNormalization", input=["x", "m", "v", "beta", "gamma"])
    norm.attr["T"].type = FLOAT
    norm.attr["variance_epsilon"].f = 0.001
    norm.attr["scale_after_normalization"].b = True
    model = load(graph_def)
    image = np.random.RandomState(0).rand(1, 3, 3, 2).astype(np.float32)
    m, v, beta, gamma = (np.float32(values[name]) for name in ("m", "v", "beta", "gamma"))
    wanted = (image - m) / np.sqrt(v + 0.001) * gamma + beta
    np.testing.assert_allclose(run(model.graph_def, feed={"x:0": image}), wanted, rtol=1e-5)


def test_every_registered_op_is_found():
    assert runtime.op_definition("Conv2D").name == "Conv2D"
    assert runtime.op_definition("NoSuchOp") is None
