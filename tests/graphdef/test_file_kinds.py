"""The kind of a protobuf file, from the numbers of its outermost fields."""

from __future__ import annotations

import pytest

from gradcam_tf1.graphdef.file_kinds import message_kind
from gradcam_tf1.tf_runtime import tf

FOREIGN = (10 << 3 | 2, 12 << 3 | 2, 14 << 3 | 2)  # tags of the fields 10, 12 and 14, with bytes in them


def graph():
    graph = tf.GraphDef()
    graph.node.add(name="x", op="Placeholder")
    graph.versions.producer = 24
    return graph


def meta_graph():
    meta = tf.MetaGraphDef(graph_def=graph())
    meta.meta_info_def.tags.append("serve")
    return meta


def saved_model():
    meta = meta_graph().SerializeToString()
    return b"\x08\x01\x12" + bytes([len(meta)]) + meta  # saved_model_schema_version 1, meta_graphs


KINDS = {
    "graph": lambda: graph().SerializeToString(),
    "meta graph": lambda: meta_graph().SerializeToString(),
    "SavedModel": saved_model,
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_told_from_the_others(kind):
    assert message_kind(KINDS[kind]()) == kind


@pytest.mark.parametrize("tag", FOREIGN)
@pytest.mark.parametrize("kind", KINDS)
def test_a_field_that_the_kind_does_not_have(kind, tag):
    assert message_kind(KINDS[kind]() + bytes([tag, 1, 0])) == "unknown"
