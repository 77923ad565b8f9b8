"""Asking a net for one thing changes nothing about another: in any order it answers as a fresh net does."""

from __future__ import annotations

import random

import numpy as np
import pytest
from looping_nets import PHOTOS, loop_net, mapped, straight, turned_before, turned_hue
from small_nets import SmallNet

from gradcam_tf1.errors import GradCamError
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.targets import Contrast
from gradcam_tf1.tf_runtime import tf

NETS = {
    "functional loop and condition": lambda: (loop_net(mapped), "two"),
    "loop and condition of the first version": lambda: (loop_net(mapped, v2=False), "two"),
    "a loop that has no gradient": lambda: (loop_net(turned_hue), "two"),
    "a loop with no gradient before it": lambda: (loop_net(turned_before), "two"),
    "dense head": lambda: (SmallNet("flat", (8, 8)).graph().as_graph_def(), "features"),
}
LAYERS = {"two": (None, "one", ["one", "two"], "nope"), "features": (None, "Relu", "logits")}
METHODS = (
    "gradcam",
    "gradient",
    "guided_backprop",
    "guided_gradcam",
    "shapleycam",
    "cam",
    "eigengradcam",
    ["layercam", "gradient"],
)


def opened(graph_def, layer):
    return GradCamGraph(graph_def, input=graph_def.node[0].name, logits="logits", layer=layer, preset="raw")


def answer(net, request):
    """Maps and scores, or the error; what is asked last is whether a method can be used at all."""
    kind, methods, layers, target = request
    try:
        if kind == "usable":
            return net.usable_methods([methods] if isinstance(methods, str) else methods, layers)
        found = net.explain(PHOTOS, target, methods, layers)
        return {**found.maps, "scores": found.scores}
    except GradCamError as error:
        return type(error).__name__, str(error).split(" (TensorFlow says")[0]


def assert_same(found, expected, request):
    assert type(found) is type(expected), (request, found, expected)
    if not isinstance(found, dict):
        assert found == expected, request
        return
    assert found.keys() == expected.keys()
    for key, values in found.items():
        scale = np.abs(expected[key]).max()
        np.testing.assert_allclose(values, expected[key], rtol=1e-4, atol=1e-5 * scale, err_msg=f"{request} {key}")


def requests(layer, count):
    draw = random.Random(7)
    for _ in range(count):
        kind = draw.choice(["explain", "explain", "explain", "usable"])
        yield kind, draw.choice(METHODS), draw.choice(LAYERS[layer]), draw.choice([0, Contrast(2, 1), 77])


@pytest.mark.parametrize("name", NETS)
def test_any_order_of_requests_gives_what_a_fresh_net_gives(name):
    graph_def, layer = NETS[name]()
    asked = list(requests(layer, 9))
    expected = []
    for request in asked:
        with opened(graph_def, layer) as fresh:
            expected.append(answer(fresh, request))
    assert {type(one) for one in expected} >= {dict, tuple}
    with opened(graph_def, layer) as net:
        for request, one in zip(asked, expected):
            assert_same(answer(net, request), one, request)
            assert net.graph.finalized
        ops = len(net.graph.get_operations())
        for request, one in zip(asked, expected):
            assert_same(answer(net, request), one, request)
        assert len(net.graph.get_operations()) == ops  # also where it was refused


@pytest.mark.parametrize("v2", [True, False])
def test_the_pixels_before_a_loop_after_the_layers_in_front_of_it(v2):
    """The issue's order; the gradient itself is that of the same net spelt without a loop."""
    with opened(loop_net(straight), "two") as net:
        expected = {name: net.explain(PHOTOS, 1, name)[name] for name in ("gradcam", "gradient")}
    with opened(loop_net(mapped, v2=v2), "two") as net:
        usable = net.usable_methods(["gradcam", "gradient"])[0]
        for name in ["gradcam", *usable, "gradcam"]:
            np.testing.assert_allclose(net.explain(PHOTOS, 1, name)[name], expected[name], rtol=1e-3, atol=1e-5)
    assert "gradient" in usable or not v2


@pytest.mark.parametrize("start", [turned_hue, turned_before])
def test_a_request_that_fails_in_or_behind_a_loop_leaves_the_net_as_it_was(start):
    with opened(loop_net(start), "two") as net:
        expected = net.explain(PHOTOS, 1, ["gradcam", "shapleycam"])
        for _ in range(2):
            with pytest.raises(GradCamError, match="AdjustHue"):
                net.explain(PHOTOS, 1, "gradient")
            found = net.explain(PHOTOS, 1, ["gradcam", "shapleycam"])
            for name in ("gradcam", "shapleycam"):
                np.testing.assert_array_equal(found[name], expected[name])


def test_a_new_session_has_the_weights_of_the_old_one():
    """Large weights are in variables, which belong to a session; a second derivative changes the loops of the first."""
    random_ = np.random.RandomState(3)
    large = random_.randn(3, 600, 600).astype(np.float32)
    graph = tf.Graph()
    with graph.as_default():
        tf.import_graph_def(loop_net(mapped), name="")
        weights = tf.tensordot(graph.get_tensor_by_name("logits:0"), tf.constant(large, name="large"), 1)
        tf.identity(tf.reduce_sum(weights, 2)[:, :3] / 1000, name="heavy")
    with GradCamGraph(graph.as_graph_def(), input="x", logits="heavy", layer="two", preset="raw") as net:
        before = net.sess
        first = net.explain(PHOTOS, 1, "gradcam")
        net.explain(PHOTOS, 1, "gradient")
        assert net.sess is not before
        again = net.explain(PHOTOS, 1, "gradcam")
        assert [op.type for op in net.graph.get_operations() if op.name == "large"] == ["ReadVariableOp"]
    np.testing.assert_array_equal(again.scores, first.scores)
    np.testing.assert_array_equal(again["gradcam"], first["gradcam"])
    assert np.abs(first.scores).max() > 0
