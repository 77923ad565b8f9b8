"""Attributes of a newer TensorFlow: dropped at their defaults, refused otherwise."""

from __future__ import annotations

import numpy as np
import pytest
from graphdef_nodes import X, node_of, run, small

from gradcam_tf1.errors import ModelFileError
from gradcam_tf1.graphdef.attributes import drop_unknown, file_defaults
from gradcam_tf1.graphdef.cleanup import clean
from gradcam_tf1.tf_runtime import tf


def test_unknown_attributes_at_their_defaults():
    graph_def = small()
    act, out = node_of(graph_def, "act"), node_of(graph_def, "out")
    act.attr["explicit_paddings"].list.SetInParent()
    act.attr["bad_indices_policy"].s = b""
    out.attr["index_type"].type = 3
    out.attr["exponential_avg_factor"].f = 1.0
    notes = clean(graph_def)
    assert notes == (
        "attributes of a newer TensorFlow, at their defaults, removed: MatMul.exponential_avg_factor, "
        "MatMul.index_type, Relu.bad_indices_policy, Relu.explicit_paddings",
    )
    np.testing.assert_array_equal(run(graph_def), np.maximum(X, 0))


@pytest.mark.parametrize(("name", "field", "value"), [("explicit_paddings", "i", 3), ("from_the_future", "b", False)])
def test_unknown_attributes_with_a_meaning(name, field, value):
    graph_def = small()
    setattr(node_of(graph_def, "act").attr[name], field, value)
    message = rf"node 'act': TensorFlow .* does not know the attribute '{name}' of op Relu, set to {field}: .*wrongly"
    with pytest.raises(ModelFileError, match=message):
        clean(graph_def)


def test_harmless_values_of_unknown_attributes():
    """Averaging of batch statistics in a batch norm that uses none; an error where False would return a value."""
    norm = tf.NodeDef(name="norm", op="FusedBatchNormGrad")  # neither TensorFlow knows the other two attributes of it
    norm.attr["is_training"].b = False
    norm.attr["exponential_avg_factor"].f = 0.1
    norm.attr["incompatible_shape_error"].b = False
    note = drop_unknown([norm], {})
    assert note.endswith("FusedBatchNormGrad.exponential_avg_factor, FusedBatchNormGrad.incompatible_shape_error")
    assert set(norm.attr) == {"is_training"}


@pytest.mark.parametrize(("op", "training"), [("FusedBatchNormGrad", True), ("Relu6", None)])
def test_averaging_where_there_may_be_batch_statistics_is_refused(op, training):
    node = tf.NodeDef(name="norm", op=op)
    node.attr["exponential_avg_factor"].f = 0.1
    if training is not None:
        node.attr["is_training"].b = training
    with pytest.raises(ModelFileError, match=f"'exponential_avg_factor' of op {op}"):
        drop_unknown([node], {})


def test_defaults_that_the_file_itself_states():
    meta = tf.MetaGraphDef()
    operation = meta.meta_info_def.stripped_op_list.op.add(name="Relu")
    attribute = operation.attr.add(name="from_the_future")
    attribute.default_value.i = 5
    defaults = file_defaults(meta.meta_info_def.stripped_op_list)
    for value, kept in ((5, False), (6, True)):
        graph_def = small()
        node_of(graph_def, "act").attr["from_the_future"].i = value
        if kept:
            with pytest.raises(ModelFileError, match="from_the_future"):
                clean(graph_def, defaults)
        else:
            clean(graph_def, defaults)
            np.testing.assert_array_equal(run(graph_def), np.maximum(X, 0))
