"""Large values are read apart from the graph: with them it is the graph that the parser reads."""

from __future__ import annotations

import random

import numpy as np
import pytest
from google.protobuf.message import DecodeError
from loader_nets import LOGITS, logits_of, net_session

from gradcam_tf1 import GradCamGraph, ModelFileError, load
from gradcam_tf1.engine.large_weights import take_out_weights
from gradcam_tf1.engine.live_session import LiveSession
from gradcam_tf1.graphdef import constant_in_file, fold_variables, large_constants, wire
from gradcam_tf1.loaders import frozen, load_apart
from gradcam_tf1.tf_runtime import tf

FEW = 64  # bytes of a large value in these tests


@pytest.fixture(autouse=True)
def small_is_large(monkeypatch):
    for module in (large_constants, constant_in_file, frozen, fold_variables):
        monkeypatch.setattr(module, "MIN_BYTES", FEW)
    monkeypatch.setattr(wire, "PART", FEW)
    monkeypatch.setattr(constant_in_file, "_HEAD", 100)


def constant(name, value, **attributes):
    node = tf.NodeDef(name=name, op="Const")
    node.attr["dtype"].type = tf.as_dtype(value.dtype).as_datatype_enum
    tensor = node.attr["value"].tensor
    tensor.CopyFrom(tf.make_tensor_proto(value))
    tensor.tensor_content = value.tobytes()
    for key, text in attributes.items():
        node.attr[key].s = text
    return node


def graph_of(*nodes):
    graph_def = tf.GraphDef(node=nodes)
    graph_def.versions.producer = 21
    return graph_def


KERNEL = np.arange(100, dtype=np.float32)


def read(data, tmp_path):
    (tmp_path / "x.pb").write_bytes(data)
    return frozen.read_graph(str(tmp_path / "x.pb"))


def field(number, payload):
    return constant_in_file._prefix(number, len(payload)) + payload


def entry(value, key=b"value"):
    return field(5, field(1, key) + field(2, value))


TENSOR = constant("k", KERNEL).attr["value"].tensor.SerializeToString()
OTHER = constant("k", -KERNEL).attr["value"].tensor.SerializeToString()
DTYPE = entry(tf.AttrValue(type=1).SerializeToString(), b"dtype")
NAMED = field(1, b"k") + field(2, b"Const") + DTYPE


def test_the_value_of_a_plain_node_is_apart_and_comes_back(tmp_path):
    graph_def = graph_of(constant("a", KERNEL), constant("whole", KERNEL.astype(np.int32)), constant("b", -KERNEL))
    found = read(graph_def.SerializeToString(), tmp_path)
    assert {name: bytes(content) for name, content in found.contents.items()} == {
        "a": KERNEL.tobytes(),
        "b": (-KERNEL).tobytes(),
    }
    assert [len(node.attr["value"].tensor.tensor_content) for node in found.light.node] == [0, 400, 0]
    assert found.whole() == graph_def
    assert all(content.ctypes.data % large_constants.ALIGNMENT == 0 for content in found.contents.values())


@pytest.mark.parametrize(
    "node",
    [
        NAMED + entry(field(8, TENSOR)) + entry(field(8, OTHER)),
        NAMED + entry(field(8, OTHER)) + entry(field(8, TENSOR)) + entry(b"\x28\x01"),
        NAMED + entry(field(8, TENSOR) + b"\x28\x01"),
        NAMED + entry(field(8, TENSOR) + field(8, OTHER[:8])),
        NAMED + entry(field(8, TENSOR + field(4, b"abcd"))),
        NAMED + entry(field(8, field(4, b"abcd") + TENSOR)),
        NAMED + field(5, field(1, b"value") + field(2, field(8, TENSOR)) + field(1, b"other")),
        NAMED + field(5, field(2, field(8, TENSOR)) + field(1, b"value")),
        NAMED + entry(field(8, TENSOR), b"other") + entry(tf.AttrValue(b=True).SerializeToString()),
        NAMED + entry(field(8, TENSOR)) + field(1, b"renamed"),
        NAMED + entry(field(8, TENSOR)) + field(3, b"^other"),
        NAMED + entry(field(8, TENSOR)) + entry(tf.AttrValue(type=3).SerializeToString(), b"dtype"),
        NAMED + entry(field(8, TENSOR)) + field(5, b""),
    ],
)
def test_fields_that_come_twice_count_as_the_parser_reads_them(node, tmp_path):
    data = field(1, field(1, b"other") + field(2, b"NoOp")) + field(1, node)
    assert read(data, tmp_path).whole() == tf.GraphDef.FromString(data)


