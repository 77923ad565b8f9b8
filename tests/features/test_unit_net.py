"""Values and gradients of units against a float64 twin; what cannot be measured is refused."""

from __future__ import annotations

import numpy as np
import pytest
from array_nets import ArrayNet
from further_nets import with_meta
from small_nets import SmallNet, conv_same_backward, relu_backward

from gradcam_tf1 import BindingError, FeatureUnit, GradCamGraph, GradientError, OptionError, TargetError, load
from gradcam_tf1.features.bound_units import bind_units
from gradcam_tf1.features.feature_unit import as_units
from gradcam_tf1.features.unit_net import UnitNet
from gradcam_tf1.tf_runtime import tf

TWIN = SmallNet()
VECTOR = (0.5, -1.0, 2.0, 0.0, 0.25)


def opened(graph=None, **options):
    given = {"input": "input", "logits": "logits", "layer": "features", "preset": "raw", **options}
    return GradCamGraph(load((graph or TWIN.graph()).as_graph_def()), **given)


def bound(net, *units):
    unit_net = UnitNet(net, (0, 255))
    return unit_net, bind_units(as_units(list(units)), unit_net.explainer, unit_net.fed)


@pytest.fixture(scope="module")
def net():
    with opened() as net:
        yield net


def counts(features, unit):
    """What each position counts, [N, h, w]."""
    vector = np.array(unit.direction if unit.channel is None else np.eye(5)[unit.channel])
    found = features @ vector
    lengths = np.linalg.norm(features, axis=-1) * np.linalg.norm(vector)
    cosines = np.maximum(np.divide(found, lengths, out=np.zeros_like(found), where=lengths > 0), 0.1)
    return found * cosines**unit.cosine


def value(features, unit):
    found = counts(features, unit)
    return found.mean((1, 2)) if unit.position is None else found[(slice(None), *unit.position)]


def pixel_grads(images, unit):
    """dy/dx by the chain rule; the first factor by differences of the formula itself."""
    state, weights = TWIN.forward(images), {name: each.astype(np.float64) for name, each in TWIN.weights.items()}
    features, grad = state["features"], np.zeros_like(state["features"])
    for row, column, channel in np.ndindex(features.shape[1:]):
        step = np.zeros_like(features)
        step[:, row, column, channel] = 1e-6
        grad[:, row, column, channel] = (value(features + step, unit) - value(features - step, unit)) / 2e-6
    grad = conv_same_backward(relu_backward(grad, features, False), weights["w2"])
    grad = np.repeat(np.repeat(grad, 2, axis=1), 2, axis=2) / 4
    return conv_same_backward(relu_backward(grad, state["a1"], False), weights["w1"])


UNITS = [
    FeatureUnit(channel=3),
    FeatureUnit(channel=1, position=(2, 5)),
    FeatureUnit(direction=VECTOR),
    FeatureUnit(direction=VECTOR, position=(0, 1)),
    FeatureUnit(direction=VECTOR, cosine=2),
    FeatureUnit(channel=2, cosine=0.5, position=(1, 1)),
]


