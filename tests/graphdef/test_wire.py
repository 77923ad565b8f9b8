"""Protobuf fields against what protobuf writes, and damage at every byte."""

from __future__ import annotations

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from gradcam_tf1.graphdef import wire
from gradcam_tf1.graphdef.wire import WireError, WireField, read_varint, records
from gradcam_tf1.tf_runtime import tf


def varint(number):
    """Seven bits a byte, the lowest first; the highest bit says that more follow."""
    out = []
    while number > 127:
        out.append(number % 128 + 128)
        number //= 128
    return bytes([*out, number])


@given(st.integers(0, 2**64 - 1), st.binary(max_size=5), st.binary(max_size=5))
def test_numbers_are_read_where_they_stand(number, before, behind):
    data = before + varint(number) + behind
    assert read_varint(data, len(before), len(data)) == (number, len(data) - len(behind))


def test_numbers_of_the_encodings_own_page():
    assert read_varint(b"\x96\x01", 0, 2) == (150, 2)
    assert [varint(number) for number in (1, 150, 300)] == [b"\x01", b"\x96\x01", b"\xac\x02"]


def test_fields_are_those_that_protobuf_wrote():
    node = tf.NodeDef(name="conv", op="Conv2D", input=["x", "kernel"])
    data = node.SerializeToString()
    found = [(record.field, bytes(data[record.start : record.end])) for record in records(memoryview(data))]
    assert found == [(1, b"conv"), (2, b"Conv2D"), (3, b"x"), (3, b"kernel")]


def test_each_wire_type_has_its_length():
    data = b"\x08\x96\x01" + b"\x11" + bytes(8) + b"\x1a\x03abc" + b"\x25" + bytes(4)
    places = [(1, 0, 1, 3), (2, 1, 4, 12), (3, 2, 14, 17), (4, 5, 18, 22)]
    assert list(records(data)) == [WireField(*place) for place in places]
    assert list(records(b"zz" + data + b"zz", 2, 2 + len(data))) == [
        WireField(field, kind, start + 2, end + 2) for field, kind, start, end in places
    ]
    assert list(records(b"")) == []


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x0a", "the data ends at byte 1 inside a number"),
        (b"\x0a\x80\x80", "the data ends at byte 3 inside a number"),
        (b"\x08" + b"\xff" * 12, "no protobuf number at byte 11"),
        (b"\x02\x01a", "no protobuf field at byte 1"),  # field 0
        (b"\x0b", "no protobuf field at byte 1"),  # a group
        (b"\x0a\x04abc", "the field at byte 2 needs 4 bytes and 3 are left"),
        (b"\x09abc", "the field at byte 1 needs 8 bytes and 3 are left"),
    ],
)
def test_damage_has_its_place(data, message):
    with pytest.raises(WireError, match=message):
        list(records(data))


def test_fields_come_one_at_a_time():
    found = records(b"\x0a\x01a" + b"\x0b")
    assert next(found) == WireField(1, 2, 2, 3)
    with pytest.raises(WireError, match="no protobuf field at byte 4"):
        next(found)


def merged(data, tmp_path, kind=tf.GraphDef):
    """The message of a file that is read in parts, and the sizes of the parts."""
    (tmp_path / "x.pb").write_bytes(data)
    message, sizes = kind(), []
    with open(tmp_path / "x.pb", "rb") as file:
        for start, end in wire.spans(file):
            file.seek(start)
            message.MergeFromString(file.read(end - start))
            sizes.append(end - start)
    return message, sizes


def test_parts_make_up_the_message_and_a_large_node_is_one_part(tmp_path, monkeypatch):
    monkeypatch.setattr(wire, "PART", 1000)
    graph_def = tf.GraphDef()
    for n, size in enumerate([10, 20, 5000, 30, 900, 900, 10]):
        graph_def.node.add(name=f"n{n}", op="Const").attr["value"].tensor.tensor_content = bytes([n]) * size
    graph_def.versions.producer = 21
    graph_def.library.function.add().signature.name = "f"
    message, sizes = merged(graph_def.SerializeToString(), tmp_path)
    assert message == graph_def
    assert len(sizes) > 3
    assert [size for size in sizes if size > 1000] == [len(graph_def.node[2].SerializeToString()) + 3]
    assert sum(sizes) == graph_def.ByteSize()


def test_fields_that_come_twice_are_merged_as_in_one_piece(tmp_path, monkeypatch):
    monkeypatch.setattr(wire, "PART", 4)
    first, second = tf.GraphDef(), tf.GraphDef()
    first.versions.producer = 21
    first.versions.min_consumer = 12
    second.versions.producer = 24
    data = first.SerializeToString() + second.SerializeToString()
    message, sizes = merged(data, tmp_path)
    assert message == tf.GraphDef.FromString(data)
    assert len(sizes) == 2


@pytest.mark.parametrize("part", [3, 50, 1 << 24])
def test_every_cut_and_every_changed_byte_is_refused_as_by_the_parser(tmp_path, monkeypatch, part):
    monkeypatch.setattr(wire, "PART", part)
    graph_def = tf.GraphDef()
    graph_def.node.add(name="a", op="Const").attr["dtype"].type = 1
    graph_def.node.add(name="b", op="Relu", input=["a"])
    data = graph_def.SerializeToString()
    changed = [data[:n] for n in range(len(data))]
    changed += [data[:n] + bytes([data[n] ^ 7]) + data[n + 1 :] for n in range(len(data))]
    for wrong in changed:
        try:
            expected = tf.GraphDef.FromString(wrong)
        except DecodeError:
            expected = None
        try:
            found = merged(wrong, tmp_path)[0]
        except DecodeError:
            found = None
        assert found == expected
