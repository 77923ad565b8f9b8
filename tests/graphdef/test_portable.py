"""A portable GraphDef: what only one version of TensorFlow or one program understands is gone, or refused by name."""

from __future__ import annotations

import numpy as np
import pytest
from graphdef_nodes import X, make, node_of, run, small

from gradcam_tf1.errors import ExportError
from gradcam_tf1.graphdef.portable import ops_of_1_15, portable
from gradcam_tf1.tf_runtime import op_definition, tf

_LATER = {
    "grad_a": ("MatMul", "b", False),
    "exponential_avg_factor": ("FusedBatchNormV3", "f", 1.0),
    "explicit_paddings": ("MaxPoolGrad", "list", None),
}


def _later(op, field, value, name):
    graph_def = small()
    node = node_of(graph_def, "act")
    node.op = op
    if field == "list":
        node.attr[name].list.SetInParent()
    else:
        setattr(node.attr[name], field, value)
    return graph_def


@pytest.mark.parametrize("name", _LATER)
def test_later_attributes_at_their_defaults_are_dropped(name):
    op, field, value = _LATER[name]
    graph_def, notes = portable(_later(op, field, value, name))
    assert name not in node_of(graph_def, "act").attr
    assert len(notes) == 1
    assert notes[0].startswith("attributes of a newer TensorFlow, at their defaults, removed: ")
    assert f"{op}.{name}" in notes[0]


def test_later_attributes_with_a_meaning_are_refused_or_noted():
    with pytest.raises(ExportError, match=r"1\.15 cannot load .*'dtype' of op TopKV2, set to i: 7 \(node 'act'\)"):
        portable(_later("TopKV2", "i", 7, "dtype"))
    graph_def, notes = portable(_later("TopKV2", "i", 7, "dtype"), everywhere=False)
    assert node_of(graph_def, "act").attr["dtype"].i == 7
    assert notes[-1].startswith("only TensorFlow 2 can load it: 1.15 does not have the attribute 'dtype'")


def test_the_hint_that_an_operand_is_a_gradient_is_dropped():
    graph_def, notes = portable(_later("MatMul", "b", True, "grad_a"))
    assert "grad_a" not in node_of(graph_def, "act").attr
    assert "MatMul.grad_a" in notes[-1]


def test_batch_statistics_do_not_matter_in_inference():
    graph_def = _later("FusedBatchNormV3", "f", 0.99, "exponential_avg_factor")
    node_of(graph_def, "act").attr["is_training"].b = False
    assert "exponential_avg_factor" not in node_of(portable(graph_def)[0], "act").attr


def test_later_ops_are_refused_by_name():
    graph_def = small()
    for name, op in (("act", "Erfinv"), ("out", "SegmentSumV2")):
        node_of(graph_def, name).op = op
    with pytest.raises(ExportError, match=r"the op Erfinv \(node 'act'\); the op SegmentSumV2 \(node 'out'\)"):
        portable(graph_def)
    assert portable(graph_def, everywhere=False)[1][-1].startswith("only TensorFlow 2 can load it")


def test_hints_are_removed_and_the_numbers_stay():
    graph_def = small()
    node = node_of(graph_def, "act")
    node.device = "/gpu:7"
    node.attr["_gradient_op_type"].s = b"SomebodysRelu"
    node.attr["_output_shapes"].list.SetInParent()
    node.attr["_class"].list.s.append(b"loc:@elsewhere")
    portable(graph_def)
    assert not node.device
    assert set(node.attr) == {"T"}
    np.testing.assert_array_equal(run(graph_def), np.maximum(X, 0))


def test_a_product_of_a_later_version_becomes_the_older_one():
    graph_def = make(lambda x: tf.matmul(x[:, tf.newaxis], x[:, :, tf.newaxis], name="out"))
    node = node_of(graph_def, "out")
    assert node.op == "BatchMatMulV2"
    dtype = node.attr["T"].type
    node.op = "BatchMatMulV3"
    del node.attr["T"]
    for name in ("Ta", "Tb", "Tout"):
        node.attr[name].type = dtype
    portable(graph_def)
    assert node.op == "BatchMatMulV2"
    np.testing.assert_array_equal(run(graph_def), [[[14.0]]])


def test_the_table_holds_the_registry_of_1_15():
    if not tf.__version__.startswith("1.15"):
        pytest.skip("the registry of TensorFlow 1.15 is needed")
    for op, attributes in ops_of_1_15().items():
        definition = op_definition(op)
        assert definition is None or {each.name for each in definition.attr} == attributes, op
    assert len(ops_of_1_15()) > 1300
