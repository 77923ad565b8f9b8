"""Variables are folded through control flow, functions and gathers; training ops are cut, the net is not."""

from __future__ import annotations

import numpy as np
import pytest
from loader_nets import IMAGES, INPUT, LOGITS, build_net, control_flow, logits_of, net_session, op_types

from gradcam_tf1.errors import ModelFileError
from gradcam_tf1.graphdef import fold_variables as folding
from gradcam_tf1.graphdef.restore_ops import parse_slices
from gradcam_tf1.graphdef.training_ops import cut_training
from gradcam_tf1.loaders import load
from gradcam_tf1.tf_runtime import tf

HANDLES = {"VariableV2", "VarHandleOp", "ReadVariableOp", "ResourceGather", "RefSwitch", "RefEnter", "VariableShape"}
VECTORS = np.random.RandomState(5).rand(2, 3).astype(np.float32)


def variable(name, shape, resource):
    start = np.random.RandomState(len(name)).randn(*shape).astype(np.float32)
    return tf.get_variable(name, initializer=start, use_resource=resource)


def conditional(images, resource):
    kernel, bias = variable("kernel", [3, 4], resource), variable("bias_two", [4], resource)
    training = tf.placeholder_with_default(False, [], "training")
    return tf.cond(
        training, lambda: tf.matmul(images, kernel) * 7, lambda: tf.nn.relu(tf.matmul(images, kernel) + bias) - bias
    )


def nested_conditional(images, resource):
    kernel = variable("kernel", [3, 4], resource)
    flag = tf.placeholder_with_default(False, [], "training")

    def inner():
        return tf.cond(tf.logical_not(flag), lambda: tf.matmul(images, kernel), lambda: tf.matmul(images, kernel) * 9)

    return tf.cond(flag, lambda: tf.zeros([2, 4]), inner)


def loop(images, resource):
    kernel, step = variable("kernel", [3, 3], resource), variable("step", [3], resource)

    def body(index, state):
        return index + 1, tf.tanh(tf.matmul(state, kernel) + step)

    return tf.while_loop(lambda index, _: index < 4, body, [tf.constant(0), images])[1]


def two_calls_of_one_function(images, resource):
    first, second = variable("a", [3, 4], resource), variable("ab", [3, 4], resource)
    flag = tf.placeholder_with_default(True, [], "training")

    def either(kernel):
        return tf.cond(flag, lambda: tf.matmul(images, kernel), lambda: -tf.matmul(images, kernel))

    return either(first) + 2 * either(second) + either(first)


def gather(images, resource):
    table = variable("table", [10, 4], resource)
    rows = tf.nn.embedding_lookup(table, tf.cast(images[:, 0] * 9, tf.int32))
    return rows + tf.gather_nd(table, tf.cast(images[:, :1] * 9, tf.int32)) * tf.cast(tf.shape(table)[0], tf.float32)


def handle_through_identity(images, resource):
    kernel = variable("kernel", [3, 4], resource)
    if resource:
        handle = tf.identity(kernel.handle)
        kernel = tf.raw_ops.ReadVariableOp(resource=handle, dtype=tf.float32)
    return tf.matmul(images, kernel)


def handle_through_loop(images, resource):
    """The handle itself is a loop variable, and is read from the output of the loop."""
    kernel = variable("kernel", [3, 4], resource)
    if resource:
        rounds = tf.while_loop(
            lambda index, _: index < 3, lambda index, handle: [index + 1, handle], [0, kernel.handle]
        )
        kernel = tf.raw_ops.ReadVariableOp(resource=rounds[1], dtype=tf.float32)
    return tf.matmul(images, kernel)


NETS = [
    conditional,
    nested_conditional,
    loop,
    two_calls_of_one_function,
    gather,
    handle_through_identity,
    handle_through_loop,
]


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("resource", [False, True], ids=["reference", "resource"])
@pytest.mark.parametrize("net", NETS, ids=lambda net: net.__name__)
def test_values_follow_their_handles(net, resource, version):
    graph = tf.Graph()
    with control_flow(version), graph.as_default(), tf.Session(graph=graph) as session:
        images = tf.placeholder(tf.float32, [2, 3], "images")
        tf.identity(net(images, resource), name="out")
        session.run(tf.global_variables_initializer())
        wanted = session.run("out:0", {images: VECTORS})
        model = load(session)
    inner = {node.op for function in model.graph_def.library.function for node in function.node_def}
    assert not (op_types(model) | inner) & HANDLES
    np.testing.assert_array_equal(logits_of(model, VECTORS, logits="out:0"), wanted)


