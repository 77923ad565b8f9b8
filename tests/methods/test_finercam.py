"""FinerCAM's rivals: one where there are two classes, never the class itself, and plain classes only."""

from __future__ import annotations

import numpy as np
import pytest
from layer_twins import maps_of, twin
from small_nets import SmallNet, request, run

from gradcam_tf1.engine.map_engine import MapEngine
from gradcam_tf1.errors import OptionError
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import ScoreRequest


def test_finercam_of_a_one_logit_net_has_one_rival():
    net = SmallNet("gap", classes=1)
    images = net.images(2)
    maps = run(net, images, [0, 1], ["finercam", "gradcam"]).maps
    np.testing.assert_allclose(maps["finercam", "features:0"], 1.6 * maps["gradcam", "features:0"], atol=1e-6)


def test_finercam_takes_no_class_for_its_own_rival():
    net = SmallNet("gap", classes=5)
    net.weights["w4"][:, 3] = net.weights["w4"][:, 1]
    net.weights["b4"][3] = net.weights["b4"][1]  # equal scores: 1 is 3's nearest rival, not 3 itself
    images = net.images(1)
    np.testing.assert_allclose(
        maps_of(net, images, [1, 3], "finercam"), np.maximum(twin("finercam", net, images, [1, 3]), 0), atol=1e-6
    )


@pytest.mark.parametrize("method", ["finercam", "shapleycam"])
def test_methods_with_a_score_of_their_own_explain_plain_classes_only(method):
    net = SmallNet("gap")
    graph, binding = net.graph(), net.binding()
    requests = [ScoreRequest(("margin",), {"code": np.zeros(1, np.int32)})]
    with tf.Session(graph=graph) as sess, pytest.raises(OptionError, match="explains class scores only, not 'margin'"):
        MapEngine(graph, sess, binding, 8).run(request(net.images(1), requests, [method], binding.layers))


@pytest.mark.parametrize(("rivals", "gamma"), [(1, 0.6), (2, 0.25), (4, 1.0), (99, 0.6)])
def test_finercam_takes_as_many_rivals_and_as_much_of_them_as_it_is_given(rivals, gamma):
    net = SmallNet("flat", classes=5)
    images = net.images(2)
    options = {"finercam": {"rivals": rivals, "gamma": gamma}}
    expected = np.maximum(twin("finercam", net, images, [1, 3], rivals=rivals, gamma=gamma), 0)
    np.testing.assert_allclose(maps_of(net, images, [1, 3], "finercam", options=options), expected, atol=1e-6)
    assert np.abs(expected - np.maximum(twin("finercam", net, images, [1, 3]), 0)).max() > 1e-4


def test_finercam_without_rivals_is_gradcam():
    net = SmallNet("flat")
    images = net.images(1)
    maps = maps_of(net, images, [1], "finercam", options={"finercam": {"gamma": 0}})
    np.testing.assert_allclose(maps, maps_of(net, images, [1], "gradcam"), atol=1e-7)


def test_finercam_needs_a_rival():
    with pytest.raises(OptionError, match="finercam.rivals is a whole number at least 1 .*, not 0; its default is 3"):
        maps_of(SmallNet("gap"), SmallNet("gap").images(1), [1], "finercam", options={"finercam": {"rivals": 0}})
    with pytest.raises(OptionError, match="finercam.rivals is a whole number .* at most 2147483647"):
        maps_of(SmallNet("gap"), SmallNet("gap").images(1), [1], "finercam", options={"finercam": {"rivals": 2**31}})
