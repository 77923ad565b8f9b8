"""Each repair of NodeDefs: what it changes, what it notes, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
from graphdef_nodes import FLOAT, X, make, node_of, run, small

from gradcam_tf1 import tf_runtime as runtime
from gradcam_tf1.errors import ModelFileError
from gradcam_tf1.graphdef.cleanup import clean
from gradcam_tf1.loaders import load
from gradcam_tf1.tf_runtime import tf


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
        load(graph_def)


@pytest.mark.parametrize("text", ["lost", "lost:1", "^lost"])
def test_inputs_from_nowhere(text):
    graph_def = small()
    node_of(graph_def, "out").input.append(text)
    with pytest.raises(ModelFileError, match=r"node 'out' \(MatMul\) takes its input from 'lost', which is not"):
        load(graph_def)


def test_graph_from_the_future():
    graph_def = small()
    graph_def.versions.min_consumer = 99999
    with pytest.raises(ModelFileError, match="needs graph version 99999, TensorFlow .* has"):
        load(graph_def)


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
    """A saved guided ReLU: without the repair, tf.gradients raises a LookupError."""
    graph_def = small()
    node_of(graph_def, "act").attr["_gradient_op_type"].s = b"SomebodysGuidedRelu"
    assert clean(graph_def) == ("gradient overrides removed: SomebodysGuidedRelu",)
    with tf.Graph().as_default() as graph, tf.Session(graph=graph) as session:
        x, out = tf.import_graph_def(graph_def, name="", return_elements=["x:0", "out:0"])
        np.testing.assert_array_equal(session.run(tf.gradients(out, x)[0], {x: X}), [[1, 0, 1]])


def old_batch_norm():
    """A frozen batch norm with references: RefSwitch on a constant, AssignSub, reference types."""
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
    assert model.notes == ("references to variables turned into values: 3",)
    types = {node.name: node.op for node in model.graph_def.node}
    assert (types["switch"], types["update"], types["merge"]) == ("Switch", "Sub", "Merge")
    np.testing.assert_array_equal(run(model.graph_def, feed={"x:0": X, "training:0": False}), X + 2)
    np.testing.assert_array_equal(run(model.graph_def, feed={"x:0": X, "training:0": True}), X + 0)


def test_placeholder_of_a_version_that_was_removed():
    graph_def = small()
    node_of(graph_def, "x").op = "PlaceholderV2"
    with pytest.raises(tf.errors.UnimplementedError, match="PlaceholderV2"):
        run(graph_def)
    np.testing.assert_array_equal(run(load(graph_def).graph_def), np.maximum(X, 0))


def test_global_normalisation_of_the_first_inception():
    """An op of 2015, removed in graph version 9: the version in the file keeps it valid."""
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


@pytest.mark.parametrize("edge", ["x:²", "x:٣", "x:-1"])
def test_an_output_that_no_op_has_is_refused(edge):
    """A number of another script, or one that is no number to int(), is a name that the graph lacks, and no crash."""
    graph_def = small()
    user = next(node for node in graph_def.node if "x" in list(node.input))
    user.input[list(user.input).index("x")] = edge
    with pytest.raises(ModelFileError):
        load(graph_def)