def test_function_that_returns_what_it_read():
    """A body without TensorFlow's usual identity: the name of the read's output changes in `ret`, too."""
    graph_def = tf.GraphDef()
    function = graph_def.library.function.add()
    function.signature.name = "read_it"
    function.signature.input_arg.add(name="handle", type=tf.resource.as_datatype_enum)
    function.signature.output_arg.add(name="value", type=tf.float32.as_datatype_enum)
    function.node_def.add(name="read", op="ReadVariableOp", input=["handle"]).attr["dtype"].type = 1
    function.ret["value"] = "read:value:0"
    handle = graph_def.node.add(name="kernel", op="VarHandleOp")
    handle.attr["dtype"].type = 1
    handle.attr["shape"].shape.dim.add().size = 3
    call = graph_def.node.add(name="out", op="PartitionedCall", input=["kernel"])
    call.attr["f"].func.name = "read_it"
    call.attr["Tin"].list.type.append(tf.resource.as_datatype_enum)
    call.attr["Tout"].list.type.append(1)
    folding.fold(graph_def, lambda names: {"kernel": np.float32([1, 2, 3])})
    with tf.Graph().as_default() as graph, tf.Session(graph=graph) as session:
        tf.import_graph_def(graph_def, name="")
        np.testing.assert_array_equal(session.run("out:0"), [1, 2, 3])


def test_gradients_pass_through_the_folded_control_flow():
    """The gradient with respect to the input, computed by hand."""
    graph = tf.Graph()
    with control_flow(2), graph.as_default(), tf.Session(graph=graph) as session:
        images = tf.placeholder(tf.float32, [2, 3], "images")
        tf.identity(conditional(images, True), name="out")
        session.run(tf.global_variables_initializer())
        model = load(session)
        kernel, bias = session.run(["kernel/Read/ReadVariableOp:0", "bias_two/Read/ReadVariableOp:0"])
    wanted = (VECTORS @ kernel + bias > 0).astype(np.float32) @ kernel.T
    with tf.Graph().as_default() as copy, tf.Session(graph=copy) as session:
        tf.import_graph_def(model.graph_def, name="")
        images, out = copy.get_tensor_by_name("images:0"), copy.get_tensor_by_name("out:0")
        np.testing.assert_allclose(session.run(tf.gradients(out, images)[0], {images: VECTORS}), wanted, rtol=1e-6)


def test_cut_keeps_a_net_that_feeds_only_its_loss():
    """All ops above the logits are removed with the optimiser; the logits stay."""
    with net_session(training=True) as session:
        graph_def = session.graph.as_graph_def()
    cut_training(graph_def)
    names = {node.name for node in graph_def.node}
    assert {"images", "conv/relu", "head/logits", "labels"} <= names
    assert not {name for name in names if name.startswith(("gradients/", "Adam", "save/"))}


def test_cut_keeps_gradients_that_are_an_output():
    graph = tf.Graph()
    with graph.as_default():
        images, logits = build_net()
        tf.identity(tf.gradients(logits[:, 1], images)[0], name="saliency")
    graph_def = graph.as_graph_def()
    cut_training(graph_def)
    assert {"saliency", "gradients/conv/conv_grad/Conv2DBackpropInput"} <= {node.name for node in graph_def.node}


@pytest.mark.parametrize(("assign", "factor"), [(tf.assign, 1), (tf.assign_add, 3), (tf.assign_sub, -1)])
def test_assigned_value_that_the_net_goes_on_with(assign, factor):
    """Batch norm in training mode reads the value that it wrote: v, then v + 2v, here with v = 2."""
    graph = tf.Graph()
    with graph.as_default(), tf.Session(graph=graph) as session:
        images = tf.placeholder(tf.float32, [2, 3], "images")
        mean = tf.get_variable("mean", initializer=np.float32([2, 2, 2]), use_resource=False)
        delta = {1: 2.0, 3: 4.0, -1: 4.0}[factor]
        tf.add(images, assign(mean, tf.fill([3], delta)), name="out")
        session.run(tf.global_variables_initializer())
        model = load(session)
    np.testing.assert_allclose(logits_of(model, VECTORS, logits="out:0"), VECTORS + 2 * factor)


