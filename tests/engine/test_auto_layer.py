"""Each class in the last map of its own branch; and why a map of another branch is empty."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest
from branch_nets import (
    conv,
    dense,
    detector,
    ensemble,
    one_by_one,
    opened,
    placeholder,
    pool,
    pooled,
    rgb,
    two_branches,
)

from gradcam_tf1.engine.explain_options import ExplainOptions
from gradcam_tf1.errors import BindingError
from gradcam_tf1.images.geometry import upsample
from gradcam_tf1.targets import Anchor, Contrast, Top
from gradcam_tf1.tf_runtime import tf


@lru_cache(maxsize=None)
def branched():
    """Classes 0 to 4 of branch a, 5 to 11 of branch b."""
    return opened(two_branches)


@lru_cache(maxsize=None)
def head_on_the_trunk():
    """Classes 0 and 1 straight from the trunk, 2 to 4 behind a convolution of their own."""

    def build():
        trunk = pool(conv(placeholder(), 6, "trunk", seed=1))
        parts = [one_by_one(trunk, 2, "near"), one_by_one(conv(trunk, 4, "own", seed=2), 3, "far")]
        tf.nn.softmax(pooled(tf.concat(parts, 3)), name="prob")

    return opened(build)


def on_input(found, method, layer, n, t):
    return upsample(found.maps[method, layer][n, t], (16, 16))


def test_every_class_has_the_map_of_its_own_branch():
    targets = [0, 4, 5, 11]
    found = branched().explain(rgb(), targets, ["gradcam", "eigencam"], layers="auto")
    alone = branched().explain(rgb(), targets, ["gradcam", "eigencam"], layers=["a/Relu", "b/Relu"])
    assert found.layers == ("auto",)
    assert set(found.maps) == {("gradcam", "auto"), ("eigencam", "auto")}
    for method in ("gradcam", "eigencam"):
        for n in range(2):
            for t, layer in enumerate(("a/Relu:0", "a/Relu:0", "b/Relu:0", "b/Relu:0")):
                expected = on_input(alone, method, layer, n, t)
                np.testing.assert_allclose(found[method][n, t], expected, rtol=1e-4, atol=1e-7)
                status = found.statuses[method, "auto"][n][t]
                assert status.notes[-1] == f"layer auto is '{layer}' here"
                assert status.state == alone.statuses[method, layer][n][t].state


def test_the_top_class_of_each_image_has_its_own():
    """Images whose top classes are of different branches, in one batch."""
    net = branched()
    batch = rgb(12)
    found = net.explain(batch, Top(2), layers=["auto", "a/Relu", "b/Relu"])
    layers = np.where(found.class_ids < 5, "a/Relu:0", "b/Relu:0")
    assert len(set(layers.ravel())) == 2
    for n, row in enumerate(layers):
        for t, layer in enumerate(row):
            np.testing.assert_allclose(
                found.maps["gradcam", "auto"][n, t], on_input(found, "gradcam", layer, n, t), rtol=1e-4, atol=1e-7
            )


def test_a_branch_without_a_map_of_its_own_has_the_trunk():
    """Added up with the other branch's map the trunk would count the far classes twice."""
    net = head_on_the_trunk()
    found = net.explain(rgb(1), [0, 3], layers=["auto", "trunk/Relu", "own/Relu"])
    for t, layer in enumerate(("trunk/Relu:0", "own/Relu:0")):
        expected = on_input(found, "gradcam", layer, 0, t)
        np.testing.assert_allclose(found.maps["gradcam", "auto"][0, t], expected, rtol=1e-4, atol=1e-7)


def test_what_is_made_of_several_branches_has_the_layer_they_share():
    for targets, score in (([Contrast(0, 7)], "logit"), ([3], "log_probability"), ([3], "margin")):
        found = branched().explain(rgb(1), targets, layers=["auto", "trunk/Relu"], score=score)
        expected = on_input(found, "gradcam", "trunk/Relu:0", 0, 0)
        np.testing.assert_allclose(found.maps["gradcam", "auto"][0, 0], expected, rtol=1e-4, atol=1e-7)
    inside = branched().explain(rgb(1), [Contrast(0, 3)], layers=["auto", "a/Relu"])
    np.testing.assert_allclose(inside.maps["gradcam", "auto"][0, 0], on_input(inside, "gradcam", "a/Relu:0", 0, 0))


@pytest.mark.parametrize("apart", [False, True])
def test_anchors_have_the_map_of_their_scale(apart):
    net = opened(lambda: detector(apart=apart))
    targets = [Anchor(0, index=5), Anchor(0, index=140)]
    found = net.explain(rgb(1), targets, layers=["auto", "head0/Relu", "head1/Relu"])
    for t, layer in enumerate(("head0/Relu:0", "head1/Relu:0")):
        np.testing.assert_allclose(found.maps["gradcam", "auto"][0, t], on_input(found, "gradcam", layer, 0, t))
        assert f"'{layer}'" in found.statuses["gradcam", "auto"][0][t].notes[-1]
    reason = found.statuses["gradcam", "head0/Relu:0"][0][1].reason
    assert "no gradient leads from this score to 'head0/Relu:0': the score is made from 'head1/Relu:0'" in reason