@pytest.mark.parametrize("channels_first", [False, True])
@pytest.mark.parametrize("unit", UNITS, ids=[f"{n}" for n in range(len(UNITS))])
def test_a_unit_is_what_its_formula_says(unit, channels_first):
    images = TWIN.images(3) * 2
    features = TWIN.forward(images)["features"]
    with opened(TWIN.graph(channels_first=channels_first)) as net:
        unit_net, known = bound(net, unit)
        values, maps = unit_net.measure(known, images)
        np.testing.assert_allclose(values[:, 0], value(features, unit), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(maps[..., 0], counts(features, unit), rtol=1e-4, atol=1e-5)
        found, grads = unit_net.climb(known * 3, images)
    np.testing.assert_allclose(found, values[:, 0], rtol=1e-5)
    np.testing.assert_allclose(grads, pixel_grads(images, unit), rtol=1e-3, atol=1e-5)


def test_the_mean_of_a_channel_by_hand(net):
    """One image, one channel: the mean of the feature map."""
    image = TWIN.images(1)
    unit_net, known = bound(net, FeatureUnit(channel=0))
    expected = TWIN.forward(image)["features"][0, :, :, 0].sum() / 24
    assert unit_net.measure(known, image)[0][0, 0] == pytest.approx(expected, rel=1e-5)


def test_a_class_is_its_logit(net):
    images = TWIN.images(2)
    unit_net, known = bound(net, 2, FeatureUnit(0))
    np.testing.assert_allclose(
        unit_net.measure(known, images)[0], TWIN.forward(images)["logits"][:, [2, 0]], rtol=1e-4, atol=1e-5
    )
    grads = unit_net.climb(known, images)[1]
    for n, class_id in enumerate((2, 0)):
        expected = TWIN.pixel_grads(images, class_id, guided=False)[n]
        np.testing.assert_allclose(grads[n], expected, rtol=1e-3, atol=1e-5)


def test_several_units_of_a_place_do_not_mix(net):
    """Each row of a batch has its own unit."""
    images = np.repeat(TWIN.images(1), 5, axis=0)
    unit_net, known = bound(net, *[FeatureUnit(channel=k) for k in range(5)])
    values, grads = unit_net.climb(known, images)
    features = TWIN.forward(images[:1])["features"]
    np.testing.assert_allclose(values, features.mean((0, 1, 2)), rtol=1e-4, atol=1e-5)
    for k in range(5):
        np.testing.assert_allclose(grads[k], pixel_grads(images[:1], FeatureUnit(channel=k))[0], rtol=1e-3, atol=1e-5)


def test_in_front_of_the_rectifier_every_unit_has_a_gradient(graph):
    x = tf.placeholder(tf.float32, [None, 4, 4, 3], name="input")
    a = tf.nn.relu(tf.reduce_sum(x, 3, keepdims=True) * np.ones((1, 2), "f4") - 1e6, name="features")
    tf.reduce_mean(a, [1, 2], name="logits")
    with opened(graph) as net:
        unit_net, known = bound(net, FeatureUnit(channel=1))
        images = np.ones((1, 4, 4, 3), np.float32)
        assert not unit_net.climb(known, images)[1].any()
        np.testing.assert_allclose(unit_net.climb(known, images, rectified=False)[1], 1 / 16)


def test_nothing_grows(net):
    unit_net, known = bound(net, *UNITS)
    images = TWIN.images(1)
    for unit in known:
        unit_net.climb([unit], images)
        unit_net.measure([unit], images)
    before = len(net.graph.get_operations())
    again = bound(net, *UNITS)
    for unit in again[1]:
        again[0].climb([unit], images)
        again[0].measure([unit], images)
    assert len(net.graph.get_operations()) == before
    assert net.graph.finalized


@pytest.mark.parametrize(
    ("unit", "message"),
    [
        (FeatureUnit(channel=5), r"no channel 5: 'features:0' has 5, 0 to 4"),
        (FeatureUnit(channel=0, position=(4, 0)), r"no position \(4, 0\): 'features:0' has 4 rows and 6 columns"),
        (FeatureUnit(direction=(1, 2)), "direction has 2 numbers, 'features:0' has 5 channels"),
        (FeatureUnit(channel=0, layer="Relu:0 + features:0"), "single layer|same evidence twice"),
    ],
)
def test_what_the_net_does_not_have_is_refused(net, unit, message):
    with pytest.raises((OptionError, BindingError), match=message):
        bound(net, unit)


def test_a_class_that_is_not_there_is_refused(net):
    with pytest.raises(TargetError, match="no class 4: the net has 4 classes, ids 0 to 3"):
        bound(net, 4)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "a unit is a class, a channel or a direction; give exactly one of these"),
        ({"channel": 1, "direction": (1,)}, "give exactly one"),
        ({"class_spec": 1, "layer": "a"}, "a class has no layer, position or cosine"),
        ({"channel": -1}, "channel is a number from 0, not -1"),
        ({"channel": True}, "channel is a number from 0, not True"),
        ({"direction": "up"}, "direction is a sequence of numbers, not 'up'"),
        ({"direction": (0, 0)}, "finite numbers, one for each channel, and not all zero"),
        ({"direction": (0, float("nan"))}, "finite numbers"),
        ({"channel": 1, "position": 3}, r"position is \(row, column\) of the layer, from 0, not 3"),
        ({"channel": 1, "negative": 1}, "negative is True or False, not 1"),
        ({"channel": 1, "cosine": -1}, "cosine is a power from 0 to 8, not -1"),
        ({"channel": 1, "cosine": 1, "negative": True}, "give the opposite direction"),
    ],
)
def test_a_unit_that_means_nothing_is_refused(fields, message):
    with pytest.raises(OptionError, match=message):
        FeatureUnit(**fields)


