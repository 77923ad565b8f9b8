"""Variables of a model get new values: the maps are those of a model that has them from the start."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from looping_nets import PHOTOS, loop_net, mapped

from gradcam_tf1 import ClosedError, GradCamGraph, OptionError, load
from gradcam_tf1.tf_runtime import tf


def kernels(graph_def):
    """The constants of the two convolutions and the dense layer, by name."""
    found = {node.name: tf.make_ndarray(node.attr["value"].tensor) for node in graph_def.node if node.op == "Const"}
    return {name: value for name, value in found.items() if value.dtype == np.float32 and value.ndim in (2, 4)}


def changed(graph_def, values):
    other = tf.GraphDef()
    other.CopyFrom(graph_def)
    for node in other.node:
        if node.name in values:
            node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(values[node.name]))
    return other


def opened(graph_def, variables=()):
    model = replace(load(graph_def), variables=tuple(variables))
    return GradCamGraph(model, input="x", logits="logits", layer="two", preset="raw")


def test_maps_after_new_values():
    """The net even gets a new session afterwards, because the gradient of a functional loop changes an op."""
    graph_def = loop_net(mapped)
    weights = kernels(graph_def)
    assert len(weights) == 3
    rng = np.random.RandomState(3)
    values = {name: (value + rng.normal(0, 0.3, value.shape)).astype(np.float32) for name, value in weights.items()}
    methods = ["gradcam", "gradient"]
    with opened(graph_def, weights) as net, opened(changed(graph_def, values)) as other, opened(graph_def) as same:
        before = net.explain(PHOTOS, [0, 1], "eigencam")
        assert np.array_equal(before.scores, same.explain(PHOTOS, [0, 1], "eigencam").scores)
        net.assign(values)
        made, wanted = net.explain(PHOTOS, [0, 1], methods), other.explain(PHOTOS, [0, 1], methods)
        assert np.abs(made.scores - before.scores).max() > 1e-3
        np.testing.assert_allclose(made.scores, wanted.scores, rtol=1e-5)
        for key, maps in made.maps.items():
            np.testing.assert_allclose(maps, wanted.maps[key], atol=1e-5 * np.abs(wanted.maps[key]).max())


def test_what_cannot_be_assigned():
    graph_def = loop_net()
    name, value = next(iter(kernels(graph_def).items()))
    with opened(graph_def, [name]) as net:
        with pytest.raises(OptionError, match="'nope' is no variable of this net; its model lists those it has"):
            net.assign({"nope": value})
        with pytest.raises(OptionError, match=rf"'{name}' has shape .*, the value given \[2\]"):
            net.assign({name: value.ravel()[:2]})
        net.assign({})
    with pytest.raises(ClosedError):
        net.assign({name: value})