def test_a_length_in_another_spelling_is_read_as_by_the_parser(tmp_path):
    node = NAMED + entry(field(8, TENSOR))
    size = constant_in_file._prefix(1, len(node))[1:]
    data = b"\x0a" + size[:-1] + bytes([size[-1] | 0x80, 0]) + node
    found = read(data, tmp_path)
    assert found.contents == {}
    assert found.light == tf.GraphDef.FromString(data)


def outcome(parse):
    try:
        return parse().SerializeToString(deterministic=True)
    except (DecodeError, ModelFileError):
        return None


@pytest.mark.filterwarnings("ignore:Unexpected end-group tag")  # where protobuf stops, and says so
def test_damaged_bytes_are_read_or_refused_as_by_the_parser(tmp_path):
    """Every byte outside the values, and cuts, copies and holes anywhere."""
    draw = random.Random(3)
    nodes = [constant("a", KERNEL, more=b"x" * 10), constant("b", KERNEL.astype(np.float16)), constant("c", KERNEL[:5])]
    data = graph_of(*nodes).SerializeToString()
    apart = 0
    for case in range(800):
        wrong = bytearray(data)
        at = draw.randrange(len(wrong))
        kind = case % 4
        if kind == 0:
            wrong[at] = draw.randrange(256)
        elif kind == 1:
            wrong[at] ^= 1 << draw.randrange(8)
        elif kind == 2:
            del wrong[at : at + draw.choice((1, 2, 40, 4000))]
        else:
            start = draw.randrange(len(wrong))
            wrong[at:at] = wrong[start : start + draw.choice((1, 2, 40, 500))]
        expected = outcome(lambda data=bytes(wrong): tf.GraphDef.FromString(data))
        found = []
        assert (
            outcome(lambda data=wrong, found=found: found.append(read(data, tmp_path)) or found[0].whole()) == expected
        )
        apart += len(found[0].contents) if found else 0
    assert apart > 300


def test_a_value_of_the_wrong_size_is_refused(tmp_path):
    node = constant("kernel", KERNEL)
    node.attr["value"].tensor.tensor_content = KERNEL[:-1].tobytes()
    (tmp_path / "x.pb").write_bytes(graph_of(node).SerializeToString())
    with pytest.raises(ModelFileError, match="node 'kernel': its value needs 400 bytes and holds 396"):
        load(tmp_path / "x.pb")


def test_two_nodes_of_one_name_are_refused(tmp_path):
    (tmp_path / "x.pb").write_bytes(graph_of(constant("a", KERNEL), constant("a", -KERNEL)).SerializeToString())
    with pytest.raises(ModelFileError, match="1 node names occur more than once, the first is 'a'"):
        load(tmp_path / "x.pb")


def test_every_form_loads_the_same_whole_or_apart(tmp_path):
    with net_session() as session:
        model = load(session)
        apart = load_apart(session)
        logits = logits_of(model)
    assert apart.graph_def is None
    assert len(apart.apart.contents) == 2
    assert apart.apart.whole() == model.graph_def
    (tmp_path / "x.pb").write_bytes(model.graph_def.SerializeToString())
    for source in (tmp_path / "x.pb", model.graph_def):
        again = load(source)
        assert again.graph_def == model.graph_def
        assert set(load_apart(source).apart.contents) >= set(apart.apart.contents)
        np.testing.assert_array_equal(logits_of(again, logits=LOGITS), logits)


def test_a_net_opened_twice_from_one_model_and_one_from_its_graph_say_the_same():
    with net_session() as session:
        model, whole = load_apart(session), load(session)
    name = next(iter(model.apart.contents))
    values = []
    for each in (model, model, whole):
        with GradCamGraph(each, preset="raw") as net:
            assert net.model.apart is None
            values.append(net.sess.run(name + ":0"))
    np.testing.assert_array_equal(values[0], values[1])
    np.testing.assert_array_equal(values[0], values[2])


def opened(value):
    light, weights = take_out_weights(graph_of(constant("k", value)), ["k"])
    graph = tf.Graph()
    with graph.as_default():
        tf.import_graph_def(light, name="")
    return LiveSession(tf.Session(graph=graph), None, weights), weights


def test_a_variable_takes_over_the_memory_of_its_value_and_not_that_of_the_user():
    """Memory that begins at a multiple of ALIGNMENT is used as it is: a value that is assigned must be a copy."""
    sess, weights = opened(KERNEL)
    assert weights == {}
    mine = large_constants.as_content(2 * KERNEL).view(np.float32)
    sess.assign({"k": mine})
    mine[:] = 0
    np.testing.assert_array_equal(sess.run("k:0"), 2 * KERNEL)
    sess.close()