def test_without_branches_it_is_the_default_layer():
    net = opened(ensemble)
    found = net.explain(rgb(1), [0], layers=["auto", net.binding.layer])
    np.testing.assert_array_equal(found.maps["gradcam", "auto"], found.maps["gradcam", net.binding.layer])


def test_bound_as_the_layer():
    net = opened(two_branches, layer="auto")
    assert (net.binding.layer, net.binding.shared_layer) == ("auto", "trunk/Relu:0")
    found = net.explain(rgb(1), [0, 7])
    again = branched().explain(rgb(1), [0, 7], layers="auto")
    np.testing.assert_allclose(found["gradcam"], again["gradcam"], rtol=1e-5, atol=1e-8)
    assert net.usable_methods(["gradcam", "cam", "eigencam"])[0] == ["gradcam", "eigencam"]


def test_products_noise_views_and_fusion():
    net = branched()
    found = net.explain(
        rgb(1),
        [0, 7],
        ["guided_gradcam", "gradient"],
        layers="auto",
        options=ExplainOptions(noise="smoothgrad", aug_smooth=True),
    )
    assert found.maps["guided_gradcam", "auto"].shape == (1, 2, 16, 16, 3)
    assert found.maps["gradient", ""].any()
    fused = net.explain(rgb(1), [0, 7], layers=["auto", "trunk/Relu"], options=ExplainOptions(fuse="mean"))
    assert list(fused.maps) == [("gradcam", "trunk/Relu:0"), ("gradcam", "auto"), ("gradcam", "fused")]


def test_it_is_refused_where_nobody_can_tell_the_branches():
    net = opened(lambda: detector(side=None), size=(16, 16))
    with pytest.raises(BindingError, match="layer 'auto' is that of each class's own branch: .* does not say how many"):
        net.explain(rgb(1), [0], layers="auto")
    assert net.explain(rgb(1), [0]).layers == ("trunk/Relu:0",)


# empty maps


@pytest.mark.parametrize("method", ["gradcam", "hirescam", "eigengradcam", "guided_gradcam", "ablationcam"])
def test_a_layer_that_a_class_is_not_made_of_is_named(method):
    found = branched().explain(rgb(1), [0, 7], method, layers="a/Relu")
    own, other = found.statuses[method, "a/Relu:0"][0]
    assert other.state == "empty"
    assert other.reason == (
        "no gradient leads from this score to 'a/Relu:0': the score is made from 'b/Relu:0'; as layer name that, "
        "'auto', or 'trunk/Relu:0', on which all scores depend"
    )
    assert "no gradient leads" not in own.reason


def test_what_does_not_follow_the_class_keeps_its_map():
    """The rivals of a class may be of other branches, and no class has a say in the principal component."""
    found = branched().explain(rgb(1), [7], ["eigencam", "shapleycam"], layers="a/Relu")
    assert [found.statuses[name, "a/Relu:0"][0][0].state for name in ("eigencam", "shapleycam")] == ["ok", "ok"]


def test_dead_units_keep_their_reason():
    """A way is there, but every unit behind the layer is off: in the class's own branch, and without branches."""

    def build():
        trunk = conv(placeholder(), 4, "trunk", seed=1)
        dead = tf.nn.relu(tf.nn.conv2d(trunk, -np.ones([1, 1, 4, 3], np.float32), [1, 1, 1, 1], "SAME"), name="dead")
        parts = [one_by_one(dead, 2, "first"), one_by_one(conv(trunk, 4, "own"), 2, "second")]
        tf.nn.softmax(pooled(tf.concat(parts, 3)))

    net = opened(build)
    found = net.explain(rgb(1), [0, 3], layers=["trunk/Relu", "dead"])
    assert "saturated or dead units" in found.statuses["gradcam", "trunk/Relu:0"][0][0].reason
    assert "saturated or dead units" in found.statuses["gradcam", "dead:0"][0][0].reason
    assert "no gradient leads from this score to 'dead:0'" in found.statuses["gradcam", "dead:0"][0][1].reason


def test_a_branch_that_a_decision_cuts_off():
    """Values pass the argmax, a gradient does not: the classes behind it have none at the trunk."""

    def build():
        trunk = conv(placeholder(), 4, "trunk", seed=1)
        decided = tf.one_hot(tf.argmax(pooled(trunk), 1), 4)
        tf.concat([dense(pooled(trunk), 2, "plain"), dense(decided, 2, "cut")], 1, name="logits")

    found = opened(build, logits="logits").explain(rgb(1), [0, 3])
    plain, cut = found.statuses["gradcam", "trunk/Relu:0"][0]
    assert cut.reason == "no gradient leads from this score to 'trunk/Relu:0', nor to any other feature map"
    assert "no gradient leads" not in plain.reason
