"""Maps behind loops and conditionals equal tf.gradients in the graph that built the net."""

from __future__ import annotations

from functools import lru_cache

import loop_nets
import numpy as np
import pytest
from google.protobuf import text_format

from gradcam_tf1 import tf_runtime as runtime
from gradcam_tf1.errors import GradientError
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.tf_runtime import tf

METHODS = ["hirescam", "gradient"]
ENDS = {"input": "input", "logits": "logits", "layer": "features", "preset": "raw"}


@lru_cache(maxsize=None)
def built(name, functional=False):
    return loop_nets.build(loop_nets.KINDS[name], functional)


def explained(model, methods=METHODS, **how):
    with GradCamGraph(model, **{**ENDS, **how}) as net:
        return net.explain(loop_nets.images(), targets=[1], methods=methods)


def check(found, net):
    np.testing.assert_allclose(found["gradient"][:, 0], net.pixels, rtol=1e-4, atol=1e-6 * np.abs(net.pixels).max())
    raw = net.hirescam()
    np.testing.assert_allclose(found["hirescam"][:, 0], raw, rtol=1e-4, atol=1e-6 * np.abs(raw).max())


@pytest.mark.parametrize("name", sorted(loop_nets.KINDS))
def test_a_frozen_loop_has_the_gradient_of_the_graph_that_built_it(name):
    check(explained(built(name).frozen), built(name))


