"""Ops that touch files or run code, hidden in functions, branches, loops and data sets."""

from __future__ import annotations

import re

import pytest
import tensorflow
from hostile_nets import hostile_graph, outcome

from gradcam_tf1.loaders import load
from gradcam_tf1.tf_runtime import tf


def in_function(op, value):
    return tensorflow.function(lambda: op(value))()


def in_nested_functions(op, value):
    inner = tensorflow.function(lambda: op(value))
    return tensorflow.function(lambda: inner() + 1)()


def in_if(op, value):
    yes = tf.placeholder_with_default(True, [])
    return with_functions(lambda: tf.cond(yes, lambda: op(value), one))


def in_case(op, value):
    place = tf.placeholder_with_default(0, [])
    return with_functions(lambda: tf.switch_case(place, [lambda: op(value), one]))


def in_while(op, value):
    return with_functions(lambda: tf.while_loop(lambda n: n < 3, lambda n: n + op(value), [one()]))


def in_condition(op, value):
    return with_functions(lambda: tf.while_loop(lambda n: n + 0 * op(value) < 3, lambda n: n + 1, [one()]))


def in_map_fn(op, value):
    return tf.reduce_sum(tf.map_fn(lambda n: n + op(value), tf.constant([1, 2], tf.int64)))


def in_data_set(op, value):
    numbers = tf.data.Dataset.range(2).flat_map(
        lambda n: tf.data.Dataset.from_tensors(n).filter(lambda m: m + op(value) > 0)
    )
    return tf.data.make_one_shot_iterator(numbers).get_next()


def one():
    return tf.constant(1, tf.int64)


def with_functions(build):
    """Branches and loops as functions, as TensorFlow 2 writes them."""
    was = tf.control_flow_v2_enabled()
    tf.enable_control_flow_v2()
    try:
        return build()
    finally:
        if not was:
            tf.disable_control_flow_v2()


def read(path):
    return tf.cast(tf.strings.length(tf.read_file(path)), tf.int64)


def write(path):
    with tf.control_dependencies([tf.write_file(path, "x")]):
        return tf.constant(1, tf.int64)


def memory(path):
    return tf.reduce_sum(tf.raw_ops.ImmutableConst(dtype=tf.int64, shape=[1], memory_region_name=path))


def code(path):
    def touch():
        open(path, "w").close()
        return 1

    return tf.reshape(tf.py_func(touch, [], tf.int64), [])


HIDINGS = [in_function, in_nested_functions, in_if, in_case, in_while, in_condition, in_map_fn, in_data_set]
OPS = {read: "ReadFile", write: "WriteFile", memory: "ImmutableConst", code: "PyFunc"}


def types_of(graph_def):
    nodes = [*graph_def.node, *(node for function in graph_def.library.function for node in function.node_def)]
    return {node.op for node in nodes}


@pytest.mark.parametrize("hide", HIDINGS)
@pytest.mark.parametrize("op", OPS)
def test_hidden_ops_are_cut_with_what_calls_them(hide, op, tmp_path):
    path = tmp_path / "file"
    if op in (read, memory):
        path.write_bytes(b"secret!!")
    graph_def = hostile_graph(lambda _, target: hide(op, target), "", path, True)
    assert OPS[op] in types_of(graph_def)
    model = load(graph_def)
    assert OPS[op] not in types_of(model.graph_def)
    assert any("ops that touch files or run code" in note for note in model.notes)
    told = outcome(graph_def)
    assert isinstance(told, bytes) or re.search("need values for|placeholder|fed", told)
    if op in (write, code):
        assert not list(tmp_path.iterdir())
