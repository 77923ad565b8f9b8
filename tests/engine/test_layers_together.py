"""The map of several layers taken together is the sum of theirs on the image."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest
from branch_nets import (
    Net,
    conv,
    dense,
    ensemble,
    images,
    member,
    numbers,
    opened,
    placeholder,
    pool,
    pooled,
    rgb,
    two_branches,
)
from flat_options import chosen, grouped

from gradcam_tf1.engine.explain_options import ExplainOptions
from gradcam_tf1.errors import GradientError, OptionError
from gradcam_tf1.images.geometry import upsample
from gradcam_tf1.methods import METHODS
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import KeyTensors, ScoreRequest, Slot

CUT = "a/Relu:0 + b/Relu:0 + c/Relu:0"
STRIDES = (1, 2, 1)
# sums over the channels of a layer, made of its features and gradients alone
SUMS = ("gradcam", "hirescam", "gradcampp", "xgradcam", "layercam", "elementwise", "counterfactual")


@lru_cache(maxsize=None)
def three_nets():
    return opened(lambda: ensemble(strides=STRIDES))


@lru_cache(maxsize=None)
def one_of_three(place):
    """That net alone, its scores divided by three."""

    def build():
        tf.divide(member(placeholder(), "abc"[place], place, stride=STRIDES[place]), 3.0, name="logits")

    return opened(build, logits="logits")


@pytest.mark.parametrize("method", SUMS)
def test_an_ensemble_is_the_sum_of_its_nets(method):
    """Each net alone, in a graph of its own, brought to the image."""
    images = rgb()
    found = three_nets().explain(images, [0, 1, 2, 3], method)
    assert found.layers == (CUT,)
    alone = [one_of_three(n).explain(images, [0, 1, 2, 3], method)[method] for n in range(3)]
    expected = sum(upsample(one, (16, 16)) for one in alone)
    np.testing.assert_allclose(found[method], expected, rtol=2e-4, atol=2e-6)
    assert found[method].any()
    assert [[s.state == "ok" for s in row] for row in found.statuses[method, CUT]] == expected.any(axis=(2, 3)).tolist()


def test_each_net_counts():
    """What one member says is not taken for the whole: without it the sum is another."""
    whole = three_nets().explain(rgb(), [0], "hirescam")["hirescam"]
    part = three_nets().explain(rgb(), [0], "hirescam", layers="a/Relu + c/Relu")["hirescam"]
    second = three_nets().explain(rgb(), [0], "hirescam", layers="b/Relu")["hirescam"]
    np.testing.assert_allclose(whole - part, upsample(second, (16, 16)), rtol=1e-3, atol=1e-5)
    assert np.abs(whole - part).max() > 0.1 * np.abs(whole).max()


@lru_cache(maxsize=None)
def joined():
    """Two convolutions of one size, joined by a concat before a curved head: both spellings are there to be asked."""

    def build():
        x = pool(placeholder())
        both = tf.concat([conv(x, 3, "a", seed=1), conv(x, 4, "b", seed=2)], 3, name="both")
        hidden = tf.tanh(tf.matmul(tf.reshape(both, [-1, 448]), numbers(448, 5, seed=3, scale=0.1)))
        tf.nn.softmax(dense(hidden, 4, "logits", seed=4))

    return opened(build)


@pytest.mark.parametrize("method", [*SUMS, "finercam", "shapleycam", "positive"])
def test_layers_of_one_size_are_what_their_concat_is(method):
    """Before the closing ReLU: layer methods sum over the channels, whichever of the layers has them."""
    explainer = joined()._open()
    batch, layers = joined().preprocess(rgb()), explainer.resolve_layers(["a/Relu + b/Relu", "both"])
    ops, runner, slot = explainer.engine._ops, explainer.engine._runner, Slot(0)
    for target in (0, 3):
        score = ScoreRequest(("logit",), {"code": np.full(2, target, np.int32)})
        cams = dict(enumerate(ops.cams(METHODS[method], layers, slot, {})))
        raw = runner.run(cams, batch, ops.fed(score, slot))
        np.testing.assert_allclose(raw[0] + raw[1], raw[2], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("method", ["hirescam", "layercam", "gradcampp", "fem", "smoothgradcampp"])
def test_maps_without_evidence_against_are_what_their_concat_is(method):
    found = joined().explain(rgb(), [0, 3], method, layers=["a/Relu + b/Relu", "both"])
    together, concat = found.maps[method, "a/Relu:0 + b/Relu:0"], found.maps[method, "both:0"]
    np.testing.assert_allclose(together, upsample(concat, (16, 16)), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("method", ["gradcam", "ablationcam", "scorecam", "groupcam", "reciprocam", "guided_gradcam"])
def test_each_of_several_layers_has_its_own_closing_relu(method):
    found = joined().explain(rgb(), [0, 3], method, layers=["a/Relu", "b/Relu", "a/Relu + b/Relu"])
    maps = [found.maps[method, layer] for layer in found.layers]
    maps = maps if method == "guided_gradcam" else [upsample(map, (16, 16)) for map in maps]
    np.testing.assert_allclose(maps[2], maps[0] + maps[1], rtol=1e-3, atol=1e-5)


def test_evidence_against_in_all_layers_is_told_from_none():
    """A class of negative weights alone, on features above zero."""

    def build():
        x = pool(placeholder())
        maps = [conv(x, 3, name, seed=k) for k, name in enumerate("ab")]
        weights = -np.abs(numbers(6, 2))
        weights[:, 1] = 0
        tf.nn.softmax(tf.matmul(tf.concat([pooled(map) for map in maps], 1), weights, name="logits"))

    found = opened(build).explain(rgb(1), [0, 1])
    assert found.layers == ("a/Relu:0 + b/Relu:0",)
    against, none = found.statuses["gradcam", found.layers[0]][0]
    assert "all evidence here is against this class" in against.reason
    assert against.minimum < 0
    assert (none.state, none.minimum, none.maximum) == ("empty", 0.0, 0.0)


def test_a_layer_alone_and_as_a_part_in_one_question():
    found = joined().explain(rgb(), [0], ["shapleycam", "gradcam"], layers=["a/Relu", "a/Relu + b/Relu", "b/Relu"])
    apart = joined().explain(rgb(), [0], ["shapleycam", "gradcam"], layers=["b/Relu", "a/Relu"])
    for method in ("shapleycam", "gradcam"):
        for layer in ("a/Relu:0", "b/Relu:0"):
            np.testing.assert_allclose(found.maps[method, layer], apart.maps[method, layer], rtol=1e-4, atol=1e-6)
    assert set(found.maps) == {(m, n) for m in ("shapleycam", "gradcam") for n in found.layers}


@pytest.mark.parametrize("method", ["eigencam", "eigengradcam", "segeigencam", "kpcacam"])
def test_what_does_not_add_up_is_refused(method):
    with pytest.raises(
        GradientError, match=f"{method} makes one principal component .* a/Relu:0, b/Relu:0, c/Relu:0 are"
    ):
        three_nets().explain(rgb(), [0], method)
    usable, reasons = three_nets().usable_methods([method, "gradcam"])
    assert usable == ["gradcam"]
    assert "Name one of them" in reasons[method]
    assert three_nets().explain(rgb(), [0], method, layers="b/Relu")[method].shape == (2, 1, 4, 4)


def test_options_that_need_one_layer_are_refused():
    with pytest.raises(OptionError, match="eigen_smooth makes one principal component of a layer; a/Relu:0, b/Relu:0"):
        joined().explain(rgb(), [0], layers="a/Relu + b/Relu", options=ExplainOptions(eigen_smooth=True))
    with pytest.raises(OptionError, match="softmax weighs the channels of one layer against each other"):
        joined().explain(rgb(1), [0], chosen("scorecam", {"scorecam": {"softmax": True}}), layers="a/Relu + b/Relu")


def test_opticam_takes_one_layer():
    with pytest.raises(GradientError, match="opticam weighs the channels of one layer .* a/Relu:0, b/Relu:0, c/Relu:0"):
        three_nets().explain(rgb(1), [0], "opticam")
    assert "Name one of them" in three_nets().usable_methods(["opticam"])[1]["opticam"]
    assert three_nets().explain(rgb(1), [0], "opticam", layers="b/Relu")["opticam"].shape == (1, 1, 4, 4)


def test_cam_says_what_is_in_its_way():
    with pytest.raises(GradientError, match="CAM needs a head of global average pooling .* Use gradcam"):
        three_nets().explain(rgb(), [0], "cam")


@pytest.mark.parametrize("how", [{"noise": "smoothgrad"}, {"aug_smooth": True}])
def test_noise_and_mirrored_views_take_the_sum_as_any_layer(how):
    found = joined().explain(rgb(1), [0], "hirescam", layers=["a/Relu + b/Relu", "both"], **grouped(**how))
    together, concat = found.maps["hirescam", "a/Relu:0 + b/Relu:0"], found.maps["hirescam", "both:0"]
    np.testing.assert_allclose(together, upsample(concat, (16, 16)), rtol=1e-3, atol=1e-5)


def test_each_part_is_placed_by_its_own_cells():
    """Strides and paddings that leave a remainder: 19 pixels in 10 and 4 cells, none of which share them evenly."""

    def build():
        x = placeholder(19)
        fine, coarse = conv(x, 4, "fine", seed=1, stride=2), conv(pool(conv(x, 4, "first"), 3), 4, "coarse", stride=2)
        tf.nn.softmax(dense(tf.concat([pooled(fine), pooled(coarse)], 1), 3, "logits"))

    layers = ["fine/Relu:0 + coarse/Relu:0", "fine/Relu:0", "coarse/Relu:0", "auto"]
    found = opened(build).explain(images(2, side=19) * 255, [0, 1], layers=layers)
    assert any(found.cells.get(("gradcam", layer)) for layer in layers[1:3])
    for n in range(2):
        for t in range(2):
            together, fine, coarse, own = (found.map("gradcam", n, t, layer).placed() for layer in layers)
            np.testing.assert_allclose(together, fine + coarse, rtol=1e-4, atol=1e-6)
            np.testing.assert_array_equal(own, together)


def test_streams_of_signals_add_up_along_their_axis():
    """[N, L, C]: one stream on all samples, one on every second."""

    def build():
        x = tf.placeholder(tf.float32, [None, 24, 2], name="input")
        streams = [
            tf.nn.relu(tf.nn.conv1d(x, numbers(3, 2, 4, seed=n), stride, "SAME"), name=name)
            for n, (name, stride) in enumerate((("fine", 1), ("coarse", 2)))
        ]
        tf.nn.softmax(dense(tf.concat([tf.reduce_mean(stream, 1) for stream in streams], 1), 3, "logits"))

    net = opened(build)
    assert net.binding.layer == "fine:0 + coarse:0"
    signals = np.random.RandomState(0).randn(2, 24, 2)
    found = net.explain(signals, [0, 1], layers=[net.binding.layer, "fine", "coarse"])
    together, fine, coarse = (found.maps["gradcam", layer] for layer in found.layers)
    np.testing.assert_allclose(together, fine + upsample(coarse, (24,)), rtol=1e-4, atol=1e-7)
    assert found.map("gradcam", 0, 0, net.binding.layer).placed().shape == (24,)


def test_named_by_the_hook_and_by_the_constructor():
    class Named(Net):
        def fetch_key_tensors(self):
            return KeyTensors(layer="a/Relu + b/Relu")

    graph = tf.Graph()
    with graph.as_default():
        two_branches()
    for net in (Named(graph), Net(graph, layer="a/Relu:0 + b/Relu:0")):
        assert net.explain(rgb(1), [0]).layers == ("a/Relu:0 + b/Relu:0",)
