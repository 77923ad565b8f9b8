"""Contexts found in a frozen graph equal those that TensorFlow recorded while it built the graph."""

from __future__ import annotations

import loop_nets
import pytest

from gradcam_tf1.graphdef.control_contexts import all_within
from gradcam_tf1.graphdef.control_frames import MAX_DEPTH, find_contexts
from gradcam_tf1.graphdef.loop_repair import complete_loops
from gradcam_tf1.tf_runtime import context_message, tf

LOOPING = sorted(set(loop_nets.KINDS) - {"branch_alone"})


def recorded(graph):
    """Return the outermost contexts of a live graph, from its collections."""
    with graph.as_default():
        collections = tf.train.export_meta_graph().collection_def
    found = []
    for key, field in (("while_context", "while_ctxt"), ("cond_context", "cond_ctxt")):
        for data in collections[key].bytes_list.value if key in collections else ():
            message = context_message()()
            getattr(message, field).ParseFromString(data)
            found.append(message)
    return found


def parts(message):
    return message.while_ctxt if message.HasField("while_ctxt") else message.cond_ctxt


def insides(messages):
    """Return for each context the ops that lie in it and in none of its nested contexts."""
    innermost, waiting = {}, [(message, ()) for message in messages]
    while waiting:
        message, place = waiting.pop(0)
        inside = parts(message)
        here = (*place, inside.pivot_name)
        for name in set(inside.values_def.values) - set(inside.values_def.external_values):
            innermost[name.split(":")[0]] = here
        waiting += [(nested, here) for nested in inside.nested_contexts]
    return innermost


def loops(messages):
    found, waiting = {}, list(messages)
    while waiting:
        message = waiting.pop()
        waiting += parts(message).nested_contexts
        if message.HasField("while_ctxt"):
            found[message.while_ctxt.context_name] = message.while_ctxt
    return found


def groups(innermost, names):
    """Return the same sets of ops, without the names of their contexts."""
    found = {}
    for name in names:
        found.setdefault(innermost.get(name), set()).add(name)
    return {frozenset(group) for group in found.values()}


@pytest.mark.parametrize("name", LOOPING)
def test_contexts_are_those_of_the_collections(name):
    graph = tf.Graph()
    with graph.as_default(), loop_nets.loops_of_ops():
        loop_nets.head(loop_nets.KINDS[name](loop_nets.columns()))
    graph_def = graph.as_graph_def()
    complete_loops(graph_def)
    there = {op.name: [tensor.name for tensor in op.outputs] for op in graph.get_operations()}
    outputs = lambda op: there.get(op, [f"{op}:0"])  # noqa: E731
    ours, theirs = [context.message(outputs) for context in find_contexts(graph_def)], recorded(graph)

    assert loops(ours).keys() == loops(theirs).keys()
    for frame, loop in loops(ours).items():
        wanted = loops(theirs)[frame]
        assert loop.pivot_name == wanted.pivot_name
        assert set(loop.loop_enter_names) == set(wanted.loop_enter_names)
        assert set(loop.loop_exit_names) == set(wanted.loop_exit_names)
        assert loop.parallel_iterations == wanted.parallel_iterations
    # the predicate's own Switch lies before the branches in one graph, and in a branch in the other
    own = {node.name for node in graph_def.node if node.op == "Switch" and node.input[0] == node.input[1]}
    looped = {name for name in {**insides(theirs), **insides(ours)} if "gradcam_tf1" not in name}
    assert groups(insides(ours), looped - own) == groups(insides(theirs), looped - own)


def test_an_exit_that_freezing_cut_off_is_there_again():
    frozen = loop_nets.build(loop_nets.recurrent).frozen
    assert sum(node.op == "Exit" for node in frozen.node) == 1
    complete_loops(frozen)
    (loop,) = find_contexts(frozen)
    assert len(loop.exits) == len(loop.enters) == 3
    assert sum(node.op == "Exit" for node in frozen.node) == 3
    complete_loops(frozen)
    assert sum(node.op == "Exit" for node in frozen.node) == 3


def loop_nodes(name, start, depth=1):
    """Build a loop of one variable that starts with the tensor `start`; return its output."""
    if depth > 1:
        inner, after = loop_nodes(f"{name}/in", f"{name}/body", depth - 1)
    else:
        inner, after = [], f"{name}/body"
    nodes = [
        (f"{name}/enter", "Enter", [start], {"frame_name": name.encode()}),
        (f"{name}/merge", "Merge", [f"{name}/enter", f"{name}/next"], {}),
        (f"{name}/cond", "LoopCond", [f"{name}/merge"], {}),
        (f"{name}/switch", "Switch", [f"{name}/merge", f"{name}/cond"], {}),
        (f"{name}/body", "Identity", [f"{name}/switch:1"], {}),
        *inner,
        (f"{name}/next", "NextIteration", [after], {}),
        (f"{name}/exit", "Exit", [f"{name}/switch"], {}),
    ]
    return nodes, f"{name}/exit"


def in_each_other(depth):
    nodes, _ = loop_nodes("loop", "start", depth)
    graph_def = tf.GraphDef()
    for name, op, inputs, attributes in [("start", "Placeholder", [], {}), *nodes]:
        node = graph_def.node.add(name=name, op=op, input=inputs)
        for key, value in attributes.items():
            node.attr[key].s = value
    return graph_def


def test_loops_in_each_other_are_found_down_to_a_limit():
    found = list(all_within(find_contexts(in_each_other(MAX_DEPTH - 1))))
    assert sorted(context.depth for context in found) == list(range(1, MAX_DEPTH))
    assert find_contexts(in_each_other(MAX_DEPTH + 1)) == []


def test_a_loop_that_lacks_a_part_is_left_out():
    graph_def = in_each_other(2)
    for node in graph_def.node:
        if node.op == "LoopCond" and "/in/" in node.name:
            node.op = "Identity"
    assert find_contexts(graph_def) == []