@pytest.mark.parametrize(
    ("units", "message"), [([], "no unit is given"), ([1.5], "or the id or name of a class, not 1")]
)
def test_no_units_are_refused(units, message):
    with pytest.raises(OptionError, match=message):
        as_units(units)


class Halved(GradCamGraph):
    """A net with its own preprocessing in numpy."""

    def preprocess(self, images):
        return images / 2


def test_a_preprocessing_of_the_users_own_is_refused():
    message = "Halved overrides preprocess, whose gradient is not known"
    own = Halved(load(TWIN.graph().as_graph_def()), input="input", logits="logits")
    with own as net, pytest.raises(OptionError, match=message):
        UnitNet(net, (0, 255)).net_values()


def test_an_unknown_preprocessing_is_refused():
    with opened(preset=None) as net, pytest.raises(OptionError, match="does not show how its pixel values are prep"):
        UnitNet(net, (0, 255))


def integers(graph, scale):
    x = tf.placeholder(tf.uint8, [None, 4, 4, 3], name="input")
    a = tf.identity(tf.cast(x // scale if scale > 1 else x, tf.float32), name="features")
    tf.reduce_sum(a, [1, 2], name="logits")
    return graph


def test_an_integer_input_is_climbed_at_its_first_floats(graph):
    with opened(integers(graph, 1)) as net:
        unit_net, known = bound(net, FeatureUnit(channel=1))
        values = unit_net.net_values()
        np.testing.assert_allclose(values.values(np.full((1, 1, 1, 3), 77.0)), 77)
        grads = unit_net.climb(known, np.full((1, 4, 4, 3), 70.5, np.float32))[1]
        np.testing.assert_allclose(grads[0, 2, 3], [0, 1 / 16, 0])


def test_rounded_pixels_are_refused(graph):
    message = "the net's first floats, does not hold the preprocessed pixels"
    with opened(integers(graph, 1), preset="zero-one") as net, pytest.raises(GradientError, match=message):
        UnitNet(net, (0, 255)).net_values()


def test_other_inputs_are_refused():
    message = "features are pictures, and this net takes signals, volumes or clips"
    with GradCamGraph(ArrayNet((11,)).graph()) as net, pytest.raises(OptionError, match=message):
        UnitNet(net, (0, 255))
    further = GradCamGraph(load(with_meta()), preset="raw", feed={"meta": None})
    with further as net, pytest.raises(BindingError, match="meta"):
        UnitNet(net, (0, 255))


def test_a_net_that_mixes_its_images_is_refused(graph):
    x = tf.placeholder(tf.float32, [None, 4, 4, 3], name="input")
    a = tf.nn.conv2d(x, np.ones((1, 1, 3, 2), "f4"), [1, 1, 1, 1], "SAME")
    a = tf.identity(tf.nn.fused_batch_norm(a, np.ones(2, "f4"), np.zeros(2, "f4"))[0], name="features")
    tf.reduce_mean(a, [1, 2], name="logits")
    with opened(graph) as net, pytest.raises(GradientError, match="mixes the images of a batch"):
        UnitNet(net, (0, 255))
    with opened(graph, batch_size=1) as net:
        UnitNet(net, (0, 255))
