"""Damaged, oversized and hostile graphs are refused by name before anything is built."""

from __future__ import annotations

import pytest
from hostile_nets import function_graph, hostile_graph, plain

from gradcam_tf1 import tf_runtime as runtime
from gradcam_tf1.errors import ModelFileError
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.loaders import load
from gradcam_tf1.tf_runtime import tf


def node(graph_def, name):
    return next(node for node in graph_def.node if node.name == name)


def test_a_circle_is_refused():
    graph_def = plain()
    node(graph_def, "features").input[0] = "logits"
    with pytest.raises(ModelFileError, match="the graph is circular, .*'features'.*: such a graph cannot be computed"):
        load(graph_def)
    graph_def = plain()
    node(graph_def, "nothing").input.append("^logits")
    with pytest.raises(ModelFileError, match="circular"):
        load(graph_def)


def test_a_loop_is_no_circle():
    with tf.Graph().as_default() as graph:
        tf.disable_control_flow_v2()
        try:
            tf.while_loop(lambda n: n < 3, lambda n: n + 1, [tf.placeholder(tf.int32, [], "n")], name="loop")
        finally:
            if runtime.IS_TF2:
                tf.enable_control_flow_v2()
    assert "NextIteration" in {node.op for node in load(graph.as_graph_def()).graph_def.node}


def test_functions_that_call_themselves():
    graph_def = function_graph()
    body = graph_def.library.function[0]
    call = next(node for node in graph_def.node if node.op == "PartitionedCall")
    body.node_def[0].CopyFrom(call)
    body.node_def[0].name, body.node_def[0].input[:] = "n", ["x"]
    with pytest.raises(ModelFileError, match="functions call themselves, 'f' <- 'f'"):
        load(graph_def)


def test_damaged_functions():
    graph_def = function_graph()
    body = graph_def.library.function[0]
    body.node_def.add().CopyFrom(body.node_def[0])
    with pytest.raises(ModelFileError, match="in the function 'f' a node name occurs more than once"):
        load(graph_def)
    body.node_def[1].name, body.node_def[0].input[0], body.node_def[1].input[0] = "m", "m:output:0", "n:output:0"
    with pytest.raises(ModelFileError, match="the function 'f' is circular"):
        load(graph_def)
    graph_def.library.function.add().CopyFrom(body)
    with pytest.raises(ModelFileError, match="the function 'f' is defined more than once"):
        load(graph_def)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ([2**40], r"more than the 2 GB that a graph can hold"),
        ([2**62, 2**62], r"more than the 2 GB"),
        ([-1], r"has no definite shape \(\[-1\]\)"),
        ([1] * 300, "has no definite shape"),
        ([3, 3, 3, 5], "needs 540 bytes and holds 432"),
    ],
)
def test_constants_of_absurd_shapes(sizes, message):
    graph_def = plain()
    kernel = next(node for node in graph_def.node if node.op == "Const")
    del kernel.attr["value"].tensor.tensor_shape.dim[:]
    for size in sizes:
        kernel.attr["value"].tensor.tensor_shape.dim.add().size = size
    with pytest.raises(ModelFileError, match=message):
        load(graph_def)


def test_constants_that_are_none():
    graph_def = plain()
    kernel = next(node for node in graph_def.node if node.op == "Const")
    for dtype, message in ((20, "is a handle"), (250, "has no dtype that this TensorFlow knows")):
        kernel.attr["value"].tensor.Clear()
        kernel.attr["value"].tensor.dtype = dtype
        with pytest.raises(ModelFileError, match=message):
            load(graph_def)
    del kernel.attr["value"]
    with pytest.raises(ModelFileError, match="is a constant without a value"):
        load(graph_def)


def test_inputs_that_do_not_fit_their_op():
    graph_def = plain()
    node(graph_def, "features").input.append("images")
    with pytest.raises(ModelFileError, match=r"node 'features' \(Relu\) has 2 inputs, the op takes 1"):
        load(graph_def)
    graph_def = plain()
    node(graph_def, "features").input.insert(0, "^images")
    with pytest.raises(ModelFileError, match=r"node 'features' \(Relu\) has control inputs before its data inputs"):
        load(graph_def)


def test_ops_that_make_giants_are_refused_before_they_are_run():
    def giant(*_):
        return tf.fill(tf.constant([2**40], tf.int64), 1.0, name="huge")

    with pytest.raises(ModelFileError, match=r"'huge' \(Fill\) would make a tensor of 1,099,511,627,776 numbers"):
        GradCamGraph(hostile_graph(giant, "", "", False))


def test_a_giant_image_is_refused():
    graph_def = plain()
    for place in (1, 2):
        node(graph_def, "images").attr["shape"].shape.dim[place].size = 2**20
    with pytest.raises(ModelFileError, match=r"'images:0' \(Placeholder\) would have the shape"):
        GradCamGraph(graph_def)


def test_attributes_that_are_not_as_their_op_has_them():
    graph_def = function_graph()
    handle = graph_def.node.add(name="variable", op="VarHandleOp")
    handle.attr["dtype"].type = 1
    handle.attr["shape"].shape.dim.add().size = 3
    call = next(node for node in graph_def.node if node.op == "PartitionedCall")
    call.input.insert(1, "variable")
    del call.attr["Tin"]
    with pytest.raises(ModelFileError, match=r"(the graph is damaged \(IndexError|not frozen|has 2 inputs)"):
        load(graph_def)
