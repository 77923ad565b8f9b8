"""Work grows linearly with the size of a graph; graphs that are too large are refused."""

from __future__ import annotations

import large_graphs as made
import numpy as np
import pytest
from counted_calls import calls
from graphdef_nodes import FLOAT, X, make, run

from gradcam_tf1.errors import GradCamError, ModelFileError
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.graphdef.nodes import circle_in, in_order
from gradcam_tf1.graphdef.removal import remove
from gradcam_tf1.loaders import load
from gradcam_tf1.tf_runtime import tf

MANY, TIMES = 8_000, 5


def assert_linear(build, count, ask):
    """`ask` on a graph of TIMES as many nodes takes about TIMES as many calls."""
    few, many = (calls(lambda: ask(graph_def)) for graph_def in (build(count // TIMES), build(count)))  # noqa: B023
    assert many < 1.5 * TIMES * few


LOADED = [made.chain, made.waiting_for_one, made.waiting_for_a_writer]


@pytest.mark.parametrize("build", LOADED, ids=lambda build: build.__name__)
def test_checking_grows_as_the_graph(build):
    assert_linear(build, MANY, load)


REFUSED = [
    (made.circle, "the graph is circular, 'n0' <- 'n1' <- .* <- 'n0'"),
    (
        made.unknown_before_the_net,
        r"does not know the op Alien \(node 'alien0'\), and the layer 'Conv2D' depends on it",
    ),
]


@pytest.mark.parametrize(("build", "match"), REFUSED, ids=lambda value: getattr(value, "__name__", ""))
def test_what_is_refused_is_refused_soon(build, match):
    def ask(graph_def):
        with pytest.raises(ModelFileError, match=match):
            load(graph_def)

    assert_linear(build, MANY, ask)


def test_too_many_edges_are_refused():
    match = r"has 1,19\d,\d+ edges between its nodes, those of its functions included; 1,000,000 are allowed"
    with pytest.raises(ModelFileError, match=match):
        load(made.many_edges(60_000))


BOUND = [
    (made.diamonds, 400),
    (made.logical_diamonds, 1000),
    (made.placeholders, 800),
    (made.heads, 800),
    (made.chain, 1000),
]


@pytest.mark.parametrize(("build", "count"), BOUND, ids=lambda value: getattr(value, "__name__", str(value)))
def test_binding_grows_as_the_graph(build, count):
    def ask(graph_def):
        try:
            with GradCamGraph(graph_def, preset="zero-one") as net:
                assert net.binding.input == "images:0"
        except GradCamError:
            assert build is made.diamonds  # TensorFlow may refuse so many

    assert_linear(build, count, ask)


def test_functions_in_a_row():
    with pytest.raises(ModelFileError, match="more than 200 functions call each other in a row, the first is 'f2799'"):
        load(made.functions(3000))
    with pytest.raises(ModelFileError, match="functions call each other in a row"):
        load(made.functions(3000, last="Abort"))
    assert "call" in {node.name for node in load(made.functions(150)).graph_def.node}


def test_functions_that_unfold():
    """Each function calls the next one twice: 2^30 bodies."""
    with pytest.raises(ModelFileError, match=r"the function 'f1\d' has more than 500,000 nodes, the functions that"):
        load(made.functions(30, calls=2))


def test_a_handle_goes_through_many_functions():
    """A variable's value follows its handle through 150 functions, without recursion."""
    graph_def = made.functions(150)
    handle = made.add(graph_def, "variable", "VarHandleOp", dtype=FLOAT)
    handle.attr["shape"].shape.dim.add().size = 3
    for nodes in [graph_def.node, *(function.node_def for function in graph_def.library.function)]:
        for node in nodes:
            if node.op == "PartitionedCall":
                node.attr["Tin"].list.type[0] = 20
    for function in graph_def.library.function:
        function.signature.input_arg[0].type = 20
    last = graph_def.library.function[-1].node_def[0]
    last.op = "ReadVariableOp"
    last.attr.clear()
    last.attr["dtype"].type = FLOAT
    graph_def.library.function[-1].ret["y"] = "n:value:0"
    made.node_of(graph_def, "call").input[0] = "variable"
    from gradcam_tf1.loaders.finish_loading import finish, whole

    value = np.float32([1, 2, 3])
    model = whole(finish(graph_def, "net", "net", lambda names: dict.fromkeys(names, value)))
    kept = tf.GraphDef(versions=model.graph_def.versions, library=model.graph_def.library)
    kept.node.extend(node for node in model.graph_def.node if node.name in ("variable", "call"))
    with tf.Graph().as_default() as graph, tf.Session(graph=graph) as session:
        tf.import_graph_def(kept, name="")
        np.testing.assert_array_equal(session.run("call:0"), value)


def test_the_order_of_a_graph():
    before = {"d": ["b", "c", "c"], "b": ["a"], "c": ["a"], "a": []}
    order = in_order(before)
    assert sorted(order) == ["a", "b", "c", "d"]
    assert all(order.index(name) > order.index(source) for name, names in before.items() for source in names)
    assert circle_in(before) == ""
    assert circle_in({**before, "a": ["e"], "e": ["d"]}) in (
        "'d' <- 'b' <- 'a' <- 'e' <- 'd'",
        "'d' <- 'c' <- 'a' <- 'e' <- 'd'",
    )


def test_bridges_are_as_few_as_what_was_cut():
    """Constants that wait for a row of cut ops: each would wait for all ops before it."""

    def build(x):
        last = tf.identity(x, name="start").op
        for n in range(300):
            with tf.control_dependencies([last]):
                last = tf.no_op(name=f"gone{n}")
                made_here = tf.identity(x, name=f"live{n}").op
            with tf.control_dependencies([last, made_here]):
                last = tf.no_op(name=f"gone{n}b")
            with tf.control_dependencies([last]):
                tf.constant(float(n), name=f"waits{n}")
        tf.add(x, 1.0, name="out")

    graph_def = make(build)
    for node in graph_def.node:
        if node.name.startswith("gone"):
            node.op = "Abort"
    remove(graph_def, {node.name for node in graph_def.node if node.op == "Abort"}, bridge=True)
    assert "Abort" not in {node.op for node in graph_def.node}
    assert sum(len(node.input) for node in graph_def.node) < 2500
    nodes = {node.name: node for node in graph_def.node}
    found, waiting = set(), ["waits299"]
    while waiting:
        for text in nodes[waiting.pop()].input:
            name = text.lstrip("^").split(":")[0]
            if name not in found:
                found.add(name)
                waiting.append(name)
    assert {"start", *(f"live{n}" for n in range(300))} <= found
    np.testing.assert_array_equal(run(graph_def), X + 1)