def test_a_loop_has_the_gradient_of_its_unrolled_copy():
    found, wanted = explained(built("recurrent").frozen), explained(loop_nets.build(loop_nets.unrolled).frozen)
    for method in METHODS:
        np.testing.assert_allclose(found[method], wanted[method], rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("name", ["recurrent", "branching", "nested"])
def test_functional_loops(name):
    check(explained(built(name, True).frozen), built(name, True))


def lowered(frozen):
    """Conditionals as TensorFlow 2 lowers them: one Switch for both branches, and branch 1 first at the end."""
    graph_def = tf.GraphDef.FromString(frozen.SerializeToString())
    going_round = {node.name for node in graph_def.node if node.op == "NextIteration"}
    first, same = {}, {}
    for node in graph_def.node:
        if node.op == "Switch":
            same[node.name] = first.setdefault(tuple(node.input), node.name)
    for node in graph_def.node:
        for place, text in enumerate(node.input):
            name, colon, output = text.partition(":")
            node.input[place] = same.get(name, name) + colon + output
        if node.op == "Merge" and not going_round & set(node.input):
            first_branch, second = node.input
            node.input[0], node.input[1] = second, first_branch
    return tf.graph_util.extract_sub_graph(graph_def, ["prob"])


@pytest.mark.parametrize("name", ["branching", "within_branch"])
def test_conditionals_as_tensorflow_2_lowers_them(name):
    model = lowered(built(name).frozen)
    assert model != built(name).frozen
    check(explained(model), built(name))


def test_a_conditional_whose_end_cannot_be_put_in_order_is_refused():
    model = lowered(built("branching").frozen)
    merge = next(node for node in model.node if node.op == "Merge" and node.name == "while/cond/Merge")
    model.node.add(name="which", op="Identity", input=[f"{merge.name}:1"]).attr["T"].type = tf.int32.as_datatype_enum
    with pytest.raises(GradientError, match=r"through a loop, to .*methods that need no gradient work"):
        explained(model, ["gradcam"])
    assert explained(model, ["eigencam"])["eigencam"].any()


def test_nets_whose_functions_have_the_same_names():
    """TensorFlow 2 counts the names that it makes for functions from 0 in every program that writes a file."""
    if not runtime.IS_TF2:
        pytest.skip("TensorFlow 1 keeps the functions of graphs apart")
    first, second = built("recurrent", True), built("branching", True)
    names = [sorted(function.signature.name for function in net.frozen.library.function) for net in (first, second)]
    text = str(second.frozen)
    for old, new in zip(names[1], names[0]):
        text = text.replace(f'"{old}"', f'"{new}"')
    same = text_format.Parse(text, tf.GraphDef())
    assert {function.signature.name for function in same.library.function} & set(names[0])
    check(explained(first.frozen), first)
    check(explained(same), second)


def test_a_net_imported_twice_has_two_loops():
    """Both copies use one frame name. Both get the same images, so their mean has the same gradient."""
    net, graph = built("recurrent"), tf.Graph()
    with graph.as_default():
        images = tf.placeholder(tf.float32, [None, 8, 12, 3], name="input")
        ends = ["features:0", "logits:0"]
        parts = [
            tf.import_graph_def(net.frozen, {"input": images}, return_elements=ends, name=name)
            for name in ("first", "second")
        ]
        logits = tf.add(parts[0][1], parts[1][1] * 3.0, name="logits")
        tf.nn.softmax(logits, name="prob")
    found = explained(graph.as_graph_def(), layer="first/features")
    np.testing.assert_allclose(found["gradient"][:, 0], 4 * net.pixels, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found["hirescam"][:, 0], net.hirescam(), rtol=1e-4, atol=1e-6)


def test_the_next_request_is_right_after_one_that_failed_inside_a_loop():
    net = built("recurrent")
    with GradCamGraph(net.frozen, **ENDS) as ours:
        usable, reasons = ours.usable_methods(["shapleycam", "gradcam"])
        assert usable == ["gradcam"]
        assert "loop" in reasons["shapleycam"]
        check(ours.explain(loop_nets.images(), targets=[1], methods=METHODS), net)


@pytest.mark.parametrize("rule", ["guided_backprop", "deconvnet"])
@pytest.mark.parametrize("activation", ["relu", "leaky"])
def test_gradient_rules_reach_activations_in_a_loop(rule, activation):
    """Against the same net unrolled: three activations instead of one that runs three times."""
    function = {"relu": tf.nn.relu, "leaky": lambda x: tf.maximum(0.2 * x, x)}[activation]
    looped, unrolled = (
        loop_nets.build(lambda x: kind(x, function)).frozen  # noqa: B023 - called at once
        for kind in (loop_nets.rectified_cell, loop_nets.rectified_thrice)
    )
    if (rule, activation) == ("deconvnet", "leaky"):  # it needs a gradient within the loop
        with pytest.raises(
            GradientError, match=r"through a loop.* need no gradient work: eigencam, .*rise, lime, .*hsic, polycam$"
        ):
            explained(looped, [rule])
        return
    check_rule(rule, looped, unrolled)


def check_rule(rule, model, unrolled):
    wanted = explained(unrolled, [rule])[rule]
    assert np.abs(wanted).max() > 0
    np.testing.assert_allclose(explained(model, [rule])[rule], wanted, rtol=1e-4, atol=1e-7)


def test_a_rule_that_does_not_reach_a_called_function_is_refused():
    graph = tf.Graph()
    with graph.as_default():
        inner = tf.function(lambda x: tf.nn.relu(x) * 2.0)
        loop_nets.head(inner(loop_nets.columns()[0] - 0.1))
    with GradCamGraph(graph.as_graph_def(), **ENDS) as net:
        assert net.explain(loop_nets.images(), targets=[1], methods="gradient")["gradient"].any()
        with pytest.raises(GradientError, match="activations inside the function of '.*PartitionedCall.*half a plain"):
            net.explain(loop_nets.images(), targets=[1], methods="guided_backprop")


@pytest.mark.parametrize("rule", ["guided_backprop", "deconvnet"])
def test_gradient_rules_reach_activations_in_a_functional_loop(rule):
    looped = loop_nets.build(loop_nets.rectified_cell, functional=True).frozen
    check_rule(rule, looped, loop_nets.build(loop_nets.rectified_thrice).frozen)


def last_state_alone(x):
    """A cell of which the last state is used, and the list of its outputs is not, as of dynamic_rnn."""
    kernel, array = loop_nets.weight(loop_nets.CHANNELS + loop_nets.HIDDEN, loop_nets.HIDDEN), loop_nets.array_of(x)

    def body(t, h, outputs):
        h = loop_nets.step(array.read(t), h, kernel)
        return t + 1, h, outputs.write(t, h)

    outputs = tf.TensorArray(tf.float32, size=loop_nets.COLUMNS)
    _, last, outputs = tf.while_loop(lambda t, *_: t < loop_nets.COLUMNS, body, [0, loop_nets.start(x), outputs])
    tf.transpose(outputs.stack(), [1, 0, 2])
    return last


@pytest.mark.parametrize("functional", [False, True])
@pytest.mark.parametrize("kind", [loop_nets.recurrent, last_state_alone])
def test_states_of_a_loop_that_nobody_uses_are_no_outputs(kind, functional):
    """A live graph or a checkpoint has all Exits; a frozen file does not."""
    graph = tf.Graph()
    with graph.as_default(), loop_nets.loops_of_ops(not functional):
        loop_nets.head(kind(loop_nets.columns()))
    with GradCamGraph(graph.as_graph_def(), preset="raw") as net:
        assert net.binding.logits == "logits:0"
        assert not [warning for warning in net.binding.warnings if "outputs" in warning]


def test_attention_within_a_loop_is_no_score():
    def attending(x):
        keys = loop_nets.weight(loop_nets.CHANNELS, loop_nets.CHANNELS)
        body = lambda t, h: (t + 1, x[t] * tf.nn.softmax(tf.matmul(h, keys)))  # noqa: E731
        return tf.while_loop(lambda t, _: t < loop_nets.COLUMNS, body, [0, x[0]])[1]

    model = tf.graph_util.extract_sub_graph(loop_nets.build(attending).frozen, ["logits"])
    with GradCamGraph(model, preset="raw") as net:
        assert net.binding.logits == "logits:0"
        assert net.explain(loop_nets.images(), targets=[1], methods="hirescam")["hirescam"].any()