def test_question_whether_a_variable_is_initialised():
    graph = tf.Graph()
    with graph.as_default(), tf.Session(graph=graph) as session:
        images = tf.placeholder(tf.float32, [2, 3], "images")
        scale = tf.get_variable("scale", initializer=np.float32(3), use_resource=False)
        ready = tf.cast(tf.is_variable_initialized(scale), tf.float32)
        tf.multiply(images, ready * scale, name="out")
        session.run(tf.global_variables_initializer())
        model = load(session)
    np.testing.assert_array_equal(logits_of(model, VECTORS, logits="out:0"), VECTORS * 3)


def test_values_that_do_not_fit_their_variable():
    with tf.Graph().as_default() as graph:
        build_net()
    graph_def = graph.as_graph_def()
    with pytest.raises(ModelFileError, match=r"'conv/kernel' has shape \(3, 3\), the graph expects \(3, 3, 3, 8\)"):
        folding.fold(graph_def, lambda names: {"conv/kernel": np.zeros((3, 3), np.float32)})
    with pytest.raises(ModelFileError, match="'conv/kernel' is float64, the graph expects float32"):
        folding.fold(graph.as_graph_def(), lambda names: {"conv/kernel": np.zeros((3, 3, 3, 8))})


def test_first_version_of_the_variable_op_has_no_unknown_shape():
    graph_def = tf.GraphDef()
    variable = graph_def.node.add(name="v", op="Variable")
    variable.attr["dtype"].type = 1
    variable.attr["shape"].shape.SetInParent()
    graph_def.node.add(name="out", op="Identity", input=["v"]).attr["T"].type = 1
    graph_def.node.add(name="after", op="Identity", input=["out"]).attr["T"].type = 1
    assert folding.fold(graph_def, lambda names: {"v": np.float32([1, 2])}) == ()
    assert list(tf.make_ndarray(graph_def.node[0].attr["value"].tensor)) == [1, 2]


def test_weights_over_two_gigabytes():
    class Huge(np.ndarray):
        nbytes = 2**31

    with tf.Graph().as_default() as graph:
        build_net()
    value = np.zeros((3, 3, 3, 8), np.float32).view(Huge)
    with pytest.raises(ModelFileError, match="the weights exceed 2 GB"):
        folding.fold(graph.as_graph_def(), lambda names: {"conv/kernel": value})


def test_variables_of_other_types():
    graph = tf.Graph()
    with graph.as_default(), tf.Session(graph=graph) as session:
        words = tf.get_variable("words", initializer=["a", "bc"], use_resource=False)
        half = tf.get_variable("half", initializer=np.float16([1.5]))
        flag = tf.get_variable("flag", initializer=True)
        scalar = tf.get_variable("scalar", initializer=np.int64(3))
        for variable in (words, half, flag, scalar):
            tf.identity(tf.identity(variable), name=variable.op.name + "_out")
        session.run(tf.global_variables_initializer())
        model = load(session)
    with tf.Graph().as_default() as copy, tf.Session(graph=copy) as session:
        tf.import_graph_def(model.graph_def, name="")
        got = session.run(["words_out:0", "half_out:0", "flag_out:0", "scalar_out:0"])
    assert list(got[0]) == [b"a", b"bc"]
    assert (got[1].dtype, got[1][0], got[2], got[3]) == (np.float16, 1.5, True, 3)


def test_slices_of_partitioned_variables():
    assert parse_slices("") is None
    assert parse_slices("30 10 0,10:-") == (slice(0, 10), slice(None))
    assert parse_slices("8 4,4") == (slice(4, 8),)


def test_no_variables_nothing_to_do():
    with net_session() as session:
        wanted = session.run(LOGITS, {INPUT: IMAGES})
        model = load(session)
    again = load(model.graph_def)
    assert again.graph_def == model.graph_def
    np.testing.assert_array_equal(logits_of(again), wanted)
