"""Layers requested by name, tensor or count, and the errors for unsuitable ones."""

from __future__ import annotations

import pytest
from binding_graphs import (
    classifier,
    conv,
    conv_relu,
    dense,
    finish,
    images,
    two_layers,
    weights,
)

from gradcam_tf1.binding.bind_graph import bind
from gradcam_tf1.binding.layer_specs import resolve_layer
from gradcam_tf1.errors import BindingError
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import KeyTensors


def test_counts_from_the_end(graph):
    classifier(images())
    binding = bind(graph)
    assert [resolve_layer(graph, binding, spec).name for spec in (-1, -2, "-2")] == [
        "conv2/Relu:0",
        "conv1/Relu:0",
        "conv1/Relu:0",
    ]
    assert bind(graph, requested=KeyTensors(layer=-2)).layer == "conv1/Relu:0"


@pytest.mark.parametrize("count", [-3, 0, 1])
def test_counts_out_of_range(graph, count):
    classifier(images())
    with pytest.raises(BindingError, match=f"layer {count} does not exist; .* to -2"):
        resolve_layer(graph, bind(graph), count)


def test_names_listed_or_not(graph):
    x = tf.nn.max_pool(two_layers(images()), [1, 2, 2, 1], [1, 2, 2, 1], "SAME", name="pool")
    finish(x)
    binding = bind(graph)
    assert resolve_layer(graph, binding, "conv1").name == "conv1/Relu:0"
    assert resolve_layer(graph, binding, "conv1/Conv2D").counted is False
    assert resolve_layer(graph, binding, graph.get_tensor_by_name("pool:0")).name == "pool:0"
    assert bind(graph, requested=KeyTensors(layer="pool")).reasons["layer"] == "named by the user"


def test_unlisted_layer_keeps_its_channel_axis(graph):
    x = tf.nn.relu(tf.nn.conv2d(images(None, 3, 16, 16), weights(3, 3, 3, 8), [1, 1, 1, 1], "SAME", data_format="NCHW"))
    x = tf.multiply(x, 2.0, name="doubled")
    dense(tf.reduce_mean(x, [2, 3]), 5, 8)
    assert resolve_layer(graph, bind(graph), "doubled").channels_last is False


def test_layer_off_the_way(graph):
    finish(two_layers(images()))
    conv_relu(graph.get_tensor_by_name("input:0"), 4, name="elsewhere")
    with pytest.raises(BindingError, match="'elsewhere/Relu:0' does not lie on a path from 'input:0' to"):
        resolve_layer(graph, bind(graph, requested=KeyTensors(logits="dense")), "elsewhere/Relu")


def test_layer_that_is_no_map(graph):
    finish(two_layers(images()))
    with pytest.raises(BindingError, match=r"'gap:0' is float32 of shape .*; name a float map"):
        bind(graph, requested=KeyTensors(layer="gap"))


def test_no_map_at_all(graph):
    scores = conv(images(), 5, 16, padding="VALID", name="everything")
    tf.nn.softmax(tf.squeeze(scores, [1, 2], name="scores"))
    with pytest.raises(BindingError, match="no feature map with more than one position lies between 'input:0' and"):
        bind(graph)
