"""Functions get names that no other graph of the program uses, everywhere, and compute the same."""

from __future__ import annotations

import numpy as np
from looping_nets import PHOTOS, chosen, functional, loop_net, mapped

from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.graphdef.function_library import with_own_functions
from gradcam_tf1.tf_runtime import tf


def nested():
    """A loop with a condition inside, and a function that is called by its name as an op."""
    graph = tf.Graph()
    with graph.as_default(), functional(True):
        x = tf.placeholder(tf.float32, [3], name="x")
        tf.map_fn(lambda one: tf.cond(one > 0, lambda: tf.exp(one), lambda: -one), x, name="y")
    graph_def = graph.as_graph_def()
    double = graph_def.library.function.add()
    double.signature.name = "double"
    double.signature.input_arg.add(name="a", type=tf.float32.as_datatype_enum)
    double.signature.output_arg.add(name="b", type=tf.float32.as_datatype_enum)
    sum_ = double.node_def.add(name="sum", op="AddV2", input=["a", "a"])
    sum_.attr["T"].type = tf.float32.as_datatype_enum
    double.ret["b"] = "sum:z:0"
    graph_def.library.gradient.add(function_name="double", gradient_func="double")
    graph_def.node.add(name="z", op="double", input=["x"])
    return graph_def


def results(graph_def):
    with tf.Graph().as_default() as graph, tf.Session(graph=graph) as sess:
        y, z = tf.import_graph_def(
            graph_def, return_elements=["y/TensorArrayV2Stack/TensorListStack:0", "z:0"], name=""
        )
        return sess.run([y, z], {"x:0": [0.5, -2, 1]})


def test_all_names_change_and_all_results_stay():
    graph_def = nested()
    before = graph_def.SerializeToString()
    first, second = with_own_functions(graph_def), with_own_functions(graph_def)
    assert graph_def.SerializeToString() == before
    names = [{function.signature.name for function in each.library.function} for each in (graph_def, first, second)]
    assert len(set.union(*names)) == 3 * len(names[0])
    for own in (first, second):
        for found, wanted in zip(results(own), ([np.exp(0.5), 2, np.exp(1)], [1, -4, 2])):
            np.testing.assert_allclose(found, wanted, rtol=1e-5)


def test_a_graph_without_functions_is_itself():
    with tf.Graph().as_default() as graph:
        tf.placeholder(tf.float32, name="x")
    graph_def = graph.as_graph_def()
    assert with_own_functions(graph_def) is graph_def


def test_two_nets_of_one_file_go_back_through_their_loops_in_turns():
    def opened():
        return GradCamGraph(loop_net(mapped, middle=chosen), input="x", logits="logits", layer="two", preset="raw")

    with opened() as one, opened() as other:
        one.explain(PHOTOS, 1, "gradcam")
        found = [
            net.explain(PHOTOS, 1, method)[method] for method in ("gradient", "shapleycam") for net in (other, one)
        ]
    np.testing.assert_allclose(found[0], found[1])
    np.testing.assert_allclose(found[2], found[3])
    assert np.abs(found[0]).max() > 0


def test_rules_reach_into_functions_and_leave_the_gates_there_alone():
    net = GradCamGraph(loop_net(mapped, middle=chosen), input="x", logits="logits", layer="two", preset="raw")
    with net:
        (note,) = net.explain(PHOTOS, 1, "guided_backprop").statuses["guided_backprop", ""][0][0].notes
    assert note == "the guided rule changed 2 Relu; left as gates: 1 Relu"
